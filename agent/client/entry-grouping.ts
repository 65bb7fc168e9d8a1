// What all clients need to know of a batch, found out once: which labels its entries have, and that its lines are fit to be sent.

import { isUtf8 } from "node:buffer";
import { allocateWords, kernels } from "../../lib/kernels/index.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";

export interface Grouping {
  /** Indexes of the entries to send, in order: the first `count`. Valid until the next grouping. */
  readonly picks: Int32Array;
  readonly count: number;
  /** By entry index: its labels' place in `labels`. */
  readonly slots: Int32Array;
  readonly labels: readonly LabelSet[];
  /** By place: 1 for labels that an entry has. */
  readonly isUsed: Uint8Array;
  readonly tooLong: readonly TooLong[];
}

export interface TooLong {
  readonly index: number;
  /** Of the line as it was. */
  readonly bytes: number;
  /** What was cut off; 0: the entry is dropped. */
  readonly cutBytes: number;
}

export interface LineLimit {
  /** 0: no bound. */
  readonly maxLineBytes: number;
  readonly maxLineTruncate: boolean;
}

const LINES_AT_FIRST = 16_384;
/** Bytes of a character behind its first. */
const CONTINUATIONS_MAX = 3;
let picks = allocateWords(LINES_AT_FIRST);

/** Cuts or leaves out long lines, repairs malformed UTF-8 in the others (a protobuf string must be UTF-8), and groups by labels. */
export function groupEntries(batch: EntryBatch, limit: LineLimit): Grouping {
  // Before the repair, which makes lines longer: what counts are the bytes that were read.
  const tooLong = limit.maxLineBytes > 0 ? limitLines(batch, limit) : [];
  repairUtf8(batch);
  if (picks.length < batch.liveCount) picks = new Int32Array(batch.liveCount * 2);
  const dropped = new Set(tooLong.filter((line) => line.cutBytes === 0).map((line) => line.index));
  const live = batch.live.subarray(0, batch.liveCount);
  const sent = dropped.size === 0 ? live : live.filter((i) => !dropped.has(i));
  picks.set(sent);
  const { ids: slots, sets: labels } = batch.labels;
  return { picks, count: sent.length, slots, labels, isUsed: usedLabels(batch), tooLong };
}

function usedLabels({ live, liveCount, labels: { ids, sets } }: EntryBatch): Uint8Array {
  const isUsed = new Uint8Array(sets.length);
  for (let k = 0; k < liveCount; k++) isUsed[ids[live[k]!]!] = 1;
  return isUsed;
}

/** Where all that the lines lie in is UTF-8, a line is if it is not cut within a character, which two bytes tell. */
function repairUtf8(batch: EntryBatch): void {
  const { from, to, cutCount } = kernels.surveyLines(batch.bytes, batch.starts, batch.ends, batch.live, batch.liveCount);
  const whole = batch.isUtf8 || isUtf8(batch.bytes.subarray(from, to));
  if (whole && cutCount === 0) return;
  for (let k = 0; k < batch.liveCount; k++) {
    const i = batch.live[k]!;
    if (whole && !isContinuation(batch.bytes, batch.starts[i]!) && !isContinuation(batch.bytes, batch.ends[i]!)) continue;
    if (!isUtf8(batch.lineBytes(i))) batch.setLine(i, batch.line(i));
  }
}

function isContinuation(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & 0xc0) === 0x80;
}

function limitLines(batch: EntryBatch, { maxLineBytes, maxLineTruncate }: LineLimit): TooLong[] {
  const found: TooLong[] = [];
  for (let k = 0; k < batch.liveCount; k++) {
    const index = batch.live[k]!;
    const bytes = batch.ends[index]! - batch.starts[index]!;
    if (bytes <= maxLineBytes) continue;
    if (!maxLineTruncate) {
      found.push({ index, bytes, cutBytes: 0 });
      continue;
    }
    const end = endBetweenCharacters(batch.bytes, batch.starts[index]!, batch.starts[index]! + maxLineBytes);
    found.push({ index, bytes, cutBytes: batch.ends[index]! - end });
    batch.ends[index] = end;
  }
  return found;
}

/** The given end, or that of the character before it; of bytes that are no character the given one. */
function endBetweenCharacters(bytes: Uint8Array, start: number, end: number): number {
  let first = end;
  while (first > start && first > end - CONTINUATIONS_MAX && isContinuation(bytes, first)) first--;
  return bytes[first]! >= 0xc0 ? first : end;
}
