// Samples read straight from key columns: for pipelines that parse a line, filter by what was parsed, and take a number or a count of it,
// the ops need not run. A line that the columns are not sure of, or whose value only a real parser can read, is left to the ops.

import { JSON_ABSENT, JSON_ESCAPED_STRING, JSON_NULL } from "../../lib/kernels/kernels.ts";
import type { LogExpr, Op, Unwrap } from "../../lib/logql/ast.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineBytes, type Page } from "../page.ts";
import type { BucketState } from "./bucket-state.ts";
import { type ColumnTest, columnTest, DROP, isPlain, KEEP, UNSURE, type Verdict } from "./column-tests.ts";
import { namesOf, type SeriesGrouping } from "./hints.ts";
import type { KeyColumns } from "./key-columns.ts";
import { ERROR_DETAILS_LABEL, ERROR_LABEL, type SpanReader } from "./line-labels.ts";
import { splitLineFilters } from "./ops/compile.ts";
import { spanReader } from "./ops/unwrap.ts";
import type { ScanStats } from "./scan-control.ts";
import type { SeriesTable } from "./series-table.ts";
import { SpanMemo } from "./span-memo.ts";

export interface ColumnScanParts {
  readonly columns: KeyColumns;
  readonly stats: ScanStats;
  readonly series: SeriesTable;
  readonly state: BucketState;
  readonly countsBytes: boolean;
}

/** A scan for the query; undefined when its ops do more than parse and filter, or its series take more than a few labels' values. */
export function columnScanFor(
  log: LogExpr,
  unwrap: Unwrap | null,
  grouping: SeriesGrouping,
  parts: ColumnScanParts,
): ColumnScan | undefined {
  const [parser, ...ops] = splitLineFilters(log.ops).late;
  if (parser?.kind !== "json" && parser?.kind !== "logfmt") return undefined;
  if (grouping.kind !== "none" && (grouping.kind !== "by" || grouping.labels.some(isErrorLabel))) return undefined;
  if (!ops.every((op) => op.kind === "labelFilter" || isErrorDrop(op))) return undefined;
  return new ColumnScan(ops, unwrap, grouping, parts);
}

/** `drop __error__`: lines that the columns are sure of have none. */
function isErrorDrop(op: Op): boolean {
  return op.kind === "drop" && op.items.every(({ name, matcher }) => matcher === null && isErrorLabel(name));
}

function isErrorLabel(name: string): boolean {
  return name === ERROR_LABEL || name === ERROR_DETAILS_LABEL;
}

interface SampleValue {
  readonly slot: number;
  readonly read: SpanReader;
}

export class ColumnScan {
  readonly #parts: ColumnScanParts;
  readonly #grouping: SeriesGrouping;
  /** Names that the line itself has to have: where the stream has one as a label, the ops know better. */
  readonly #own: readonly string[];
  readonly #tests: readonly ColumnTest[];
  readonly #value: SampleValue | undefined;
  /** Tests that stand behind the unwrap. */
  readonly #valueTests: readonly ColumnTest[];
  /** Columns of the grouping's labels; -1 where the stream has the label. */
  readonly #slots: number[] = [];
  /** Values of the grouping's labels for the line at hand. */
  readonly #values: (string | undefined)[] = [];
  readonly #texts = new SpanMemo((text) => (isPlain(text) ? text : undefined));

  constructor(ops: readonly Op[], unwrap: Unwrap | null, grouping: SeriesGrouping, parts: ColumnScanParts) {
    const { columns } = parts;
    this.#parts = parts;
    this.#grouping = grouping;
    const filters = ops.flatMap((op) => (op.kind === "labelFilter" ? [op.filter] : []));
    const valueFilters = unwrap?.filters ?? [];
    this.#own = [...filters, ...valueFilters].flatMap(namesOf).concat(unwrap?.label ?? []);
    this.#tests = filters.map((filter) => columnTest(filter, columns));
    this.#valueTests = valueFilters.map((filter) => columnTest(filter, columns));
    this.#value = unwrap === null ? undefined : { slot: columns.slotOf(unwrap.label), read: spanReader(unwrap.conversion) };
  }

