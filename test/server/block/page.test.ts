import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import type { MetadataPair } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { decodePage, PageScratch } from "../../../server/block/page-decoder.ts";
import { encodePage, type RawPage } from "../../../server/block/page-encoder.ts";
import { PAGE_HEADER_BYTES } from "../../../server/block/page-format.ts";
import { VarintReader, VarintWriter } from "../../../server/block/varint.ts";
import type { Page } from "../../../server/page.ts";
import { entriesOf, type ModelEntry, pushOf } from "../storage-entries.ts";

const scratch = new PageScratch(true);

type Entry = Omit<ModelEntry, "labels">;
const entry = (sec: number, nanos: number, line: string, metadata?: readonly MetadataPair[]): Entry =>
  metadata === undefined ? { sec, nanos, line } : { sec, nanos, line, metadata };

const rawOf = (entries: readonly Entry[]): RawPage => pushOf(entries.map((one) => ({ labels: {}, ...one })));
const encode = (entries: readonly Entry[], forStore = true): Uint8Array => encodePage(rawOf(entries), forStore).bytes;
/** Reads every column. */
const read = (page: Page): Entry[] => {
  for (const { values, ids } of page.fields ?? []) {
    const known = values.length;
    if (ids.some((id) => id > known && id !== 255)) throw new Error("an id of a value that is not there");
  }
  return entriesRead(page);
};
const entriesRead = (page: Page): Entry[] => entriesOf(page, LabelSet.EMPTY).map(({ labels: _, ...one }) => one);
const roundTrip = (entries: readonly Entry[], forStore = true): Entry[] => read(decodePage(encode(entries, forStore), scratch));
const inTime = (entries: readonly Entry[]): Entry[] =>
  entries
    .map((one, i) => ({ one, i }))
    .sort((a, b) => a.one.sec - b.one.sec || a.one.nanos - b.one.nanos || a.i - b.i)
    .map(({ one }) => one);

const many = (count: number, make: (i: number) => Entry): Entry[] => Array.from({ length: count }, (_, i) => make(i));

const PAGES: readonly (readonly [name: string, entries: readonly Entry[]])[] = [
  ["one entry", [entry(1, 2, "a")]],
  ["one empty line", [entry(1, 2, "")]],
  ["only empty lines", many(1000, (i) => entry(i, 0, ""))],
  ["equal times keep their order", many(50, (i) => entry(5, 5, `line ${49 - i}`))],
  ["times out of order", many(300, (i) => entry(1000 - ((i * 7) % 300), i, `line ${i}`))],
  ["a line with line feeds", [entry(1, 0, "a\nb\n\nc"), entry(2, 0, "\n"), entry(3, 0, "")]],
  ["whole seconds", many(500, (i) => entry(1_700_000_000 + i, 0, `line ${i}`))],
  ["milliseconds", many(500, (i) => entry(1_700_000_000 + i, (i % 1000) * 1e6, `line ${i}`))],
  ["nanoseconds", many(500, (i) => entry(1_700_000_000 + i, (i * 123_456_789) % 1e9, `line ${i}`))],
  ["times before 1970", many(20, (i) => entry(-1000 + i, 999_999_999, `line ${i}`))],
  ["the first and the last time there is", [entry(-(2 ** 31), 0, "first"), entry(2 ** 31 - 1, 999_999_999, "last")]],
  ["a gap just below what deltas can say", [entry(0, 999_999_999, "a"), entry(9_007_198, 254_740_990, "b"), entry(9_007_199, 1, "c")]],
  ["a gap that deltas can just not say", [entry(0, 0, "a"), entry(9_007_199, 254_740_993, "b")]],
  ["a long line", [entry(1, 0, "x".repeat(3_000_000)), entry(2, 0, "y")]],
  ["text of any script", [entry(1, 0, "Grüße 東京 🚀"), entry(2, 0, "\u0000\u0001")]],
  [
    "metadata on some entries",
    many(100, (i) =>
      i % 3 === 0
        ? entry(i, 0, "a", [
            ["trace", `t${i}`],
            ["ü", "ö"],
          ])
        : entry(i, 0, "b"),
    ),
  ],
  ["JSON objects", many(500, (i) => entry(i, 0, `{"level":"${i % 3}","msg":"${"x".repeat(i % 90)} ${i * 7919}","ok":${i % 2 === 0}}`))],
  ["metadata out of order", many(100, (i) => entry(100 - i, 0, `l${i}`, [["n", String(i)]]))],
  ["more entries than the scratch has at first", many(20_000, (i) => entry(i, 1, `${i}`))],
];

