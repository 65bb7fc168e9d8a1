import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { compileRegex, expandTemplate, requiredLiterals } from "../../../lib/text/regex.ts";

describe("what RE2 refuses, in Go's words", () => {
  for (const [pattern, message] of [
    ["[a", "error parsing regexp: missing closing ]: `[a`"],
    ["(a", "error parsing regexp: missing closing ): `(a`"],
    ["a)", "error parsing regexp: unexpected ): `a)`"],
    ["a**", "error parsing regexp: invalid nested repetition operator: `**`"],
    ["*a", "error parsing regexp: missing argument to repetition operator: `*`"],
    ["(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"],
    ["(a)\\1", "error parsing regexp: invalid escape sequence: `\\1`"],
    ["[z-a]", "error parsing regexp: invalid character class range: `z-a`"],
    ["[[:foo:]]", "error parsing regexp: invalid character class range: `[:foo:]`"],
    ["(?P<foo$>b)", "error parsing regexp: invalid named capture: `(?P<foo$>`"],
    ["a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"],
    ["a\\", "error parsing regexp: trailing backslash at end of expression: ``"],
  ] as const)
    test(pattern, () => expect(() => compileRegex(pattern)).toThrow(message));
});

describe("matches", () => {
  for (const [name, pattern, text, want] of [
    ["search is not anchored", "n=(?P<num>\\d+)", "x n=1 n=2", ["n=1", "1"]],
    ["a group that took no part", "(x)|(y)", "y", ["y", undefined, "y"]],
    ["leftmost-first", "foo|foobar", "foobar", ["foo"]],
    ["ungreedy flag", "(?U)<(.+)>(.+?)$", "<x><y> tail", ["<x><y> tail", "x", "<y> tail"]],
    ["flags of a group", "((?i:abc))(def)", "ABCdef", ["ABCdef", "ABC", "def"]],
    ["flags end with their group", "(?:(?i)a)b", "AB", null],
    ["a negative flag", "(?i)a(?-i)b", "AB", null],
    ["fold to the Kelvin sign", "(?i)k", "\u212a", ["\u212a"]],
    ["fold beyond ASCII", "(?i)ÄÖ", "äö", ["äö"]],
    ["fold in a class", "(?i)[a-c]+", "AbC", ["AbC"]],
    ["a negated class folds first", "(?i)[^a]", "A", null],
    ["dotless i does not fold to I", "(?i)ı", "I", null],
    ["\\s lacks the vertical tab", "\\s", "\v", null],
    ["\\d is ASCII", "\\d", "٣", null],
    ["\\b is ASCII", "\\bb\\w*", "äbee", ["bee"]],
    ["the dot stops at a line feed only", "a.b", "a\rb", ["a\rb"]],
    ["the dot stops at a line feed", "a.b", "a\nb", null],
    ["flag s", "(?s)a.b", "a\nb", ["a\nb"]],
    ["$ is the end of the text", "a$", "a\n", null],
    ["flag m", "(?m)^b$", "a\nb\nc", ["b"]],
    ["flag m knows no carriage return", "(?m)^b", "a\rb", null],
    ["flag m and text anchors", "(?m)\\Aa$", "a\nb", ["a"]],
    ["\\Q…\\E", "\\Qa.b*\\E+", "a.b**", ["a.b**"]],
    ["\\pL", "\\pL+", "1Äb2", ["Äb"]],
    ["\\P{Greek}", "\\P{Greek}", "αb", ["b"]],
    ["posix, negated", "[[:^alpha:]]+", "abc123", ["123"]],
    ["hexadecimal and octal", "\\x41\\x{42}\\103", "ABC", ["ABC"]],
    ["a class with ] and - in it", "[]a-]+", "x-]a", ["-]a"]],
    ["a brace that counts nothing", "a{,2}", "a{,2}", ["a{,2}"]],
    ["counts", "^\\d{1,3}(\\.\\d{1,3}){3}$", "10.0.0.128", ["10.0.0.128", ".128"]],
    ["counts past V8's sixteen", "^[0-9a-f]{32}$", "0123456789abcdef0123456789abcdef", ["0123456789abcdef0123456789abcdef"]],
    ["one code point, two units", "^.$", "😀", ["😀"]],
    ["a class beyond the BMP", "[😀-😃]", "x😂", ["😂"]],
    ["a lazy dot does not split a pair", "(.??)(.*)", "😀x", ["😀x", "", "😀x"]],
    ["a group of an earlier round stays", "(?:(a)|b)+", "ab", ["ab", "a"]],
    ["an empty round", "(|a)*", "aa", ["", ""]],
    ["both name forms", "(?<a>\\w+)=(?P<b>\\w+)", "k=v", ["k=v", "k", "v"]],
    ["a name used twice", "(?P<a>x)|(?P<a>z)", "z", ["z", undefined, "z"]],
    [
      "a name used three times, beside one that looks like a new one",
      "(?P<a>x)(?P<a_0_1_>y)(?P<a>z)(?P<a>.)",
      "xyz!",
      ["xyz!", "x", "y", "z", "!"],
    ],
    [
      "what looks like a group, quoted and in a class",
      "(?P<a>x)(?P<a>[(?P<a>]+)\\Q(?P<a>\\E\\(",
      "x(?P(?P<a>(",
      ["x(?P(?P<a>(", "x", "(?P"],
    ],
    ["a name used twice, and in a class", "(?P<a>x)(?<a>[<a>]+)", "x<a>", ["x<a>", "x", "<a>"]],
    ["the class of nothing", "[^\\x00-\\x{10FFFF}]", "a", null],
  ] as const)
    test(name, () => {
      const match = compileRegex(pattern).exec(text);
      expect(match === null ? null : [...match]).toEqual(want);
      expect(compileRegex(pattern).test(text)).toBe(want !== null);
    });
});

