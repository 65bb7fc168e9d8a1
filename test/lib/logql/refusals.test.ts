import { describe, expect, test } from "vitest";
import {
  LogqlError,
  parseExpr,
  parseForFormat,
  parseLogExpr,
  parseMatchers,
  parseMetricExpr,
  parseSelector,
} from "../../../lib/logql/index.ts";

function refusal(text: string, read: (text: string) => unknown = parseExpr): LogqlError | null {
  try {
    read(text);
    return null;
  } catch (error) {
    if (error instanceof LogqlError) return error;
    throw error;
  }
}

describe("form", () => {
  for (const [name, text, want] of [
    ["nothing at all", "", "parse error : syntax error: unexpected $end"],
    ["blanks count", "  ", "parse error at line 1, col 3: syntax error: unexpected $end"],
    ["lines count", '{a="b"}\n  |= 5', "parse error at line 2, col 6: syntax error: unexpected NUMBER, expecting STRING or ip"],
    ["columns are characters", '{a="😀ü"} 5', "parse error at line 1, col 10: syntax error: unexpected NUMBER"],
    [
      "operators of two characters forget their line",
      '{a="b"} |= |= "x"',
      "parse error at line 0, col 12: syntax error: unexpected |=, expecting STRING or ip",
    ],
    ["durations forget their line", '{a="b"} 5m', "parse error at line 0, col 9: syntax error: unexpected DURATION"],
    ["a range that is not closed", 'rate({a="b"}[5m', "parse error at line 0, col 13: missing closing ']' in duration"],
    ["an empty range", 'rate({a="b"}[])', "parse error at line 0, col 13: empty duration string"],
    ["a string that is not closed", '{a="b', "parse error at line 1, col 4: literal not terminated"],
    ["an escape that does not exist", '{a="\\q"}', "parse error at line 1, col 4: invalid char escape"],
    ["a comment that is not closed", '{a="b"} /* x', "parse error at line 1, col 9: comment not terminated"],
    ["a size that Go reads as an exponent", '{a="b"} | x>1PB', "parse error at line 1, col 13: 'P' exponent requires hexadecimal mantissa"],
    ["an octal number that is none", "089", "parse error at line 1, col 1: invalid digit '8' in octal literal"],
    ["an underscore at the end", "1_", "parse error at line 1, col 1: '_' must separate successive digits"],
    ["a zero byte", "1 \0", "parse error at line 1, col 3: invalid character NUL"],
    ["a keyword as a label", '{by="x"}', "parse error at line 1, col 2: syntax error: unexpected by, expecting IDENTIFIER or }"],
    ["a function without its parenthesis", 'sum rate({a="b"}[1m])', "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"],
    ["an unwrap outside of a range", '{a="b"} | unwrap x', "parse error at line 1, col 11: syntax error: unexpected unwrap"],
    ["ops behind a parenthesis", '({a="b"}) |= "x"', "parse error at line 0, col 11: syntax error: unexpected |="],
    [
      "ops behind a range behind a parenthesis",
      'rate(({a="b"})[1m] | json)',
      "parse error at line 1, col 22: syntax error: unexpected json, expecting unwrap",
    ],
    [
      "an offset without a unit",
      'rate({a="b"}[1m] offset 5)',
      "parse error at line 1, col 25: syntax error: unexpected NUMBER, expecting DURATION",
    ],
    [
      "a sign in a parameter",
      "quantile_over_time(-1, x)",
      "parse error at line 1, col 20: syntax error: unexpected -, expecting NUMBER or { or (",
    ],
    ["a size limit in bytes", `{a="${"ü".repeat(70_000)}"}`, "parse error : input size too long (140006 > 131072)"],
  ] as const) {
    test(name, () => expect(refusal(text)?.message).toBe(want));
  }
  test("an error has its parts", () => {
    expect(refusal("\n1 1")).toMatchObject({ name: "LogqlError", line: 2, col: 3, detail: "syntax error: unexpected NUMBER" });
  });
});

