// The labels of one line on its way through the ops: the stream's labels, the entry's structured metadata, and what parsers and
// formats set. One builder is reused for all lines of a scan. Values that lie in the line stay byte spans until somebody asks.
//
// Rules (reference §2.5, §2.13): parsed labels win over structured metadata, that over stream labels; a parser never overwrites a
// stream label or metadata (it adds `_extracted`, which is the parser's business); errors live beside the labels.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { LabelSet as Labels } from "../../lib/wire/labels.ts";

export const ERROR_LABEL = "__error__";
export const ERROR_DETAILS_LABEL = "__error_details__";
export const PRESERVE_ERROR_LABEL = "__preserve_error__";
export const DUPLICATE_SUFFIX = "_extracted";

export const STREAM_LABEL = 0;
export const METADATA_LABEL = 1;
export const PARSED_LABEL = 2;
export type LabelCategory = typeof STREAM_LABEL | typeof METADATA_LABEL | typeof PARSED_LABEL;

/** Labels of a line among which a name is looked for one by one; beyond, by a map: a hostile line has tens of thousands. */
const SCANNED_NAMES_MAX = 32;

/** A number read where its text lies; undefined when the text needs a real parser. */
export type SpanReader = (bytes: Uint8Array, start: number, end: number) => number | undefined;

const NO_METADATA: readonly MetadataPair[] = [];

export class LineLabels {
  base: LabelSet = Labels.EMPTY;
  /** The entry's structured metadata as stored. */
  metadata: readonly MetadataPair[] = NO_METADATA;
  /** Labels set over the base, each name once: the first `count` of these columns. */
  names: string[] = [];
  categories: LabelCategory[] = [];
  count = 0;
  /** Names taken out of the base. */
  deleted: string[] = [];
  error = "";
  errorDetails = "";
  /** What the spans point into: the page's bytes, valid while the line is being processed. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly #values: (string | undefined)[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Positions of the first `#indexed` names, once they are too many to be scanned. */
  readonly #positions = new Map<string, number>();
  #indexed = 0;
  /** True once anything but metadata was set or deleted. */
  changed = false;

  /** Begins a line. */
  reset(base: LabelSet, metadata: readonly MetadataPair[] | undefined, bytes: Uint8Array): void {
    this.base = base;
    this.bytes = bytes;
    this.count = 0;
    this.#forgetPositions();
    if (this.deleted.length > 0) this.deleted.length = 0;
    this.error = "";
    this.errorDetails = "";
    this.changed = false;
    this.metadata = metadata ?? NO_METADATA;
    if (metadata === undefined) return;
    for (let i = 0; i < metadata.length; i++) {
      const [name, value] = metadata[i]!;
      this.set(METADATA_LABEL, base.has(name) ? name + DUPLICATE_SUFFIX : name, value);
    }
    this.changed = false;
  }

  /** Whether the stream or the entry's metadata has the name, whatever ops did since: what parsers must not overwrite. */
  baseHas(name: string): boolean {
    if (this.base.has(name)) return true;
    for (let i = 0; i < this.metadata.length; i++) if (this.metadata[i]![0] === name) return true;
    return false;
  }

  has(name: string): boolean {
    return this.#indexOf(name) >= 0 || (!this.deleted.includes(name) && this.base.has(name));
  }

  /** Undefined when the line has no such label; `""` is a label that is there and empty. */
  get(name: string): string | undefined {
    const at = this.#indexOf(name);
    if (at >= 0) return this.valueAt(at);
    if (this.deleted.length > 0 && this.deleted.includes(name)) return undefined;
    const inBase = this.base.names.indexOf(name);
    return inBase < 0 ? undefined : this.base.values[inBase];
  }

