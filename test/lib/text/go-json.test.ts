import { describe, expect, test } from "vitest";
import { goJson, goNumber } from "../../../lib/text/go-json.ts";
import { compareCodePoints, quoteGo, unquoteGo } from "../../../lib/text/go-quote.ts";

describe("json", () => {
  test("of a hundred thousand levels", () => {
    const text = `${'{"a":['.repeat(50_000)}1${"]}".repeat(50_000)}`;
    expect(goJson(JSON.parse(text))).toBe(text);
  });
  test("with indentation", () =>
    expect(goJson({ b: [1, []], a: {} }, { indent: "  " })).toBe('{\n  "a": {},\n  "b": [\n    1,\n    []\n  ]\n}'));

  for (const [value, want] of [
    ["a", '"a"'],
    ["<a & b>", '"\\u003ca \\u0026 b\\u003e"'],
    ["\u2028\u2029", '"\\u2028\\u2029"'],
    ['\b\f\n\r\t\x01"\\', '"\\b\\f\\n\\r\\t\\u0001\\"\\\\"'],
    ["é😀", '"é😀"'],
    ["\ud800", '"\\ufffd"'],
    [1.5, "1.5"],
    [1e21, "1e+21"],
    [1e-7, "1e-7"],
    [-0, "-0"],
    [null, "null"],
    [{ b: 1, a: [true, {}] }, '{"a":[true,{}],"b":1}'],
    [{ "\uffff": 1, "😀": 2 }, '{"\uffff":1,"😀":2}'],
  ] as const)
    test(want, () => expect(goJson(value)).toBe(want));
  test("plain html", () => expect(goJson("<", { plainHtml: true })).toBe('"<"'));
  test("indent", () => expect(goJson({ a: [1], b: {} }, { indent: "  " })).toBe('{\n  "a": [\n    1\n  ],\n  "b": {}\n}'));
});

for (const [value, want] of [
  [200, "200"],
  [0.5, "0.5"],
  [1e21, "1000000000000000000000"],
  [1.5e21, "1500000000000000000000"],
  [2e-10, "0.0000000002"],
  [-1.25e-9, "-0.00000000125"],
  [-0, "-0"],
  [Number("12345678901234567890"), "12345678901234567000"],
] as const)
  test(`number: ${want}`, () => expect(goNumber(value)).toBe(want));

for (const [text, want] of [
  ["a", '"a"'],
  ['"\\', '"\\"\\\\"'],
  ["\n\x01\u00a0é", '"\\n\\x01\\u00a0é"'],
  ["😀\u{e0001}", '"😀\\U000e0001"'],
] as const)
  test(`quote: ${want}`, () => {
    expect(quoteGo(text)).toBe(want);
    expect(unquoteGo(want)).toBe(text);
  });

for (const [literal, want] of [
  ["`raw\\n`", "raw\\n"],
  ['"\\xc3\\xa9\\303\\251"', "éé"],
  ['"a', null],
  ['"\\q"', null],
  ['"a"b"', null],
  ["'\\''", "'"],
] as const)
  test(`unquote: ${literal}`, () => expect(unquoteGo(literal)).toBe(want));

test("strings sort by code point", () => expect(["😀", "\uffff", "a"].sort(compareCodePoints)).toEqual(["a", "\uffff", "😀"]));
