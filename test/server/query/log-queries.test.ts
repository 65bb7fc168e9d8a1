import { describe, expect, test } from "vitest";
import { ask, type Line } from "./ask.ts";

const A = '{app="a"}';
const steady = (count: number, line: (i: number) => string = (i) => `line ${i}`): Line[] =>
  Array.from({ length: count }, (_, i) => [i, line(i)]);

describe("log queries", () => {
  const two = ask({
    '{app="a", n="1"}': [
      [1, "one"],
      [3, "three"],
      [5, "five"],
    ],
    '{app="a", n="2"}': [
      [2, "two"],
      [4, "four"],
    ],
  });
  const cases: [name: string, options: Parameters<typeof two.lines>[1], expected: string[]][] = [
    ["forward is oldest first, over all streams", {}, ["one", "two", "three", "four", "five"]],
    ["backward is newest first", { direction: "backward" }, ["five", "four", "three", "two", "one"]],
    ["the limit is one for all streams", { limit: 3 }, ["one", "two", "three"]],
    ["the limit counts from the end when backward", { limit: 2, direction: "backward" }, ["five", "four"]],
    ["the start is in, the end is out", { from: 2, to: 4 }, ["two", "three"]],
    ["an empty range has no lines", { from: 2, to: 2 }, []],
    ["an interval thins from the oldest when forward", { intervalS: 2 }, ["one", "three", "five"]],
    ["an interval thins from the newest when backward", { intervalS: 3, direction: "backward" }, ["five", "two"]],
    ["the limit counts before the interval", { intervalS: 2, limit: 2 }, ["one"]],
  ];
  for (const [name, options, expected] of cases) test(name, async () => expect(await two.lines(A, options)).toEqual(expected));
});

describe("line filters", () => {
  const asked = ask(
    {
      '{app="a"}': [
        [1, "GET /a 200"],
        [2, "POST /b 500"],
        [3, "get /c 404"],
        [4, ""],
        [5, "Straße \u212a 10.0.0.7"],
      ],
    },
    { pageEntries: 5 },
  );
  const cases: [query: string, expected: number[]][] = [
    ['|= "GET"', [1]],
    ['!= "GET"', [2, 3, 4, 5]],
    ['|~ "(?i)get"', [1, 3]],
    ['|~ "GET|POST"', [1, 2]],
    ['!~ "GET|POST"', [3, 4, 5]],
    ['|= "GET" or "POST"', [1, 2]],
    ['!= "GET" or "POST"', [3, 4, 5]],
    ['|= ""', [1, 2, 3, 4, 5]],
    ['|~ ".+"', [1, 2, 3, 5]],
    ['|~ "/[ab] \\\\d+$"', [1, 2]],
    ['!~ "/[ab] \\\\d+$"', [3, 4, 5]],
    ['|= "/" != "500" |~ "[24]0"', [1, 3]],
    ['|~ "(?i)STRASSE"', []],
    ['|~ "(?i)straße k"', [5]],
    ['|> "<_> /<_> 500"', [2]],
    ['|= ip("10.0.0.0/8")', [5]],
    ['!= ip("10.0.0.0/8") |= "/"', [1, 2, 3]],
    ['|= "/" or ip("10.0.0.7")', [1, 2, 3, 5]],
    ['|= "/" or ip("10.0.0.0/8")', [1, 2, 3]],
    ['!~ ".*"', []],
    ['|= "GET" or ""', [1]],
    ['|= "" or ""', [1, 2, 3, 4, 5]],
    ['!= "GET" or ""', []],
  ];
  for (const [filter, seconds] of cases) {
    test(filter, async () => {
      const all = await asked.lines('{app="a"}');
      expect(await asked.lines(`{app="a"} ${filter}`)).toEqual(seconds.map((second) => all[second - 1]));
    });
  }
});

