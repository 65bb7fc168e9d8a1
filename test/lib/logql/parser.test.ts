import { describe, expect, test } from "vitest";
import type { LabelFilter, LogExpr, MetricExpr } from "../../../lib/logql/ast.ts";
import { isLog, isMetric, parseExpr, parseLogExpr, parseMetricExpr, printExpr, printLabelFilter } from "../../../lib/logql/index.ts";

const log = (text: string): LogExpr => parseLogExpr(text);
const metric = (text: string): MetricExpr => parseMetricExpr(text);
const ops = (tail: string): unknown[] => [...log(`{a="b"} ${tail}`).ops];
const filterOf = (text: string): LabelFilter => {
  const op = log(`{a="b"} | ${text}`).ops[0]!;
  if (op.kind !== "labelFilter") throw new Error(`${text} is a ${op.kind}`);
  return op.filter;
};

describe("selectors and ops", () => {
  test("a selector has its matchers in order", () => {
    expect(log('{a="1", b!="2",c=~`3.*`, d!~"4"}').matchers).toEqual([
      { name: "a", op: "=", value: "1" },
      { name: "b", op: "!=", value: "2" },
      { name: "c", op: "=~", value: "3.*" },
      { name: "d", op: "!~", value: "4" },
    ]);
  });
  for (const [name, tail, want] of [
    ["a line filter", '|= "x"', { kind: "lineFilter", op: "|=", operands: [{ kind: "text", text: "x" }] }],
    [
      "a chain of operands",
      '!= "x" or ip("::1")',
      {
        kind: "lineFilter",
        op: "!=",
        operands: [
          { kind: "text", text: "x" },
          { kind: "ip", pattern: "::1" },
        ],
      },
    ],
    ["json alone", "| json", { kind: "json", extractions: [] }],
    ["json in its short form", "| json a", { kind: "json", extractions: [{ label: "a", expression: "a" }] }],
    [
      "json with paths",
      '| json a="b[0]", c',
      {
        kind: "json",
        extractions: [
          { label: "a", expression: "b[0]" },
          { label: "c", expression: "c" },
        ],
      },
    ],
    ["logfmt with flags in any case", "| logfmt --Keep-Empty --STRICT", { kind: "logfmt", strict: true, keepEmpty: true, extractions: [] }],
    ["regexp", '| regexp "(?P<x>.)"', { kind: "regexp", pattern: "(?P<x>.)" }],
    ["pattern", '| pattern "<x> <_>"', { kind: "pattern", pattern: "<x> <_>" }],
    ["unpack", "| unpack", { kind: "unpack" }],
    ["decolorize", "| decolorize", { kind: "decolorize" }],
    ["line_format", '| line_format "{{.x}}"', { kind: "lineFormat", template: "{{.x}}" }],
    [
      "label_format",
      '| label_format a=b, c="{{.d}}"',
      {
        kind: "labelFormat",
        formats: [
          { label: "a", from: { kind: "label", text: "b" } },
          { label: "c", from: { kind: "template", text: "{{.d}}" } },
        ],
      },
    ],
    [
      "drop",
      '| drop a, b=~"c.*"',
      {
        kind: "drop",
        items: [
          { name: "a", matcher: null },
          { name: "b", matcher: { name: "b", op: "=~", value: "c.*" } },
        ],
      },
    ],
    ["keep", "| keep a", { kind: "keep", items: [{ name: "a", matcher: null }] }],
  ] as const) {
    test(name, () => expect(ops(tail)).toEqual([want]));
  }
});

