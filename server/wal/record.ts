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
import { lineStart } from "../../lib/wire/push-columns.ts";
import { decodeMetadata, encodeMetadata } from "../block/page-columns.ts";
import { VarintReader, VarintWriter } from "../block/varint.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";

export const SEGMENT_MAGIC = Buffer.from("SKW1");
export const RECORD_HEADER_BYTES = 8;
const BODY_HEADER_BYTES = 20;
const TYPE_PUSH = 1;
const FLAG_METADATA = 1;

const headWriter = new VarintWriter();

/** @param allocate gives memory for the record, at least as much as asked @returns the record in that memory */
export function encodeRecord(tenant: string, push: AcceptedPush, allocate: (bytes: number) => Buffer): Buffer {
  const part = push.keep === undefined ? push : keptPart(push);
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
  return record.subarray(0, RECORD_HEADER_BYTES + bodyBytes);
}

/** The push without its refused entries, in arrays of its own. */
function keptPart(push: AcceptedPush): AcceptedPush {
  const keep = push.keep!;
  const kept = push.streams.map(({ labels, from, to }) => ({ labels, entries: Array.from({ length: to - from }, (_, k) => from + k).filter((i) => keep[i] === 1) }));
  const order = kept.flatMap(({ entries }) => entries);
  const bytes = new Uint8Array(order.reduce((sum, i) => sum + push.ends[i]! + 1 - lineStart(push.ends, i), 0));
  const ends = new Int32Array(order.length);
  let used = 0;
  order.forEach((i, k) => {
    const start = lineStart(push.ends, i);
    bytes.set(push.bytes.subarray(start, push.ends[i]! + 1), used);
    used += push.ends[i]! + 1 - start;
    ends[k] = used - 1;
  });
  let from = 0;
  return {
    bytes,
    ends,
    entryCount: order.length,
    sec: Int32Array.from(order, (i) => push.sec[i]!),
    nanos: Int32Array.from(order, (i) => push.nanos[i]!),
    metadata: push.metadata === undefined ? undefined : order.map((i) => push.metadata![i]),
    streams: kept.map(({ labels, entries }) => ({ labels, from, to: (from += entries.length) })),
    keep: undefined,
  };
}

/** @param body a record's body, whose checksum was right @throws MalformedInput */
export function decodeRecord(body: Buffer): { tenant: string; push: AcceptedPush } {
  if (body.length < BODY_HEADER_BYTES || body[0] !== TYPE_PUSH) throw new MalformedInput(`a record of type ${body[0]} and ${body.length} bytes`);
  const [count, lineBytes, headBytes, metadataBytes] = [4, 8, 12, 16].map((at) => body.readUInt32LE(at)) as [number, number, number, number];
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
  return { tenant, push: { bytes: body.subarray(linesAt), entryCount: count, sec: column(0), nanos: column(1), ends: column(2), streams, metadata, keep: undefined } };
}