test("groups: names by index, repeated ones included", () => {
  expect(compileRegex("(?P<a>x)(y)(?P<a>z)").groupNames).toEqual(["", "a", "", "a"]);
});

describe("anchored", () => {
  for (const [pattern, text, want] of [
    ["foo|bar", "bar", true],
    ["foo|bar", "xbar", false],
    ["foo|foobar", "foobar", true],
    [".*", "a\nb", false],
    ["", "", true],
    ["", "a", false],
    ["(?i)abc", "ABC", true],
  ] as const)
    test(`${pattern} on ${JSON.stringify(text)}`, () => expect(compileRegex(pattern, { anchored: true }).test(text)).toBe(want));
  test(".* with dotAll", () => expect(compileRegex(".*", { anchored: true, dotAll: true }).test("a\nb")).toBe(true));
});

describe("all matches, as Go finds them", () => {
  for (const [pattern, text, want] of [
    ["a*", "baaac", ["", "aaa", ""]],
    ["", "ab", ["", "", ""]],
    ["", "😀", ["", ""]],
    ["\\d", "1a2", ["1", "2"]],
    ["^a", "aaa", ["a"]],
    ["$", "ab", [""]],
  ] as const)
    test(`${pattern} on ${text}`, () =>
      expect(
        compileRegex(pattern)
          .matchAll(text)
          .map((match) => match[0]),
      ).toEqual(want));
  test("spans", () => {
    const spans = compileRegex("(\\w)(\\d)?").matchAllSpans("a1 b");
    expect(spans.map((span) => [...span])).toEqual([
      [0, 2, 0, 1, 1, 2],
      [3, 4, 3, 4, -1, -1],
    ]);
  });
  test("replaceAll", () => expect(compileRegex("b*").replaceAll("abc", () => "-")).toBe("-a-c-"));
});

describe("Expand", () => {
  const regex = compileRegex("(?P<first>\\w+) (\\w+)");
  for (const [template, want] of [
    ["$2 $1", "b a"],
    ["$" + "{first}x", "ax"],
    ["$firstx", ""],
    ["$$1", "$1"],
    ["$9|$", "|$"],
    ["$0|$01|$00", "a b||"],
    ["$1é|$é", "|"],
  ] as const)
    test(template, () => expect(expandTemplate(template, regex.exec("a b")!, regex.groupNames)).toBe(want));
});

