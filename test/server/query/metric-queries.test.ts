import { describe, expect, test } from "vitest";
import { ask } from "./ask.ts";

const X = 'sum by (s) (count_over_time({s=~"x|y"}[1m]))';
const asked = ask({
  '{s="x", env="p"}': [
    [10, "v=1"],
    [20, "v=2"],
    [30, "v=4"],
  ],
  '{s="y", env="q"}': [[10, "v=10"]],
  '{s="meta"}': [
    [10, "no object", { level: "warn" }],
    [20, "n=1 level=info", { level: "warn" }],
  ],
  '{s="bad"}': [
    [10, "{"],
    [20, '{"a":"1"}'],
  ],
  '{s="json"}': [
    [1, '{"status":500,"who":"a"}'],
    [2, '{"status":200,"who":"b"}'],
    [3, '{"status":503,"who":"a","trace_id":"t"}'],
    [4, '{ "status" : 404 }'],
    [5, '{"x":{"status":1}}'],
    [6, '{"\\u0073tatus":599}'],
    [7, '{" status":598}'],
  ],
});

describe("instant queries", () => {
  const cases: [query: string, expected: string[]][] = [
    ["1 + 1", ["2"]],
    ["vector(1) + vector(1)", ["{} 2"]],
    [X, ['{s="x"} 3', '{s="y"} 1']],
    [`${X} * 2 > 2`, ['{s="x"} 6']],
    [`2 < bool ${X}`, ['{s="x"} 1', '{s="y"} 0']],
    [`topk(1, ${X})`, ['{s="x"} 3']],
    [`bottomk(1, ${X})`, ['{s="y"} 1']],
    [`sort(${X})`, ['{s="y"} 1', '{s="x"} 3']],
    [`sort_desc(${X})`, ['{s="x"} 3', '{s="y"} 1']],
    [`avg(${X})`, ["{} 2"]],
    [`stddev(${X})`, ["{} 1"]],
    ["stddev(vector(1) / 0)", ["{} 0"]],
    [`count without (s) (${X})`, ["{} 2"]],
    [`${X} / on (s) ${X}`, ['{s="x"} 1', '{s="y"} 1']],
    [`${X} and on (s) count_over_time({s="x"}[1m])`, ['{s="x"} 3']],
    [`${X} unless on (s) count_over_time({s="x"}[1m])`, ['{s="y"} 1']],
    [`count_over_time({s="x"}[1m]) * on (s) group_left (s) ${X}`, ['{env="p", s="x"} 9']],
    [`label_replace(${X}, "t", "$1!", "s", "(x)")`, ['{s="x", t="x!"} 3', '{s="y"} 1']],
    ['absent_over_time({s="nope", env!="z"}[1m])', ['{s="nope"} 1']],
    ['absent_over_time({s="x"}[1m])', []],
    ['absent_over_time({s="", s="z", env="", env!="p"}[1m])', ['{s="z"} 1']],
    ['sum(sum_over_time({s=~"x|y"} | logfmt | unwrap v [1m]))', ["{} 17"]],
    ['max_over_time({s="x"} | logfmt | unwrap v [1m]) by (env)', ['{env="p"} 4']],
    ['quantile_over_time(0.5, {s="x"} | logfmt | unwrap v [1m]) by ()', ["{} 2"]],
    ['rate({s="x"} | logfmt | unwrap v [1m])', ['{env="p", s="x"} 0.11666666666666667']],
    // Nobody asks for a label, so nobody parses; with a label asked for, the broken line would fail the query.
    ['sum(count_over_time({s="bad"} | json [1m]))', ["{} 2"]],
    ['sum by (__error__) (count_over_time({s="bad"} | json [1m]))', ["{} 1", '{__error__="JSONParserErr"} 1']],
    ['sum(count_over_time({s="json"} | json | status >= 500 [1m]))', ["{} 4"]],
    [
      'sum by (status) (count_over_time({s="json"} | json | status != "" [1m]))',
      ['{status="200"} 1', '{status="404"} 1', '{status="500"} 1', '{status="503"} 1', '{status="598"} 1', '{status="599"} 1'],
    ],
    ['sum by (who) (count_over_time({s="json"} | json | status >= 500 [1m]))', ["{} 2", '{who="a"} 2']],
    ['sum by (trace_id) (count_over_time({s="json"} | json | trace_id != "" [1m]))', ['{trace_id="t"} 1']],
    // A label of the entry's own is there before any parser, and was asked for: nobody parses.
    ['sum by (level) (count_over_time({s="meta"} | json [1m]))', ['{level="warn"} 2']],
    ['sum by (level) (count_over_time({s="meta"} | label_format level="x" | json [1m]))', ['{level="x"} 2']],
    ['max_over_time({s="meta"} | json | drop __error__ | label_format n="5" | unwrap n [1m]) by (level)', ['{level="warn"} 5']],
    [
      'count_over_time({s="meta"} | logfmt n, level | drop level [1m])',
      ['{level_extracted="info", n="1", s="meta"} 1', '{n="", s="meta"} 1'],
    ],
    // What has no value is no sample, and no error.
    ['sum(sum_over_time({s="meta"} | logfmt n | unwrap n [1m]))', ["{} 1"]],
    ['sum(sum_over_time({s="json"} | json v="nope" | unwrap v [1m]))', []],
    ['sum by (x_status) (count_over_time({s="json"} | json | x_status != "" [1m]))', ['{x_status="1"} 1']],
  ];
  for (const [query, expected] of cases) test(query, async () => expect(await asked.at(query, 60)).toEqual(expected));
});

