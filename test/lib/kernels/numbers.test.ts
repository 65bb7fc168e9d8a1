// Numbers of texts: both flavours against each other, and against what a map says.

import { describe, expect, test } from "vitest";
import {
  JSON_ABSENT,
  JSON_ESCAPED_STRING,
  JSON_NULL,
  JSON_NUMBER,
  JSON_PLAIN_STRING,
  JSON_TRUE,
  TEXT_NOTHING,
  TEXT_ODD,
} from "../../../lib/kernels/kernels.ts";
import { agree, fuzz, misplaced } from "./flavours.ts";
import type { Random } from "./random.ts";

interface Value {
  readonly kind: number;
  readonly text: string;
}

const WORDS = [
  "",
  "info",
  "warn",
  "a text of eight and more",
  "a text of eight and mode",
  "200",
  "404",
  "12345678",
  "123456789",
  "x".repeat(64),
];

function someValue(random: Random): Value {
  const kind = random.pick([JSON_PLAIN_STRING, JSON_PLAIN_STRING, JSON_NUMBER, JSON_NULL, JSON_ABSENT, JSON_ESCAPED_STRING, JSON_TRUE]);
  if (kind === JSON_NUMBER) return { kind, text: random.pick(["200", "404", "1.5", "-3", "1".repeat(15), "1".repeat(16)]) };
  if (kind === JSON_TRUE) return { kind, text: "true" };
  return { kind, text: random.pick([...WORDS, "y".repeat(65), String(random.below(1_000))]) };
}

function numbered(random: Random, values: readonly Value[], firstsLength: number) {
  const stride = 1 + random.below(3);
  const offset = random.below(stride);
  const bytes = misplaced(random, Buffer.from(values.map(({ text }) => text).join("")));
  const kind = new Uint8Array(values.length * stride);
  const [start, end] = [new Int32Array(values.length * stride), new Int32Array(values.length * stride)];
  let at = 0;
  values.forEach((value, i) => {
    kind[i * stride + offset] = value.kind;
    start[i * stride + offset] = at;
    at += value.text.length;
    end[i * stride + offset] = at;
  });
  const picks = Int32Array.from(values.keys()).filter(() => random.chance(0.8));
  const got = agree((flavour) => {
    const numbers = new Int32Array(values.length).fill(-9);
    const firsts = new Int32Array(firstsLength);
    const counts = flavour.numberTexts(bytes, { kind, start, end, stride, offset }, values.length, picks, picks.length, numbers, firsts);
    return { ...counts, numbers: [...numbers], firsts: [...firsts.subarray(0, counts.textCount)] };
  });
  if (typeof got === "string") throw new Error(got);
  return { ...got, picks };
}

/** The text as it counts; undefined for what is odd or nothing. */
function textOf({ kind, text }: Value): string | undefined {
  if (kind === JSON_NUMBER) return /^\d{1,15}$/.test(text) ? text : undefined;
  return (kind === JSON_PLAIN_STRING || kind === JSON_TRUE) && text.length <= 64 ? text : undefined;
}

describe("numberTexts", () => {
  test("flavours agree, the same texts have the same number, and others are told apart", () =>
    fuzz(1_000, (random) => {
      const values = Array.from({ length: random.below(60) }, () => someValue(random));
      const { numbers, firsts, picks, oddCount } = numbered(random, values, 256);
      const picked = new Set(picks);
      values.forEach((value, i) => {
        const text = textOf(value);
        if (!picked.has(i)) expect(numbers[i]).toBe(-9);
        else if (text === undefined) expect(numbers[i]).toBe(value.kind === JSON_NULL ? TEXT_NOTHING : TEXT_ODD);
        else expect(textOf(values[firsts[numbers[i]!]!]!)).toBe(text);
      });
      expect(new Set(firsts.map((i) => textOf(values[i]!))).size).toBe(firsts.length);
      expect(oddCount).toBe(numbers.filter((number) => number === TEXT_ODD).length);
    }));

  test.each([
    ["256 of them, which is what the kernel has room for", 2_000, 256],
    ["as many as there is room for", 3, 3],
  ])("new texts are odd when there are %s", (_name, firstsLength, most) =>
    fuzz(3, (random) => {
      const values = Array.from({ length: 2_000 }, (_, i) => ({ kind: JSON_PLAIN_STRING, text: `text ${i % 700}` }));
      const { firsts, numbers, oddCount } = numbered(random, values, firstsLength);
      expect(firsts.length).toBe(most);
      expect(numbers.filter((number) => number >= 0).every((number) => number < most)).toBe(true);
      expect(oddCount > 0).toBe(true);
    }),
  );
});
