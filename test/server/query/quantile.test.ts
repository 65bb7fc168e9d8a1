import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { quantile } from "../../../server/query/quantile.ts";

/** By sorting: NaN first, then the numbers. */
function bySorting(values: readonly number[], phi: number): number {
  const sorted = [...values].sort((a, b) => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b));
  const rank = phi * (sorted.length - 1);
  const lower = Math.floor(rank);
  const weight = rank - lower;
  return sorted[lower]! * (1 - weight) + sorted[Math.min(sorted.length - 1, lower + 1)]! * weight;
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
for (const [name, values, phi, want] of [
  ["of nothing", [], 0.5, nan],
  ["of one", [7], 0.5, 7],
  ["below none", [1, 2], -0.1, -inf],
  ["above all", [1, 2], 1.1, inf],
  ["that is no number", [1, 2], nan, nan],
  ["the least", [3, 1, 2], 0, 1],
  ["the most", [3, 1, 2], 1, 3],
  ["between two", [4, 1, 2, 3], 0.5, 2.5],
  ["no number is the smallest", [nan, 5, 1], 0, nan],
  ["between no number and the first", [5, nan, 1], 0.25, nan],
  ["the first number", [5, nan, 1], 0.5, 1],
  ["only no numbers", [nan, nan], 0.5, nan],
  ["all the same", [2, 2, 2, 2], 0.9, 2],
] as const)
  test(`the quantile ${name}`, () => expect(quantile(Float64Array.from(values), phi)).toBe(want));

const SHAPES: readonly (readonly [name: string, value: (i: number, random: () => number) => number])[] = [
  ["random", (_, random) => random() * 1e6 - 5e5],
  ["few values", (_, random) => Math.floor(random() * 3)],
  ["ascending", (i) => i],
  ["descending", (i) => -i],
  ["up and down", (i) => Math.abs(500 - i)],
  ["with no numbers and infinity", (_, random) => (random() < 0.1 ? nan : random() < 0.1 ? inf : random())],
];
for (const [name, value] of SHAPES)
  test(`as by sorting: ${name}`, () => {
    const random = seededRandom(4);
    for (let size = 1; size < 1_200; size += 1 + Math.floor(size / 3)) {
      const values = Array.from({ length: size }, (_, i) => value(i, random));
      for (const phi of [0, 0.01, 0.5, 0.9, 0.99, 1, random()])
        expect(quantile(Float64Array.from(values), phi), `${size} values, ${phi}`).toBe(bySorting(values, phi));
    }
  });