describe("range queries", () => {
  const cases: [name: string, query: string, expected: string[]][] = [
    ["windows are open at their start", 'count_over_time({s="x"}[10s])', ['{env="p", s="x"} _ 1 1 1 _']],
    ["windows may overlap", 'count_over_time({s="x"}[25s])', ['{env="p", s="x"} _ 1 2 3 2']],
    ["an offset looks back", 'count_over_time({s="x"}[10s] offset 10s)', ['{env="p", s="x"} _ _ 1 1 1']],
    ["a negative offset looks ahead", 'count_over_time({s="x"}[10s] offset -10s)', ['{env="p", s="x"} 1 1 1 _ _']],
    [
      "topk chooses at each step",
      'topk(1, sum by (s) (sum_over_time({s=~"x|y"} | logfmt | unwrap v [10s])))',
      ['{s="x"} _ _ 2 4 _', '{s="y"} _ 10 _ _ _'],
    ],
    ["or fills gaps", 'sum by (s) (count_over_time({s="x"}[10s])) or vector(0)', ['{s="x"} _ 1 1 1 _', "{} 0 0 0 0 0"]],
    ["comparisons leave gaps", 'sum_over_time({s="x"} | logfmt | unwrap v [10s]) > 1', ['{env="p", s="x"} _ _ 2 4 _']],
    ["absence is told per step", 'absent_over_time({s="x"}[10s])', ['{s="x"} 1 _ _ _ 1']],
  ];
  for (const [name, query, expected] of cases)
    test(name, async () => expect((await asked.over(query, 0, 40, 10)).sort()).toEqual(expected.sort()));
});