describe("ops in order", () => {
  const asked = ask({
    '{app="a"}': [
      [1, '{"level":"error","status":500,"nested":{"k":"v"},"list":[1,2]}', { trace: "t1" }],
      [2, '{"level":"info","status":"200","app":"clash","trace":"own"}'],
      [3, "level=warn status=x took=1.5s"],
    ],
  });
  const cases: [name: string, query: string, expected: string[]][] = [
    [
      "json flattens and leaves arrays out",
      '{app="a"} | json | level="error"',
      ['{app="a", level="error", nested_k="v", status="500", trace="t1"} {"level":"error","status":500,"nested":{"k":"v"},"list":[1,2]}'],
    ],
    [
      "json does not overwrite stream labels",
      '{app="a"} | json | app_extracted="clash" | keep app, app_extracted',
      ['{app="a", app_extracted="clash"} {"level":"info","status":"200","app":"clash","trace":"own"}'],
    ],
    [
      "a line that is no object keeps its labels and gets an error",
      '{app="a"} | json | __error__!="" | keep app',
      [
        '{__error__="JSONParserErr", __error_details__="Value looks like object, but can\'t find closing \'}\' symbol", app="a"} level=warn status=x took=1.5s',
      ],
    ],
    [
      "numbers compare as numbers, words are errors",
      '{app="a"} | logfmt | status>=1 | keep status',
      [
        '{__error__="LabelFilterErr", __error_details__="strconv.ParseFloat: parsing \\"x\\": invalid syntax", status="x"} level=warn status=x took=1.5s',
      ],
    ],
    ["durations", '{app="a"} | logfmt | took>1s | drop level, status', ['{app="a", took="1.5s"} level=warn status=x took=1.5s']],
    ["a missing label drops the line without error", '{app="a"} | logfmt | nope>1', []],
    ["or takes either side", '{app="a"} | logfmt | took>1h or level="warn" | keep level', ['{level="warn"} level=warn status=x took=1.5s']],
    [
      "a template rewrites the line, a filter behind it sees the new one",
      '{app="a"} | logfmt | line_format "{{.level}}!" |= "warn!" | keep app',
      ['{app="a"} warn!'],
    ],
    [
      "a filter meets a label before the ops in between do",
      '{app="a"} |= "took" | logfmt | label_format status="1" | status>=1 | keep status',
      [
        '{__error__="LabelFilterErr", __error_details__="strconv.ParseFloat: parsing \\"x\\": invalid syntax", status="1"} level=warn status=x took=1.5s',
      ],
    ],
    [
      "a label is renamed and its source goes",
      '{app="a"} | logfmt | label_format lvl=level | keep lvl, level |= "took"',
      ['{lvl="warn"} level=warn status=x took=1.5s'],
    ],
    [
      "a label renamed to itself goes too",
      '{app="a"} | logfmt | label_format level=level | keep level, status |= "took"',
      ['{status="x"} level=warn status=x took=1.5s'],
    ],
    ["regexp takes named groups", '{app="a"} | regexp "took=(?P<t>\\\\S+)" | t!="" | keep t', ['{t="1.5s"} level=warn status=x took=1.5s']],
    ["pattern takes captures", '{app="a"} | pattern "level=<l> <_>" | l!="" | keep l', ['{l="warn"} level=warn status=x took=1.5s']],
    [
      "paths pick values",
      '{app="a"} | json k="nested.k", one="list[1]" | one="2" | keep k, one',
      ['{k="v", one="2"} {"level":"error","status":500,"nested":{"k":"v"},"list":[1,2]}'],
    ],
  ];
  for (const [name, query, expected] of cases) test(name, async () => expect(await asked.entries(query)).toEqual(expected));
});

test("an empty regex of a label filter says nothing, and its contrary drops everything", async () => {
  const asked = ask({
    '{app="a"}': [
      [1, "n=1"],
      [2, "n=2"],
    ],
  });
  expect(await asked.lines('{app="a"} | logfmt | n=~""')).toEqual(["n=1", "n=2"]);
  expect(await asked.lines('{app="a"} | logfmt | n=~"" and n="2"')).toEqual(["n=2"]);
  expect(await asked.lines('{app="a"} | logfmt | nope!~""')).toEqual([]);
});

describe("a label is given once", () => {
  const asked = ask({ '{app="a"}': [[1, '{"a":"json","b":"json","a":"again"} a=logfmt c=logfmt', { m: "meta" }]] });
  const cases: [ops: string, labels: string][] = [
    ["json | logfmt", '{a="json", app="a", b="json", c="logfmt", m="meta"}'],
    ['label_format a="mine" | json', '{a="mine", app="a", b="json", m="meta"}'],
    ["json | drop a | logfmt", '{app="a", b="json", c="logfmt", m="meta"}'],
    ['json x="b", b="a" | json', '{a="json", app="a", b="json", m="meta", x="json"}'],
    ["json | label_format a=b | logfmt", '{a="json", app="a", c="logfmt", m="meta"}'],
    ['logfmt | logfmt a="c"', '{a="logfmt", app="a", c="logfmt", m="meta"}'],
    ["logfmt | logfmt b", '{a="logfmt", app="a", b="", c="logfmt", m="meta"}'],
  ];
  for (const [ops, labels] of cases) {
    test(ops, async () => expect((await asked.entries(`{app="a"} | ${ops}`))[0]?.split(" {")[0]).toBe(labels));
  }
});

