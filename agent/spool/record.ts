// What the spool keeps of a batch, byte by byte: the body of a record (frame.ts). All numbers are little endian.
//
//   body     := | head bytes <4b> | sec <4b> per entry | nanos <4b> per entry | line bytes <4b> per entry | head | lines |
//   head     := JSON, see RecordHead
//   lines    := the lines, one after the other

import { EntryBatch, type MetadataPair, type Value } from "../../lib/wire/entry-batch.ts";
import { type LabelPair, LabelSet } from "../../lib/wire/labels.ts";
import { entryCountOf, RECORD_HEADER_BYTES, writeHeader } from "./frame.ts";

/** A record is closed when its lines have this many bytes: what a reader holds in memory at least. */
const LINES_BYTES_TARGET = 1024 * 1024;

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
  writeHeader(bytes, count);
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
