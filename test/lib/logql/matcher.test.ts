import { describe, expect, test } from "vitest";
import type { MatchOp } from "../../../lib/logql/ast.ts";
import { compileIpPattern, compileMatcher, IpPatternError, matchesEmpty } from "../../../lib/logql/index.ts";

describe("matchers", () => {
  for (const [name, op, wanted, value, want] of [
    ["equality", "=", "a", "a", true],
    ["equality is whole", "=", "a", "aa", false],
    ["inequality", "!=", "a", "b", true],
    ["inequality refuses the value", "!=", "a", "a", false],
    ["a regex", "=~", "a|b", "b", true],
    ["a regex is anchored in front", "=~", "a|b", "xa", false],
    ["a regex is anchored behind", "=~", "a|b", "bx", false],
    ["each way of a regex is anchored", "=~", "a|b", "ax", false],
    ["the dot takes line feeds", "=~", "a.b", "a\nb", true],
    ["flags stay inside", "=~", "(?i)A", "a", true],
    ["a negated regex", "!~", "a.*", "b", true],
    ["a negated regex refuses", "!~", "a.*", "ab", false],
    ["an absent label is empty", "=", "", "", true],
    ["what never repeats without end", "=~", "(a*)*b", "a".repeat(40), false],
  ] as const) {
    test(name, () => expect(compileMatcher({ name: "x", op: op as MatchOp, value: wanted })(value)).toBe(want));
  }
  for (const [op, value, want] of [
    ["=", "", true],
    ["=", "a", false],
    ["!=", "a", true],
    ["!=", "", false],
    ["=~", ".*", true],
    ["=~", ".+", false],
    ["=~", "a|", true],
    ["!~", ".+", true],
    ["!~", ".*", false],
  ] as const) {
    test(`x${op}"${value}" ${want ? "takes" : "refuses"} streams without x`, () =>
      expect(matchesEmpty({ name: "x", op, value })).toBe(want));
  }
});

describe("address patterns", () => {
  for (const [pattern, address, want] of [
    ["10.0.0.1", "10.0.0.1", true],
    ["10.0.0.1", "10.0.0.2", false],
    ["10.0.0.0/8", "10.255.1.2", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["0.0.0.0/0", "1.2.3.4", true],
    ["0.0.0.0/0", "::1", false],
    ["10.0.0.5-10.0.0.9", "10.0.0.5", true],
    ["10.0.0.5-10.0.0.9", "10.0.0.9", true],
    ["10.0.0.5-10.0.0.9", "10.0.0.10", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["::1", "0:0:0:0:0:0:0:1", true],
    ["fe80::1-fe80::ff", "fe80::80", true],
    ["10.0.0.1", "no address", false],
  ] as const) {
    test(`${address} is ${want ? "" : "not "}in ${pattern}`, () => expect(compileIpPattern(pattern)(address)).toBe(want));
  }
  for (const pattern of [
    "",
    "x",
    "10.0.0",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.9-10.0.0.5",
    "10.0.0.1 - 10.0.0.2",
    "10.0.0.1-::1",
    "1.2.3.4/-1",
  ]) {
    test(`"${pattern}" names no addresses`, () => {
      expect(() => compileIpPattern(pattern)).toThrow(new IpPatternError(`ip: invalid pattern: "${pattern}"`));
    });
  }
});
