// The frame that queues on disk have in common (the spool's, and the backlog's of a client that is behind). All numbers are little endian.
//
//   segment  := "SKS1" record*                     a file `<position of its first byte, 16 digits>.spool`
//   record   := | magic "SKRC" <4b> | crc32 of all behind it <4b> | body bytes <4b> | entries <4b> | body |
//
// A position counts the bytes of all segments that ever were, so that it only grows; the one behind a segment's last record is the
// first of the next segment. What a body is, is the queue's own affair (record.ts, ../backlog/record.ts).

import { crc32 } from "node:zlib";

export const SEGMENT_MAGIC = Buffer.from("SKS1");
const RECORD_MAGIC = Buffer.from("SKRC");
export const RECORD_HEADER_BYTES = 16;
/** No record is longer: guards the reader against a damaged length. One line may be as long as the largest body a receiver takes. */
export const RECORD_BYTES_MAX = 512 * 1024 * 1024;

/** Completes a record whose body is in place behind the header. */
export function writeHeader(record: Buffer, entryCount: number): void {
  record.set(RECORD_MAGIC, 0);
  record.writeUInt32LE(record.length - RECORD_HEADER_BYTES, 8);
  record.writeUInt32LE(entryCount, 12);
  record.writeUInt32LE(crc32(record.subarray(8)), 4);
}

/**
 * Where the record at `at` ends by its own account.
 *
 * @returns undefined when no record begins there; a number behind the bytes' end when there is not enough of it
 */
export function recordEnd(bytes: Buffer, at: number): number | undefined {
  if (at + RECORD_HEADER_BYTES > bytes.length) return at + RECORD_HEADER_BYTES;
  const bodyBytes = bytes.readUInt32LE(at + 8);
  if (bytes.compare(RECORD_MAGIC, 0, 4, at, at + 4) !== 0 || bodyBytes > RECORD_BYTES_MAX) return undefined;
  return at + RECORD_HEADER_BYTES + bodyBytes;
}

/** Whether a whole record with the right checksum begins at `at`. */
export function isIntact(bytes: Buffer, at: number): boolean {
  const end = recordEnd(bytes, at);
  return end !== undefined && end <= bytes.length && crc32(bytes.subarray(at + 8, end)) === bytes.readUInt32LE(at + 4);
}

/** The first whole record at `from` or behind it; undefined when there is none. */
export function nextIntact(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(RECORD_MAGIC, from); at >= 0; at = bytes.indexOf(RECORD_MAGIC, at + 1)) if (isIntact(bytes, at)) return at;
  return undefined;
}

export const entryCountOf = (record: Buffer): number => record.readUInt32LE(12);
