import { describe, expect, test } from "vitest";
import { extractedOut, faultsOf, labelsOut } from "../run-stages.ts";

describe("regex", () => {
  const extracts = (name: string, expression: string, line: string, names: string[], wanted: string): void =>
    test(name, () => expect(extractedOut(`- regex: {expression: '${expression}'}`, line, names)).toBe(wanted));

  extracts(
    "the groups of a match",
    "^(?P<ip>\\S+) (?P<method>GET|POST) (?P<path>\\S+)$",
    "10.0.0.7 GET /x",
    ["ip", "method", "path"],
    "ip=10.0.0.7 method=GET path=/x",
  );
  extracts("a group that took no part is empty", "^(?P<a>x)?(?P<b>y)?", "y", ["a", "b"], "a= b=y");
  extracts("no match, no value", "(?P<a>z)", "y", ["a"], "a=<no value>");
  extracts("the angle form of a group", "(?<a>\\w+)=(?<b>\\w+)", "k=v", ["a", "b"], "a=k b=v");
  extracts("the last of two groups of one name wins, also when it took no part", "(?P<a>x)|(?P<a>z)", "x", ["a"], "a=");
  extracts("the last of two groups of one name", "(?P<a>x)|(?P<a>z)", "z", ["a"], "a=z");
  extracts("a literal the line lacks is found out without the expression", "needle (?P<a>\\w+)", "haystack", ["a"], "a=<no value>");
  extracts("a literal the line has", "needle (?P<a>\\w+)", "a needle here", ["a"], "a=here");
  extracts("characters outside of ASCII", "(?P<a>ö+)", "schöön", ["a"], "a=öö");

  test("a source", () =>
    expect(extractedOut("- json: {expressions: {m: }}\n- regex: {source: m, expression: '(?P<a>\\d+)'}", '{"m":"n=42"}', ["a"])).toBe(
      "a=42",
    ));
  test("a source that is no text changes nothing", () =>
    expect(extractedOut("- json: {expressions: {m: }}\n- regex: {source: m, expression: '(?P<a>.*)'}", '{"m":null}', ["a"])).toBe(
      "a=<no value>",
    ));
  test("a label as source", () =>
    expect(
      labelsOut("- regex: {source: pod, expression: '^(?P<app>[a-z]+)-'}\n- labels: {app: }", "x", { labels: { pod: "cart-7d4b" } }),
    ).toEqual({
      pod: "cart-7d4b",
      app: "cart",
    }));

  const refuses = (name: string, config: string, wanted: RegExp): void => test(name, () => expect(faultsOf(config)).toMatch(wanted));
  refuses(
    "look-ahead is not RE2",
    "- regex: {expression: '(?=x)(?P<a>.)'}",
    /^error 0.regex.expression regex stage: .*invalid or unsupported Perl syntax: `\(\?=`$/,
  );
  refuses("no expression", "- regex: {}", /^error 0.regex.expression regex stage: expression: is required/);
  refuses("an empty expression", "- regex: {expression: ''}", /^error .*required/);
  refuses("an empty source", "- regex: {expression: x(?P<a>y), source: ''}", /^error 0.regex.source regex stage: source: empty source/);
  refuses("a boolean as expression", "- regex: {expression: yes}", /^error .*expected text, got the boolean true; quote it/);
  refuses("a warning without named groups", "- regex: {expression: '(x)'}", /^warning 0.regex regex stage: expression has no named group/);
});
