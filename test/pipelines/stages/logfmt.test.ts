import { describe, expect, test } from "vitest";
import { extractedOut, faultsOf, linesOut } from "../run-stages.ts";

describe("logfmt", () => {
  const extracts = (name: string, mapping: string, line: string, names: string[], wanted: string): void =>
    test(name, () => expect(extractedOut(`- logfmt: {mapping: ${mapping}}`, line, names)).toBe(wanted));

  extracts(
    "the example",
    "{timestamp: time, app: , duration: , lvl: level}",
    "time=2012-11-01T22:08:41+00:00 app=loki level=WARN duration=125",
    ["timestamp", "app", "lvl", "duration"],
    "timestamp=2012-11-01T22:08:41+00:00 app=loki lvl=WARN duration=125",
  );
  extracts("quoted values and escapes", "{a: , b: }", 'a="x y" b="q\\"q\\té"', ["a", "b"], 'a=x y b=q"q\té');
  extracts("a bare key and an empty value", "{a: , b: , c: }", 'a b= c=""', ["a", "b", "c"], "a= b= c=");
  extracts("pairs before a fault count", "{a: , b: }", 'a=1 x"y b=2', ["a", "b"], "a=1 b=<no value>");
  extracts("the last of two equal keys", "{a: }", "a=1 a=2", ["a"], "a=2");
  extracts("the last of two equal keys, quoted first", "{a: }", 'a="\\t" a=2', ["a"], "a=2");
  extracts("two names of one key: the last name gets it", "{x: k, z: k}", "k=v", ["x", "z"], "x=<no value> z=v");

  test("a source", () =>
    expect(extractedOut("- json: {expressions: {m: }}\n- logfmt: {source: m, mapping: {a: }}", '{"m":"a=\\"b c\\""}', ["a"])).toBe(
      "a=b c",
    ));
  test("a key that is absent keeps the older value, line by line", () =>
    expect(
      linesOut("- regex: {expression: '(?P<a>\\d+)$'}\n- logfmt: {mapping: {a: }}\n- output: {source: a}", ["a=x 7", "b=x 8", "a=z 9"]),
    ).toEqual(["x", "8", "z"]));
  test("no mapping is refused", () => expect(faultsOf("- logfmt:")).toMatch(/^error 0.logfmt.mapping logfmt stage: mapping: is required/));
});