describe("refused", () => {
  const cases: [query: string, status: number, message: string][] = [
    ['{s="x"}', 400, "log queries are not supported as an instant query type, please change your query to a range query type"],
    ['count_over_time({s="bad"} | json [1m])', 400, "pipeline error: 'JSONParserErr' for series:"],
    [
      'sum by (env) (count_over_time({s=~"x|y"}[1m])) + on () sum by (env) (count_over_time({s=~"x|y"}[1m]))',
      500,
      "found duplicate series on the right hand-side;many-to-many matching not allowed",
    ],
    [
      'count_over_time({s=~"x|y"}[1m]) + on () vector(1)',
      500,
      "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    ],
    ["sum(1)", 400, "unexpected expr type (*syntax.LiteralExpr)"],
    ['variants(count_over_time({s="x"}[1m])) of ({s="x"}[1m])', 400, "multi variant queries are disabled for this instance"],
  ];
  for (const [query, status, message] of cases) {
    test(query, async () => {
      await expect(asked.at(query, 60)).rejects.toMatchObject({ status, message: expect.stringContaining(message) as string });
    });
  }
});

describe("limits", () => {
  const streams = { '{s="a"}': [[10, "x"]], '{s="b"}': [[10, "x"]], '{s="c"}': [[10, "x"]] } as const;
  const nowMs = 100_000;
  const cases: [name: string, limits: Parameters<typeof ask>[1], query: string, message: string][] = [
    [
      "series",
      { limits: { maxQuerySeries: 2 } },
      'count_over_time({s=~".+"}[1m])',
      "maximum number of series (2) reached for a single query;",
    ],
    ["range", { limits: { maxQueryRangeMs: 600_000 } }, 'count_over_time({s="a"}[11m])', "[interval] value exceeds limit: [11m] > [10m]"],
    [
      "length",
      { limits: { maxQueryLengthMs: 7_200_000 } },
      'count_over_time({s="a"}[3h])',
      "the query time range exceeds the limit (query length: 3h0m0.000000001s, limit: 2h)",
    ],
    [
      "matchers",
      { limits: { maxStreamsMatchersPerQuery: 1 } },
      'count_over_time({s="a", t=""}[1m])',
      "max streams matchers per query exceeded, matchers-count > limit (2 > 1)",
    ],
    [
      "required labels",
      { limits: { requiredLabels: ["team"] } },
      'count_over_time({s="a"}[1m])',
      "stream selector is missing required matchers [team], labels present in the query were [s]",
    ],
    [
      "fewest labels",
      { limits: { minimumLabelsNumber: 2 } },
      'count_over_time({s="a"}[1m])',
      "stream selector has less label matchers than required: (present: [s], number_present: 1, required_number_label_matchers: 2)",
    ],
    [
      "blocked as text",
      { limits: { blockedQueries: [{ pattern: 'rate({s="a"}[1m])', regex: false, types: [], hash: 0 }] } },
      'rate({s="a"}[1m])',
      "query blocked by policy",
    ],
    [
      "blocked by kind",
      { limits: { blockedQueries: [{ pattern: "", regex: false, types: ["metric"], hash: 0 }] } },
      'rate({s="a"}[1m])',
      "query blocked by policy",
    ],
    [
      "bytes",
      { limits: { maxQueryBytesRead: 2 } },
      'count_over_time({s=~".+"}[1m])',
      "the query would read too many bytes (query: 3 B, limit: 2 B);",
    ],
    [
      "bytes of the one querier",
      { limits: { maxQuerierBytesRead: 2 } },
      'count_over_time({s=~".+"}[1m])',
      "un-shardable query too large to execute on a single querier: (query: 3 B, limit: 2 B);",
    ],
  ];
  for (const [name, options, query, message] of cases) {
    test(name, async () => {
      await expect(ask(streams, { ...options, nowMs }).at(query, 60)).rejects.toMatchObject({
        status: 400,
        message: expect.stringContaining(message) as string,
      });
    });
  }
  test("the sum of many series is one", async () =>
    expect(await ask(streams, { limits: { maxQuerySeries: 2 } }).at('sum(count_over_time({s=~".+"}[1m]))', 60)).toEqual(["{} 3"]));
  test("nothing lies beyond the look-back", async () =>
    expect(await ask(streams, { limits: { maxQueryLookbackMs: 10_000 }, nowMs }).at('count_over_time({s="a"}[1m])', 60)).toEqual([]));
});