describe("label filters", () => {
  for (const [name, text, want] of [
    ["a string", 'x="y"', { kind: "string", matcher: { name: "x", op: "=", value: "y" } }],
    ["a number", "x>=5", { kind: "number", name: "x", op: ">=", value: 5, text: "5" }],
    ["a negative number", "x < -1.5", { kind: "number", name: "x", op: "<", value: -1.5, text: "-1.5" }],
    ["a number with underscores", "x<1_000", { kind: "number", name: "x", op: "<", value: 1000, text: "1_000" }],
    ["a hexadecimal number", "x<0x1F", { kind: "number", name: "x", op: "<", value: 31, text: "0x1F" }],
    ["a duration in seconds", "x>1h30m", { kind: "duration", name: "x", op: ">", value: 5400, text: "1h30m" }],
    ["a duration with a fraction", "x=1.5s", { kind: "duration", name: "x", op: "=", value: 1.5, text: "1.5s" }],
    ["a negative duration", "x>-2ms", { kind: "duration", name: "x", op: ">", value: -0.002, text: "-2ms" }],
    ["a size in powers of 1000", "x>1.5KB", { kind: "bytes", name: "x", op: ">", value: 1500, text: "1.5KB" }],
    ["a size in powers of 1024", "x!=2KiB", { kind: "bytes", name: "x", op: "!=", value: 2048, text: "2KiB" }],
    ["a day is a duration", "x>1d", { kind: "duration", name: "x", op: ">", value: 86_400, text: "1d" }],
    ["an address", 'x!=ip("10.0.0.0/8")', { kind: "ip", name: "x", op: "!=", pattern: "10.0.0.0/8" }],
  ] as const) {
    test(name, () => expect(filterOf(text)).toEqual(want));
  }
  for (const [name, text, want] of [
    ["and binds tighter than or", "a=1 or b=2 and c=3", "( a==1 or ( b==2 , c==3 ) )"],
    ["and before or too", "a=1 and b=2 or c=3", "( ( a==1 , b==2 ) or c==3 )"],
    ["and from the left", "a=1 and b=2 and c=3", "( ( a==1 , b==2 ) , c==3 )"],
    ["or from the left", "a=1 or b=2 or c=3", "( ( a==1 or b==2 ) or c==3 )"],
    ["a comma takes all to its right first", "a=1, b=2 or c=3", "( a==1 , ( b==2 or c==3 ) )"],
    ["and waits for a comma", "a=1 and b=2, c=3", "( a==1 , ( b==2 , c==3 ) )"],
    ["nothing is a comma", "a=1 b=2 or c=3", "( a==1 , ( b==2 or c==3 ) )"],
    ["parentheses come first", "(a=1 or b=2) and c=3", "( ( a==1 or b==2 ) , c==3 )"],
  ] as const) {
    test(name, () => expect(printLabelFilter(filterOf(text))).toBe(want));
  }
});

describe("ranges", () => {
  const range = (text: string) => {
    const expr = metric(text);
    if (expr.kind !== "rangeAggregation") throw new Error(`${text} is a ${expr.kind}`);
    return expr.range;
  };
  const bare = {
    log: { kind: "log", matchers: [{ name: "a", op: "=", value: "b" }], ops: [] },
    unwrap: null,
    rangeMs: 300_000,
    offsetMs: 0,
  };
  const json = { ...bare, log: { ...bare.log, ops: [{ kind: "json", extractions: [] }] } };
  for (const [name, text, want] of [
    ["behind the selector", 'rate({a="b"}[5m])', bare],
    ["behind the ops", 'rate({a="b"} | json [5m])', json],
    ["in front of the ops", 'rate({a="b"}[5m] | json)', json],
    ["behind a parenthesis", 'rate(({a="b"} | json)[5m])', json],
    ["inside a parenthesis", 'rate(({a="b"} | json [5m]))', json],
    ["inside two parentheses", 'rate((({a="b"})[5m]))', bare],
    ["with an offset", 'rate({a="b"}[5m] offset 1h)', { ...bare, offsetMs: 3_600_000 }],
    ["with a negative offset", 'rate({a="b"}[5m] offset -30s)', { ...bare, offsetMs: -30_000 }],
    ["with an offset in front of the ops", 'rate({a="b"}[5m] offset 1.5m | json)', { ...json, offsetMs: 90_000 }],
  ] as const) {
    test(name, () => expect(range(text)).toEqual(want));
  }
  for (const [name, text, want] of [
    ["an unwrap", 'sum_over_time({a="b"} | unwrap x [5m])', { label: "x", conversion: null, filters: [] }],
    ["an unwrap of a size", 'sum_over_time({a="b"} | unwrap bytes(x) [5m])', { label: "x", conversion: "bytes", filters: [] }],
    [
      "an unwrap of a label named as a conversion",
      'sum_over_time({a="b"} | unwrap bytes [5m])',
      { label: "bytes", conversion: null, filters: [] },
    ],
    ["an unwrap behind the range", 'sum_over_time({a="b"}[5m] | unwrap x)', { label: "x", conversion: null, filters: [] }],
    ["an unwrap behind a parenthesis", 'sum_over_time(({a="b"})[5m] | unwrap x)', { label: "x", conversion: null, filters: [] }],
    [
      "filters behind an unwrap",
      'sum_over_time({a="b"} | unwrap x | __error__="" [5m])',
      { label: "x", conversion: null, filters: [{ kind: "string", matcher: { name: "__error__", op: "=", value: "" } }] },
    ],
  ] as const) {
    test(name, () => expect(range(text).unwrap).toEqual(want));
  }
});

