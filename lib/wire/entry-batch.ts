// Entries travel in batches of columns, never as an object per line (DESIGN.md, "Speed is designed in").
//
// A batch is one byte block plus parallel columns. A stage reads and writes columns; it drops an entry by leaving its index out of
// `live`, so nothing ever moves. Indexes are stable for the life of the batch; the order of entries is the order of `live`.

import type { TimeZone } from "../text/time-zone.ts";
import { LabelColumn } from "./label-column.ts";
import type { LabelSet } from "./labels.ts";
import { withPair } from "./metadata-lists.ts";

/** What a pipeline may hold in its extracted data: Go's string, float64, bool and nil, plus decoded JSON arrays and objects. */
export type Value = string | number | boolean | null | readonly unknown[] | { readonly [key: string]: unknown };

/** One name of the extracted data, over all entries of a batch. `undefined` is "this entry has no such key". */
export interface Column {
  get(i: number): Value | undefined;
  set(i: number, value: Value | undefined): void;
}

/** One pair of an entry's structured metadata. */
export type MetadataPair = readonly [name: string, value: string];

/**
 * A share in the promise that a source's bytes have been dealt with. Whoever keeps an entry beyond the call it was handed in holds
 * the batch's tickets, and releases them when the entry is acknowledged, or dropped and counted. The source commits its position
 * when the last hold is gone.
 */
export interface Ticket {
  hold(): void;
  release(): void;
  /** Says that a hold will never be released, because its holder has been stopped. A source that can reads the entries again. */
  abandon?(): void;
}

/** The columns of numbers of a batch, all as long. */
export interface NumberColumns {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  readonly live: Int32Array;
  /** Numbers of label sets. */
  readonly labelIds: Int32Array;
}

const encoder = new TextEncoder();

export class EntryBatch {
  /** The block that `starts` and `ends` point into. Belongs to the batch: stages append to it, sources must not reuse it. */
  bytes: Uint8Array;
  /** Bytes of the block in use; appended text goes here. */
  bytesUsed: number;
  /** Whether all the block's lines may point into is known to be UTF-8. A source may say so; bytes that stages append end it. */
  isUtf8 = false;
  /** Entries ever added; `live` says which of them are still there. */
  count = 0;
  starts: Int32Array;
  ends: Int32Array;
  /** Time of the entry: whole seconds since 1970 and nanoseconds 0..999 999 999. */
  sec: Int32Array;
  nanos: Int32Array;
  readonly labels: LabelColumn;
  /** Indexes of the entries that are still there, in order: the first `liveCount` of the array. */
  live: Int32Array;
  liveCount = 0;
  /** Structured metadata by entry; sparse, undefined when no entry has any. */
  metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  /** Labels at the pipeline's start, which a missing extracted column is read from. See `extract`. The pipeline's own array. */
  initialLabels: LabelColumn | undefined;
  /** Where the entries come from (a file's path and identity), so that what is joined is of one source; `""` when unknown. */
  source = "";
  /** Seconds that `sec` cannot hold (before 1901, after 2038), by entry; `sec` then holds the nearest it can. See `secondsOf`. */
  farSec: Map<number, number> | undefined;
  /** Zones of the times that were read from texts, by entry; undefined where nobody prints times, which is nearly everywhere. */
  zones: Map<number, TimeZone> | undefined;
  readonly extracted = new Map<string, Column>();
  /** Released by whoever ends the batch's way; held again by whoever keeps entries longer. */
  tickets: Ticket[] = [];

  /** @param bytes the block; @param room entries to make room for, or the columns for them (which grow by themselves) */
  constructor(bytes: Uint8Array = new Uint8Array(0), room: number | NumberColumns = 16, bytesUsed = bytes.length) {
    this.bytes = bytes;
    this.bytesUsed = bytesUsed;
    const columns = typeof room === "number" ? makeColumns(room, (count) => new Int32Array(count)) : room;
    this.starts = columns.starts;
    this.ends = columns.ends;
    this.sec = columns.sec;
    this.nanos = columns.nanos;
    this.live = columns.live;
    this.labels = new LabelColumn(columns.labelIds);
  }

  /** Adds an entry whose line is `bytes[start, end)`, live and last. Returns its index. */
  add(start: number, end: number, sec: number, nanos: number, labels: LabelSet): number {
    const i = this.count;
    if (i === this.starts.length || this.liveCount === this.live.length) this.#grow();
    this.starts[i] = start;
    this.ends[i] = end;
    this.sec[i] = sec;
    this.nanos[i] = nanos;
    this.labels.set(i, labels);
    this.live[this.liveCount++] = i;
    this.count = i + 1;
    return i;
  }

  /** Adds an entry with its own text. Returns its index. */
  addText(text: string | Uint8Array, sec: number, nanos: number, labels: LabelSet): number {
    const [start, end] = this.appendText(text);
    return this.add(start, end, sec, nanos, labels);
  }

  /** The line's bytes: a view into the block, valid until text is appended to the batch. */
  lineBytes(i: number): Uint8Array {
    return this.bytes.subarray(this.starts[i]!, this.ends[i]!);
  }

  /** The line as text; invalid UTF-8 becomes U+FFFD. */
  line(i: number): string {
    return textOf(this.bytes, this.starts[i]!, this.ends[i]!);
  }

