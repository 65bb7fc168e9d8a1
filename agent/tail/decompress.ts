// Compressed files as text, piece by piece.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createGunzip, createInflate } from "node:zlib";
import { decodeBzip2 } from "./bzip2.ts";

export const COMPRESSIONS = ["gz", "z", "bz2"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** bzip2 is decoded from memory. */
const BZIP2_FILE_BYTES_MAX = 512 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

/** @throws Error for a name that is none of COMPRESSIONS */
export function compressionOf(format: string): Compression {
  const found = COMPRESSIONS.find((one) => one === format);
  if (found === undefined) throw new Error(`decompression format is "${format}", expected one of ${COMPRESSIONS.join(", ")}`);
  return found;
}

/** Pieces are valid until the next is asked for. @throws an Error when the file cannot be read, or is damaged or cut */
export async function* decompress(path: string, compression: Compression): AsyncGenerator<Buffer> {
  if (compression === "bz2") {
    const { size } = await stat(path);
    if (size > BZIP2_FILE_BYTES_MAX) throw new Error(`${path} has ${size} bytes, bzip2 files are read up to ${BZIP2_FILE_BYTES_MAX}`);
    yield* decodeBzip2(await readFile(path));
    return;
  }
  const file = createReadStream(path);
  const decoder = compression === "gz" ? createGunzip({ chunkSize: PIECE_BYTES }) : createInflate({ chunkSize: PIECE_BYTES });
  file.on("error", (error) => decoder.destroy(error));
  try {
    for await (const piece of file.pipe(decoder)) yield piece as Buffer;
  } finally {
    file.destroy();
    decoder.destroy();
  }
}

/** Pieces put together so that each ends with a line feed, but for the file's last. */
export async function* wholeLines(pieces: AsyncIterable<Buffer>, lineBytesMax: number): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const piece of pieces) {
    const feed = piece.lastIndexOf(10);
    if (feed >= 0) {
      yield Buffer.concat([...rest, piece.subarray(0, feed + 1)]);
      rest = [];
      restBytes = 0;
    }
    const tail = piece.subarray(feed + 1);
    // What exceeds the bound of a line is left out; the line is cut, not lost.
    const kept = tail.subarray(0, Math.max(0, lineBytesMax - restBytes));
    if (kept.length > 0) rest.push(Buffer.from(kept));
    restBytes += kept.length;
  }
  if (restBytes > 0) yield Buffer.concat(rest);
}
