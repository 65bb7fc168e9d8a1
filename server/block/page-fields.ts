// The field column of a page: what some top-level keys of its JSON lines say, as numbers of a few texts each. A query that asks
// for these keys alone need not read the lines. Which keys: those that a sample of the lines shows to have few short values, as long as
// what they are estimated to cost stays small against the lines. Drawn in page-format.ts.

import { kernels } from "../../lib/kernels/index.ts";
import { FIELD_KEYS_MAX, FIELD_UNSURE, FIELD_VALUES_MAX, MalformedInput } from "../../lib/kernels/kernels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import { PAGE_ENTRIES_MAX } from "../limits.ts";
import type { PageField } from "../page.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

interface Lines {
  readonly bytes: Uint8Array;
  readonly ends: Int32Array;
  readonly entryCount: number;
}

/** Lines that are looked at to choose keys, evenly spread over the page. */
const SAMPLE_LINES = 16;
/** Longer lines are not taken as samples. */
const SAMPLE_BYTES_MAX = 8_192;
const SAMPLE_VALUE_CHARS_MAX = 32;
/** Fields of a page; one key more is looked for, see GUARD_KEY. */
const FIELDS_MAX = 6;
/** Only these names come from one spelling of a key and from no nesting (server/query/key-columns.ts). */
const PLAIN_NAME = /^[a-zA-Z][a-zA-Z0-9]*$/;
const NAME_CHARS_MAX = 64;
/** A query that mentions errors must read lines with this key: none of their fields is sure. */
const GUARD_KEY = "__error__";

const encoder = new TextEncoder();
const guardKey = encoder.encode(GUARD_KEY);
const writer = new VarintWriter();
// Results of the kernel.
let ids = new Uint8Array(0);
const valueStart = new Int32Array(FIELD_KEYS_MAX * FIELD_VALUES_MAX);
const valueEnd = new Int32Array(FIELD_KEYS_MAX * FIELD_VALUES_MAX);
const counts = new Int32Array(2 * FIELD_KEYS_MAX);

/**
 * @param budgetBytes what the packed column may take, about
 * @returns a view valid until the next call; undefined when the lines are no JSON objects or no key is worth it
 */
export function encodeFields(lines: Lines, budgetBytes: number): Uint8Array | undefined {
  const { bytes, ends, entryCount } = lines;
  if (entryCount > PAGE_ENTRIES_MAX) return undefined;
  const names = chooseKeys(lines);
  if (names.length === 0) return undefined;
  const keys = [...names.map((name) => encoder.encode(name)), guardKey];
  if (ids.length < keys.length * entryCount) ids = new Uint8Array((FIELDS_MAX + 1) * Math.max(4096, entryCount));
  kernels.jsonFields(bytes, ends, entryCount, keys, ids, valueStart, valueEnd, counts);
  guard(names.length, entryCount);
  const fields = worthKeeping(names.length, entryCount, budgetBytes);
  return fields.length === 0 ? undefined : write(fields, names, bytes, entryCount);
}

/** What sampled lines have of a key; undefined in the map: it is unfit. */
interface Seen {
  lines: number;
  readonly values: Set<unknown>;
}

/** The most promising keys first: those with the fewest values among the sampled lines. */
function chooseKeys(lines: Lines): string[] {
  const seen = new Map<string, Seen | undefined>();
  const step = Math.max(1, lines.entryCount / SAMPLE_LINES);
  let objects = 0;
  let sampled = 0;
  for (let at = 0; at < lines.entryCount; at += step) {
    const object = sampleOf(lines, Math.floor(at));
    sampled++;
    // Ordinary text costs a look at its first lines.
    if (object === undefined && sampled >= 4 && objects === 0) return [];
    if (object === undefined) continue;
    objects++;
    for (const name in object) note(seen, name, object[name]);
  }
  if (objects * 2 < sampled) return [];
  const promising: (readonly [name: string, seen: Seen])[] = [];
  for (const [name, one] of seen) if (one !== undefined && repeats(one)) promising.push([name, one]);
  return promising
    .sort(([, a], [, b]) => a.values.size - b.values.size || b.lines - a.lines)
    .slice(0, FIELDS_MAX)
    .map(([name]) => name);
}

/** A key of more values than that takes more bits than there is room for: it is not worth numbering them. */
function repeats({ lines, values }: Seen): boolean {
  return values.size * 4 <= lines * 3 || lines <= 2;
}

