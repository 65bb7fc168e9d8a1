// Snappy, LZ4 and the page codec: round trips, flavours against each other, damaged input, and snappy against another implementation.

import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import type { Kernels } from "../../../lib/kernels/index.ts";
import { agree, fuzz, misplaced, outcome, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";
import { damage, mixedText } from "./texts.ts";

const BYTES_MAX = 1 << 20;
const sizeOf = (random: Random): number =>
  random.pick([random.below(65), random.below(65), random.below(3_000), 60_000 + random.below(80_000)]);

interface Codec {
  readonly pack: (flavour: Kernels, raw: Uint8Array) => Uint8Array;
  readonly unpack: (flavour: Kernels, packed: Uint8Array, rawBytes: number) => Uint8Array;
}

/** Decodes into the middle of a larger array, whose other bytes must stay. */
const guarded =
  (decode: (flavour: Kernels, packed: Uint8Array, out: Uint8Array, rawBytes: number) => void): Codec["unpack"] =>
  (flavour, packed, rawBytes) => {
    const room = flavour === wasm && rawBytes % 2 === 0 ? resident.subarray(0, rawBytes + 128) : new Uint8Array(rawBytes + 128);
    room.fill(0xaa);
    decode(flavour, packed, room.subarray(64, 64 + rawBytes), rawBytes);
    for (let i = 0; i < 64; i++)
      if (room[i] !== 0xaa || room[64 + rawBytes + i] !== 0xaa) throw new Error(`byte ${i} beside the output was written`);
    return room.slice(64, 64 + rawBytes);
  };
const resident = wasm.allocate(BYTES_MAX + 128);

const CODECS: Readonly<Record<string, Codec>> = {
  snappy: {
    pack: (flavour, raw) => flavour.snappyCompress(raw).slice(),
    unpack: (flavour, packed, rawBytes) => flavour.snappyDecompress(packed, Math.max(rawBytes, 1_000)).slice(),
  },
  lz4: {
    pack: (flavour, raw) => flavour.lz4Compress(raw).slice(),
    unpack: guarded((flavour, packed, out, rawBytes) => flavour.lz4Decompress(packed, out, rawBytes)),
  },
  page: {
    pack: (flavour, raw) => flavour.packPage(raw).slice(),
    unpack: guarded((flavour, packed, out, rawBytes) => flavour.unpackPage(packed, out, rawBytes)),
  },
};

for (const [name, { pack, unpack }] of Object.entries(CODECS)) {
  describe(name, () => {
    test("both flavours pack the same bytes, and each unpacks them", () =>
      fuzz(250, (random) => {
        const raw = misplaced(random, mixedText(random, sizeOf(random)));
        const packed = pack(wasm, raw);
        expect(Buffer.compare(packed, pack(twin, raw))).toBe(0);
        const elsewhere = misplaced(random, packed);
        for (const flavour of [wasm, twin]) expect(Buffer.compare(unpack(flavour, elsewhere, raw.length), raw)).toBe(0);
      }));
    test("every size up to 300 comes back", () =>
      fuzz(300, (random) => {
        const raw = mixedText(random, random.below(301));
        expect(Buffer.compare(unpack(wasm, pack(wasm, raw), raw.length), raw)).toBe(0);
      }));
    test("noise grows by little", () =>
      fuzz(3, (random) => {
        const raw = random.bytes(100_000);
        expect(pack(wasm, raw).length).toBeLessThan(100_600);
        expect(Buffer.compare(unpack(wasm, pack(wasm, raw), raw.length), raw)).toBe(0);
      }));
    test("long runs of literals and long matches come back", () =>
      fuzz(4, (random) => {
        const noise = random.bytes(70_000 + random.below(1_000));
        const zeros = new Uint8Array(300 + random.below(200_000));
        const raw = Buffer.concat([noise, zeros, noise.subarray(0, 400), noise.subarray(300, 700 + random.below(300))]);
        const packed = pack(wasm, raw);
        expect(Buffer.compare(packed, pack(twin, raw))).toBe(0);
        for (const flavour of [wasm, twin]) expect(Buffer.compare(unpack(flavour, packed, raw.length), raw)).toBe(0);
      }));
    test("damaged input is refused alike, or decodes alike", () =>
      fuzz(1_500, (random) => {
        const raw = mixedText(random, random.pick([random.below(40), random.below(400), random.below(4_000)]));
        const packed = damage(random, pack(twin, raw));
        const rawBytes = random.chance(0.9) ? raw.length : random.below(2 * raw.length + 1);
        agree((flavour) => unpack(flavour, packed, rawBytes));
      }));
    test("noise is refused alike, or decodes alike", () =>
      fuzz(1_500, (random) => {
        const packed = random.bytes(random.below(80));
        const rawBytes = random.below(500);
        agree((flavour) => unpack(flavour, packed, rawBytes));
      }));
  });
}

describe("snappy and the rest of the world", () => {
  const theirs = createRequire(import.meta.url)("snappyjs") as {
    compress(raw: Uint8Array): Uint8Array;
    uncompress(packed: Uint8Array): Uint8Array;
  };
  test("another implementation reads what we write, and we what it writes", () =>
    fuzz(60, (random) => {
      const raw = mixedText(random, sizeOf(random));
      expect(Buffer.compare(theirs.uncompress(wasm.snappyCompress(raw).slice()), raw)).toBe(0);
      expect(Buffer.compare(wasm.snappyDecompress(theirs.compress(raw), raw.length), raw)).toBe(0);
    }));

  const refuses = (name: string, hex: string, says: RegExp) =>
    test(name, () => {
      for (const flavour of [wasm, twin]) expect(outcome(() => flavour.snappyDecompress(Buffer.from(hex, "hex"), 1 << 20))).toMatch(says);
    });
  refuses("nothing at all", "", /middle of a field/);
  refuses("a declared length of 4 GiB", "ffffffff0f00", /larger than allowed/);
  refuses("a declared length of six bytes", "ffffffffff0100", /varint/);
  refuses("a length no input of this size can have", "80800400", /more than an input/);
  refuses("a copy before the start", "0801000900", /before the start/);
  refuses("a copy from nowhere", "080061" + "0200" + "00", /before the start/);
  refuses("a literal of 4 GiB", "08fcffffffff61", /middle of a field/);
  refuses("a literal past the end", "081c61", /middle of a field/);
  refuses("more than declared", "0104" + "6161", /more bytes than declared/);
  refuses("less than declared", "03" + "046161", /fewer bytes than declared/);
  test("an overlapping copy repeats", () => {
    for (const flavour of [wasm, twin])
      expect(Buffer.from(flavour.snappyDecompress(Buffer.from("0a0461621102", "hex"), 99)).toString()).toBe("ababababab");
  });
});

test("a result may be the next call's argument", () => {
  const raw = Buffer.from("hello hello hello hello hello hello".repeat(50));
  const packed = wasm.snappyCompress(raw);
  const again = wasm.snappyCompress(wasm.snappyDecompress(packed, 1 << 20));
  expect(Buffer.compare(wasm.snappyDecompress(again, 1 << 20), raw)).toBe(0);
});
