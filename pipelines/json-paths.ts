// Plain paths into JSON lines (`level`, `http.request.id`), read by the scanning kernel a level at a time: first the top keys of all
// lines, then the keys inside the values found, and so on. Nothing is parsed but what the kernel is not sure about.

import { kernels } from "../lib/kernels/index.ts";
import { JSON_ABSENT, JSON_ABSENT_IS_NULL, JSON_LINE_OBJECT, JSON_NESTED, JSON_NULL } from "../lib/kernels/kernels.ts";
import { type EntryBatch, textOf, type Value } from "../lib/wire/entry-batch.ts";
import { SpanColumn, TextNumbering } from "./span-column.ts";

const OPENING_BRACE = 0x7b;

export interface JsonPath {
  /** Name of the extracted value. */
  readonly name: string;
  readonly keys: readonly string[];
}

/**
 * How documents are read when the kernel is not sure.
 *
 * @returns the document: an object, or null for JSON's null; undefined when the text is neither
 */
export type ParseDocument = (text: string) => object | null | undefined;
/** How a decoded value is stored in the extracted data. */
export type StoreValue = (value: unknown) => Value | undefined;

/** Reads the same paths of batch after batch. Its arrays are used again for each. */
export class JsonPaths {
  readonly #paths: readonly JsonPath[];
  readonly #top: Level;
  readonly #numberings: readonly TextNumbering[];
  readonly #parse: ParseDocument;
  readonly #store: StoreValue;

  constructor(paths: readonly JsonPath[], parse: ParseDocument, store: StoreValue) {
    this.#paths = paths;
    this.#numberings = paths.map(() => new TextNumbering());
    this.#parse = parse;
    this.#store = store;
    this.#top = new Level();
    for (let p = 0; p < paths.length; p++) this.#top.addPath(paths[p]!.keys, 0, p);
  }

  /**
   * Sets a column for each path. What a document lacks is nil; a line that is no document keeps what it had.
   *
   * @returns the entries whose line is no object
   */
  read(batch: EntryBatch): Set<number> | undefined {
    const top = this.#top;
    const columns: SpanColumn[] = [];
    this.#makeColumns(batch, top, columns);
    this.#pointAtLines(batch, top);
    const unsureCount = top.scan(batch);
    let malformed: Set<number> | undefined;
    // Entries that are not live are unsure, too.
    for (let k = 0; unsureCount > batch.count - batch.liveCount && k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (top.verdict[i] !== JSON_LINE_OBJECT && !this.#parseSpan(batch, top, i, columns)) (malformed ??= new Set()).add(i);
    }
    for (const inner of top.inside.values()) this.#readInside(batch, top, inner, columns);
    return malformed;
  }

  /** The level below: `inner`'s documents are the values of one key of `outer`. */
  #readInside(batch: EntryBatch, outer: Level, inner: Level, columns: readonly SpanColumn[]): void {
    const { kind, valueStart, valueEnd } = outer;
    const width = outer.keys.length;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      const slot = i * width + inner.outerSlot;
      if (outer.isDocument[i] === 0) continue;
      inner.isDocument[i] = 1;
      if (kind[slot] !== JSON_NESTED || batch.bytes[valueStart[slot]!] !== OPENING_BRACE) continue;
      inner.starts[i] = valueStart[slot]!;
      inner.ends[i] = valueEnd[slot]!;
    }
    inner.scan(batch);
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (inner.isDocument[i] === 0) continue;
      // No object, so no keys: all nil.
      if (inner.verdict[i] === JSON_LINE_OBJECT || inner.starts[i] === inner.ends[i]) inner.settle(i);
      else this.#parseSpan(batch, inner, i, columns);
    }
    for (const further of inner.inside.values()) this.#readInside(batch, inner, further, columns);
  }

  /** Parses a document whole and sets all values inside. False when it is none. */
  #parseSpan(batch: EntryBatch, level: Level, i: number, columns: readonly SpanColumn[]): boolean {
    const first = i * level.keys.length;
    level.kind.fill(JSON_ABSENT, first, first + level.keys.length);
    level.isDocument[i] = 0;
    const document = this.#parse(textOf(batch.bytes, level.starts[i]!, level.ends[i]!));
    if (document === undefined) return false;
    for (const p of level.paths) columns[p]!.set(i, this.#store(valueAt(document, this.#paths[p]!.keys, level.depth)));
    return true;
  }

  #makeColumns(batch: EntryBatch, level: Level, columns: SpanColumn[]): void {
    level.reserve(batch.count);
    for (const [p, offset] of level.leaves) {
      const { name } = this.#paths[p]!;
      const slots = {
        kind: level.kind,
        start: level.valueStart,
        end: level.valueEnd,
        stride: level.keys.length,
        offset,
        count: batch.count,
        numbering: this.#numberings[p]!,
      };
      columns[p] = new SpanColumn(batch, slots, batch.extracted.get(name));
      batch.extracted.set(name, columns[p]!);
    }
    for (const inner of level.inside.values()) this.#makeColumns(batch, inner, columns);
  }

  /** Entries that are not live get an empty span, of which the scan says nothing. */
  #pointAtLines(batch: EntryBatch, top: Level): void {
    const { count } = batch;
    if (batch.liveCount === count) {
      top.starts.set(batch.starts.subarray(0, count));
      top.ends.set(batch.ends.subarray(0, count));
      top.isDocument.fill(1, 0, count);
      return;
    }
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      top.starts[i] = batch.starts[i]!;
      top.ends[i] = batch.ends[i]!;
      top.isDocument[i] = 1;
    }
  }
}

