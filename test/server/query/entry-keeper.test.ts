import { expect, test } from "vitest";
import { EntryKeeper, type KeptEntry } from "../../../server/query/entry-keeper.ts";

function entry(sec: number, lineChars: number, labelChars = 0): KeptEntry {
  const labels = { names: ["a"], values: ["x".repeat(labelChars)] };
  return {
    sec,
    nanos: 0,
    line: `${sec}`.padEnd(lineChars, "x"),
    labels: { stream: labels, metadata: labels, parsed: labels, all: labels },
    stream: 0,
    order: 0,
  };
}
const times = (entries: readonly KeptEntry[]): number[] => entries.map(({ sec }) => sec);

test("entries that are not among the best do not count for the size of a result", () => {
  const keeper = new EntryKeeper(2, "forward", { charsMax: 1000 });
  for (let sec = 0; sec < 100; sec++) keeper.addAll([entry(sec, 400)]);
  expect(times(keeper.finish())).toEqual([0, 1]);
});

test("a result that is too large is refused, and the text says what to do", () => {
  const keeper = new EntryKeeper(10, "forward", { charsMax: 1000 });
  expect(() => {
    for (let sec = 0; sec < 3; sec++) keeper.addAll([entry(sec, 400)]);
  }).toThrow("the entries found are larger than 1000 characters together; ask for fewer with limit, or for shorter lines");
});

test("labels count", () => {
  const keeper = new EntryKeeper(10, "forward", { charsMax: 1000 });
  keeper.addAll([entry(0, 10, 600), entry(1, 10, 600)]);
  expect(() => keeper.finish()).toThrow("larger than 1000 characters");
});