describe("errors of several ops", () => {
  const asked = ask({ '{app="a"}': [[1, '{"n":"x","ip":"10.0.0.1"']], '{app="b"}': [[1, "\u001b[31mred"]] });
  const details = "Value is array, but can't find closing ']' symbol";
  const broken = '{"n":"x","ip":"10.0.0.1"';
  const cases: [query: string, expected: string][] = [
    ['{app="a"} | json | n > 1', `{__error__="JSONParserErr", __error_details__="${details}", app="a", ip="10.0.0.1", n="x"} ${broken}`],
    [
      '{app="a"} | json | label_format z=ip | z=ip("9.9.9.9") | keep app',
      `{__error__="JSONParserErr", __error_details__="${details}", app="a"} ${broken}`,
    ],
    ['{app="a"} | json | keep app | line_format "x" | json y', `{__error__="JSONParserErr", __error_details__="${details}", app="a"} x`],
    [
      '{app="a"} | json | keep app | line_format "{{.__error__}}!"',
      `{__error__="JSONParserErr", __error_details__="${details}", app="a"} JSONParserErr!`,
    ],
    [
      '{app="a"} | json | keep app | line_format "{{ .__error__ }}"',
      `{__error__="JSONParserErr", __error_details__="${details}", app="a"} `,
    ],
    [
      '{app="a"} | json | label_format e="{{.__error__}}" | drop __error__, __error_details__, n, ip',
      `{app="a", e="JSONParserErr"} ${broken}`,
    ],
    ['{app="b"} | decolorize != "\x1b"', ""],
    ['{app="b"} | decolorize | app="b" != "\x1b"', '{app="b"} red'],
  ];
  for (const [query, expected] of cases) test(query, async () => expect((await asked.entries(query)).join("\n")).toBe(expected));
});

describe("what is read", () => {
  test("a full answer stops the reading", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    expect(await asked.lines(A, { limit: 5, direction: "backward" })).toEqual(["line 99", "line 98", "line 97", "line 96", "line 95"]);
    expect(asked.data.opened).toBe(1);
  });
  test("pages that cannot contain the literal are not opened", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    expect(await asked.lines(`${A} |= "line 42"`)).toEqual(["line 42"]);
    expect(asked.data.opened).toBe(1);
  });
  test("a literal that a regex needs keeps pages closed, too", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    expect(await asked.lines(`${A} |~ "ine 4[23]$" |~ "ne 42"`)).toEqual(["line 42"]);
    expect(asked.data.opened).toBe(1);
  });
  test("counts come from statistics when no line is asked for", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    expect(await asked.at(`sum(count_over_time(${A}[200s]))`, 150)).toEqual(["{} 100"]);
    expect(await asked.at(`bytes_over_time(${A}[200s])`, 150)).toEqual(['{app="a"} 690']);
    expect(asked.data.opened).toBe(0);
  });
  test("only pages on a step's edge are opened", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    expect(await asked.over(`count_over_time(${A}[50s])`, 45, 95, 50)).toEqual(['{app="a"} 46 50']);
    expect(asked.data.opened).toBe(2);
  });
});

describe("entries that were pushed twice", () => {
  const lines: Line[] = [
    [1, "a"],
    [2, "b"],
    [3, "c"],
    [2, "b"],
    [3, "c"],
    [4, "d"],
    [2, "b"],
    [2, "other"],
    [2, "b", { m: "1" }],
  ];
  const asked = ask({ [A]: lines }, { pageEntries: 3 });
  test("count once in a log query", async () => expect(await asked.lines(A)).toEqual(["a", "b", "other", "b", "c", "d"]));
  test("count once in a metric query", async () => expect(await asked.at(`sum(count_over_time(${A}[10s]))`, 10)).toEqual(["{} 6"]));
  test("and when only some lines are looked at", async () =>
    expect(await asked.at(`sum(count_over_time(${A} |= "b"[10s]))`, 10)).toEqual(["{} 2"]));
});

describe("a query ends early", () => {
  test("when the client goes away", async () => {
    const asked = ask({ [A]: steady(100) }, { pageEntries: 10 });
    const abort = new AbortController();
    abort.abort();
    const request = {
      tenants: ["t"],
      query: `${A} |= "nope" or "line"`,
      limit: 10,
      direction: "forward" as const,
      startNs: 0n,
      endNs: 10n ** 12n,
      stepNs: 10n ** 9n,
      intervalNs: 0n,
      signal: abort.signal,
    };
    await expect(asked.engine.range(request)).rejects.toMatchObject({ status: 499, message: "the request was cancelled by the client" });
  });
  test("with an error that a sample carries", async () => {
    const asked = ask({ [A]: [[1, "v=x"]] });
    await expect(asked.at(`sum_over_time(${A} | logfmt | unwrap v [10s])`, 5)).rejects.toThrow(
      "pipeline error: 'SampleExtractionErr' for series: '{__error__=\"SampleExtractionErr\"",
    );
  });
});
