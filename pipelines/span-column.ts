// A column of extracted values that are still bytes of the batch: where each value stands and what it is. Strings, numbers and
// decoded JSON are made when somebody asks, once; an action stage that can work on bytes never asks.

import { kernels } from "../lib/kernels/index.ts";
import {
  JSON_ABSENT,
  JSON_ESCAPED_STRING,
  JSON_FALSE,
  JSON_NESTED,
  JSON_NULL,
  JSON_NUMBER,
  JSON_PLAIN_STRING,
  JSON_TRUE,
  type StridedSpans,
  TEXT_ODD,
} from "../lib/kernels/kernels.ts";
import { goJson } from "../lib/text/go-json.ts";
import { wellFormed } from "../lib/text/go-utf8.ts";
import { type Column, type EntryBatch, textOf, type Value } from "../lib/wire/entry-batch.ts";
import { InternTable } from "./intern-table.ts";

/** A slot whose value was set, or decoded before: it is in the column's list of values. The other kinds are `scanJson`'s. */
export const SPAN_SET = 8;

/** Where the spans of a column are. */
export interface SpanSlots extends StridedSpans {
  /** Entries the slots were filled for; later ones have none. */
  readonly count: number;
  readonly numbering: TextNumbering;
}

/** Different texts that are numbered; there is no more room in the kernel. */
const TEXTS_MAX = 256;

/** What `numberTexts` of a column works with, once somebody asks for it; serves batch after batch, as the slots do. */
export class TextNumbering {
  numbers = new Int32Array(0);
  #firsts: Int32Array | undefined;
  #interned: InternTable | undefined;

  get firsts(): Int32Array {
    this.#firsts ??= new Int32Array(TEXTS_MAX);
    return this.#firsts;
  }

  get interned(): InternTable {
    this.#interned ??= new InternTable();
    return this.#interned;
  }

  reserve(count: number): void {
    if (this.numbers.length < count) this.numbers = new Int32Array(Math.max(count, this.numbers.length * 2));
  }
}

/** The texts of a column, each once. */
export interface NumberedTexts {
  /** By entry: number of its text, TEXT_NOTHING or TEXT_ODD (which `get` knows more about). */
  readonly numbers: Int32Array;
  readonly texts: readonly string[];
  /** Entries whose number is TEXT_ODD, or more: some may be counted twice. */
  readonly oddCount: number;
}

/**
 * The slots usually belong to the stage that filled them, which fills them again for its next batch: a column is valid while its
 * batch is in the pipeline. A slot of kind JSON_ABSENT says nothing: the column that had the name before (`under`) is asked.
 */
export class SpanColumn implements Column {
  readonly #batch: EntryBatch;
  readonly #slots: SpanSlots;
  readonly #under: Column | undefined;
  #values: (Value | undefined)[] | undefined;
  /** 1 where a value was set over the span. */
  #isSet: Uint8Array | undefined;
  #numbered: NumberedTexts | undefined;

  constructor(batch: EntryBatch, slots: SpanSlots, under: Column | undefined) {
    this.#batch = batch;
    this.#slots = slots;
    this.#under = under;
  }

  /** How entry i's value is stored: a JSON_… kind, or SPAN_SET. */
  kindOf(i: number): number {
    const { kind, stride, offset, count } = this.#slots;
    if (i >= count) return this.#values !== undefined && i in this.#values ? SPAN_SET : JSON_ABSENT;
    return this.#isSet !== undefined && this.#isSet[i] === 1 ? SPAN_SET : kind[i * stride + offset]!;
  }

  /**
   * The texts of the live entries, numbered: what is done with a value need be done once. Undefined when the batch has got entries that
   * the slots know nothing of.
   */
  numbered(): NumberedTexts | undefined {
    const { count } = this.#slots;
    if (count !== this.#batch.count) return undefined;
    this.#numbered ??= this.#number(this.#slots.numbering);
    return this.#numbered;
  }

  #number(numbering: TextNumbering): NumberedTexts {
    const { bytes, live, liveCount, count } = this.#batch;
    numbering.reserve(count);
    const { numbers, firsts, interned } = numbering;
    // An entry that is not live now may be so later: nobody knows of its text.
    if (liveCount < count) numbers.fill(TEXT_ODD, 0, count);
    const { textCount, oddCount: oddLiveCount } = kernels.numberTexts(bytes, this.#slots, count, live, liveCount, numbers, firsts);
    const texts = Array.from({ length: textCount }, (_, v) => interned.text(bytes, this.startOf(firsts[v]!), this.endOf(firsts[v]!)));
    const setCount = this.#isSet === undefined ? 0 : this.#takeOutSet(numbers, this.#isSet);
    return { numbers, texts, oddCount: oddLiveCount + (count - liveCount) + setCount };
  }

  /** Values that were set are not what the spans say. Returns of how many entries. */
  #takeOutSet(numbers: Int32Array, isSet: Uint8Array): number {
    let setCount = 0;
    for (let i = 0; i < isSet.length; i++) {
      if (isSet[i] === 0) continue;
      numbers[i] = TEXT_ODD;
      setCount++;
    }
    return setCount;
  }

