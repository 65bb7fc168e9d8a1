// Samples of lines that are not read: the ops run once for each tuple of field values in a page, and lines take part by the number of
// their tuple. Only for pipelines that look at nothing but the labels of `| json`; lines whose fields are unsure are read, in their turn.

import type { LogExpr } from "../../lib/logql/ast.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineBytes, type Page } from "../page.ts";
import type { ColumnScanParts } from "./column-scan.ts";
import { FieldTuples, UNSURE } from "./field-tuples.ts";
import type { LineState } from "./line-state.ts";
import { type CompiledPipeline, runOps } from "./ops/compile.ts";
import type { UnwrapOp } from "./ops/unwrap.ts";
import type { ScanControl } from "./scan-control.ts";
import { BucketCursor, type Windows } from "./windows.ts";

export interface FieldScanParts extends ColumnScanParts {
  readonly windows: Windows;
  readonly control: ScanControl;
  readonly pipeline: CompiledPipeline;
  readonly unwrap: UnwrapOp | undefined;
  readonly line: LineState;
}

/** The lines of a page that passed the line filters. */
export interface SelectedLines {
  /** Ascending indexes; undefined: all from `first` on. */
  readonly lines: Int32Array | undefined;
  readonly first: number;
  readonly count: number;
  readonly skip: ReadonlySet<number> | undefined;
}

/** Reads one line, the `ordinal`th of those loaded into the key columns. */
export type AddLine = (page: Page, base: LabelSet, index: number, ordinal: number, bucket: number) => void;

/** Whether the ops look at nothing but labels, and `| json` is the only one that sets any. */
export function looksAtLabelsOnly({ ops }: LogExpr): boolean {
  let parsers = 0;
  for (const op of ops) {
    if (op.kind === "json") parsers++;
    else if (op.kind !== "lineFilter" && op.kind !== "labelFilter" && op.kind !== "drop" && op.kind !== "keep") return false;
  }
  return parsers === 1;
}

// What is known of a tuple; from 1 on, 1 + the number of an outcome.
const UNKNOWN = 0;
const DROPPED = -1;
/** The ops keep the line, but the unwrap finds no number in it. */
const NO_SAMPLE = -2;
/** Its lines carry an error, and with it all of their labels: each stands for itself. */
const EACH_ITS_OWN = -3;

/** Labels of fields are texts, never spans of a line. */
const NO_BYTES = new Uint8Array(0);

export class FieldScan {
  readonly #parts: FieldScanParts;
  readonly #tuples: FieldTuples;
  #known = new Int32Array(0);
  /** Tuples of the page that have samples: series, the sample's value, and lines and bytes in the current bucket. */
  readonly #series: number[] = [];
  readonly #values: number[] = [];
  readonly #counts: number[] = [];
  readonly #bytes: number[] = [];
  /** Outcomes with lines in the current bucket. */
  readonly #touched: number[] = [];
  #unsure = new Int32Array(0);

  constructor(parts: FieldScanParts) {
    this.#parts = parts;
    this.#tuples = new FieldTuples(parts.columns.names);
  }

  /** False when the page's fields do not say enough; true: `add` may be called for it. */
  load(page: Page, base: LabelSet): boolean {
    return this.#tuples.load(page, base);
  }