  lineLength(i: number): number {
    return this.ends[i]! - this.starts[i]!;
  }

  setLine(i: number, text: string | Uint8Array): void {
    const [start, end] = this.appendText(text);
    this.starts[i] = start;
    this.ends[i] = end;
  }

  /** Copies text to the end of the block; returns where it is. Views of the block taken before may be stale afterwards. */
  appendText(text: string | Uint8Array): [start: number, end: number] {
    const start = this.reserveBytes(typeof text === "string" ? text.length * 3 : text.length);
    if (typeof text !== "string") this.isUtf8 = false;
    if (typeof text === "string") this.bytesUsed += encoder.encodeInto(text, this.bytes.subarray(start)).written;
    else {
      this.bytes.set(text, start);
      this.bytesUsed += text.length;
    }
    return [start, this.bytesUsed];
  }

  /** The entry's time in whole seconds since 1970, of any year. */
  secondsOf(i: number): number {
    return this.farSec?.get(i) ?? this.sec[i]!;
  }

  /** Sets the entry's time: whole seconds of any year, and nanoseconds 0..999 999 999. */
  setTime(i: number, sec: number, nanos: number): void {
    this.nanos[i] = nanos;
    this.sec[i] = sec;
    if (this.sec[i] === sec) {
      this.farSec?.delete(i);
      return;
    }
    this.sec[i] = sec < 0 ? -(2 ** 31) : 2 ** 31 - 1;
    this.farSec ??= new Map();
    this.farSec.set(i, sec);
  }

  /** Makes room for that many bytes at the end of the block and returns where they go: `bytesUsed`, which the caller moves on. */
  reserveBytes(most: number): number {
    const start = this.bytesUsed;
    if (start + most > this.bytes.length) {
      // Not filled with zeros: nobody reads behind `bytesUsed`.
      const grown = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(start + most, this.bytes.length * 2, 1024)).buffer);
      grown.set(this.bytes.subarray(0, start));
      this.bytes = grown;
    }
    return start;
  }

  addMetadata(i: number, name: string, value: string): void {
    this.metadata ??= [];
    this.metadata[i] = withPair(this.metadata[i], name, value);
  }

  /** The value a pipeline's `extracted[name]` has for entry i: what a stage set, else the label of that name at the pipeline's start. */
  extract(name: string, i: number): Value | undefined {
    const value = this.extracted.get(name)?.get(i);
    if (value !== undefined || this.initialLabels === undefined) return value;
    const labels = this.initialLabels.get(i);
    return labels?.has(name) ? labels.get(name) : undefined;
  }

  setExtracted(name: string, i: number, value: Value | undefined): void {
    let column = this.extracted.get(name);
    if (column === undefined) this.extracted.set(name, (column = new ValueColumn()));
    column.set(i, value);
  }

  /** Keeps only the live entries for which `keep` is true. */
  filterLive(keep: (i: number) => boolean): void {
    let kept = 0;
    for (let k = 0; k < this.liveCount; k++) {
      const i = this.live[k]!;
      if (keep(i)) this.live[kept++] = i;
    }
    this.liveCount = kept;
  }

  /** Replaces the list of live entries. `indexes` is copied. */
  setLive(indexes: Int32Array | readonly number[], count = indexes.length): void {
    if (count > this.live.length) this.live = new Int32Array(Math.max(count, this.live.length * 2));
    for (let k = 0; k < count; k++) this.live[k] = indexes[k]!;
    this.liveCount = count;
  }

  #grow(): void {
    const capacity = Math.max(16, this.starts.length * 2, this.live.length * 2);
    const wider = (from: Int32Array): Int32Array => {
      const to = new Int32Array(capacity);
      to.set(from);
      return to;
    };
    this.starts = wider(this.starts);
    this.ends = wider(this.ends);
    this.sec = wider(this.sec);
    this.nanos = wider(this.nanos);
    this.live = wider(this.live);
  }
}

export function makeColumns(capacity: number, make: (count: number) => Int32Array): NumberColumns {
  return {
    starts: make(capacity),
    ends: make(capacity),
    sec: make(capacity),
    nanos: make(capacity),
    live: make(capacity),
    labelIds: make(capacity),
  };
}

/** Values as they were set, one slot per entry. */
export class ValueColumn implements Column {
  readonly #values: (Value | undefined)[] = [];
  get(i: number): Value | undefined {
    return this.#values[i];
  }
  set(i: number, value: Value | undefined): void {
    this.#values[i] = value;
  }
}

/** Text of `bytes[start, end)`; invalid UTF-8 becomes U+FFFD, a byte order mark is kept. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 48) return decodeUtf8(bytes, start, end);
  let text = "";
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte >= 128) return decodeUtf8(bytes, start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The block decoded from last, as a Buffer: making one for each text would cost more than decoding it. */
let viewed: Uint8Array = new Uint8Array(0);
let view: Buffer = Buffer.alloc(0);

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (bytes !== viewed) {
    viewed = bytes;
    view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  // Buffer's decoder is the fastest of Node 20 and, unlike TextDecoder's default, keeps a byte order mark.
  return view.toString("utf8", start, end);
}