  /** Spans of the live entries that are strings without escapes, to `starts` and `ends`; where there is none, the start is -1. */
  plainStrings(starts: Int32Array, ends: Int32Array): void {
    const { kind, start, end, stride, offset, count } = this.#slots;
    const { live, liveCount } = this.#batch;
    starts.fill(-1, 0, this.#batch.count);
    for (let k = 0; k < liveCount; k++) {
      const i = live[k]!;
      const slot = i * stride + offset;
      if (i >= count || kind[slot] !== JSON_PLAIN_STRING) continue;
      starts[i] = start[slot]!;
      ends[i] = end[slot]!;
    }
    if (this.#isSet !== undefined) for (let i = 0; i < count; i++) if (this.#isSet[i] === 1) starts[i] = -1;
  }

  /** Are the bytes of the span the value's text as they stand? So are strings without escapes, and whole numbers. */
  isTextAt(i: number): boolean {
    const kind = this.kindOf(i);
    return kind === JSON_PLAIN_STRING || (kind === JSON_NUMBER && isWholeNumber(this.#batch.bytes, this.startOf(i), this.endOf(i)));
  }

  /** Is the value this ASCII text? False also when finding out would cost a string. */
  holdsAscii(i: number, text: string): boolean {
    if (this.kindOf(i) !== JSON_PLAIN_STRING) return false;
    const start = this.startOf(i);
    if (this.endOf(i) - start !== text.length) return false;
    const { bytes } = this.#batch;
    for (let p = 0; p < text.length; p++) if (bytes[start + p] !== text.charCodeAt(p)) return false;
    return true;
  }

  /** Start of the span in the batch's bytes; meaningful for kinds that have one. */
  startOf(i: number): number {
    return this.#slots.start[i * this.#slots.stride + this.#slots.offset]!;
  }

  endOf(i: number): number {
    return this.#slots.end[i * this.#slots.stride + this.#slots.offset]!;
  }

  get(i: number): Value | undefined {
    const values = this.#values;
    if (values !== undefined && i in values) return values[i];
    const kind = this.kindOf(i);
    if (kind === JSON_ABSENT) return this.#under?.get(i);
    const value = this.#decode(kind, i);
    (this.#values ??= [])[i] = value;
    return value;
  }

  set(i: number, value: Value | undefined): void {
    (this.#values ??= [])[i] = value;
    this.#numbered = undefined;
    if (i < this.#slots.count) (this.#isSet ??= new Uint8Array(this.#slots.count))[i] = 1;
  }

  #decode(kind: number, i: number): Value | undefined {
    const { bytes } = this.#batch;
    const start = this.startOf(i);
    const end = this.endOf(i);
    switch (kind) {
      case JSON_PLAIN_STRING:
        return textOf(bytes, start, end);
      case JSON_ESCAPED_STRING:
        return wellFormed(JSON.parse(`"${textOf(bytes, start, end)}"`) as string);
      case JSON_NUMBER:
        return Number(textOf(bytes, start, end));
      case JSON_TRUE:
        return true;
      case JSON_FALSE:
        return false;
      case JSON_NULL:
        return null;
      case JSON_NESTED:
        return goJson(JSON.parse(textOf(bytes, start, end)), { iterator: true });
      default:
        return undefined;
    }
  }
}

/** Digits after which a number's text may not be the shortest any more. */
const EXACT_DIGITS = 15;

/** A number that is printed as it was read. */
function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > EXACT_DIGITS) return false;
  for (let p = start; p < end; p++) if (bytes[p]! < 48 || bytes[p]! > 57) return false;
  return true;
}