describe("pages", () => {
  for (const [name, entries] of PAGES) {
    test(`${name}, packed`, () => expect(roundTrip(entries)).toEqual(inTime(entries)));
    test(`${name}, unpacked`, () => expect(roundTrip(entries, false)).toEqual(inTime(entries)));
  }

  test("statistics say what is in the page", () => {
    const { stats } = encodePage(rawOf([entry(7, 5, "abc", [["n", "ü"]]), entry(3, 9, ""), entry(7, 6, "de")]), true);
    expect(stats).toEqual({ entryCount: 3, lineBytes: 5, metadataBytes: 3, minSec: 3, minNanos: 9, maxSec: 7, maxNanos: 6 });
    expect(decodePage(encode([entry(3, 9, "x")]), scratch).stats).toEqual({
      entryCount: 1,
      lineBytes: 1,
      metadataBytes: 0,
      minSec: 3,
      minNanos: 9,
      maxSec: 3,
      maxNanos: 9,
    });
  });

  test("random pages come back", () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    for (let round = 0; round < 60; round++) {
      const step = 10 ** Math.floor(random() * 12);
      let ns = Math.floor(random() * 1e6);
      const entries = many(1 + Math.floor(random() * 200), () => {
        ns = Math.max(0, Math.min(2e18, ns + (random() - 0.1) * step));
        const line = "word ".repeat(Math.floor(random() ** 3 * 40)) + (random() < 0.05 ? "\n" : "");
        return entry(
          Math.floor(ns / 1e9),
          Math.floor(ns % 1e9),
          line,
          random() < 0.3 ? [["k", String(Math.floor(random() * 4))]] : undefined,
        );
      });
      expect(roundTrip(entries), `seed ${seed}, round ${round}`).toEqual(inTime(entries));
    }
  });

  test("lines of an ordinary page lie where kernels search in place, also after a large one", () => {
    const buffer = (entries: readonly Entry[]): ArrayBufferLike => decodePage(encode(entries), scratch).bytes.buffer;
    const before = buffer([entry(1, 0, "small")]);
    expect(buffer([entry(1, 0, "x".repeat(2_000_000))])).not.toBe(before);
    expect(buffer([entry(1, 0, "small")])).toBe(before);
  });
});

/** Lines with something to them, for fields may take little of what lines take. */
const JSON_LINES = many(400, (i) => {
  const filler = Array.from({ length: 6 }, (_, k) => ((i * 6 + k + 1) * 2_654_435_761) % 2 ** 32).join("");
  const status = i % 50 === 0 ? '"\\u0032"' : i % 7 === 0 ? "null" : String(200 + 100 * (i % 3));
  return entry(
    i,
    0,
    i % 100 === 99 ? "broken" : `{"level":"${i % 4 === 0 ? "error" : ""}","id":"${filler}","status":${status},"a_b":1,"n":{}}`,
  );
});

