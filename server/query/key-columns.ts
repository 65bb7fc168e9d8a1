// The few keys that a query asks of `| json` or `| logfmt`, found for all selected lines of a page by one kernel call. Only for names that no
// other spelling of a key, and no nesting, can make: letters and digits without an underscore. Lines the kernel is not sure of go the
// tokenizer's way, so that the answer is the same; and like the tokenizer the kernel reads no further than to the last wanted key.

import {
  JSON_ABSENT,
  JSON_ENOUGH,
  JSON_ESCAPED_STRING,
  JSON_LINE_OBJECT,
  JSON_NESTED,
  JSON_NULL,
  JSON_PLAIN_STRING,
  JSON_TRIMMED_KEYS,
  type Kernels,
} from "../../lib/kernels/kernels.ts";
import type { LogExpr, Op } from "../../lib/logql/ast.ts";
import { textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { Page } from "../page.ts";
import { type FieldTuples, metadataNames } from "./field-tuples.ts";
import { type ExtractionState, namesOf, type ParserHints } from "./hints.ts";
import { ERROR_LABEL, PARSED_LABEL, plainNumber } from "./line-labels.ts";
import type { LineState } from "./line-state.ts";
import { splitLineFilters } from "./ops/compile.ts";
import { isAscii } from "./ops/json.ts";
import { cleanText, labelText } from "./ops/json-scan.ts";
import { compareWith } from "./ops/label-filter.ts";

/** More keys than this cost the kernel more than the tokenizer saves. */
const KEYS_MAX = 8;
const encoder = new TextEncoder();

/** Columns for a pipeline whose first parser is `| json` or `| logfmt` and of which only a few plain labels are asked; else undefined. */
export function keyColumnsFor(log: LogExpr, hints: ParserHints, kernels: Kernels): KeyColumns | undefined {
  const { required } = hints;
  if (required === null || required.length === 0 || required.length > KEYS_MAX) return undefined;
  if (!required.every((name) => name === ERROR_LABEL || /^[a-zA-Z][a-zA-Z0-9]*$/.test(name))) return undefined;
  const { late } = splitLineFilters(log.ops);
  const first = late.find((op) => op.kind !== "labelFilter" && op.kind !== "drop" && op.kind !== "keep");
  const parser = first === undefined ? undefined : parserOf(first);
  if (parser === undefined) return undefined;
  return new KeyColumns(parser, required, first === late[0] ? numberTests(log) : new Map(), kernels);
}

function parserOf(op: Op): KeyParser | undefined {
  if (op.kind === "json") return op.extractions.length === 0 ? "json" : undefined;
  return op.kind === "logfmt" && op.extractions.length === 0 && !op.strict && !op.keepEmpty ? "logfmt" : undefined;
}

/** The parser whose keys are found. */
export type KeyParser = "json" | "logfmt";

type NumberTest = (value: number) => boolean;

interface NumberFilter {
  /** Position of the name among the columns. */
  readonly slot: number;
  readonly name: string;
  readonly holds: NumberTest;
}

/** The number filters that `| json` holds each label against as soon as it has it (`earlyFilters` in ops/compile.ts). */
function numberTests(log: LogExpr): ReadonlyMap<string, NumberTest> {
  const tests = new Map<string, NumberTest>();
  const met = new Set<string>();
  for (const op of log.ops) {
    if (op.kind !== "labelFilter" || op.filter.kind === "and" || op.filter.kind === "or") continue;
    const { filter } = op;
    const [name = ""] = namesOf(filter);
    if (!met.has(name) && filter.kind === "number") tests.set(name, compareWith(filter.op, filter.value));
    met.add(name);
  }
  return tests;
}

export class KeyColumns {
  readonly parser: KeyParser;
  readonly names: readonly string[];
  readonly #keys: readonly Uint8Array[];
  readonly #tests: readonly NumberFilter[];
  readonly #kernels: Kernels;
  /** Position of `__error__` among the names: a key of that name is the tokenizer's business. */
  readonly #errorKey: number;
  #usable = false;
  /** Some entry of the page has one of the names as a label already. */
  #inMetadata = false;
  /** Set while the ops run for a tuple of field values instead of a line. */
  #tuples: FieldTuples | undefined;
  #tuple = 0;
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  #verdict = new Uint8Array(0);
  #kind = new Uint8Array(0);
  #valueStart = new Int32Array(0);
  #valueEnd = new Int32Array(0);
  #passing = new Int32Array(0);

  /** @param tests number filters that a line of the parser's has to pass, by label */
  constructor(parser: KeyParser, names: readonly string[], tests: ReadonlyMap<string, NumberTest>, kernels: Kernels) {
    this.parser = parser;
    // An error is no label that a line is read to.
    this.names = [...names.filter((name) => name !== ERROR_LABEL), ...names.filter((name) => name === ERROR_LABEL)];
    this.#keys = this.names.map((name) => encoder.encode(name));
    this.#tests = this.names.flatMap((name, slot) => (tests.has(name) ? [{ slot, name, holds: tests.get(name)! }] : []));
    this.#kernels = kernels;
    this.#errorKey = this.names.indexOf(ERROR_LABEL);
  }

  /** @param lines indexes of the selected lines; undefined: `count` lines from `first` on */
  load(page: Page, base: LabelSet, lines: Int32Array | undefined, first: number, count: number): void {
    this.#usable = count > 0;
    if (!this.#usable) return;
    // A key that the stream or the entry has as a label is none of those the tokenizer waits for.
    this.#inMetadata = metadataNames(page, this.names);
    const enough = !this.#inMetadata && !this.names.some((name) => base.has(name));
    this.#reserve(count);
    const { ends } = page;
    for (let k = 0; k < count; k++) {
      const i = lines === undefined ? first + k : lines[k]!;
      this.#starts[k] = lineStart(ends, i);
      this.#ends[k] = ends[i]!;
    }
    this.#scan(page.bytes, count, enough);
  }

  #scan(bytes: Uint8Array, count: number, enough: boolean): void {
    const into = [this.#verdict, this.#kind, this.#valueStart, this.#valueEnd] as const;
    if (this.parser === "json") {
      const rules = JSON_TRIMMED_KEYS + (enough ? JSON_ENOUGH : 0);
      this.#kernels.scanJson(bytes, this.#starts, this.#ends, count, this.#keys, rules, ...into);
    } else {
      const labels = this.#errorKey < 0 ? this.#keys.length : this.#keys.length - 1;
      this.#kernels.scanLogfmt(bytes, this.#starts, this.#ends, count, this.#keys, enough ? labels : 0, ...into);
    }
  }

  /**
   * Ordinals of the loaded lines without those that a number filter is certain to drop: a plain number that fails it. Undefined when nothing
   * can be said. Valid until the next call.
   */
  sift(page: Page, base: LabelSet, count: number): Int32Array | undefined {
    if (!this.#usable || this.#inMetadata) return undefined;
    const tests = this.#tests.filter(({ name }) => !base.has(name));
    if (tests.length === 0) return undefined;
    let kept = 0;
    for (let k = 0; k < count; k++) if (this.#mayPass(page.bytes, k, tests)) this.#passing[kept++] = k;
    return this.#passing.subarray(0, kept);
  }

  #mayPass(bytes: Uint8Array, ordinal: number, tests: readonly NumberFilter[]): boolean {
    const base = ordinal * this.names.length;
    if (this.#verdict[ordinal] !== JSON_LINE_OBJECT || (this.#errorKey >= 0 && this.#kind[base + this.#errorKey] !== JSON_ABSENT))
      return true;
    for (const { slot, holds } of tests) {
      const kind = this.#kind[base + slot]!;
      if (kind === JSON_ABSENT || kind === JSON_NULL || kind === JSON_NESTED || kind === JSON_ESCAPED_STRING) continue;
      const value = plainNumber(bytes, this.#valueStart[base + slot]!, this.#valueEnd[base + slot]!);
      if (value !== undefined && !holds(value)) return false;
    }
    return true;
  }

  /** Until `endTuple`, `apply` sets the labels of a tuple. */
  beginTuple(tuples: FieldTuples, tuple: number): void {
    this.#tuples = tuples;
    this.#tuple = tuple;
  }

  endTuple(): void {
    this.#tuples = undefined;
  }

  /** Whether what the kernel found of a loaded line is all that the query can see of it. */
  isSure(ordinal: number): boolean {
    if (!this.#usable || this.#verdict[ordinal] !== JSON_LINE_OBJECT) return false;
    const base = ordinal * this.names.length;
    if (this.#errorKey >= 0 && this.#kind[base + this.#errorKey] !== JSON_ABSENT) return false;
    for (let k = 0; k < this.names.length; k++) if (this.#kind[base + k] === JSON_NESTED) return false;
    return true;
  }

  /** Whether an entry of the loaded page has one of the names as structured metadata, which stands before the line's own. */
  get inMetadata(): boolean {
    return this.#inMetadata;
  }

  /** Position of a label's column; -1 when nobody asks for it. */
  slotOf(name: string): number {
    return this.names.indexOf(name);
  }

  /** Kind of a value (`JSON_ABSENT` …), `slot` being the position of its name. */
  kindOf(ordinal: number, slot: number): number {
    return this.#kind[ordinal * this.names.length + slot]!;
  }

  startOf(ordinal: number, slot: number): number {
    return this.#valueStart[ordinal * this.names.length + slot]!;
  }

  endOf(ordinal: number, slot: number): number {
    return this.#valueEnd[ordinal * this.names.length + slot]!;
  }

  /** Sets the line's labels. Unsure: the line has to be read by the tokenizer; nothing was set then. */
  apply(line: LineState, wanted: ExtractionState): "kept" | "dropped" | "unsure" {
    if (this.#tuples !== undefined) return this.#applyTuple(this.#tuples, line, wanted);
    const { ordinal, labels } = line;
    if (!this.isSure(ordinal)) return "unsure";
    const base = ordinal * this.names.length;
    for (let k = 0; k < this.names.length; k++) {
      const kind = this.#kind[base + k]!;
      if (kind === JSON_ABSENT || kind === JSON_NULL) continue;
      const name = this.names[k]!;
      if (labels.baseHas(name) || !wanted.wants(name)) continue;
      const start = this.#valueStart[base + k]!;
      const end = this.#valueEnd[base + k]!;
      if (kind === JSON_ESCAPED_STRING || (kind === JSON_PLAIN_STRING && !isAscii(line.bytes, start, end))) {
        labels.set(PARSED_LABEL, name, this.#textOf(line.bytes, start, end));
      } else labels.setSpan(name, start, end);
      if (!wanted.took(name, line)) return "dropped";
    }
    return "kept";
  }

  /** A backslash is an escape in JSON; in a logfmt value that has none it is itself. */
  #textOf(bytes: Uint8Array, start: number, end: number): string {
    return this.parser === "json" ? labelText(bytes, start, end) : cleanText(textOf(bytes, start, end));
  }

  #applyTuple(tuples: FieldTuples, line: LineState, wanted: ExtractionState): "kept" | "dropped" {
    for (const name of this.names) {
      const value = tuples.valueOf(this.#tuple, name);
      if (value === undefined || !wanted.wants(name)) continue;
      line.labels.set(PARSED_LABEL, name, value);
      if (!wanted.took(name, line)) return "dropped";
    }
    return "kept";
  }

  #reserve(count: number): void {
    if (this.#starts.length >= count) return;
    const room = Math.max(count, this.#starts.length * 2, 2048);
    const slots = room * this.names.length;
    this.#starts = new Int32Array(room);
    this.#ends = new Int32Array(room);
    this.#verdict = new Uint8Array(room);
    this.#passing = new Int32Array(room);
    this.#kind = new Uint8Array(slots);
    this.#valueStart = new Int32Array(slots);
    this.#valueEnd = new Int32Array(slots);
  }
}
