// What the spool keeps of a batch, byte by byte. All numbers are little endian.
//
//   segment  := "SKS1" record*                     a file `<position of its first byte, 16 digits>.spool`
//   record   := | magic "SKRC" <4b> | crc32 of all behind it <4b> | body bytes <4b> | entries <4b> | body |
//   body     := | head bytes <4b> | sec <4b> per entry | nanos <4b> per entry | line bytes <4b> per entry | head | lines |
//   head     := JSON, see RecordHead
//   lines    := the lines, one after the other
//
// A position counts the bytes of all segments that ever were, so that it only grows; the one behind a segment's last record is the
// first of the next segment.

import { crc32 } from "node:zlib";
import { EntryBatch, type MetadataPair, type Value } from "../../lib/wire/entry-batch.ts";
import { type LabelPair, LabelSet } from "../../lib/wire/labels.ts";

export const SEGMENT_MAGIC = Buffer.from("SKS1");
export const RECORD_MAGIC = Buffer.from("SKRC");
export const RECORD_HEADER_BYTES = 16;
/** A record is closed when its lines have this many bytes: what a reader holds in memory at least. */
const LINES_BYTES_TARGET = 1024 * 1024;
/** No record is longer: guards the reader against a damaged length. One line may be as long as the largest body a receiver takes. */
export const RECORD_BYTES_MAX = 512 * 1024 * 1024;

interface RecordHead {
  /** Runs of entries with the same labels. */
  readonly labels: readonly (readonly [pairs: readonly LabelPair[], entryCount: number])[];
  readonly source?: string;
  readonly metadata?: readonly (readonly [entry: number, pairs: readonly MetadataPair[]])[];
  readonly extracted?: readonly (readonly [name: string, values: readonly (readonly [entry: number, value: Value])[]])[];
  /** Seconds that four bytes do not hold. */
  readonly far?: readonly (readonly [entry: number, sec: number])[];
}

export interface EncodedRecord {
  readonly bytes: Buffer;
  readonly entryCount: number;
}

/**
 * The batch's live entries as records, in order.
 *
 * @param allocate gives at least so many bytes
 */
export function encodeRecords(batch: EntryBatch, allocate: (bytes: number) => Buffer): EncodedRecord[] {
  const records: EncodedRecord[] = [];
  for (let from = 0; from < batch.liveCount; ) {
    let to = from;
    let lineBytes = 0;
    do lineBytes += batch.lineLength(batch.live[to++]!);
    while (to < batch.liveCount && lineBytes + batch.lineLength(batch.live[to]!) <= LINES_BYTES_TARGET);
    records.push(encodeRecord(batch, batch.live.subarray(from, to), lineBytes, allocate));
    from = to;
  }
  return records;
}

function encodeRecord(batch: EntryBatch, picks: Int32Array, lineBytes: number, allocate: (bytes: number) => Buffer): EncodedRecord {
  const count = picks.length;
  const head = Buffer.from(JSON.stringify(headOf(batch, picks)));
  const bodyBytes = 4 + count * 12 + head.length + lineBytes;
  const bytes = allocate(RECORD_HEADER_BYTES + bodyBytes).subarray(0, RECORD_HEADER_BYTES + bodyBytes);
  bytes.set(RECORD_MAGIC, 0);
  bytes.writeUInt32LE(bodyBytes, 8);
  bytes.writeUInt32LE(count, 12);
  bytes.writeUInt32LE(head.length, RECORD_HEADER_BYTES);
  const columns = RECORD_HEADER_BYTES + 4;
  let line = columns + count * 12 + head.length;
  bytes.set(head, line - head.length);
  for (let k = 0; k < count; k++) {
    const i = picks[k]!;
    const length = batch.lineLength(i);
    bytes.writeInt32LE(batch.sec[i]!, columns + k * 4);
    bytes.writeInt32LE(batch.nanos[i]!, columns + (count + k) * 4);
    bytes.writeInt32LE(length, columns + (2 * count + k) * 4);
    bytes.set(batch.lineBytes(i), line);
    line += length;
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return { bytes, entryCount: count };
}

function headOf(batch: EntryBatch, picks: Int32Array): RecordHead {
  const labels: [LabelPair[], number][] = [];
  let last: LabelSet | undefined;
  for (const i of picks) {
    const set = batch.labels.get(i)!;
    if (set === last) labels.at(-1)![1]++;
    else labels.push([[...set], 1]);
    last = set;
  }
  const ofEntries = <T>(get: (i: number) => T | undefined): [number, T][] =>
    Array.from(picks, (i, k): [number, T | undefined] => [k, get(i)]).filter((pair): pair is [number, T] => pair[1] !== undefined);
  const extracted = [...batch.extracted].map(([name, column]) => [name, ofEntries<Value>((i) => column.get(i))] as const);
  const { metadata, farSec } = batch;
  return {
    labels,
    ...(batch.source === "" ? {} : { source: batch.source }),
    ...(metadata === undefined ? {} : { metadata: ofEntries((i) => metadata[i]) }),
    ...(extracted.length === 0 ? {} : { extracted }),
    ...(farSec === undefined ? {} : { far: ofEntries((i) => farSec.get(i)) }),
  };
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

/**
 * @param record an intact record
 * @returns a batch whose lines are views of the record
 * @throws Error when the record is not what this version writes
 */
export function decodeRecord(record: Buffer): EntryBatch {
  const count = entryCountOf(record);
  const columns = RECORD_HEADER_BYTES + 4;
  const headAt = columns + count * 12;
  const headEnd = headAt + record.readUInt32LE(RECORD_HEADER_BYTES);
  if (headEnd > record.length) throw new Error(`a spooled record of ${record.length} bytes cannot have a head that ends at ${headEnd}`);
  const head = JSON.parse(record.toString("utf8", headAt, headEnd)) as RecordHead;
  const batch = new EntryBatch(record, count);
  let line = headEnd;
  let k = 0;
  for (const [pairs, runCount] of head.labels) {
    const labels = labelsOf(pairs);
    for (const end = k + runCount; k < end; k++) {
      const lineEnd = line + record.readInt32LE(columns + (2 * count + k) * 4);
      batch.add(line, lineEnd, record.readInt32LE(columns + k * 4), record.readInt32LE(columns + (count + k) * 4), labels);
      line = lineEnd;
    }
  }
  batch.source = head.source ?? "";
  for (const [entry, pairs] of head.metadata ?? []) for (const [name, value] of pairs) batch.addMetadata(entry, name, value);
  for (const [name, values] of head.extracted ?? []) for (const [entry, value] of values) batch.setExtracted(name, entry, value);
  for (const [entry, sec] of head.far ?? []) batch.setTime(entry, sec, batch.nanos[entry]!);
  return batch;
}

/** A pipeline's labels may have empty values, which `of` would leave out. */
function labelsOf(pairs: readonly LabelPair[]): LabelSet {
  let labels = LabelSet.of(pairs);
  for (const [name, value] of pairs) if (value === "") labels = labels.put(name, "");
  return labels;
}