describe("meaning", () => {
  const x = 'rate({a="b"}[1m])';
  const unwrapped = '{a="b"} | unwrap v [1m]';
  for (const [name, text, want] of [
    ["a grouping of a rate", `${x} by (c)`, "grouping not allowed for rate aggregation"],
    ["a grouping of rate_counter", `rate_counter(${unwrapped}) by (c)`, "grouping not allowed for rate_counter aggregation"],
    ["sum_over_time without an unwrap", 'sum_over_time({a="b"}[1m])', "invalid aggregation sum_over_time without unwrap"],
    ["bytes_rate with an unwrap", `bytes_rate(${unwrapped})`, "invalid aggregation bytes_rate with unwrap"],
    ["a parameter too many", `max_over_time(0.5, ${unwrapped})`, "parameter 0.5 not supported for operation max_over_time"],
    ["a parameter that is no integer", `topk(1e1, ${x})`, "invalid parameter topk(1e1,"],
    ["a parameter of zero", `bottomk(0, ${x})`, "invalid parameter (must be greater than 0) bottomk(0"],
    ["a literal that Go does not read", "0x10", 'unable to parse literal as a float: strconv.ParseFloat: parsing "0x10": invalid syntax'],
    [
      "such a literal in a sum",
      `1 + 0x10 + ${x}`,
      'unable to parse literal as a float: strconv.ParseFloat: parsing "0x10": invalid syntax',
    ],
    [
      "a vector that Go does not read",
      "vector(0x10)",
      'unable to parse vectorExpr as a float: strconv.ParseFloat: parsing "0x10": invalid syntax',
    ],
    ["a literal out of range", "1e999", 'unable to parse literal as a float: strconv.ParseFloat: parsing "1e999": value out of range'],
    ["a pipeline as a leg", `${x} + {a="b"} | json`, "unexpected type for right leg of binary operation (+): *syntax.PipelineExpr"],
    ["a literal for or", `2 or ${x}`, "unexpected literal for left leg of logical/set binary operation (or): 2.000000"],
    [
      "a regex in label_replace",
      `label_replace(${x}, "d", "", "s", "(")`,
      "invalid regex in label_replace: error parsing regexp: missing closing ): `^(?:()$`",
    ],
    ["a regex in a matcher", '{a=~"a**"}', "error parsing regexp: invalid nested repetition operator: `**`"],
    ["a regex in drop", '{a="b"} | drop c=~"["', "error parsing regexp: missing closing ]: `[`"],
    [
      "a pattern with a name twice",
      '{a="b"} | pattern "<c> <c>"',
      "invalid pattern parser: duplicate capture name (c): invalid expression",
    ],
    ["a selector deep inside", `sum(${x} / rate({c=~".*"}[1m]))`, null],
  ] as const) {
    test(name, () =>
      expect(refusal(text)?.message).toBe(
        `parse error : ${want ?? 'queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'}`,
      ),
    );
  }
  test("a regex is refused before what stands behind it is read", () => {
    expect(refusal('{a=~"(" "')?.message).toBe("parse error : error parsing regexp: missing closing ): `(`");
  });
  test("mistakes of form come before mistakes of meaning", () => {
    expect(refusal(`topk(${x}) +`)?.message).toBe("parse error at line 1, col 26: syntax error: unexpected $end");
  });
  test("of two mistakes of meaning, the outer comes first", () => {
    expect(refusal(`sum(1, topk(${x}))`)?.message).toBe("parse error : unsupported parameter for operation sum(1,");
  });
});

