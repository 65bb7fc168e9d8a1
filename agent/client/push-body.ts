// The push request's protobuf (package logproto), as far as a client writes it:
//
//   PushRequest    1: StreamAdapter, repeated                                    0x0a len …
//   StreamAdapter  1: labels, text like {a="x", b="y"}   2: EntryAdapter, repeated      0x0a len …   0x12 len …
//   EntryAdapter   1: Timestamp {1: seconds, 2: nanos}   2: line   3: LabelPairAdapter {1: name, 2: value}, repeated

import { invariant } from "../../lib/runtime/invariant.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { BodyWriter, int64Bytes, TAG_ENTRY, TAG_LABELS, TAG_LINE, TAG_STREAM, TAG_TIMESTAMP, varintBytes } from "./body-writer.ts";
import { encodeMetadata } from "./metadata-bytes.ts";

const VARINT32_BYTES_MAX = 5;

/** An upper bound of the bytes an entry takes besides its line and metadata. */
export const ENTRY_OVERHEAD_BYTES = 40;

/** An upper bound of what `encodeEntry` writes. */
export function entryBytesMax(batch: EntryBatch, i: number): number {
  return batch.lineLength(i) + ENTRY_OVERHEAD_BYTES + encodeMetadata(batch.metadata?.[i]).bytes.length;
}

/** One entry with all it may have (metadata, a time of any year); the kernel `encodeEntries` is for those without. Returns the new end. */
export function encodeEntry(batch: EntryBatch, i: number, out: Buffer, at: number): number {
  const sec = batch.secondsOf(i);
  const nanos = batch.nanos[i]!;
  const metadata = encodeMetadata(batch.metadata?.[i]).bytes;
  const timeBytes = (sec === 0 ? 0 : 1 + int64Bytes(sec)) + (nanos === 0 ? 0 : 1 + varintBytes(nanos));
  const lineBytes = batch.lineLength(i);
  const length = 2 + timeBytes + (lineBytes === 0 ? 0 : 1 + varintBytes(lineBytes) + lineBytes) + metadata.length;

  const writer = new BodyWriter(out, at);
  out[writer.at++] = TAG_ENTRY;
  writer.varint(length);
  const bodyAt = writer.at;
  out[writer.at++] = TAG_TIMESTAMP;
  writer.varint(timeBytes);
  if (sec !== 0) {
    out[writer.at++] = 0x08;
    writer.int64(sec);
  }
  if (nanos !== 0) {
    out[writer.at++] = 0x10;
    writer.varint(nanos);
  }
  if (lineBytes > 0) writer.bytes(TAG_LINE, batch.lineBytes(i));
  out.set(metadata, writer.at);
  writer.at += metadata.length;
  invariant(writer.at - bodyAt === length, "an entry is as long as it was announced");
  return writer.at;
}

/** At most what stands before a stream's entries in a request: its tag and length, its labels with theirs. */
export function streamHeadBytesMax(labels: Uint8Array): number {
  return 2 * (1 + VARINT32_BYTES_MAX) + labels.length;
}

/** Writes what stands before a stream's entries into the room kept for it, so that it ends where they begin. Returns where it begins. */
export function writeStreamHead(labels: Uint8Array, entriesBytes: number, out: Buffer, entriesAt: number): number {
  const streamBytes = 1 + varintBytes(labels.length) + labels.length + entriesBytes;
  const writer = new BodyWriter(out, entriesAt - (streamBytes - entriesBytes) - varintBytes(streamBytes) - 1);
  const from = writer.at;
  out[writer.at++] = TAG_STREAM;
  writer.varint(streamBytes);
  writer.bytes(TAG_LABELS, labels);
  invariant(writer.at === entriesAt, "a stream's head ends where its entries begin");
  return from;
}

/** A request of ours taken apart again, to find out which of its entries a server refuses. */
export interface TakenStream {
  readonly labels: Uint8Array;
  /** Each with its tag and length. */
  readonly entries: readonly Uint8Array[];
}

/** @param request streams, one behind the other, each with its head; views into it are returned */
export function takeApart(request: Uint8Array): TakenStream[] {
  const streams: TakenStream[] = [];
  for (const [, streamStart, streamEnd] of lengthFields(request, 0, request.length)) {
    let labels = new Uint8Array(0);
    const entries: Uint8Array[] = [];
    for (const [tag, start, end, from] of lengthFields(request, streamStart, streamEnd)) {
      if (tag === TAG_LABELS) labels = request.slice(start, end);
      else if (tag === TAG_ENTRY) entries.push(request.subarray(from, end));
    }
    streams.push({ labels, entries });
  }
  return streams;
}

/** Fields of a message of ours that has only such with a length. */
export function* lengthFields(
  bytes: Uint8Array,
  from: number,
  to: number,
): Iterable<[tag: number, start: number, end: number, from: number]> {
  for (let at = from; at < to; ) {
    const fieldAt = at;
    const tag = bytes[at++]!;
    let length = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    yield [tag, at, at + length, fieldAt];
    at += length;
  }
}

/** The two halves of a request by entries, order kept; a stream that is cut goes into both. */
export function halve(streams: readonly TakenStream[]): [TakenStream[], TakenStream[]] {
  const total = streams.reduce((sum, stream) => sum + stream.entries.length, 0);
  let left = Math.ceil(total / 2);
  const first: TakenStream[] = [];
  const second: TakenStream[] = [];
  for (const stream of streams) {
    const taken = Math.min(left, stream.entries.length);
    if (taken > 0) first.push({ labels: stream.labels, entries: stream.entries.slice(0, taken) });
    if (taken < stream.entries.length) second.push({ labels: stream.labels, entries: stream.entries.slice(taken) });
    left -= taken;
  }
  return [first, second];
}

/** A stream as it stands in a request. */
export function streamMessage({ labels, entries }: TakenStream): Buffer {
  const entriesAt = streamHeadBytesMax(labels);
  const out = Buffer.concat([Buffer.allocUnsafe(entriesAt), ...entries]);
  return out.subarray(writeStreamHead(labels, out.length - entriesAt, out, entriesAt));
}
