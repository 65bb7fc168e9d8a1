// One record of the write-ahead log: the accepted part of a push.
//
//   segment := "SKW1" record*
//   record  := | body bytes <4b> | crc32 of the body <4b> | body |                                              little endian
//   body    := | type 1 <1b> | flags <1b> | <2b> 0 | entries <4b> | line bytes <4b> | head bytes <4b> | metadata bytes <4b> |
//              | sec <4b> per entry | nanos <4b> per entry | line end <4b> per entry | head | metadata | lines |
//   head     := tenant (bytes <v>, text) | streams: count <v> | (labels (bytes <v>, text), entries <v>) …
//   metadata := as in a page (block/page-format.ts), when flag 1 is set
//   lines    := each line and a line feed; a line end is the offset of its line feed
//
// Lines are not compressed: the log is short-lived, and the processor is dearer than the disk.

import { crc32 } from "node:zlib";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import { parseLabels } from "../../lib/wire/parse-labels.ts";
import { decodeMetadata, encodeMetadata } from "../block/page-columns.ts";
import { VarintReader, VarintWriter } from "../block/varint.ts";
import { type AcceptedPush, withoutRefused } from "../ingest/accepted-push.ts";

export const SEGMENT_MAGIC = Buffer.from("SKW1");
export const RECORD_HEADER_BYTES = 8;
const BODY_HEADER_BYTES = 20;
/** A multiple of four: columns are used where they lie. */
const COLUMNS_AT = RECORD_HEADER_BYTES + BODY_HEADER_BYTES;
const TYPE_PUSH = 1;
const FLAG_METADATA = 1;

const headWriter = new VarintWriter();

/** A push in memory of its own: the bytes for the log, and columns that are views of them. */
export interface EncodedRecord {
  readonly record: Buffer;
  readonly push: AcceptedPush;
}

/** @param allocate gives memory for the record, at least as much as asked, from the start of an array buffer */
export function encodeRecord(tenant: string, push: AcceptedPush, allocate: (bytes: number) => Buffer): EncodedRecord {
  const part = withoutRefused(push);
  const { entryCount: count } = part;
  const lineBytes = count === 0 ? 0 : part.ends[count - 1]! + 1;
  headWriter.reset();
  headWriter.text(tenant);
  headWriter.varint(part.streams.length);
  for (const { labels, from, to } of part.streams) {
    headWriter.text(labels.toString());
    headWriter.varint(to - from);
  }
  const head = headWriter.written();
  const metadata = part.metadata === undefined ? new Uint8Array(0) : encodeMetadata(part.metadata, count);
  const bodyBytes = BODY_HEADER_BYTES + count * 12 + head.length + metadata.length + lineBytes;
  const record = allocate(RECORD_HEADER_BYTES + bodyBytes);
  let at = RECORD_HEADER_BYTES;
  record[at] = TYPE_PUSH;
  record[at + 1] = part.metadata === undefined ? 0 : FLAG_METADATA;
  record.writeUInt16LE(0, at + 2);
  record.writeUInt32LE(count, at + 4);
  record.writeUInt32LE(lineBytes, at + 8);
  record.writeUInt32LE(head.length, at + 12);
  record.writeUInt32LE(metadata.length, at + 16);
  at += BODY_HEADER_BYTES;
  for (const column of [part.sec, part.nanos, part.ends]) {
    record.set(new Uint8Array(column.buffer, column.byteOffset, count * 4), at);
    at += count * 4;
  }
  record.set(head, at);
  record.set(metadata, at + head.length);
  record.set(part.bytes.subarray(0, lineBytes), at + head.length + metadata.length);
  record.writeUInt32LE(bodyBytes, 0);
  record.writeUInt32LE(crc32(record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + bodyBytes)), 4);
  const column = (c: number): Int32Array => new Int32Array(record.buffer, record.byteOffset + COLUMNS_AT + c * count * 4, count);
  const linesAt = RECORD_HEADER_BYTES + bodyBytes - lineBytes;
  return {
    record: record.subarray(0, RECORD_HEADER_BYTES + bodyBytes),
    push: { ...part, sec: column(0), nanos: column(1), ends: column(2), bytes: record.subarray(linesAt, linesAt + lineBytes) },
  };
}

/** @param body a record's body, whose checksum was right @throws MalformedInput */
export function decodeRecord(body: Buffer): { tenant: string; push: AcceptedPush } {
  if (body.length < BODY_HEADER_BYTES || body[0] !== TYPE_PUSH)
    throw new MalformedInput(`a record of type ${body[0]} and ${body.length} bytes`);
  const [count, lineBytes, headBytes, metadataBytes] = [4, 8, 12, 16].map((at) => body.readUInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ];
  const headAt = BODY_HEADER_BYTES + count * 12;
  const metadataAt = headAt + headBytes;
  const linesAt = metadataAt + metadataBytes;
  if (linesAt + lineBytes !== body.length) throw new MalformedInput("a record's parts do not add up to its length");
  const column = (c: number): Int32Array => {
    const out = new Int32Array(count);
    new Uint8Array(out.buffer).set(body.subarray(BODY_HEADER_BYTES + c * count * 4, BODY_HEADER_BYTES + (c + 1) * count * 4));
    return out;
  };
  const reader = new VarintReader(body, headAt, metadataAt);
  const tenant = reader.text();
  const streams: { labels: ReturnType<typeof parseLabels>; from: number; to: number }[] = [];
  let from = 0;
  for (let left = reader.varint(); left > 0; left--) {
    const labels = parseLabels(reader.text());
    const to = from + reader.varint();
    streams.push({ labels, from, to });
    from = to;
  }
  if (from !== count) throw new MalformedInput(`a record's streams have ${from} entries of ${count}`);
  const metadata = (body[1]! & FLAG_METADATA) === 0 ? undefined : decodeMetadata(body.subarray(metadataAt, linesAt), metadataBytes, count);
  return {
    tenant,
    push: {
      bytes: body.subarray(linesAt),
      entryCount: count,
      sec: column(0),
      nanos: column(1),
      ends: column(2),
      streams,
      metadata,
      keep: undefined,
    },
  };
}