describe("literals", () => {
  const texts = (pattern: string) => requiredLiterals(pattern).all.map((literal) => (literal.ignoreCase ? "(?i)" : "") + literal.text);
  for (const [pattern, want] of [
    ["a.*status=(500|404) in (?P<t>\\d+)ms", ["status=", " in ", "ms", "a"]],
    ["x(?:yz)+", ["yz", "x"]],
    ["x(yz)", ["xyz"]],
    ["x(?:yz)?", ["x"]],
    ["(?i)Error: x", ["(?i)error: x"]],
    ["(?i:ab)cd", ["(?i)ab", "cd"]],
    ["[ab]", []],
  ] as const)
    test(pattern, () => expect(texts(pattern)).toEqual(want));
  test("alternatives", () => expect(requiredLiterals("x(foo|ba[rz])").anyOf?.map((literal) => literal.text)).toEqual(["foo", "ba"]));
  test("k and s fold beyond ASCII", () => expect(requiredLiterals("(?i)desk").all[0]!.foldsBeyondAscii).toBe(true));
});

describe("shape", () => {
  const shape = (pattern: string, anchored = false, dotAll = false) => {
    const found = compileRegex(pattern, { anchored, dotAll }).shape;
    return "literals" in found ? `${found.kind} ${found.literals.map((l) => (l.ignoreCase ? "(?i)" : "") + l.text).join(",")}` : found.kind;
  };
  for (const [pattern, want] of [
    [".*foo.*", "contains foo"],
    ["foo|bar", "contains foo,bar"],
    ["fo(o|x)", "contains foo,fox"],
    ["(?i)Error", "contains (?i)error"],
    ["^foo", "prefix foo"],
    ["foo$", "suffix foo"],
    ["^foo$", "equals foo"],
    [".*", "always"],
    ["", "always"],
    ["foo|", "always"],
    ["fo+", "regex"],
    ["(?i:a)b", "regex"],
    ["^.*foo", "regex"],
    ["(?s)^.*foo", "contains foo"],
    ["(?s).+", "nonEmpty"],
    [".+", "regex"],
  ] as const)
    test(pattern, () => expect(shape(pattern)).toBe(want));
  for (const [pattern, want] of [
    ["foo|bar", "equals foo,bar"],
    [".*", "always"],
    [".+", "nonEmpty"],
    ["foo.*", "prefix foo"],
    [".*foo", "suffix foo"],
    [".*foo.*", "contains foo"],
    ["", "equals "],
  ] as const)
    test(`anchored, dotAll: ${pattern}`, () => expect(shape(pattern, true, true)).toBe(want));
});

describe("pivots", () => {
  for (const [pattern, want] of [
    ['"level":"(\\w+)".*"status":(\\d+),"path"', ['"status":']],
    ["(?P<all>.*)level=(?P<level>\\w+).+ms$", ["level="]],
    ["(.*)foo(.*)foo", ["foo"]],
    ["[^,]*,abc", []],
    [".*?abc", []],
    [".*ab", []],
    [".*(?i)abc", []],
    ["(?:.*abc)+", []],
    [".*abc|x", []],
    ["\\s+abc", []],
    [`.*${"ab".repeat(50)}`, ["ab".repeat(16)]],
  ] as const)
    test(pattern, () => expect(compileRegex(pattern).pivots).toEqual(want));

  test("random patterns find at their pivots what they find without", () => {
    const random = seeded(11);
    const pick = (of: readonly string[]): string => of[random(of.length)]!;
    let used = 0;
    for (let round = 0; round < 3_000; round++) {
      const parts = ["(.*)", ".*", "(\\w+)", ".+", "[^b]*", "(a|ab)", "(b?)", "\\b", "(x+?)", "é", "(?s:.*)", "(?:a+)", "(.{0,3})"];
      const literals = ["abc", "(ab)c", "x=y", "éab", "aba"];
      const pattern = Array.from({ length: 1 + random(5) }, () => pick(parts) + (random(2) === 0 ? pick(literals) : "")).join("");
      const regex = compileRegex(pick(["", "^", ""]) + pattern + pick(["", "$", ".*"]));
      for (let n = 0; n < 8; n++) {
        const text = Array.from({ length: random(12) }, () => pick(["a", "b", "abc", "x=y", "éab", "aba", " ", "\n", "😀"])).join("");
        const eachOnce =
          regex.pivots.length > 0 && regex.pivots.every((pivot) => text.includes(pivot) && text.indexOf(pivot) === text.lastIndexOf(pivot));
        if (!eachOnce) continue;
        used++;
        const [want, got] = [regex.exec(text), regex.execAtPivots(text)];
        expect(got && { groups: [...got], at: got.index }, `${regex.source} on ${JSON.stringify(text)}`).toEqual(
          want && { groups: [...want], at: want.index },
        );
      }
    }
    expect(used).toBeGreaterThan(500);
  });
});

