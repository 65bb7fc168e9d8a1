// What producers compress batches with. The library brings gzip alone, and without a bound.

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Decompress } from "fzstd";
import kafkajs from "kafkajs";
import { kernels } from "../../../lib/kernels/index.ts";
import { decodeLz4Frames } from "./lz4-frame.ts";

/** A batch that becomes larger than this is not read: brokers take a megabyte by default, compressed. */
export const BATCH_BYTES_MAX = 128 * 1024 * 1024;

const SNAPPY_JAVA = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic and two versions of four bytes. */
const SNAPPY_JAVA_HEADER_BYTES = 16;

type Decompressor = (source: Buffer, maxBytes: number) => Buffer | Promise<Buffer>;

const gunzipBounded = promisify(gunzip) as (source: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

/** Raw snappy, or snappy-java's chunks: a header, then size (4 bytes, big endian) and snappy by turns. */
export function decodeSnappy(source: Buffer, maxBytes: number): Buffer {
  if (!source.subarray(0, SNAPPY_JAVA.length).equals(SNAPPY_JAVA)) return Buffer.from(kernels.snappyDecompress(source, maxBytes));
  const pieces: Buffer[] = [];
  let left = maxBytes;
  for (let at = SNAPPY_JAVA_HEADER_BYTES; at < source.length; ) {
    if (at + 4 > source.length) throw new Error("a snappy chunk is cut off");
    const end = at + 4 + source.readUInt32BE(at);
    if (end > source.length) throw new Error("a snappy chunk is cut off");
    const piece = Buffer.from(kernels.snappyDecompress(source.subarray(at + 4, end), left));
    pieces.push(piece);
    left -= piece.length;
    at = end;
  }
  return Buffer.concat(pieces);
}

export function decodeZstd(source: Buffer, maxBytes: number): Buffer {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const stream = new Decompress((piece) => {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error(`a zstd frame becomes larger than ${maxBytes} bytes`);
    pieces.push(piece.slice());
  });
  stream.push(source, true);
  return Buffer.concat(pieces);
}

export const DECOMPRESSORS = {
  gzip: (source, maxBytes) => gunzipBounded(source, { maxOutputLength: maxBytes }),
  snappy: decodeSnappy,
  lz4: decodeLz4Frames,
  zstd: decodeZstd,
} satisfies Readonly<Record<string, Decompressor>>;

/** Makes them known to the library, which keeps them for the whole process. */
export function registerCodecs(): void {
  const { CompressionTypes, CompressionCodecs } = kafkajs;
  const codecs = CompressionCodecs as unknown as Record<number, () => object>;
  const register = (type: number, decompress: Decompressor): void => {
    codecs[type] = () => ({
      compress: () => Promise.reject(new Error("nothing is sent to Kafka")),
      decompress: async (source: Buffer) => decompress(source, BATCH_BYTES_MAX),
    });
  };
  register(CompressionTypes.GZIP, DECOMPRESSORS.gzip);
  register(CompressionTypes.Snappy, DECOMPRESSORS.snappy);
  register(CompressionTypes.LZ4, DECOMPRESSORS.lz4);
  register(CompressionTypes.ZSTD, DECOMPRESSORS.zstd);
}