  /** Adds the samples of selected lines. @param sole the bucket that the whole page lies in, or -1 */
  async add(page: Page, base: LabelSet, selected: SelectedLines, sole: number, addLine: AddLine): Promise<void> {
    const { windows, control, columns } = this.#parts;
    const { lines, first, count, skip } = selected;
    const { codes } = this.#tuples;
    this.#begin();
    const all = this.#known;
    columns.load(page, base, this.#unsure, 0, this.#findUnsure(selected));
    const cursor = new BucketCursor(windows);
    let bucket = sole;
    let ordinal = 0;
    for (let k = 0, slow = 0; k < count; k++) {
      const i = lines === undefined ? first + k : lines[k]!;
      const code = codes[i]!;
      const known = code === UNSURE ? UNKNOWN : all[code]!;
      if (code === UNSURE) ordinal++;
      if (skip?.has(i)) continue;
      if (sole < 0) {
        const next = cursor.at(page.sec[i]!, page.nanos[i]!);
        if (next !== bucket) {
          this.#flush(bucket);
          bucket = next;
        }
      }
      if (windows.covered[bucket] !== 1) continue;
      if (known > UNKNOWN || known === NO_SAMPLE) {
        control.stats.linesAfterOps++;
        if (known > UNKNOWN) this.#addSample(known - 1, page, i, bucket);
      } else if (known !== DROPPED) {
        if ((++slow & 7) === 0) {
          const turn = control.betweenLines();
          if (turn instanceof Promise) await turn;
        }
        if (code === UNSURE) addLine(page, base, i, ordinal - 1, bucket);
        else this.#run(code, page, base, i, bucket);
      }
    }
    this.#flush(bucket);
  }

  #begin(): void {
    const { tupleCount } = this.#tuples;
    if (this.#known.length < tupleCount) this.#known = new Int32Array(Math.max(1024, tupleCount));
    this.#known.fill(UNKNOWN, 0, tupleCount);
    this.#series.length = this.#values.length = this.#counts.length = this.#bytes.length = this.#touched.length = 0;
  }

  /** Collects the selected lines that have to be read; returns how many. */
  #findUnsure({ lines, first, count }: SelectedLines): number {
    if (this.#unsure.length < count) this.#unsure = new Int32Array(Math.max(4096, count));
    const { codes } = this.#tuples;
    let found = 0;
    for (let k = 0; k < count; k++) {
      const i = lines === undefined ? first + k : lines[k]!;
      if (codes[i] === UNSURE) this.#unsure[found++] = i;
    }
    return found;
  }

  /** Counts are held back until the bucket is over, since they only add up. */
  #addSample(outcome: number, page: Page, i: number, bucket: number): void {
    const { unwrap, state, countsBytes } = this.#parts;
    if (unwrap !== undefined) {
      state.add(this.#series[outcome]!, bucket, this.#values[outcome]!, page.sec[i]!, page.nanos[i]!);
      return;
    }
    if (this.#counts[outcome]!++ === 0) this.#touched.push(outcome);
    if (countsBytes) this.#bytes[outcome]! += lineBytes(page, i, i + 1);
  }

  #flush(bucket: number): void {
    for (const outcome of this.#touched) {
      this.#parts.state.addTotals(this.#series[outcome]!, bucket, this.#counts[outcome]!, this.#bytes[outcome]!);
      this.#counts[outcome] = this.#bytes[outcome] = 0;
    }
    this.#touched.length = 0;
  }

  /** Runs the ops for a line by its fields, and notes how lines of this tuple fare. */
  #run(code: number, page: Page, base: LabelSet, i: number, bucket: number): void {
    const { control, pipeline, columns, unwrap, line, series, state, countsBytes } = this.#parts;
    line.setLine(i, NO_BYTES, 0, 0);
    line.labels.reset(base, page.metadata?.[i], NO_BYTES);
    columns.beginTuple(this.#tuples, code);
    const kept = runOps(pipeline, line);
    columns.endTuple();
    this.#known[code] = kept ? NO_SAMPLE : DROPPED;
    if (!kept) return;
    control.stats.linesAfterOps++;
    const value = unwrap === undefined ? 1 : unwrap(line);
    if (value === undefined) return;
    const into = series.ofLine(line.labels);
    if (line.labels.error !== "" || line.labels.errorDetails !== "") {
      this.#known[code] = EACH_ITS_OWN;
      if (unwrap !== undefined) state.add(into, bucket, value, page.sec[i]!, page.nanos[i]!);
      else state.addTotals(into, bucket, 1, countsBytes ? lineBytes(page, i, i + 1) : 0);
      return;
    }
    this.#known[code] = this.#series.push(into);
    this.#values.push(value);
    this.#counts.push(0);
    this.#bytes.push(0);
    this.#addSample(this.#series.length - 1, page, i, bucket);
  }
}