describe("never hangs", () => {
  const a = "a".repeat(30_000);
  for (const [pattern, text] of [
    ["(a+)+$", `${a}b`],
    ["(?i)(a+)+$", `${a}b`],
    ["(a|aa)+$", `${a}b`],
    ["(a*)*b", a],
    ["(?m)\\A(a+)+$", `${a}b`],
    ["(.*)(.*)(.*)(.*)(.*)x", a],
    ["(?i)(x+x+)+y", "x".repeat(30_000)],
    ["([a-z]{1,40}){1,20}!$", `${"x".repeat(3_000)}`],
    ["(?s)(😀|.)+(.+)+x$", "😀".repeat(2_000)],
  ] as const)
    test(pattern, () => {
      const regex = compileRegex(pattern);
      expect(regex.test(text)).toBe(false);
      expect(regex.exec(text)).toBe(null);
      expect(regex.execAtPivots(text)).toBe(null);
      expect(regex.execSpans(text)).toBe(null);
    });
  test("the linear engine finds the same groups", () => {
    const match = compileRegex("^((a+)+)([b-d])?(x|y)$").exec(`${"a".repeat(20_000)}cy`)!;
    expect([match[1]!.length, match[2]!.length, match[3], match[4]]).toEqual([20_000, 20_000, "c", "y"]);
  });
  test("(x{1,20}){1,20}", () => {
    const regex = compileRegex("(x{1,20}){1,20}$");
    expect(regex.test(`${"x".repeat(20_000)}y`)).toBe(false);
  });
});

test("random patterns on random texts match as re2js matches", () => {
  const random = seeded(Number(process.env.FUZZ_SEED ?? 20260101));
  for (let round = 0; round < Number(process.env.FUZZ_ROUNDS ?? 1_500); round++) {
    const pattern = randomPattern(random, 3);
    let judge: RE2JS;
    try {
      judge = RE2JS.compile(pattern);
    } catch {
      continue;
    }
    const regex = compileRegex(pattern);
    for (let i = 0; i < 6; i++) {
      const text = randomText(random);
      const matcher = judge.matcher(text);
      const found = matcher.find();
      const want = found ? Array.from({ length: regex.groupCount + 1 }, (_, g) => [matcher.start(g), matcher.end(g)]).flat() : null;
      const label = `${JSON.stringify(pattern)} on ${JSON.stringify(text)}`;
      expect(regex.test(text), label).toBe(found);
      const spans = regex.execSpans(text);
      expect(spans === null ? null : [...spans], label).toEqual(want);
      const match = regex.exec(text);
      const texts =
        want === null
          ? null
          : Array.from({ length: want.length / 2 }, (_, g) => (want[2 * g]! < 0 ? undefined : text.slice(want[2 * g], want[2 * g + 1])));
      expect(match === null ? null : [...match], label).toEqual(texts);
      for (const literal of regex.literals.all) {
        if (found) expect(literal.ignoreCase || text.includes(literal.text), `${label} lacks ${literal.text}`).toBe(true);
      }
      const whole = compileRegex(pattern, { anchored: true });
      expect(whole.test(text), `anchored ${label}`).toBe(judge.matches(text));
    }
  }
});

