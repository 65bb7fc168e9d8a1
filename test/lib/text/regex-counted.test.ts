import { RE2JS } from "re2js";
import { describe, expect, test, vi } from "vitest";
import { compileRegex } from "../../../lib/text/regex.ts";
import { CountedRegex } from "../../../lib/text/regex-counted.ts";
import { REGEX_STEPS_MAX, RegexCostError, StepBudget } from "../../../lib/text/regex-steps.ts";
import { parseRegex } from "../../../lib/text/regex-syntax.ts";
import { type Random, seeded } from "../kernels/random.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20_261_126);
const ROUNDS = Number(process.env.SKALD_FUZZ_ROUNDS ?? 1_000);

function counted(pattern: string): CountedRegex {
  const tree = parseRegex(pattern);
  return new CountedRegex(tree.root, pattern, tree.groupNames.length - 1);
}

const ATOMS = [
  "a",
  "b",
  "é",
  "😀",
  ".",
  "[ab]",
  "[^a]",
  "\\w",
  "\\s",
  "\\n",
  "(?i:B)",
  "[a-😀]",
  "^",
  "$",
  "\\b",
  "\\B",
  "(?m:^)",
  "(?m:$)",
];
const REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}"];

function patternOf(random: Random, depth: number): string {
  const one = (): string => {
    const atom = depth > 0 && random.chance(0.4) ? `${random.pick(["(", "(?:"])}${patternOf(random, depth - 1)})` : random.pick(ATOMS);
    return random.chance(0.4) ? `${atom}${random.pick(REPEATS)}` : atom;
  };
  const branch = (): string => Array.from({ length: random.below(4) }, one).join("");
  return Array.from({ length: 1 + random.below(3) }, branch).join("|");
}

const textOf = (random: Random): string =>
  Array.from({ length: random.below(12) }, () => random.pick(["a", "b", "B", "é", "😀", " ", "\n", "_"])).join("");

test(`finds what RE2 finds, seed ${SEED}`, () => {
  const random = seeded(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const pattern = patternOf(random, 3);
    let re2: RE2JS;
    try {
      re2 = RE2JS.compile(pattern);
    } catch {
      continue;
    }
    const ours = counted(pattern);
    for (let i = 0; i < 4; i++) {
      const text = textOf(random);
      const matcher = re2.matcher(text);
      const want = matcher.find()
        ? Array.from({ length: 2 * re2.groupCount() + 2 }, (_, at) => (at % 2 === 0 ? matcher.start(at >> 1) : matcher.end(at >> 1)))
        : null;
      const found = ours.spans(text, 0);
      expect({ pattern, text, test: ours.test(text), spans: found === null ? null : [...found] }).toEqual({
        pattern,
        text,
        test: want !== null,
        spans: want,
      });
    }
  }
});

test("goes on behind a place as if the text before it were there", () => {
  expect([...counted("\\bb|^a|(?m:^c)").spans("a\nbab\nc", 3)!]).toEqual([6, 7]);
  expect(counted("\\bb").spans("ab", 1)).toBeNull();
});

const LONG = 250_000;
describe(`texts of ${LONG} characters`, () => {
  for (const [pattern, text, found] of [
    ["x{1,1000}y", "x".repeat(LONG), false],
    ["x{1,1000}y", `${"x".repeat(LONG)}y`, true],
    ["(?:x?){500}y", "x".repeat(LONG), false],
    ["(x+x+)+y", "x".repeat(LONG), false],
    ["(a{0,30}){0,30}z", "a".repeat(LONG), false],
    [".{0,1000}q", "the quick brown fox".repeat(LONG / 20), true],
    [".{0,1000}!", "the quick brown fox".repeat(LONG / 20), false],
    [Array.from({ length: 14_000 }, (_, i) => `w${i}`).join("|"), "the quick brown fox w".repeat(LONG / 20), false],
    ["(?i)(?:x|y){1,900}ß", "xY".repeat(LONG / 2), false],
  ] as const) {
    test(`${pattern.slice(0, 30)}, ${found ? "found" : "not there"}`, () => expect(compileRegex(pattern).test(text)).toBe(found));
  }

  test("groups are found in them", () => {
    const text = `${"the quick brown fox 10.0.0. ".repeat(9_000)}from 10.20.30.40 on`;
    const match = compileRegex("(?P<ip>(?:\\d{1,3}\\.){3}(\\d{1,3}))").exec(text)!;
    expect([match.index, ...match]).toEqual([text.length - 14, "10.20.30.40", "10.20.30.40", "40"]);
  });

  test("what costs too many steps is refused, with the limit and what to do", () => {
    const random = seeded(SEED);
    const text = Array.from({ length: LONG }, () => random.pick(["a", "b"])).join("");
    const regex = compileRegex("(a|b)*a(a|b){900}q");
    expect(() => regex.test(text)).toThrow(RegexCostError);
    expect(() => regex.exec(text)).toThrow(
      `the regular expression \`(a|b)*a(a|b){900}q\` takes more than ${REGEX_STEPS_MAX} steps on a text of ${LONG} characters; use smaller counted repetitions, or filter long lines out before it`,
    );
    expect(regex.test(text.slice(0, 1000))).toBe(false);
  });
});

test("a budget is for all that is taken from it", () => {
  const budget = new StepBudget("a+", 10, 5);
  budget.take(3);
  budget.take(2);
  expect(() => budget.take(1)).toThrow("the regular expression `a+` takes more than");
});

test("all matches of one text together have to be found in a second", () => {
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs++ * 100);
  expect(compileRegex("a").matchAll("aaaaa")).toHaveLength(5);
  expect(() => compileRegex("a").matchAllSpans("a".repeat(20))).toThrow(
    "the regular expression `a` takes more than 1000 ms on a text of 20 characters",
  );
  vi.restoreAllMocks();
});
