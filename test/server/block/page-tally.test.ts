import { describe, expect, test } from "vitest";
import { MalformedInput } from "../../../lib/kernels/kernels.ts";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import type { MetadataPair } from "../../../lib/wire/entry-batch.ts";
import type { RawPage } from "../../../server/block/page-encoder.ts";
import { encodeTally, readTally } from "../../../server/block/page-tally.ts";
import type { PageStats } from "../../../server/page.ts";
import { pushOf } from "../storage-entries.ts";

type Entry = readonly [sec: number, nanos: number, metadata?: readonly MetadataPair[]];
type Run = readonly [endSec: number, metadata: string, entries: number];

const rawOf = (entries: readonly Entry[]): RawPage =>
  pushOf(entries.map(([sec, nanos, metadata]) => ({ labels: {}, sec, nanos, line: "x", ...(metadata !== undefined && { metadata }) })));
const statsOf = ([sec, nanos]: Entry): PageStats => ({ minSec: sec, minNanos: nanos }) satisfies Partial<PageStats> as unknown as PageStats;
const pairsText = (pairs: readonly MetadataPair[] = []): string => pairs.map(([name, value]) => `${name}=${value}`).join();

function runsOf(bytes: Uint8Array, first: Entry): { tickSec: number; runs: Run[] } {
  const tally = readTally(bytes, statsOf(first));
  const runs: Run[] = [];
  if (tally === undefined) return { tickSec: 0, runs };
  while (tally.next()) runs.push([tally.endSec, pairsText(tally.lists[tally.list]), tally.entryCount]);
  return { tickSec: tally.tickSec, runs };
}
const tallyOf = (entries: readonly Entry[], bytesMax = 1e9): { tickSec: number; runs: Run[] } =>
  runsOf(encodeTally(rawOf(entries), bytesMax), entries[0]!);

const info: readonly MetadataPair[] = [["detected_level", "info"]];
const error: readonly MetadataPair[] = [["detected_level", "error"]];

describe("runs", () => {
  const runs = (name: string, entries: readonly Entry[], ...want: Run[]) =>
    test(name, () => expect(tallyOf(entries)).toEqual({ tickSec: 1, runs: want }));
  runs("one entry", [[7, 5]], [8, "", 1]);
  runs("an entry at a whole second ends it", [[7, 0]], [7, "", 1]);
  runs(
    "a second holds what comes after the one before",
    [
      [7, 0],
      [7, 1],
      [7, 999_999_999],
      [8, 0],
      [8, 1],
    ],
    [7, "", 1],
    [8, "", 3],
    [9, "", 1],
  );
  runs(
    "a long silence",
    [
      [1, 0],
      [1_000_000, 0],
    ],
    [1, "", 1],
    [1_000_000, "", 1],
  );
  runs(
    "before 1970",
    [
      [-5, 1],
      [-4, 0],
      [-1, 0],
      [-1, 1],
    ],
    [-4, "", 2],
    [-1, "", 1],
    [0, "", 1],
  );
  runs(
    "by metadata",
    [
      [1, 0, info],
      [1, 0, error],
      [1, 0, info],
      [2, 0, error],
    ],
    [1, "detected_level=info", 2],
    [1, "detected_level=error", 1],
    [2, "detected_level=error", 1],
  );
  runs(
    "lists with the same pairs are one",
    [
      [1, 0, [["a", "b"]]],
      [1, 0, [["a", "b"]]],
    ],
    [1, "a=b", 2],
  );
  runs(
    "some entries without metadata",
    [
      [1, 0],
      [1, 0, info],
      [1, 0],
    ],
    [1, "", 2],
    [1, "detected_level=info", 1],
  );
});

describe("size", () => {
  const sparse: Entry[] = Array.from({ length: 600 }, (_, i) => [i * 7, 0]);
  const tick = (bytesMax: number, tickSec: number) =>
    test(`${bytesMax} bytes take ticks of ${tickSec} s`, () => expect(tallyOf(sparse, bytesMax).tickSec).toBe(tickSec));
  tick(1300, 1);
  tick(1100, 15);
  tick(200, 60);
  tick(50, 0);

  test("entries of coarse ticks are all there", () => {
    const { runs } = tallyOf(sparse, 200);
    expect(runs.reduce((sum, [, , entries]) => sum + entries, 0)).toBe(600);
    expect(runs.every(([endSec]) => endSec % 60 === 0)).toBe(true);
    expect(runs[1]).toEqual([60, "", 8]);
  });

  test("eight lists of metadata are kept, nine are none", () => {
    const many = (count: number): Entry[] => Array.from({ length: count }, (_, i) => [1, 0, [["trace", String(i)]]]);
    expect(tallyOf(many(8)).runs).toHaveLength(8);
    expect(tallyOf(many(9)).runs).toEqual([]);
  });
});

test("random pages: runs add up to the entries between any two ticks", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 50; round++) {
    let ns = Math.floor(random() * 1e10);
    const entries: Entry[] = Array.from({ length: 200 }, () => {
      ns += random() < 0.3 ? 0 : Math.floor(random() * 10 ** (6 + Math.floor(random() * 5)));
      const atEdge = random() < 0.2;
      if (atEdge) ns = Math.ceil(ns / 1e9) * 1e9;
      return [Math.floor(ns / 1e9), ns % 1e9, random() < 0.5 ? info : undefined] as unknown as Entry;
    });
    const { tickSec, runs } = tallyOf(entries, [1e9, 300, 120][round % 3]!);
    if (tickSec === 0) continue;
    for (let edge = 0; edge <= Math.ceil(ns / 1e9) + tickSec; edge += tickSec) {
      const want = entries.filter(([sec, nanos]) => sec < edge || (sec === edge && nanos === 0)).length;
      expect(runs.reduce((sum, [endSec, , count]) => sum + (endSec <= edge ? count : 0), 0)).toBe(want);
    }
  }
});

test("a tally stays as it is while the next one is made", () => {
  const first = encodeTally(
    rawOf([
      [1, 0, info],
      [2, 0, error],
    ]),
    1e9,
  );
  encodeTally(
    rawOf([
      [1, 0],
      [5, 0],
      [9, 0],
    ]),
    1e9,
  );
  expect(runsOf(first, [1, 0]).runs).toEqual([
    [1, "detected_level=info", 1],
    [2, "detected_level=error", 1],
  ]);
});

test("cut or changed bytes are malformed, or other runs, and nothing else", () => {
  const bytes = encodeTally(
    rawOf([
      [1, 0, info],
      [2, 5, error],
      [90, 0],
    ]),
    1e9,
  );
  for (let at = 0; at < bytes.length; at++) {
    for (const damaged of [bytes.slice(0, at), Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 0x81 : byte))]) {
      try {
        runsOf(damaged, [1, 0]);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(MalformedInput);
      }
    }
  }
});