describe("metric queries", () => {
  const x = 'rate({a="b"}[1m])';
  for (const [name, text, want] of [
    ["times before plus", `${x} + ${x} * 2`, `(${x} + (${x} * 2))`],
    ["minus from the left", `${x} - 1 - 2`, `((${x} - 1) - 2)`],
    ["power from the right", `${x} ^ 2 ^ ${x}`, `(${x} ^ (2 ^ ${x}))`],
    ["comparison under and", `${x} > 1 and ${x} < 5`, `((${x} > 1) and (${x} < 5))`],
    ["and before or", `${x} or ${x} and ${x}`, `(${x} or (${x} and ${x}))`],
    ["unless as and", `${x} unless ${x} and ${x}`, `((${x} unless ${x}) and ${x})`],
    ["bool", `${x} > bool 0`, `(${x} > bool 0)`],
    ["on", `${x} / on (c) ${x}`, `(${x} / on (c)  ${x})`],
    ["on nothing", `${x} / on () ${x}`, `(${x} / on ()  ${x})`],
    ["group_left with labels", `${x} / ignoring(c,d) group_left(e) ${x}`, `(${x} / ignoring (c,d) group_left (e) ${x})`],
    ["group_right without labels", `${x} / on(c) group_right ${x}`, `(${x} / on (c) group_right () ${x})`],
    ["a grouping in front", `sum by (c, d) (${x})`, `sum by (c,d)(${x})`],
    ["a grouping behind", `sum(${x}) without (c)`, `sum without (c)(${x})`],
    ["a grouping by nothing", `sum(${x}) by ()`, `sum(${x})`],
    ["a range grouping by nothing", 'avg_over_time({a="b"} | unwrap c [1m]) by ()', 'avg_over_time({a="b"} | unwrap c[1m]) by ()'],
    ["topk", `topk(3, ${x})`, `topk(3,${x})`],
    ["a number as topk's series is no parameter", `topk(3, 1 + ${x})`, `topk(3,(1 + ${x}))`],
    ["capitals", `SUM(RATE({a="b"}[1m])) BY (c)`, `sum by (c)(${x})`],
    ["label_replace", `label_replace(${x}, "d", "$1", "s", "(.*)")`, `label_replace(${x},"d","$1","s","(.*)")`],
    ["vector", "vector(0.5)", "vector(0.5)"],
    ["variants", `variants(${x}, sum(${x})) of ({a="b"}[1m])`, `variants(${x}, sum(${x})) of ({a="b"}[1m])`],
    [
      "labels named as functions",
      '{rate="a", sum="b", ip="c", duration="d"} | bytes > 1KB',
      '{rate="a", sum="b", ip="c", duration="d"} | bytes>1KB',
    ],
    ["both kinds of comments", '{a="b"} # |= "x"\n /* y */ |= "z" // end', '{a="b"} |= "z"'],
  ] as const) {
    test(name, () => expect(printExpr(parseExpr(text))).toBe(want));
  }
});

describe("literals are computed while parsing", () => {
  for (const [text, want] of [
    ["1 + 2 * 3", 7],
    ["-2 ^ 2", 4],
    ["2 ^ 3 ^ 2", 512],
    ["1 > 2", 0],
    ["1 == bool 1", 1],
    ["7 % -3", 1],
    ["1 / 0", Number.NaN],
    ["-1 / 0", Number.NaN],
    ["1 % 0", Number.NaN],
    ["1e300 * 1e300", Number.POSITIVE_INFINITY],
    ["1 ^ (0 / 0)", 1],
    ["0x1p4", 16],
    [".5 + 1_000", 1000.5],
  ] as const) {
    test(text, () => expect(metric(text)).toEqual({ kind: "literal", value: want }));
  }
});

test("a query is of one kind or the other", () => {
  expect([isLog(parseExpr('{a="b"}')), isMetric(parseExpr('{a="b"}'))]).toEqual([true, false]);
  expect([isLog(parseExpr("1")), isMetric(parseExpr("1"))]).toEqual([false, true]);
});
