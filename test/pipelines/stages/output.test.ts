import { describe, expect, test } from "vitest";
import { faultsOf, linesOut } from "../run-stages.ts";

describe("output", () => {
  const gives = (name: string, line: string, wanted: string): void =>
    test(name, () => expect(linesOut("- json: {expressions: {msg: message}}\n- output: {source: msg}", [line])).toEqual([wanted]));

  gives("a text", '{"message":"app1 log line"}', "app1 log line");
  gives("a line without the value stays", '{"x":1}', '{"x":1}');
  gives("a line that is no JSON stays", "text", "text");
  gives("an empty text", '{"message":""}', "");
  gives("escapes are undone", '{"message":"a\\tb\\"c\\\\ \\u00e9\\ud83d\\ude00\\/"}', 'a\tb"c\\ é😀/');
  gives("half a surrogate pair", '{"message":"\\ud83d!"}', "\ufffd!");
  gives("a whole number", '{"message":42}', "42");
  gives("a number in its shortest form", '{"message":1.50}', "1.5");
  gives("a boolean", '{"message":true}', "true");
  gives("null leaves the line", '{"message":null}', '{"message":null}');
  gives("an object", '{"message":{"b":1,"a":2}}', '{"a":2,"b":1}');

  test("many escaped lines in one batch", () => {
    const lines = Array.from({ length: 300 }, (_, n) => `{"message":"line\\t${n}"}`);
    expect(linesOut("- json: {expressions: {msg: message}}\n- output: {source: msg}", lines)).toEqual(lines.map((_, n) => `line\t${n}`));
  });
  test("extracted values stay what they were", () =>
    expect(
      linesOut("- json: {expressions: {a: , b: }}\n- output: {source: a}\n- output: {source: b}", ['{"a":"x\\ty","b":"z\\tw"}']),
    ).toEqual(["z\tw"]));
  test("without a source it is refused", () =>
    expect(faultsOf("- output:")).toMatch(/^error 0.output.source output stage: source: is required/));
});
