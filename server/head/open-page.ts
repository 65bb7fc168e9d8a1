// The page of a stream that is being filled: raw columns that start small and grow.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { RawPage } from "../block/page-encoder.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import { OPEN_PAGE_BYTES_MIN, PAGE_BYTES_TARGET, PAGE_ENTRIES_MAX } from "../limits.ts";
import type { PageBuffers } from "./page-buffers.ts";

const ENTRIES_MIN = 8;

export class OpenPage implements RawPage {
  bytes: Uint8Array<ArrayBuffer>;
  ends = new Int32Array(ENTRIES_MIN);
  sec = new Int32Array(ENTRIES_MIN);
  nanos = new Int32Array(ENTRIES_MIN);
  metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  entryCount = 0;
  bytesUsed = 0;
  minSec = Number.POSITIVE_INFINITY;
  maxSec = Number.NEGATIVE_INFINITY;
  readonly #buffers: PageBuffers;

  constructor(buffers: PageBuffers) {
    this.#buffers = buffers;
    this.bytes = buffers.take(OPEN_PAGE_BYTES_MIN);
  }

  get isFull(): boolean {
    return this.bytesUsed >= PAGE_BYTES_TARGET || this.entryCount >= PAGE_ENTRIES_MAX;
  }

  /** Memory held, used or not. */
  get memoryBytes(): number {
    return this.bytes.length + this.ends.length * 12;
  }

  /** Appends entries `[from, to)` of a push until the page is full. Returns the first that was not taken. */
  append(push: AcceptedPush, from: number, to: number): number {
    let until = from;
    let bytes = this.bytesUsed;
    while (until < to && bytes < PAGE_BYTES_TARGET && this.entryCount + until - from < PAGE_ENTRIES_MAX) {
      bytes += push.ends[until]! + 1 - lineStart(push.ends, until);
      until++;
    }
    const start = lineStart(push.ends, from);
    this.#room(bytes, this.entryCount + until - from);
    this.bytes.set(push.bytes.subarray(start, push.ends[until - 1]! + 1), this.bytesUsed);
    const shift = this.bytesUsed - start;
    for (let i = from; i < until; i++) {
      const at = this.entryCount++;
      const sec = push.sec[i]!;
      this.ends[at] = push.ends[i]! + shift;
      this.sec[at] = sec;
      this.nanos[at] = push.nanos[i]!;
      if (sec < this.minSec) this.minSec = sec;
      if (sec > this.maxSec) this.maxSec = sec;
      const pairs = push.metadata?.[i];
      if (pairs !== undefined && pairs.length > 0) (this.metadata ??= [])[at] = pairs;
    }
    this.bytesUsed = bytes;
    return until;
  }

  /** Whether the newest entry is this one, which is then a repetition. */
  endsWith(push: AcceptedPush, i: number): boolean {
    const last = this.entryCount - 1;
    if (last < 0 || this.sec[last] !== push.sec[i] || this.nanos[last] !== push.nanos[i]) return false;
    const start = lineStart(this.ends, last);
    const from = lineStart(push.ends, i);
    if (this.ends[last]! - start !== push.ends[i]! - from) return false;
    for (let k = 0; k < push.ends[i]! - from; k++) if (this.bytes[start + k] !== push.bytes[from + k]) return false;
    return samePairs(this.metadata?.[last], push.metadata?.[i]);
  }

  /** Ready for the next page, with its memory. */
  clear(): void {
    this.entryCount = 0;
    this.bytesUsed = 0;
    this.metadata = undefined;
    this.minSec = Number.POSITIVE_INFINITY;
    this.maxSec = Number.NEGATIVE_INFINITY;
  }

  /** Gives its memory back: nothing is appended any more. */
  release(): void {
    this.clear();
    this.#buffers.give(this.bytes);
    this.bytes = new Uint8Array(0);
  }

  #room(bytes: number, entries: number): void {
    if (bytes > this.bytes.length) {
      const wider = this.#buffers.take(bytes);
      wider.set(this.bytes.subarray(0, this.bytesUsed));
      this.#buffers.give(this.bytes);
      this.bytes = wider;
    }
    if (entries > this.ends.length) {
      const length = Math.max(entries, this.ends.length * 2);
      this.ends = widen(this.ends, length);
      this.sec = widen(this.sec, length);
      this.nanos = widen(this.nanos, length);
    }
  }
}

function widen(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(length);
  wider.set(array);
  return wider;
}

function samePairs(a: readonly MetadataPair[] | undefined, b: readonly MetadataPair[] | undefined): boolean {
  if (a === b) return true;
  if ((a?.length ?? 0) !== (b?.length ?? 0)) return false;
  return a === undefined || a.every(([name, value], i) => name === b![i]![0] && value === b![i]![1]);
}
