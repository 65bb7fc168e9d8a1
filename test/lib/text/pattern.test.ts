import { describe, expect, test } from "vitest";
import { compilePattern, compilePatternFilter } from "../../../lib/text/pattern.ts";

describe("captures", () => {
  for (const [pattern, line, want] of [
    ["<ip> - <user> [<_>] <rest>", "10.0.0.1 - bob [01/Jan] GET /", { ip: "10.0.0.1", user: "bob", rest: "GET /" }],
    ["foo <f>", "bar", {}],
    ["<x> nomatch <y>", "a b", { x: "a b" }],
    ["<x> nomatch", "a b", { x: "a b" }],
    ["<a> b<c>", "a b", { a: "a", c: "" }],
    ["<a> ", "x y", { a: "x" }],
    ["<a>: <b>", "Größe: ß", { a: "Größe", b: "ß" }],
    ["<all>", " ", { all: " " }],
    ["<all>", "", {}],
    ["\\<a>", "x", {}],
    ["<a-b> <c>", "<a-b> x", { c: "x" }],
  ] as const)
    test(`${pattern} on "${line}"`, () => {
      const compiled = compilePattern(pattern);
      const texts = compiled.match(line);
      expect(Object.fromEntries(texts.map((text, i) => [compiled.names[i], text]))).toEqual(want);
    });
});

describe("refused as parser", () => {
  for (const [pattern, message] of [
    ["<_>", "at least one capture is required"],
    ["<a-b>", "at least one capture is required"],
    ["<a", "at least one capture is required"],
    ["", "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL"],
    ["<f> f<d><b>", "found consecutive capture '<d><b>': invalid expression"],
    ["f<f><_>", "found consecutive capture '<f><_>': invalid expression"],
    ["<a> <a>", "duplicate capture name (a): invalid expression"],
  ] as const)
    test(pattern, () => expect(() => compilePattern(pattern)).toThrow(message));
});

describe("line filter", () => {
  for (const [pattern, line, want] of [
    ["<_>ERROR<_>", "x ERROR y", true],
    ["<_>ERROR<_>", "ERROR y", false],
    ["edge", "edge at 0", false],
    ["edge at 0", "edge at 0", true],
    ["<_>0", "edge at 0", true],
    ["edge at 60<_>", "edge at 60", false],
    ["<_>edge at 60", "edge at 60", false],
    ["<_>", "x", true],
    ["<_>", "", false],
    ["", "", true],
    ["", "x", false],
    ["a <_> c", "a b c", true],
    ["a <_> c", "a b c d", false],
    ["EDGE <_>", "edge at", false],
  ] as const)
    test(`${pattern} on "${line}"`, () => expect(compilePatternFilter(pattern).test(line)).toBe(want));
  test("names are refused", () =>
    expect(() => compilePatternFilter("x <_> <name> y")).toThrow("named captures are not allowed: found '<name>'"));
  test("neighbours are refused", () =>
    expect(() => compilePatternFilter("a<_><_>b")).toThrow("found consecutive capture '<_><_>': invalid expression"));
});