function valueAt(document: unknown, keys: readonly string[], depth: number): unknown {
  let value = document;
  for (let d = depth; d < keys.length; d++) {
    if (value === null || typeof value !== "object" || Array.isArray(value) || !Object.hasOwn(value, keys[d]!)) return null;
    value = (value as Record<string, unknown>)[keys[d]!];
  }
  return value;
}

/** Keys looked for in one place, and what is looked for inside their values. Slot of entry i and key k: `i * keys.length + k`. */
class Level {
  readonly keys: Uint8Array[] = [];
  readonly inside = new Map<number, Level>();
  /** Paths that end here, with their key. */
  readonly leaves: [path: number, key: number][] = [];
  /** All paths that go through here. */
  readonly paths: number[] = [];
  readonly depth: number;
  /** Which key of the level above holds these documents. */
  readonly outerSlot: number;
  readonly #names: string[] = [];

  starts = new Int32Array(0);
  ends = new Int32Array(0);
  verdict = new Uint8Array(0);
  /** 1 where the values of the entry are spans of this level: it has a document, and the scan was sure of it. */
  isDocument = new Uint8Array(0);
  kind = new Uint8Array(0);
  valueStart = new Int32Array(0);
  valueEnd = new Int32Array(0);

  constructor(depth = 0, outerSlot = 0) {
    this.depth = depth;
    this.outerSlot = outerSlot;
  }

  addPath(keys: readonly string[], depth: number, path: number): void {
    this.paths.push(path);
    const name = keys[depth]!;
    let key = this.#names.indexOf(name);
    if (key < 0) {
      key = this.#names.push(name) - 1;
      this.keys.push(new TextEncoder().encode(name));
    }
    if (depth === keys.length - 1) {
      this.leaves.push([path, key]);
      return;
    }
    let inner = this.inside.get(key);
    if (inner === undefined) this.inside.set(key, (inner = new Level(depth + 1, key)));
    inner.addPath(keys, depth + 1, path);
  }

  /** Returns how many entries are unsure. */
  scan(batch: EntryBatch): number {
    const unsureCount = kernels.scanJson(
      batch.bytes,
      this.starts,
      this.ends,
      batch.count,
      this.keys,
      JSON_ABSENT_IS_NULL,
      this.verdict,
      this.kind,
      this.valueStart,
      this.valueEnd,
    );
    const width = this.keys.length;
    if (unsureCount === 0) return 0;
    for (let i = 0; i < batch.count; i++) if (this.isDocument[i] === 0) this.kind.fill(JSON_ABSENT, i * width, (i + 1) * width);
    return unsureCount;
  }

  /** What the document of entry i lacks is nil. */
  settle(i: number): void {
    const first = i * this.keys.length;
    for (let slot = first; slot < first + this.keys.length; slot++) if (this.kind[slot] === JSON_ABSENT) this.kind[slot] = JSON_NULL;
  }

  /** Makes room, and forgets the batch before. */
  reserve(count: number): void {
    if (count > this.starts.length) {
      const capacity = Math.max(count, this.starts.length * 2, 64);
      const slots = capacity * this.keys.length;
      this.starts = new Int32Array(capacity);
      this.ends = new Int32Array(capacity);
      this.verdict = new Uint8Array(capacity);
      this.isDocument = new Uint8Array(capacity);
      this.kind = new Uint8Array(slots);
      this.valueStart = new Int32Array(slots);
      this.valueEnd = new Int32Array(slots);
      return;
    }
    this.starts.fill(0, 0, count);
    this.ends.fill(0, 0, count);
    this.isDocument.fill(0, 0, count);
  }
}
