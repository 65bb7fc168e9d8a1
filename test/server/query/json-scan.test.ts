import { describe, expect, test } from "vitest";
import { eachMember, labelText, NULL, newMember } from "../../../server/query/ops/json-scan.ts";
import { joinLabelName, toLabelName } from "../../../server/query/ops/label-name.ts";
import { SpanMemo } from "../../../server/query/span-memo.ts";

/** `key=value` of each member, and the fault. */
function members(text: string): string[] {
  const bytes = Buffer.from(text);
  const found: string[] = [];
  const fault = eachMember(bytes, 0, bytes.length, newMember(), (member) => {
    found.push(
      `${labelText(bytes, member.keyStart, member.keyEnd)}=${member.kind === NULL ? "null" : labelText(bytes, member.start, member.end)}`,
    );
    return undefined;
  });
  return fault === undefined ? found : [...found, `! ${fault}`];
}

describe("members of an object", () => {
  const cases: [name: string, text: string, expected: string[]][] = [
    ["scalars as they are written", '{"a":"x","b":1.50,"c":true,"d":null}', ["a=x", "b=1.50", "c=true", "d=null"]],
    ["blanks anywhere", ' { "a" : 1 , "b" : [ 1 , 2 ] } ', ["a=1", "b=[ 1 , 2 ]"]],
    ["escapes resolved", '{"a":"\\u00e9\\n\\"q\\"","\\u0062":1}', ['a=é\n"q"', "b=1"]],
    ["a broken escape makes the value empty", '{"a":"\\x"}', ["a="]],
    ["brackets inside strings do not count", '{"a":{"b":"}"},"c":["]"]}', ['a={"b":"}"}', 'c=["]"]']],
    ["what follows the object does not count", '{"a":1}x', ["a=1"]],
    ["nothing in it", "{}", []],
    ["no object", "[1]", ["! Value looks like object, but can't find closing '}' symbol"]],
    ["empty text", "", ["! Value looks like object, but can't find closing '}' symbol"]],
    ["cut behind the brace", "{", ["! Malformed JSON error"]],
    ["cut behind the colon", '{"a":', ["! Malformed JSON error"]],
    ["cut behind a value", '{"a":1', ["a=1", "! Value is array, but can't find closing ']' symbol"]],
    ["cut inside a string", '{"a":"b', ["! Value is string, but can't find closing '\"' symbol"]],
    ["cut inside an array", '{"a":[1', ["! Value is array, but can't find closing ']' symbol"]],
    ["a word that is none", '{"a":tru}', ["! Unknown value type"]],
    ["keys need quotes", "{a:1}", ["! Value looks like object, but can't find closing '}' symbol"]],
  ];
  for (const [name, text, expected] of cases) test(name, () => expect(members(text)).toEqual(expected));
});

describe("label names of keys", () => {
  const cases: [key: string, name: string][] = [
    ["plain", "plain"],
    ["sp ace", "sp_ace"],
    ["da-sh", "da_sh"],
    ["1digit", "_1digit"],
    ["ünï", "_n_"],
    [" trim ", "trim"],
    ["", ""],
    ["  ", ""],
  ];
  for (const [key, name] of cases) {
    test(JSON.stringify(key), () => {
      expect(toLabelName(key)).toBe(name);
      const names = new SpanMemo(toLabelName);
      const bytes = Buffer.from(`x${key}x`);
      for (let again = 0; again < 2; again++) expect(names.of(bytes, 1, bytes.length - 1)).toBe(name);
    });
  }
  test("nested keys are joined", () => expect(joinLabelName(joinLabelName("a", "b.c"), "1")).toBe("a_b_c_1"));
  test("more keys than are remembered", () => {
    const names = new SpanMemo(toLabelName);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        const bytes = Buffer.from(`key-${i}`);
        expect(names.of(bytes, 0, bytes.length)).toBe(`key_${i}`);
      }
    }
  });
});
