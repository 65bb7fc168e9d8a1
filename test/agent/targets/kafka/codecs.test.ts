import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { DECOMPRESSORS } from "../../../../agent/targets/kafka/codecs.ts";
import { kernels } from "../../../../lib/kernels/index.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

const text = Buffer.from("a line of a log, and another line of a log\n".repeat(200));
const SNAPPY_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const MAGIC = Buffer.from([0x04, 0x22, 0x4d, 0x18]);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** @param flags of the header; @param blocks compressed ones, or stored ones where the bit is set */
function lz4Frame(flags: number, blocks: readonly (readonly [bytes: Uint8Array, stored: boolean])[], tail = Buffer.alloc(0)): Buffer {
  const checksum = Buffer.alloc((flags & 0x10) === 0 ? 0 : 4);
  const parts = blocks.flatMap(([bytes, stored]) => [u32(bytes.length + (stored ? 2 ** 31 : 0)), bytes, checksum]);
  const size = Buffer.alloc((flags & 0x08) === 0 ? 0 : 8);
  return Buffer.concat([MAGIC, Buffer.from([flags, 0x40]), size, Buffer.alloc(1), ...parts, u32(0), tail]);
}

const snappyChunks = (...pieces: Buffer[]): Buffer =>
  Buffer.concat([
    SNAPPY_HEADER,
    ...pieces.flatMap((piece) => {
      const packed = Buffer.from(kernels.snappyCompress(piece));
      const size = Buffer.alloc(4);
      size.writeUInt32BE(packed.length);
      return [size, packed];
    }),
  ]);

/** `zstd -19` of `text`. */
const ZSTD = Buffer.from("KLUv/QRoRQEA6GEgbGluZSBvZiBhIGxvZywgYW5kIGFub3RoZXIKAgBqwSle4PJ0Ai8chi0=", "base64");
const packed = Buffer.from(kernels.lz4Compress(text));

describe("batches come out as they were", () => {
  test.each([
    ["gzip", DECOMPRESSORS.gzip, gzipSync(text), text],
    ["snappy, raw", DECOMPRESSORS.snappy, Buffer.from(kernels.snappyCompress(text)), text],
    ["snappy in chunks, as Java writes it", DECOMPRESSORS.snappy, snappyChunks(text.subarray(0, 1000), text.subarray(1000)), text],
    ["zstd", DECOMPRESSORS.zstd, ZSTD, text],
    ["lz4", DECOMPRESSORS.lz4, lz4Frame(0x60, [[packed, false]]), text],
    ["lz4, a stored block", DECOMPRESSORS.lz4, lz4Frame(0x60, [[text, true]]), text],
    [
      "lz4, two blocks",
      DECOMPRESSORS.lz4,
      lz4Frame(0x60, [
        [packed, false],
        [text, true],
      ]),
      Buffer.concat([text, text]),
    ],
    ["lz4 with sizes and checksums", DECOMPRESSORS.lz4, lz4Frame(0x7c, [[packed, false]], Buffer.alloc(4)), text],
    ["lz4, two frames", DECOMPRESSORS.lz4, Buffer.concat([lz4Frame(0x60, [[packed, false]]), lz4Frame(0x60, [])]), text],
    // No literals, a match four bytes back, into the block before; then a literal.
    [
      "lz4, linked blocks",
      DECOMPRESSORS.lz4,
      lz4Frame(0x40, [
        [Buffer.from("abcd"), true],
        [Buffer.from([0x00, 4, 0, 0x10, 0x78]), false],
      ]),
      Buffer.from("abcdabcdx"),
    ],
  ])("%s", async (_, decompress, source, expected) => {
    expect(Buffer.compare(await decompress(source, 1 << 20), expected)).toBe(0);
  });
});

describe("refused", () => {
  test.each([
    ["gzip beyond the bound", DECOMPRESSORS.gzip, gzipSync(text), 100],
    ["snappy beyond the bound", DECOMPRESSORS.snappy, Buffer.from(kernels.snappyCompress(text)), 100],
    ["snappy chunks beyond the bound together", DECOMPRESSORS.snappy, snappyChunks(text.subarray(0, 90), text.subarray(90, 180)), 100],
    ["lz4 beyond the bound", DECOMPRESSORS.lz4, lz4Frame(0x60, [[packed, false]]), 100],
    ["a stored lz4 block beyond the bound", DECOMPRESSORS.lz4, lz4Frame(0x60, [[text, true]]), 100],
    ["what is no lz4", DECOMPRESSORS.lz4, Buffer.from("hello, hello"), 1 << 20],
    ["an lz4 match before the frame", DECOMPRESSORS.lz4, lz4Frame(0x60, [[Buffer.from([0x10, 0x78, 9, 0]), false]]), 1 << 20],
    ["a cut lz4 frame", DECOMPRESSORS.lz4, lz4Frame(0x60, [[packed, false]]).subarray(0, 40), 1 << 20],
    ["a cut snappy chunk", DECOMPRESSORS.snappy, snappyChunks(text).subarray(0, 40), 1 << 20],
    ["zstd beyond the bound", DECOMPRESSORS.zstd, ZSTD, 100],
    ["what is no zstd", DECOMPRESSORS.zstd, Buffer.from("hello, hello"), 1 << 20],
  ])("%s", async (_, decompress, source, maxBytes) => {
    await expect((async () => decompress(source, maxBytes))()).rejects.toThrow();
  });
});

test("lz4 with any byte changed is read or refused, within the bound", () => {
  const random = seededRandom(7);
  const frame = lz4Frame(0x60, [[packed, false]]);
  for (let i = 0; i < 2_000; i++) {
    const broken = Buffer.from(frame);
    broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256);
    try {
      expect(DECOMPRESSORS.lz4(broken, 1 << 20).length).toBeLessThanOrEqual(1 << 20);
    } catch (error) {
      expect((error as Error).message).toMatch(/LZ4/);
    }
  }
});
