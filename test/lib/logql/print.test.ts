import { describe, expect, test } from "vitest";
import { parseExpr, prettyExpr, printExpr } from "../../../lib/logql/index.ts";

/** The query prints as `want`, which prints as itself. */
function prints(name: string, query: string, want = query): void {
  test(name, () => {
    expect(printExpr(parseExpr(query))).toBe(want);
    expect(printExpr(parseExpr(want))).toBe(want);
  });
}

const range = 'rate({a="b"}[1m])';

describe("on one line, exactly", () => {
  prints("values keep their escapes", '{a="\\n\\"\\\\ü\\x00"}');
  prints("bytes become characters", '{a="\\xc3\\xbc\\374"}', '{a="ü\ufffd"}');
  prints("sizes stay as written", '{a="b"} | x>42KiB');
  prints("numbers stay as written", '{a="b"} | x>1e3', '{a="b"} | x>1e3');
  prints("durations become Go's", '{a="b"} | x>1d', '{a="b"} | x>24h0m0s');
  prints("short durations too", '{a="b"} | x>1500us', '{a="b"} | x>1.5ms');
  prints("raw regexes of label filters", '{a="b"} | x=~"\\\\d`"', '{a="b"} | x=~"\\\\d`"');
  prints("a negative chain is many filters", '{a="b"} != "x" or ip("::1")', '{a="b"} != "x" != ip("::1")');
  prints(
    "a range with an unwrap",
    'sum_over_time({a="b"}[1h] offset 1d | unwrap bytes(x) | y=1)',
    'sum_over_time({a="b"} | unwrap bytes(x) | y==1[1h] offset 24h0m0s)',
  );
  prints("a small parameter", 'quantile_over_time(1e-7,{a="b"} | unwrap x[1m])', 'quantile_over_time(0.0000001,{a="b"} | unwrap x[1m])');
  prints("not a number", "0/0", "(0 / 0)");
  prints("infinity", "1e300*1e300", "(1e+308 * 10)");
  prints("minus infinity", "-1e300*1e300", "(-1e+308 * 10)");
  prints("a small literal", "0.00001", "1e-05");
  prints("a large literal", "1e25", "1e+25");
  prints("minus zero", "0 * -1", "0");
  prints("a vector", "vector(0.25)");
  prints("a group of no labels", `(${range} / on (a) group_left () (${range} + ${range}))`);
  prints("matching", `(${range} / ignoring (c) group_right (d,e) ${range})`);
});

describe("readable", () => {
  const long = '{cluster="production-europe", namespace="checkout", app=~"api|gateway"}';
  for (const [name, query, want] of [
    ["a short query stays on its line", `sum(${range})`, `sum(${range})`],
    ["sizes are rounded", '{a="b"} | x>42KiB', '{a="b"} | x>43kB'],
    ["a vector has six digits", "vector(1)", "vector(1.000000)"],
    ["a regex that is run is raw", '{a="b"} | x=~"a.c" | y=~"b+|c"', '{a="b"} | x=~`a.c` | y=~`b+|c`'],
    ["not a negated one", '{a="b"} | x!~"a.c"', '{a="b"} | x!~"a.c"'],
    ["nor one that is a search for literals", '{a="b"} | x=~".*foo" | y=~"warn|warning"', '{a="b"} | x=~".*foo" | y=~"warn|warning"'],
    ["ignoring nothing is left out", `${range} / bool ignoring () ${range}`, `(${range} / bool ${range})`],
    [
      "line filters that are too long together",
      `${long} |= "${"a".repeat(60)}" != "${"b".repeat(40)}" |~ "c" !~ "d"`,
      `${long}\n  |= "${"a".repeat(60)}"\n  != "${"b".repeat(40)}"\n  |~ "c"\n  !~ "d"`,
    ],
    [
      "lists of labels in a long sum have blanks behind commas",
      `sum by (app, env) (rate(${long}[9m])) / on (app, env) group_left (team, x) sum by (app, env) (rate(${long}[5m]))`,
      `  sum by (app,env)(rate(${long}[9m]))\n/ on (app, env) group_left (team, x)\n  sum by (app,env)(rate(${long}[5m]))`,
    ],
    [
      "a long log query has an op on each line, and line filters together",
      `${long} |= "timeout" != "debug" | json | status >= 500`,
      `${long}\n  |= "timeout" != "debug"\n  | json\n  | status>=500`,
    ],
    [
      "a long label_replace has an argument on each line",
      `label_replace(sum by (app)(rate(${long}[5m])), "service", "$1-service", "app", "(.*)-v[0-9]+")`,
      `label_replace(\n  sum by (app)(rate(${long}[5m])),\n  "service",\n  "$1-service",\n  "app",\n  "(.*)-v[0-9]+"\n)`,
    ],
    [
      "legs of a long sum are deeper than the operator",
      `sum by (app) (rate(${long}[9m])) / on (app) group_left (team) sum by (app) (rate(${long}[5m]))`,
      `  sum by (app)(rate(${long}[9m]))\n/ on (app) group_left (team)\n  sum by (app)(rate(${long}[5m]))`,
    ],
    [
      "groupings of split aggregations have blanks behind commas",
      `sum by (app, pod) (rate(${long} |= "a longish text"[5m]))`,
      `sum by (app, pod)(\n  rate(\n    ${long} |= "a longish text" [5m]\n  )\n)`,
    ],
  ] as const) {
    test(name, () => expect(prettyExpr(parseExpr(query))).toBe(want));
  }
});
