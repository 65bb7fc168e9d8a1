// What lines come to, and their sorting by groups: both flavours against each other, and against the plain meaning.

import { describe, expect, test } from "vitest";
import type { Kernels } from "../../../lib/kernels/index.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";

/** Columns of which every second one is in the kernels' memory. */
const resident = Array.from({ length: 3 }, () => wasm.allocate(4 * 512));
function column(random: Random, k: number, values: readonly number[]): Int32Array {
  if (random.chance(0.5)) return Int32Array.from(values);
  const words = new Int32Array(resident[k]!.buffer, resident[k]!.byteOffset, values.length);
  words.set(values);
  return words;
}

describe("surveyLines", () => {
  test("flavours agree, and add up what is there", () =>
    fuzz(1_500, (random) => {
      const text = Buffer.from(Array.from({ length: random.below(60) }, () => random.pick(["a", "é", "€", "😀", " "])).join(""));
      const bytes = misplaced(random, text);
      const spans = Array.from({ length: random.below(20) }, () => {
        const start = random.below(bytes.length + 1);
        return [start, start + random.below(bytes.length - start + 1)] as const;
      });
      const starts = column(
        random,
        0,
        spans.map(([start]) => start),
      );
      const ends = column(
        random,
        1,
        spans.map(([, end]) => end),
      );
      const picks = column(
        random,
        2,
        spans.map((_, i) => i).filter(() => random.chance(0.7)),
      );
      const got = agree((flavour) => flavour.surveyLines(bytes, starts, ends, picks, picks.length));
      if (typeof got === "string") throw new Error(got);
      expect(got.lineBytes).toBe([...picks].reduce((sum, i) => sum + ends[i]! - starts[i]!, 0));
      expect(got.cutCount).toBe([...picks].filter((i) => isWithin(bytes, starts[i]!) || isWithin(bytes, ends[i]!)).length);
      for (const i of picks) expect(got.from <= starts[i]! && got.to >= ends[i]!).toBe(true);
    }));
});

function isWithin(bytes: Uint8Array, at: number): boolean {
  return at < bytes.length && (bytes[at]! & 0xc0) === 0x80;
}

function grouped(flavour: Kernels, picks: Int32Array, groups: Int32Array, groupCount: number): number[][] {
  const sorted = new Int32Array(picks.length);
  const ends = new Int32Array(groupCount);
  flavour.groupPicks(picks, picks.length, groups, groupCount, sorted, ends);
  return Array.from({ length: groupCount }, (_, g) => [...sorted.subarray(g === 0 ? 0 : ends[g - 1], ends[g])]);
}

describe("fitLines", () => {
  test("flavours agree, and take no more than fits", () =>
    fuzz(500, (random) => {
      const sizes = Array.from({ length: random.below(30) }, () => random.below(40));
      const starts = column(
        random,
        0,
        sizes.map(() => random.below(100)),
      );
      const ends = column(
        random,
        1,
        sizes.map((size, i) => starts[i]! + size),
      );
      const picks = column(
        random,
        2,
        sizes.map((_, i) => i).filter(() => random.chance(0.7)),
      );
      const bytesMax = random.pick([0, 50, 10_000, 2 ** 40]);
      const got = agree((flavour) => flavour.fitLines(starts, ends, picks, picks.length, bytesMax));
      if (typeof got === "string") throw new Error(got);
      const bytesOf = (lines: Iterable<number>): number => [...lines].reduce((sum, i) => sum + sizes[i]!, 0);
      expect(got.bytes).toBe(bytesOf(picks.subarray(0, got.count)));
      expect(got.bytes <= bytesMax && (got.count === picks.length || got.bytes + sizes[picks[got.count]!]! > bytesMax)).toBe(true);
    }));
});

describe("groupPicks", () => {
  test("flavours agree, and keep the order", () =>
    fuzz(500, (random) => {
      const count = random.below(60);
      const groupCount = 1 + random.below(5);
      const all = Array.from({ length: count }, (_, i) => i);
      const groups = column(
        random,
        0,
        all.map(() => random.below(groupCount)),
      );
      const picks = column(
        random,
        1,
        all.filter(() => random.chance(0.8)),
      );
      const want = Array.from({ length: groupCount }, (_, g) => [...picks].filter((i) => groups[i] === g));
      expect(agree((flavour) => grouped(flavour, picks, groups, groupCount))).toEqual(want);
    }));

  test.each([
    ["a line", Int32Array.of(0, 2), Int32Array.of(0, 0)],
    ["a group", Int32Array.of(0, 1), Int32Array.of(0, 3)],
  ])("a pick of %s that is not there is refused, not written past", (_name, picks, groups) =>
    expect(() => grouped(wasm, picks, groups, 2)).toThrow(RangeError),
  );
});

describe("spans outside the bytes", () => {
  const bytes = wasm.allocate(64).subarray(0, 16);
  test.each([
    ["a start below 0", -1, 4],
    ["an end before the start", 5, 4],
    ["an end behind the bytes", 5, 17],
  ])("%s: kernels that check for themselves leave the line to the twin", (_name, start, end) => {
    const encode = (flavour: Kernels): string => {
      const out = new Uint8Array(200);
      const columns = [Int32Array.of(start), Int32Array.of(end), Int32Array.of(1), Int32Array.of(1), Int32Array.of(0)] as const;
      return outcomeOf(() => flavour.encodeEntries(bytes, ...columns, 1, out, 0));
    };
    expect(encode(wasm)).toEqual(encode(twin));
  });
});

function outcomeOf(call: () => number): string {
  try {
    return String(call());
  } catch (error) {
    return String(error);
  }
}