describe("ops that cannot be built are refused when a query runs, not when it is formatted", () => {
  for (const [name, tail, want] of [
    ["a line filter's regex", '|~ "["', "stage '|~ \"[\"' : error parsing regexp: missing closing ]: `[`"],
    ["line filters are one op", '|= "a" | json |~ "["', 'stage \'|= "a" |~ "["\' : error parsing regexp: missing closing ]: `[`'],
    ["but not across a line_format", '|= "a" | line_format "x" |~ "["', "stage '|~ \"[\"' : error parsing regexp: missing closing ]: `[`"],
    ["nor across a label filter", '| json | a=1 |~ "[" | json b="["', "stage '|~ \"[\"' : error parsing regexp: missing closing ]: `[`"],
    ["a label filter before it", '| a=ip("x") |~ "["', 'stage \'| a=ip("x")\' : ip: invalid pattern: "x"'],
    [
      "of line filters the last one first",
      '|~ "[" !~ "(" or "*"',
      'stage \'|~ "[" !~ "(" !~ "*"\' : error parsing regexp: missing argument to repetition operator: `*`',
    ],
    ["of a chain the first one first", '|~ "[" or "*"', 'stage \'|~ "[" or "*"\' : error parsing regexp: missing closing ]: `[`'],
    ["an address in a chain is text", '|~ ip("[") or "x"', 'stage \'|~ ip("[") or "x"\' : error parsing regexp: missing closing ]: `[`'],
    ["a name in a pattern filter", '!> "a <b>"', "stage '!> \"a <b>\"' : named captures are not allowed: found '<b>'"],
    ["an address that is none", '|= ip("10.0.0.0-")', 'stage \'|= ip("10.0.0.0-")\' : ip: invalid pattern: "10.0.0.0-"'],
    ["an address in a regex filter", '!~ ip("10.0.0.1")', "stage '!~ ip(\"10.0.0.1\")' : ip: invalid operation"],
    ["an address of a label", '| x=ip("1.2.3")', 'stage \'| x=ip("1.2.3")\' : ip: invalid pattern: "1.2.3"'],
    ["an address among other filters", '| a=1 or x=ip("y")', 'stage \'| ( a==1 or x=ip("y") )\' : ip: invalid pattern: "y"'],
    [
      "a JSON path",
      '| json x="a["',
      "stage '| json x=\"a[\"' : cannot parse expression [a[]: syntax error: unexpected $end, expecting STRING or INDEX",
    ],
    ["a logfmt key", '| logfmt x="a b"', "stage '| logfmt x=\"a b\"' : cannot parse expression [a b]: syntax error: unexpected KEY"],
    [
      "a label formatted twice",
      "| label_format x=a,x=b",
      "stage '| label_format x=a,x=b' : multiple label name 'x' not allowed in a single format operation",
    ],
    ["a filter behind an unwrap", '| unwrap v | x=ip("y") [1m]', 'stage \'| x=ip("y")\' : ip: invalid pattern: "y"'],
  ] as const) {
    const query = tail.includes("[1m]") ? `sum_over_time({a="b"} ${tail})` : `{a="b"} ${tail}`;
    test(name, () => {
      expect(refusal(query)?.message).toBe(`parse error : ${want}`);
      expect(refusal(query, parseForFormat)).toBeNull();
    });
  }
});

describe("nesting", () => {
  const deep = "query nests deeper than 500 levels";
  for (const [name, text] of [
    ["parentheses", `${"(".repeat(501)}1`],
    ["aggregations", `${"sum(".repeat(501)}1`],
    ["a chain of operators", `vector(1)${" + vector(1)".repeat(501)}`],
    ["label filters", `{a="b"} | x=1${" or x=1".repeat(501)}`],
    ["ranges", `rate(${"(".repeat(502)}`],
  ] as const) {
    test(`${name} past the limit are refused`, () => expect(refusal(text)?.message).toContain(deep));
  }
  test("parentheses up to the limit are fine", () => expect(refusal(`${"(".repeat(500)}1${")".repeat(500)}`)).toBeNull());
  test("line filters and matchers do not nest", () => {
    expect(refusal(`{a="b"${',a="b"'.repeat(2000)}}${' |= "x"'.repeat(2000)}`)).toBeNull();
  });
});

describe("stages", () => {
  const refused = "query has more than 500 stages that are no line filters";
  test("up to the limit are fine", () => expect(refusal(`{a="b"}${" | json".repeat(500)}`)).toBeNull());
  test("past the limit are refused", () => expect(refusal(`{a="b"}${" | json".repeat(501)}`)?.message).toContain(refused));
  test("count in all ranges of a query together", () => {
    const range = `count_over_time({a="b"}${" | json".repeat(251)}[1m])`;
    expect(refusal(range)).toBeNull();
    expect(refusal(`${range} + ${range}`)?.message).toContain(refused);
  });
});

describe("queries of the wrong kind", () => {
  for (const [name, text, read, want] of [
    ["a metric as a log query", "vector(1)", parseLogExpr, "only log selector is supported"],
    ["a log query as a metric", '{a="b"}', parseMetricExpr, "only sample expression supported"],
    ["ops behind a selector", '{a="b"} |= "c"', parseMatchers, "only label matchers are supported"],
    ["a metric as a selector", "vector(1)", parseSelector, "only label matchers are supported"],
  ] as const) {
    test(name, () => expect(refusal(text, read)?.message).toBe(want));
  }
  test("a selector of the series API may be empty", () => expect(parseSelector("{}")).toEqual([]));
  test("a selector may stand in parentheses", () => expect(parseMatchers('({a="b"})')).toHaveLength(1));
});