describe("fields of JSON lines", () => {
  const fieldsOf = (entries: readonly Entry[], forStore = true) => decodePage(encode(entries, forStore), scratch).fields;

  test("a column for each key with few short values, a number for each line", () => {
    const fields = fieldsOf(JSON_LINES)!.map(({ name, values, ids }) => ({ name, values, ids: [...ids] }));
    expect(fields.map(({ name, values }) => [name, values])).toEqual([
      ["level", ["error", ""]],
      ["status", ["300", "400", "200"]],
    ]);
    const [level, status] = fields.map(({ ids }) => ids);
    expect(level!.slice(0, 5)).toEqual([1, 2, 2, 2, 1]);
    expect(status!.slice(0, 8)).toEqual([255, 1, 2, 3, 1, 2, 3, 0]);
    expect([level![99], status![99], level!.length, status!.length]).toEqual([255, 255, 400, 400]);
  });

  test("stay what they are when another column is asked for", () => {
    const page = decodePage(encode(JSON_LINES), scratch);
    const level = page.fields!.find(({ name }) => name === "level")!;
    const before = [...level.ids];
    expect(page.sec.length + page.ends.length).toBeGreaterThan(0);
    expect([[...level.ids], level.values]).toEqual([before, ["error", ""]]);
  });

  const without = (name: string, entries: readonly Entry[], forStore = true) =>
    test(`none ${name}`, () => expect(fieldsOf(entries, forStore)).toBe(undefined));
  without("in a page for memory", JSON_LINES, false);
  without(
    "of lines that are no objects",
    many(400, (i) => entry(i, 0, `level=error ${i}`)),
  );
  without(
    "when most lines are no objects",
    many(400, (i) => (i % 3 === 0 ? JSON_LINES[i]! : entry(i, 0, "text"))),
  );
  without(
    "when each line has values of its own",
    many(400, (i) => entry(i, 0, `{"a":${i},"b":"x${i * 7}"}`)),
  );
  without("in a page that is hardly worth packing", JSON_LINES.slice(0, 5));

  test("a line with the key that a query's errors would have is unsure", () => {
    const odd = entry(1, 0, '{"level":"error","__error__":"x"}');
    const level = fieldsOf([JSON_LINES[0]!, odd, ...JSON_LINES.slice(2)])!.find(({ name }) => name === "level")!;
    expect([...level.ids.subarray(0, 3)]).toEqual([1, 255, 2]);
  });
});

const SMALL = [entry(1, 5, "first line", [["a", "b"]]), entry(2, 7, "second\nline"), entry(9, 0, "third")];

describe("damaged pages", () => {
  const whole = encode(SMALL);
  const withFields = encode(JSON_LINES);

  test("cut off at any byte", () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => read(decodePage(whole.subarray(0, length), scratch)), `cut at ${length}`).toThrow(/page/);
    }
  });

  test("any flipped bit", () => {
    for (let at = 0; at < whole.length * 8; at++) {
      const damaged = Uint8Array.from(whole);
      damaged[at >> 3] = damaged[at >> 3]! ^ (1 << (at & 7));
      expect(() => read(decodePage(damaged, scratch)), `bit ${at}`).toThrow(/checksum/);
    }
  });

  test("any wrong byte under a right checksum is an error or another page, never a crash", async () => {
    const { crc32 } = await import("node:zlib");
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    for (let round = 0; round < 4000; round++) {
      const damaged = Buffer.from(round % 2 === 0 ? whole : withFields);
      for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips--) {
        // Half of them hit the header, or the fields at the end.
        const span = random() < 0.5 ? PAGE_HEADER_BYTES - 4 : damaged.length - 4;
        const at = round % 4 === 3 ? damaged.length - 1 - Math.floor(random() * 200) : 4 + Math.floor(random() * span);
        damaged[at] = Math.floor(random() * 256);
      }
      damaged.writeUInt32LE(crc32(damaged.subarray(4)), 0);
      try {
        read(decodePage(damaged, scratch));
      } catch (error) {
        expect((error as Error).name, `seed ${seed}, round ${round}: ${(error as Error).stack}`).toBe("MalformedInput");
      }
    }
  });
});

describe("varints", () => {
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 53 - 1]) {
    test(`${value}`, () => {
      const writer = new VarintWriter();
      writer.varint(value);
      expect(new VarintReader(writer.written()).varint()).toBe(value);
    });
  }
  test("one that ends early", () => expect(() => new VarintReader(Uint8Array.of(0x80)).varint()).toThrow(/varint/));
  test("one that does not end", () => expect(() => new VarintReader(new Uint8Array(20).fill(0xff)).varint()).toThrow(/varint/));
  test("a text longer than its column", () => expect(() => new VarintReader(Uint8Array.of(5, 65)).text()).toThrow(/text/));
});