  /** Whether `add` may be called for the lines of a stream in the page that the key columns have loaded. */
  begin(base: LabelSet): boolean {
    const { columns } = this.#parts;
    if (columns.inMetadata || this.#own.some((name) => base.has(name))) return false;
    this.#grouping.labels.forEach((name, g) => {
      this.#slots[g] = base.has(name) ? -1 : columns.slotOf(name);
      this.#values[g] = base.get(name);
    });
    return true;
  }

  /** Adds the sample of a loaded line, if it has one. False: the ops have to tell; nothing was added then. */
  add(page: Page, index: number, ordinal: number, bucket: number): boolean {
    const { columns, stats, series, state, countsBytes } = this.#parts;
    if (!columns.isSure(ordinal)) return false;
    const { bytes } = page;
    const verdict = judge(this.#tests, bytes, ordinal);
    const valueVerdict = judge(this.#valueTests, bytes, ordinal);
    if (verdict === UNSURE || valueVerdict === UNSURE) return false;
    if (verdict === DROP) return true;
    if (!this.#readGroup(bytes, ordinal)) return false;
    if (this.#value === undefined) {
      stats.linesAfterOps++;
      state.addTotals(this.#series(series), bucket, 1, countsBytes ? lineBytes(page, index, index + 1) : 0);
      return true;
    }
    const value = this.#read(this.#value, bytes, ordinal);
    if (value === undefined) return false;
    stats.linesAfterOps++;
    if (value !== MISSING && valueVerdict === KEEP) state.add(this.#series(series), bucket, value, page.sec[index]!, page.nanos[index]!);
    return true;
  }

  /** MISSING when the line has no such label; undefined when its value has to be read by the unwrap itself. */
  #read({ slot, read }: SampleValue, bytes: Uint8Array, ordinal: number): number | undefined {
    const { columns } = this.#parts;
    const kind = columns.kindOf(ordinal, slot);
    if (kind === JSON_ABSENT || kind === JSON_NULL) return MISSING;
    return kind === JSON_ESCAPED_STRING ? undefined : read(bytes, columns.startOf(ordinal, slot), columns.endOf(ordinal, slot));
  }

  /** Sets the values of the grouping's labels; false when one is no plain text. */
  #readGroup(bytes: Uint8Array, ordinal: number): boolean {
    const { columns } = this.#parts;
    for (let g = 0; g < this.#slots.length; g++) {
      const slot = this.#slots[g]!;
      if (slot < 0) continue;
      const kind = columns.kindOf(ordinal, slot);
      if (kind === JSON_ABSENT || kind === JSON_NULL) {
        this.#values[g] = undefined;
        continue;
      }
      const text =
        kind === JSON_ESCAPED_STRING ? undefined : this.#texts.of(bytes, columns.startOf(ordinal, slot), columns.endOf(ordinal, slot));
      if (text === undefined) return false;
      this.#values[g] = text;
    }
    return true;
  }

  #series(series: SeriesTable): number {
    return this.#grouping.kind === "none" ? series.ofNothing() : series.ofValues(this.#values);
  }
}

/** No number that a span can hold. */
const MISSING = Number.NEGATIVE_INFINITY;

/** UNSURE when one test is, whatever others say: its op sets an error as soon as the label is there, and filters before it see that. */
function judge(tests: readonly ColumnTest[], bytes: Uint8Array, ordinal: number): Verdict {
  let verdict: Verdict = KEEP;
  for (let t = 0; t < tests.length; t++) {
    const one = tests[t]!(bytes, ordinal);
    if (one === UNSURE) return UNSURE;
    if (one === DROP) verdict = DROP;
  }
  return verdict;
}
