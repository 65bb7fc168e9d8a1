import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { decodeFooter, encodeFooter, FOOTER_BYTES, TALLIES_TAIL_BYTES, talliesBytesOf } from "../../../server/block/block-format.ts";
import { BlockIndex, split } from "../../../server/block/block-index.ts";
import { type BlockStream, writeBlock } from "../../../server/block/block-writer.ts";
import { encodePage } from "../../../server/block/page-encoder.ts";
import { BlockFiles, openPageReader } from "../../../server/block/page-reader.ts";
import { READER_FILES_MAX } from "../../../server/limits.ts";
import type { PageReader, PageRef, PageTally, TimeRange } from "../../../server/page.ts";
import { ALL_TIME, entriesOf, type ModelEntry, pushOf } from "../storage-entries.ts";

const KEY = "t/blocks/b.skb";
const NS = 1_000_000_000n;

const folder = mkdtempSync(join(tmpdir(), "skald-block-"));
const opened: BlockFiles[] = [];
afterAll(() => {
  for (const files of opened) files.close();
  rmSync(folder, { recursive: true, force: true });
});

const entries = (labels: Record<string, string>, from: number, count: number, word = "word"): ModelEntry[] =>
  Array.from({ length: count }, (_, i) => ({ labels, sec: from + i, nanos: 0, line: `${word} ${from + i}` }));

/** A stream with a page per list of entries. */
const stream = (labels: Record<string, string>, ...pages: ModelEntry[][]): BlockStream => ({
  labels: LabelSet.fromObject(labels),
  pages: pages.map((page) => encodePage(pushOf(page), true)),
});

const STREAMS = [
  stream({ app: "a", env: "prod" }, entries({}, 100, 10), entries({}, 200, 10, "telegraphpole")),
  stream({ app: "b", env: "prod" }, entries({}, 150, 3)),
  stream({ app: "c", env: "dev", ü: "ö" }, entries({}, 10, 1)),
];

const objectOf = (streams: readonly BlockStream[]): Buffer => Buffer.concat(writeBlock(KEY, "t", streams).parts);

function indexOf(object: Buffer): BlockIndex {
  const footer = decodeFooter(object.subarray(Math.max(0, object.length - FOOTER_BYTES)), object.length);
  return BlockIndex.decode(KEY, footer, object.subarray(footer.indexAt, footer.indexAt + footer.indexBytes));
}

let objects = 0;
/** A reader of a store that holds this object. */
function readerOf(object: Buffer): PageReader {
  const own = join(folder, String(++objects));
  mkdirSync(join(own, "t/blocks"), { recursive: true });
  writeFileSync(join(own, KEY), object);
  const files = new BlockFiles(own);
  opened.push(files);
  return openPageReader(files, false);
}

/** Everything in an object, read as a query reads it. */
async function readBlock(object: Buffer, range: TimeRange = ALL_TIME): Promise<ModelEntry[]> {
  const index = indexOf(object);
  const reader = readerOf(object);
  const found: ModelEntry[] = [];
  for (const one of index.streams)
    for (const ref of index.pagesOf(one, range)) found.push(...entriesOf(await reader.open(ref), one.labels));
  return found;
}

/** The tally of an object's first page. */
async function tallyOf(object: Buffer): Promise<PageTally | undefined> {
  const index = indexOf(object);
  const [ref] = index.pagesOf(index.streams[0]!, ALL_TIME);
  return readerOf(object).tally(ref!);
}

const secondsIn = async (startNs: bigint, endNs: bigint): Promise<number[]> => [
  ...new Set((await readBlock(objectOf(STREAMS), { startNs, endNs })).map(({ sec }) => Math.floor(sec / 10) * 10)),
];

