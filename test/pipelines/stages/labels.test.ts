import { describe, expect, test } from "vitest";
import { faultsOf, labelsOut, runStages } from "../run-stages.ts";

describe("labels", () => {
  const sets = (name: string, map: string, line: string, wanted: Record<string, string>, labels: Record<string, string> = {}): void =>
    test(name, () =>
      expect(
        labelsOut(`- json: {expressions: {level: , appname: , num: , big: , f: , o: , t: }}\n- labels: ${map}`, line, { labels }),
      ).toEqual(wanted),
    );

  sets("the example", "{level: , app: appname}", '{"level":"info","appname":"x"}', { level: "info", app: "x" });
  sets("a missing source sets nothing", "{level: }", '{"appname":"x"}', {});
  sets("a nil source sets nothing", "{level: }", '{"level":null}', {});
  sets("an empty text is set", "{level: }", '{"level":""}', { level: "" });
  sets("an existing label is replaced", "{level: }", '{"level":"b"}', { level: "b" }, { level: "a" });
  sets("numbers as they are said", "{a: num, b: big, c: f}", '{"num":200,"big":12345678901234567890,"f":0.10}', {
    a: "200",
    b: "12345678901234567000",
    c: "0.1",
  });
  sets("a leading zero makes it no JSON", "{level: }", '{"level":01}', {});
  sets("a boolean and an object", "{a: t, b: o}", '{"t":false,"o":{"k":1}}', { a: "false", b: '{"k":1}' });
  sets("escapes", "{level: }", '{"level":"a\\nb \\u00e9"}', { level: "a\nb é" });
  sets("a label as source", "{copy: old}", "{}", { old: "v", copy: "v" }, { old: "v" });

  test("labels set here are not among the extracted values", () =>
    expect(labelsOut("- json: {expressions: {a: }}\n- labels: {x: a}\n- labels: {z: x}", '{"a":"v"}')).toEqual({ x: "v" }));
  test("values that change from line to line", () => {
    const lines = ["a", "b", "a", "a", "c"].map((level) => `{"level":"${level}"}`);
    expect(runStages("- json: {expressions: {level: }}\n- labels: {level: }", lines).map(({ labels }) => labels.level)).toEqual([
      "a",
      "b",
      "a",
      "a",
      "c",
    ]);
  });
  test("long values are not mixed up", () => {
    const values = [..."xyxy"].map((end) => `${"v".repeat(100)}${end}`);
    const lines = values.map((value) => `{"level":"${value}"}`);
    expect(runStages("- json: {expressions: {level: }}\n- labels: {level: }", lines).map(({ labels }) => labels.level)).toEqual(values);
  });
  test("an empty map is taken", () => expect(faultsOf("- labels: {}\n- labels:")).toBe(""));
  test("an invalid name is refused", () =>
    expect(faultsOf("- labels: {a-b: }")).toMatch(/^error 0.labels.a-b labels stage: a-b: invalid label name: a-b/));
});