test("patterns that backtrack without end, on texts that make them, match as re2js matches", () => {
  const random = seeded(7);
  const pick = (of: readonly string[]): string => of[random(of.length)]!;
  for (let round = 0; round < 60; round++) {
    const inner = pick(["a+", "a|aa", "a|b|ab", "[ab]+", "a?a", "(?:a|b)+", "a{1,3}", "(?i:a)+"]);
    const pattern = `${pick(["", "^", "(b)?"])}((${inner})${pick(["+", "{2,}", "+?"])})${pick(["$", "c$", "(b|c)?d$", "\\b$"])}`;
    const text = `${"ab".repeat(random(4))}${"a".repeat(30 + random(40))}${pick(["", "b", "c", "cd", "!", "bc"])}`;
    const matcher = RE2JS.compile(pattern).matcher(text);
    const groups = compileRegex(pattern).groupCount;
    const want = matcher.find() ? Array.from({ length: groups + 1 }, (_, g) => [matcher.start(g), matcher.end(g)]).flat() : null;
    const spans = compileRegex(pattern).execSpans(text);
    expect(spans === null ? null : [...spans], `${pattern} on ${text}`).toEqual(want);
  }
});

function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomPattern(random: (below: number) => number, depth: number): string {
  const pick = (of: readonly string[]): string => of[random(of.length)]!;
  const atoms = [
    "a",
    "b",
    "ab",
    "k",
    "😀",
    ".",
    "[ab]",
    "[^a]",
    "\\w",
    "\\s",
    "\\pL",
    "[[:upper:]]",
    "\\b",
    "\\B",
    "^",
    "$",
    "\\n",
    "é",
    "(?i:a)",
    "[^😀]",
    ".*",
  ];
  let text = "";
  for (let parts = 1 + random(3); parts > 0; parts--) {
    let part =
      depth > 0 && random(3) === 0
        ? `${pick(["(", "(?:", "(?i:", "(?s:", "(?m:", "(?U:"])}${randomPattern(random, depth - 1)})`
        : pick(atoms);
    if (random(3) === 0) part += pick(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{0}"]);
    text += part;
  }
  if (random(4) === 0) text += `|${depth > 0 ? randomPattern(random, depth - 1) : ""}`;
  return text;
}

function randomText(random: (below: number) => number): string {
  const chars = ["a", "b", "A", "k", "\u212a", "é", "É", "😀", "😁", "\n", "\r", " ", "1", "_"];
  let text = "";
  for (let length = random(9); length > 0; length--) text += chars[random(random(3) === 0 ? chars.length : 3)];
  return text;
}

describe("long patterns", () => {
  test("a thousand groups of one name are renamed at once", () => {
    const { groupNames } = compileRegex("(?P<n>a)".repeat(1000));
    expect([groupNames.length, new Set(groupNames)]).toEqual([1001, new Set(["", "n"])]);
  });
  test("one that was compiled lately is had again, by its options", () => {
    const regex = compileRegex("a.b|c");
    expect(compileRegex("a.b|c")).toBe(regex);
    expect(compileRegex("a.b|c", { anchored: true })).not.toBe(regex);
    expect([compileRegex("a.b|c", { dotAll: true }).test("a\nb"), regex.test("a\nb")]).toEqual([true, false]);
    for (let i = 0; i < 3; i++) compileRegex(`${i}${"x".repeat(100_000)}`);
    expect(compileRegex("a.b|c")).not.toBe(regex);
  });
  test("of thousands of letter classes and folded letters", () => {
    expect(compileRegex("[a\\pL]".repeat(5_000)).engine).toBe("re2");
    expect(compileRegex(`(?i)${"kß".repeat(1_000)}`).test("KSS")).toBe(false);
    expect(compileRegex(`^(?i)${"kß".repeat(1_000)}$`).test("\u212a\u1e9e".repeat(1_000))).toBe(true);
  });
  test("longer than a query can be", () => expect(() => compileRegex("a".repeat(131_073))).toThrow("131073 characters, at most 131072"));
});