describe("blocks", () => {
  test("what was written is read, stream by stream, page by page", async () => {
    const want = STREAMS.flatMap(({ labels }, s) =>
      [[...entries({}, 100, 10), ...entries({}, 200, 10, "telegraphpole")], entries({}, 150, 3), entries({}, 10, 1)][s]!.map((one) => ({
        ...one,
        labels: labels.toObject(),
      })),
    );
    expect(await readBlock(objectOf(STREAMS))).toEqual(want);
  });

  test("its description holds sums, bounds and size", () => {
    const object = objectOf(STREAMS);
    const lineBytes = STREAMS.flatMap(({ pages }) => pages).reduce((sum, { stats }) => sum + stats.lineBytes, 0);
    expect(writeBlock(KEY, "t", STREAMS).meta).toEqual({
      key: KEY,
      tenant: "t",
      minSec: 10,
      maxSec: 209,
      entryCount: 24,
      lineBytes,
      objectBytes: object.length,
    });
  });

  for (const [name, startNs, endNs, want] of [
    ["both bounds are inclusive", 109n * NS, 150n * NS, [100, 150]],
    ["a nanosecond behind a page's end leaves it out", 109n * NS + 1n, 149n * NS, []],
    ["a nanosecond before a page's start leaves it out", 11n * NS, 100n * NS - 1n, []],
    ["a range before 1970 meets nothing", -5n * NS, 0n, []],
  ] as const)
    test(`pages by time: ${name}`, async () => expect(await secondsIn(startNs, endNs)).toEqual(want));

  test("postings name the streams of a label", () => {
    const index = indexOf(objectOf(STREAMS));
    expect(index.streamsWith("env", "prod")).toEqual([0, 1]);
    expect(index.streamsWith("ü", "ö")).toEqual([2]);
    expect(index.streamsWith("env", "nowhere")).toEqual([]);
    expect(index.streamsWith("nothing", "prod")).toEqual([]);
  });

  for (const [name, literal, want] of [
    ["a literal that is in no page", "no such thing at all", [false, false, false, false]],
    ["a part of a longer word", "legraphpole 2", [false, true, false, false]],
    ["the same in another case", "LEGRAPHPOLE 2", [false, true, false, false]],
    ["one too short to say anything", "zz", [true, true, true, true]],
  ] as const)
    test(`filters: ${name}`, async () => {
      const object = objectOf(STREAMS);
      const reader = readerOf(object);
      const index = indexOf(object);
      const may: boolean[] = [];
      for (const one of index.streams) {
        for (const { location } of index.pagesOf(one, ALL_TIME)) may.push(await reader.mayContain(location, Buffer.from(literal)));
      }
      expect(may).toEqual(want);
    });

  test("tallies: each page has its own", async () => {
    const object = objectOf(STREAMS);
    const index = indexOf(object);
    const reader = readerOf(object);
    const runs: number[][] = [];
    for (const one of index.streams) {
      for (const ref of index.pagesOf(one, ALL_TIME)) {
        const tally = await reader.tally(ref);
        while (tally!.next()) runs.push([tally!.endSec, tally!.entryCount]);
      }
    }
    const seconds = (from: number, count: number): number[][] => Array.from({ length: count }, (_, i) => [from + i, 1]);
    expect(runs).toEqual([...seconds(100, 10), ...seconds(200, 10), ...seconds(150, 3), [10, 1]]);
  });

  test("tallies: a block that was written without them is read as before", async () => {
    const object = objectOf(STREAMS);
    const footerAt = object.length - FOOTER_BYTES;
    const { filtersAt, indexAt, indexBytes } = decodeFooter(object.subarray(footerAt), object.length);
    const bytes = talliesBytesOf(object.subarray(filtersAt - TALLIES_TAIL_BYTES, filtersAt));
    const footer = encodeFooter(filtersAt - bytes, indexAt - bytes, object.subarray(indexAt, indexAt + indexBytes));
    const without = Buffer.concat([object.subarray(0, filtersAt - bytes), object.subarray(filtersAt, footerAt), footer]);
    expect(await readBlock(without)).toEqual(await readBlock(object));
    expect(await tallyOf(without)).toBeUndefined();
    expect(await tallyOf(object)).toBeDefined();
  });

  test("more blocks than a reader keeps open are all read", async () => {
    const own = join(folder, "many");
    mkdirSync(own);
    const files = new BlockFiles(own);
    opened.push(files);
    const reader = openPageReader(files, false);
    const keys = Array.from({ length: READER_FILES_MAX + 5 }, (_, i) => `b${i}.skb`);
    for (const key of keys) writeFileSync(join(own, key), objectOf(STREAMS));
    const index = indexOf(objectOf(STREAMS));
    const [ref] = index.pagesOf(index.streams[1]!, ALL_TIME);
    for (const key of [...keys, ...keys]) {
      const page = await reader.open({ stats: ref!.stats, location: { ...ref!.location, key } as PageRef["location"] });
      expect(page.stats.entryCount).toBe(3);
    }
  });
});

describe("seconds and nanoseconds of a time", () => {
  for (const [ns, want] of [
    [0n, [0, 0]],
    [1n, [0, 1]],
    [-1n, [-1, 999_999_999]],
    [-NS, [-1, 0]],
    [NS + 5n, [1, 5]],
  ] as const)
    test(`${ns}`, () => expect(split(ns)).toEqual(want));
});

describe("damaged blocks", () => {
  const whole = objectOf([stream({ app: "a" }, entries({}, 1, 2, "some words to be found"))]);

  test("cut off at any byte", () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => indexOf(whole.subarray(0, length)), `cut at ${length}`).toThrow(/block|index/);
    }
  });

  test("any flipped bit is an error that says where, or changes nothing that is read", async () => {
    const want = await readBlock(whole);
    const footerAt = whole.length - FOOTER_BYTES;
    const { filtersAt } = decodeFooter(whole.subarray(footerAt), whole.length);
    const talliesAt = filtersAt - talliesBytesOf(whole.subarray(filtersAt - TALLIES_TAIL_BYTES, filtersAt));
    let silent = 0;
    for (let bit = 0; bit < whole.length * 8; bit += 3) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      try {
        const index = indexOf(damaged);
        const [ref] = index.pagesOf(index.streams[0]!, ALL_TIME);
        expect(await readerOf(damaged).mayContain(ref!.location, Buffer.from("some words to be found")), `bit ${bit}`).toBe(true);
        expect(await readBlock(damaged), `bit ${bit}`).toEqual(want);
        expect(await tallyOf(damaged), `bit ${bit}`).toBeUndefined();
        if (bit >> 3 < talliesAt || bit >> 3 >= filtersAt) silent++;
      } catch (error) {
        const { name, message } = error as Error;
        expect(["MalformedInput", "StoreError"], `bit ${bit}: ${name} ${message}`).toContain(name);
        if (bit >> 3 < footerAt) expect(message, `bit ${bit}`).toContain(KEY);
      }
    }
    expect(silent).toBe(0);
  });
});
