// Substring search: flavours against each other and against the plainest search there is.

import { describe, expect, test } from "vitest";
import { type Kernels, prepareNeedle } from "../../../lib/kernels/index.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";
import { logLine } from "./texts.ts";

const fold = (bytes: Uint8Array): string =>
  Buffer.from(bytes.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))).toString("latin1");

function plainFind(bytes: Uint8Array, from: number, to: number, needle: Uint8Array, ignoreCase: boolean): number {
  const part = bytes.subarray(from, to);
  const at = ignoreCase
    ? fold(part).indexOf(fold(needle))
    : Buffer.from(part).toString("latin1").indexOf(Buffer.from(needle).toString("latin1"));
  return at < 0 ? -1 : from + at;
}

/** A text of few letters, so that near misses are common, and a needle that is often in it. */
function haystack(random: Random): { bytes: Uint8Array; needle: Uint8Array } {
  const letters = random.pick(["ab", "aAbB", "abcdefgh \n", "aZ@[`{é"]);
  const alphabet = Buffer.from(letters);
  const bytes = random.chance(0.2)
    ? Buffer.from(Array.from({ length: random.below(9) }, () => logLine(random)).join(""))
    : Uint8Array.from({ length: random.pick([random.below(70), random.below(600)]) }, () => alphabet[random.below(alphabet.length)]!);
  const length = random.pick([1, 2, 3, random.below(12), random.below(40)]);
  const from = random.below(bytes.length + 1);
  const needle = random.chance(0.7)
    ? bytes.slice(from, from + length)
    : Uint8Array.from({ length }, () => alphabet[random.below(alphabet.length)]!);
  return { bytes: misplaced(random, bytes), needle };
}

function lines(flavour: Kernels, bytes: Uint8Array, ends: Int32Array, needle: Uint8Array, ignoreCase: boolean, most: number): number[] {
  const hits = new Int32Array(most);
  return [...hits.subarray(0, flavour.findLines(bytes, ends, ends.length, prepareNeedle(needle, ignoreCase), hits))];
}

describe("find", () => {
  test("flavours agree with the plainest search", () =>
    fuzz(6_000, (random) => {
      const { bytes, needle } = haystack(random);
      const from = random.below(bytes.length + 1);
      const to = random.chance(0.5) ? bytes.length : from + random.below(bytes.length + 1 - from);
      const ignoreCase = random.chance(0.5);
      const got = agree((flavour) => flavour.find(bytes, from, to, prepareNeedle(needle, ignoreCase)));
      expect(got).toBe(plainFind(bytes, from, to, needle, ignoreCase));
    }));
  test("a hit across the windows of a large text is found", () => {
    const bytes = Buffer.alloc(300_000, "x");
    const needle = prepareNeedle(Buffer.from("needle"), false);
    for (const at of [0, 65_531, 65_532, 65_536, 131_070, 299_994]) {
      bytes.fill("x").write("needle", at);
      expect(wasm.find(bytes, 0, bytes.length, needle)).toBe(at);
    }
  });
  test("letters outside ASCII keep their case", () => {
    const needle = prepareNeedle(Buffer.from("É"), true);
    for (const flavour of [wasm, twin]) expect(flavour.find(Buffer.from("xé"), 0, 3, needle)).toBe(-1);
  });
  test("a needle longer than its place", () => {
    const bytes = Buffer.from(`x${"ab".repeat(3_000)}`);
    expect(wasm.find(bytes, 0, bytes.length, prepareNeedle(bytes.subarray(1), false))).toBe(1);
  });
});

describe("findLines", () => {
  test("flavours agree with the plainest search", () =>
    fuzz(4_000, (random) => {
      const { bytes, needle } = haystack(random);
      // Lines may contain line feeds, so ends are drawn anywhere.
      const ends: number[] = [];
      for (let at = random.below(20); at < bytes.length; at += 1 + random.below(random.pick([3, 60]))) ends.push(at);
      const ignoreCase = random.chance(0.5);
      const most = random.chance(0.9) ? ends.length : random.below(4);
      const got = agree((flavour) => lines(flavour, bytes, Int32Array.from(ends), needle, ignoreCase, most));
      const want = ends.flatMap((end, i) => (plainFind(bytes, i === 0 ? 0 : ends[i - 1]! + 1, end, needle, ignoreCase) >= 0 ? [i] : []));
      expect(got).toEqual(want.slice(0, most));
    }));
});

describe("countInSpans", () => {
  test("flavours agree with the plainest search", () =>
    fuzz(3_000, (random) => {
      const { bytes, needle } = haystack(random);
      if (needle.length === 0) return;
      // Spans in any order, some over each other, some not asked for.
      const spans = Array.from({ length: random.below(12) }, () => {
        const from = random.below(bytes.length + 1);
        return [from, from + random.below(Math.min(bytes.length - from, random.pick([6, 600])) + 1)] as const;
      });
      const [starts, ends] = [Int32Array.from(spans, ([from]) => from), Int32Array.from(spans, ([, to]) => to)];
      const picks = Int32Array.from(spans.flatMap((_, i) => (random.chance(0.8) ? [i] : [])));
      const ignoreCase = random.chance(0.3);
      const most = 1 + random.below(3);
      const got = agree((flavour) => {
        const counts = new Uint8Array(spans.length + 1).fill(9);
        const prepared = prepareNeedle(needle, ignoreCase);
        flavour.countInSpans(bytes, starts, ends, spans.length, picks, picks.length, prepared, most, counts);
        return [...counts];
      });
      const want = spans.map(([from, to], i) => {
        if (!picks.includes(i)) return 0;
        let found = 0;
        for (let at = from; found < most && (at = plainFind(bytes, at, to, needle, ignoreCase)) >= 0; at++) found++;
        return found;
      });
      expect(got).toEqual([...want, 9]);
    }));
});
