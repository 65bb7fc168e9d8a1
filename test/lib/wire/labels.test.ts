import { describe, expect, test } from "vitest";
import { compareCodePoints, quoteGo } from "../../../lib/text/go-quote.ts";
import { isLabelName, LabelSet } from "../../../lib/wire/labels.ts";
import { DuplicateLabel, LabelsError, parseLabels } from "../../../lib/wire/parse-labels.ts";

const set = (object: Record<string, string>): LabelSet => LabelSet.fromObject(object);

describe("label sets", () => {
  test("names are sorted, the text is canonical", () => expect(set({ b: "2", a: "1" }).toString()).toBe('{a="1", b="2"}'));
  test("the empty set prints as braces", () => expect(LabelSet.EMPTY.toString()).toBe("{}"));
  test("equal sets are the same object", () => expect(set({ a: "1", b: "2" })).toBe(set({ b: "2", a: "1" })));
  test("with() reaches the same object by any way", () =>
    expect(LabelSet.EMPTY.with("b", "2").with("a", "1")).toBe(set({ a: "1", b: "2" })));
  test("with() of the same value is the set itself", () => expect(set({ a: "1" }).with("a", "1")).toBe(set({ a: "1" })));
  test("an empty value is an absent label", () => expect(set({ a: "1" }).with("a", "")).toBe(LabelSet.EMPTY));
  test("without() of an absent label changes nothing", () => expect(set({ a: "1" }).without("b")).toBe(set({ a: "1" })));
  test("get() of an absent label is empty", () => expect(set({ a: "1" }).get("z")).toBe(""));
  test("a repeated name keeps its last value", () =>
    expect(
      LabelSet.of([
        ["a", "1"],
        ["a", "2"],
      ]).get("a"),
    ).toBe("2"));
  test("many transitions stay correct when the cache is emptied", () => {
    const base = set({ app: "x" });
    for (let i = 0; i < 10_000; i++) expect(base.with("n", String(i)).get("n")).toBe(String(i));
    expect(base.with("n", "77")).toBe(set({ app: "x", n: "77" }));
  });
});

describe("Go quoting", () => {
  for (const [name, text, want] of [
    ["plain text", "abc", '"abc"'],
    ["quotes and backslashes", 'a"b\\c', '"a\\"b\\\\c"'],
    ["control characters", "\n\t\x01\x7f", '"\\n\\t\\x01\\x7f"'],
    ["letters of any script stay", "Köln 東京 🚀", '"Köln 東京 🚀"'],
    ["invisible characters are escaped", "a\u00a0b\u200bc", '"a\\u00a0b\\u200bc"'],
    ["the byte order mark is escaped", "\ufeff", '"\\ufeff"'],
  ] as const)
    test(name, () => expect(quoteGo(text)).toBe(want));
});

describe("parsing", () => {
  for (const [name, text, want] of [
    ["a set", '{a="b", c="d"}', '{a="b", c="d"}'],
    ["unsorted, without spaces", '{c="d",a="b"}', '{a="b", c="d"}'],
    ["a trailing comma", '{a="b",}', '{a="b"}'],
    ["the empty set", "{}", "{}"],
    ["nothing", "", "{}"],
    ["empty values vanish", '{a=""}', "{}"],
    ["escapes", '{a="\\n\\"\\\\\\x41\\u00e9\\101"}', '{a="\\n\\"\\\\AéA"}'],
    ["single quotes and back quotes", "{a='x', b=`\\n`}", '{a="x", b="\\\\n"}'],
    ["a metric name", 'up{a="b"}', '{__name__="up", a="b"}'],
    ["a comment", '{a="b"} # what it is', '{a="b"}'],
  ] as const)
    test(name, () => expect(parseLabels(text).toString()).toBe(want));

  for (const [name, text, want] of [
    ["an open set", '{a="b"', "1:7: parse error: unexpected end of input inside braces"],
    ["no braces", 'a="b"', '1:2: parse error: unexpected "="'],
    ["a dash in a name", '{a-b="c"}', "1:3: parse error: unexpected character inside braces: '-'"],
    ["no name", '{="b"}', '1:2: parse error: unexpected "=" in label set, expected identifier or "}"'],
    ["two braces", "{{}}", "1:2: parse error: unexpected left brace '{'"],
    ["an unknown escape", '{a="\\q"}', "1:4: parse error: unknown escape sequence U+0071 'q'"],
    ["an escape that breaks off", '{a="\\x4q"}', "1:4: parse error: illegal character U+0071 'q' in escape sequence"],
    ["an escape at the end", '{a="\\u12', "1:4: parse error: escape sequence not terminated"],
    ["an octal escape past a byte", '{a="\\400"}', "1:4: parse error: escape sequence is an invalid Unicode code point"],
    ["an operator of selectors", '{a=~"b"}', '1:3: parse error: unexpected <op:=~> in label set, expected "="'],
    ["half an operator", '{a!b="c"}', "1:3: parse error: unexpected character after '!' inside braces: 'b'"],
    [
      "a long text for a name",
      '{a="b", "cdefghijklm"}',
      '1:9: parse error: unexpected string "\\"cdefghijk"... in label set, expected identifier or "}"',
    ],
    ["a second set", '{a="b"}{c="d"}', '1:8: parse error: unexpected "{"'],
    ["a word behind it", '{a="b"} offset', "1:9: parse error: unexpected <offset>"],
    ["a brace behind it", '{a="b"}}', "1:8: parse error: unexpected character: '}'"],
    ["two names", '{a b="x"}', '1:4: parse error: unexpected identifier "b" in label set, expected "="'],
    ["a letter that is not ASCII", '{ünï="x"}', "1:2: parse error: unexpected character inside braces: 'ü'"],
  ] as const)
    test(`refuses ${name}`, () => expect(() => parseLabels(text)).toThrow(new LabelsError(want)));

  test("refuses a repeated name, and names it", () => expect(() => parseLabels('{a="1", a="2"}')).toThrow(DuplicateLabel));
});

test("order is by code point, surrogates above everything else", () => {
  const words = ["\u{1f600}", "\uffee", "a", "ab", "B", "é"];
  const byBytes = [...words].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect([...words].sort(compareCodePoints)).toEqual(byBytes);
});

test("label names", () => {
  expect(["a", "_x1", "A_b"].every(isLabelName)).toBe(true);
  expect(["", "1a", "a-b", "a.b", "é"].some(isLabelName)).toBe(false);
});