/** The line as an object; undefined when it is none. */
function sampleOf({ bytes, ends }: Lines, i: number): Record<string, unknown> | undefined {
  const start = lineStart(ends, i);
  const end = ends[i]!;
  if (bytes[start] !== 0x7b || end - start > SAMPLE_BYTES_MAX) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function note(seen: Map<string, Seen | undefined>, name: string, value: unknown): void {
  const known = seen.get(name);
  if (value === null || (known === undefined && seen.has(name))) return;
  const fits = typeof value === "string" ? value.length <= SAMPLE_VALUE_CHARS_MAX : typeof value !== "object";
  if (!fits || (known === undefined && (name.length > NAME_CHARS_MAX || !PLAIN_NAME.test(name)))) seen.set(name, undefined);
  else if (known === undefined) seen.set(name, { lines: 1, values: new Set([value]) });
  else {
    known.lines++;
    known.values.add(value);
  }
}

/** Makes unsure the lines that have the guard key, whose column is the last. */
function guard(fieldCount: number, entryCount: number): void {
  const last = fieldCount * entryCount;
  for (let i = 0; i < entryCount; i++) {
    if (ids[last + i] === 0) continue;
    for (let k = 0; k < fieldCount; k++) ids[k * entryCount + i] = FIELD_UNSURE;
  }
}

/** What a column takes beside ids and values: its name, and its share of the code tables. */
const COLUMN_BYTES = 16;
const occurrences = new Int32Array(256);

/** The columns that are sure of most lines, as long as the budget lasts. */
function worthKeeping(fieldCount: number, entryCount: number, budgetBytes: number): number[] {
  const kept: number[] = [];
  let left = budgetBytes;
  for (let k = 0; k < fieldCount; k++) {
    if (counts[2 * k]! <= 0 || counts[2 * k + 1]! * 2 > entryCount) continue;
    const bytes = packedBytes(k, entryCount);
    if (bytes > left) continue;
    left -= bytes;
    kept.push(k);
  }
  return kept;
}

/** About what a column takes: each id half as much again as the bits of its share, since matches of few ids gain little; texts two thirds. */
function packedBytes(k: number, entryCount: number): number {
  occurrences.fill(0);
  for (let i = k * entryCount; i < (k + 1) * entryCount; i++) occurrences[ids[i]!]!++;
  let bits = 0;
  for (const count of occurrences) if (count > 0) bits += count * Math.log2(entryCount / count);
  let textBytes = 0;
  for (let v = k * FIELD_VALUES_MAX; v < k * FIELD_VALUES_MAX + counts[2 * k]!; v++) textBytes += valueEnd[v]! - valueStart[v]!;
  return COLUMN_BYTES + (bits / 8) * 1.5 + (textBytes * 2) / 3;
}

function write(fields: readonly number[], names: readonly string[], bytes: Uint8Array, entryCount: number): Uint8Array {
  writer.reset();
  writer.varint(fields.length);
  for (const k of fields) {
    writer.text(names[k]!);
    writer.varint(counts[2 * k]!);
    for (let v = k * FIELD_VALUES_MAX; v < k * FIELD_VALUES_MAX + counts[2 * k]!; v++) {
      writer.textBytes(bytes.subarray(valueStart[v], valueEnd[v]));
    }
  }
  for (const k of fields) writer.raw(ids.subarray(k * entryCount, (k + 1) * entryCount));
  return writer.written();
}

/** @param raw stays as it is while the fields are used @throws MalformedInput, also when values are first asked for */
export function decodeFields(raw: Uint8Array, entryCount: number): PageField[] {
  const reader = new VarintReader(raw);
  const fieldCount = reader.varint();
  if (fieldCount === 0 || fieldCount > FIELD_KEYS_MAX) throw new MalformedInput(`the page declares ${fieldCount} fields`);
  const idsAt = raw.length - fieldCount * entryCount;
  const fields: PageField[] = [];
  for (let k = 0; k < fieldCount; k++) {
    const name = reader.text();
    const count = reader.varint();
    if (count > FIELD_VALUES_MAX) throw new MalformedInput(`the page's field ${name} declares ${count} values`);
    const from = reader.at;
    for (let v = 0; v < count; v++) reader.skipText();
    const start = idsAt + k * entryCount;
    fields.push(new DecodedField(name, count, raw, from, start, start + entryCount));
  }
  if (reader.at !== idsAt) throw new MalformedInput("the page's fields do not fit its entries");
  return fields;
}

class DecodedField implements PageField {
  readonly name: string;
  readonly ids: Uint8Array;
  readonly #raw: Uint8Array;
  readonly #count: number;
  readonly #from: number;
  #values: readonly string[] | undefined;

  constructor(name: string, count: number, raw: Uint8Array, from: number, idsFrom: number, idsTo: number) {
    this.name = name;
    this.ids = raw.subarray(idsFrom, idsTo);
    this.#raw = raw;
    this.#count = count;
    this.#from = from;
  }

  get values(): readonly string[] {
    return (this.#values ??= this.#decodeValues());
  }

  #decodeValues(): string[] {
    for (const id of this.ids) {
      if (id > this.#count && id !== FIELD_UNSURE) throw new MalformedInput(`an entry has a value of ${this.name} that is not there`);
    }
    const reader = new VarintReader(this.#raw, this.#from);
    return Array.from({ length: this.#count }, () => reader.text());
  }
}
