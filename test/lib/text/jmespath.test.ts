import { expect, test } from "vitest";
import { compileJmespath } from "../../../lib/text/jmespath.ts";

const DOCUMENT = {
  a: { b: { c: "deep" } },
  l: [
    { k: "a", v: 1 },
    { k: "b", v: 20 },
  ],
  n: [3, 1, 2],
  s: "str",
  u: "é😀",
  e: "",
  none: [],
  z: null,
  "x:y": "odd",
  markup: { z: "<", a: 1 },
};

for (const [expression, want] of [
  ["a.b.c", "deep"],
  ["a", { b: { c: "deep" } }],
  ["nope.x", null],
  ["z", null],
  ['"x:y"', "odd"],
  ["l[*].k", ["a", "b"]],
  ["l[?k=='b'].v | [0]", 20],
  ["l[?v > `10`].v", [20]],
  ["s && e", ""],
  ["!nope", true],
  ["length(l)", 2],
  ["length(u)", 2],
  ["[max(n), min(n), sum(n), avg(n)]", [3, 1, 6, 2]],
  ["to_string(markup)", '{"a":1,"z":"\\u003c"}'],
  ["to_string(s)", "str"],
  ["{p: s}", { p: "str" }],
  ["n[::-1]", [2, 1, 3]],
  ["constructor", null],
  ["to_number('4.5e1')", 45],
  ["to_number('')", null],
  ["to_number(n[0])", 3],
  ["l[?v > `-5`].v | [-1]", 20],
  ["avg(none)", Number.NaN],
  ["contains(s, n[0])", false],
  ["contains(s, 'tr')", true],
  ["contains(n, `2`)", true],
  ["s[0:2]", null],
  ["n[1:]", [1, 2]],
  ["n[:-1]", [3, 1]],
  ["n[5:]", []],
  ["n[2:0:-1]", [2, 1]],
  [String.raw`'a\\b'`, String.raw`a\\b`],
  [String.raw`'it\'s'`, "it's"],
] as const)
  test(expression, () => expect(compileJmespath(expression)(DOCUMENT)).toEqual(want));

for (const expression of ["", "a b", "a[", "a..b", "`x", "user-agent", "-a", "a + b", "$.a", "a=b", "s ? n : l", "let $x = a in $x"])
  test(`refuses "${expression}"`, () => expect(() => compileJmespath(expression)).toThrow());

for (const unknown of ["upper(s)", "items(a)", "nosuch(s)"])
  test(`${unknown} is taken and fails when it is evaluated`, () =>
    expect(() => compileJmespath(unknown)(DOCUMENT)).toThrow(/Unknown function/));

test("a function that does not take its argument", () => expect(() => compileJmespath("length(nope)")(DOCUMENT)).toThrow(/length\(\)/));