  valueAt(i: number): string {
    return (this.#values[i] ??= textOf(this.bytes, this.#starts[i]!, this.#ends[i]!));
  }

  /** Position of a label that was set, for `readSpan` and `valueAt`; -1 when it was not set or comes from the stream. */
  indexOf(name: string): number {
    return this.#indexOf(name);
  }

  set(category: LabelCategory, name: string, value: string): void {
    const at = this.#slot(category, name);
    if (at >= 0) this.#values[at] = value;
  }

  /** A parsed label whose value is `bytes[start, end)` of the page. */
  setSpan(name: string, start: number, end: number): void {
    const at = this.#slot(PARSED_LABEL, name);
    if (at < 0) return;
    this.#values[at] = undefined;
    this.#starts[at] = start;
    this.#ends[at] = end;
  }

  delete(name: string): void {
    const at = this.#indexOf(name);
    if (at >= 0) this.#remove(at);
    if (this.base.has(name) && !this.deleted.includes(name)) this.deleted.push(name);
    this.changed = true;
  }

  setError(error: string, details: string): void {
    this.error = error;
    this.errorDetails = details;
    this.changed = true;
  }

  /** What `read` makes of the span of a label that was set; undefined when the label is a text already, or `read` answers so. */
  readSpan(i: number, read: SpanReader): number | undefined {
    if (this.#values[i] !== undefined) return undefined;
    return read(this.bytes, this.#starts[i]!, this.#ends[i]!);
  }

  /** Visits every label of the line with its category, errors last (they count as parsed). Order is not defined. */
  forEach(visit: (name: string, value: string, category: LabelCategory) => void): void {
    const { names, values } = this.base;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      if (this.deleted.length > 0 && this.deleted.includes(name)) continue;
      if (this.count > 0 && this.#indexOf(name) >= 0) continue;
      visit(name, values[i]!, STREAM_LABEL);
    }
    for (let i = 0; i < this.count; i++) visit(this.names[i]!, this.valueAt(i), this.categories[i]!);
    if (this.error !== "") visit(ERROR_LABEL, this.error, PARSED_LABEL);
    if (this.errorDetails !== "") visit(ERROR_DETAILS_LABEL, this.errorDetails, PARSED_LABEL);
  }

  toObject(): Record<string, string> {
    const object: Record<string, string> = Object.create(null) as Record<string, string>;
    this.forEach((name, value) => {
      object[name] = value;
    });
    return object;
  }

  #indexOf(name: string): number {
    if (this.count > SCANNED_NAMES_MAX) return this.#positionOf(name);
    for (let i = 0; i < this.count; i++) if (this.names[i] === name) return i;
    return -1;
  }

  #positionOf(name: string): number {
    while (this.#indexed < this.count) this.#positions.set(this.names[this.#indexed]!, this.#indexed++);
    return this.#positions.get(name) ?? -1;
  }

  #forgetPositions(): void {
    if (this.#indexed === 0) return;
    this.#positions.clear();
    this.#indexed = 0;
  }

  /** Where a value of this category goes; -1 when a stronger category holds the name. */
  #slot(category: LabelCategory, name: string): number {
    this.changed = true;
    let at = this.#indexOf(name);
    if (at >= 0) {
      if (category < this.categories[at]!) return -1;
      this.categories[at] = category;
      return at;
    }
    at = this.count++;
    this.names[at] = name;
    this.categories[at] = category;
    return at;
  }

  #remove(at: number): void {
    this.#forgetPositions();
    const last = --this.count;
    for (let i = at; i < last; i++) {
      this.names[i] = this.names[i + 1]!;
      this.categories[i] = this.categories[i + 1]!;
      this.#values[i] = this.#values[i + 1];
      this.#starts[i] = this.#starts[i + 1]!;
      this.#ends[i] = this.#ends[i + 1]!;
    }
  }
}

const POWERS_OF_TEN = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/**
 * `-?digits[.digits]` of at most 15 digits in all: exact, since both the digits and the power of ten are exact doubles and one
 * division rounds once.
 */
export function plainNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  const negative = bytes[at] === 0x2d;
  if (negative) at++;
  if (end - at > 16 || at >= end) return undefined;
  let digits = 0;
  let count = 0;
  let fraction = -1;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39) {
      digits = digits * 10 + (byte - 0x30);
      count++;
    } else if (byte === 0x2e && fraction < 0) fraction = count;
    else return undefined;
  }
  if (count === 0 || count > 15) return undefined;
  const value = fraction < 0 ? digits : digits / POWERS_OF_TEN[count - fraction]!;
  return negative ? -value : value;
}
