import { describe, expect, test } from "vitest";
import { Budget } from "../../../server/patterns/budget.ts";
import { Drain } from "../../../server/patterns/drain.ts";
import { joinTokens, tokenize } from "../../../server/patterns/tokens.ts";

/** Patterns of 40 lines, one per number. */
function patternsOf(line: (i: number) => string): string[] {
  const drain = new Drain();
  for (let i = 0; i < 40; i++) drain.train(line(i), 1000 + i);
  return [...drain.clusters()].map(({ tokens, layout }) => joinTokens(tokens, layout)).sort();
}

describe("lines become patterns", () => {
  const learns = (name: string, line: (i: number) => string, ...expected: string[]): void =>
    test(name, () => expect(patternsOf(line)).toEqual(expected));
  learns("numbers vary", (i) => `user ${i} came from 10.0.0.${i}`, "user <_> came from <_>");
  learns("punctuation is a token of its own", (i) => `call(${i}, "x ${i}") done`, 'call(<_>, "x <_>") done');
  learns("words keep patterns apart", (i) => `one two ${i % 2 === 0 ? "three" : "four"} ${i}`, "one two four <_>", "one two three <_>");
  learns("pairs lose their quotes", (i) => `level=info msg="a b" id=${i}`, "level=info msg=a b id=<_>");
  learns("what varies side by side is one", (i) => `a b c ${i}(${i})`, "a b c <_>(<_>)");
  learns("JSON has none", (i) => `{"a": "b c d e ${i}"}`);
  learns("short lines have none", (i) => `short ${i}`);
  learns("a line that stays", () => "the very same line", "the very same line");
});

describe("a line put together again is the line", () => {
  const same = (line: string): void =>
    test(line, () => {
      const { tokens, layout } = tokenize(line)!;
      expect(joinTokens(tokens, layout)).toBe(line);
    });
  same("[0] (x) <y> =z 'q'");
  same("GET /api/v1/item/0 200 0ms");
  same("ünïcode 0 東京 line");
  same("a=b c=d e=f");
});

test("samples count lines per ten seconds, and old ones are forgotten with their cluster", () => {
  const drain = new Drain();
  for (const sec of [100, 105, 111]) drain.train("a b c d", sec);
  const [cluster] = [...drain.clusters()];
  expect([...cluster!.samples]).toEqual([
    [100, 2],
    [110, 1],
  ]);
  drain.prune(110);
  expect([...cluster!.samples]).toEqual([[110, 1]]);
  drain.prune(200);
  expect(drain.isEmpty).toBe(true);
});

test("memory is bounded, and what is learnt last is kept", () => {
  const budget = new Budget(100_000);
  const drain = new Drain(budget);
  for (let i = 0; i < 2_000; i++)
    drain.train(Array.from({ length: 4 + (i % 70) }, (_, j) => `w${"abc"[(i >> (j % 8)) % 3]}${j}`).join(" "), i);
  expect(budget.usedBytes).toBeLessThanOrEqual(100_000);
  drain.train("the very last line", 3_000);
  expect([...drain.clusters()].at(-1)!.tokens).toEqual(["the", "very", "last", "line"]);
  drain.prune(10_000);
  expect([budget.usedBytes, drain.isEmpty, drain.nodeCount]).toEqual([0, true, 0]);
});

test("memory that others took is not there", () => {
  const everybodys = new Budget(10_000);
  const drain = new Drain(new Budget(10_000, everybodys));
  everybodys.take(9_500);
  drain.train("there is no room for this", 1);
  expect([...drain.clusters()]).toEqual([]);
  expect(drain.nodeCount).toBe(0);
});

test("clusters are bounded", () => {
  const drain = new Drain();
  // Of another number of tokens, or with another first word, lines are never alike.
  for (let n = 4; n < 60; n++) for (const word of "abcdefghij") drain.train(Array.from({ length: n }, () => word).join(" "), 1000);
  expect([...drain.clusters()]).toHaveLength(300);
});
