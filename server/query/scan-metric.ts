// One metric scan: the pages of some streams in, buckets per series out. What statistics know is not read, what the time column knows needs no
// line, and lines that the filters drop are never looked at.

import type { Kernels } from "../../lib/kernels/kernels.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineBytes, type Page, type PageReader, type PageRef, type PageTally, type StreamPages } from "../page.ts";
import { BucketState, type SeriesState, stateKindOf } from "./bucket-state.ts";
import { type ColumnScan, type ColumnScanParts, columnScanFor } from "./column-scan.ts";
import { DeletedLines } from "./deleted-lines.ts";
import { findDuplicates, groupPages, type PageGroup } from "./duplicates.ts";
import { FieldScan, looksAtLabelsOnly, type SelectedLines } from "./field-scan.ts";
import { type KeyColumns, keyColumnsFor } from "./key-columns.ts";
import { LineSelector } from "./line-selector.ts";
import { LineState } from "./line-state.ts";
import { type CompiledPipeline, compilePipeline, runOps } from "./ops/compile.ts";
import { compileUnwrap, type UnwrapOp } from "./ops/unwrap.ts";
import type { MetricPlan } from "./plan.ts";
import type { ScanControl } from "./scan-control.ts";
import { type ResultLabels, SeriesTable } from "./series-table.ts";
import { NO_BYTES, TallyScan } from "./tally-scan.ts";
import { BucketCursor, firstAfter, type Windows } from "./windows.ts";

/** Structured-clonable outcome of a scan. */
export interface MetricPartial {
  readonly labels: readonly ResultLabels[];
  readonly states: readonly SeriesState[];
}

export class MetricScan {
  readonly #windows: Windows;
  readonly #reader: PageReader;
  readonly #control: ScanControl;
  readonly #pipeline: CompiledPipeline;
  readonly #selector: LineSelector;
  readonly #columns: KeyColumns | undefined;
  /** For pages whose fields say all that the query asks. */
  readonly #fields: FieldScan | undefined;
  /** For counts of all that is there. */
  readonly #tallies: TallyScan | undefined;
  /** For pages whose lines' keys say all that the query asks. */
  readonly #columnScan: ColumnScan | undefined;
  readonly #unwrap: UnwrapOp | undefined;
  readonly #line = new LineState();
  readonly #series: SeriesTable;
  readonly #state: BucketState;
  /** No op behind the line filters looks at a line. */
  readonly #plain: boolean;
  /** The value of a sample is its line's length, not 1. */
  readonly #countsBytes: boolean;
  readonly #deleted: DeletedLines;

  constructor(plan: MetricPlan, windows: Windows, reader: PageReader, kernels: Kernels, control: ScanControl) {
    const { log, unwrap } = plan.range;
    this.#windows = windows;
    this.#reader = reader;
    this.#control = control;
    this.#columns = keyColumnsFor(log, plan.hints, kernels);
    this.#pipeline = compilePipeline(log, unwrap, plan.hints, kernels, this.#columns);
    this.#selector = new LineSelector(this.#pipeline.lineFilters, kernels, new LineState());
    this.#deleted = new DeletedLines(kernels);
    this.#unwrap = unwrap === null ? undefined : compileUnwrap(unwrap);
    this.#plain = this.#pipeline.ops.length === 0 && unwrap === null;
    this.#series = new SeriesTable(plan.grouping, plan.seriesMax);
    this.#state = new BucketState(stateKindOf(plan.fn, unwrap !== null));
    this.#countsBytes = unwrap === null && (plan.fn === "bytes_over_time" || plan.fn === "bytes_rate");
    const counts = this.#plain && !this.#countsBytes;
    this.#tallies = counts ? new TallyScan({ windows, series: this.#series, state: this.#state, labels: this.#line.labels }) : undefined;
    this.#columnScan = this.#columns === undefined ? undefined : columnScanFor(log, unwrap, plan.grouping, this.#parts(this.#columns));
    this.#fields = this.#columns !== undefined && looksAtLabelsOnly(log) ? this.#fieldScan(this.#columns) : undefined;
  }

  #parts(columns: KeyColumns): ColumnScanParts {
    return { columns, stats: this.#control.stats, series: this.#series, state: this.#state, countsBytes: this.#countsBytes };
  }

  #fieldScan(columns: KeyColumns): FieldScan {
    return new FieldScan({
      ...this.#parts(columns),
      windows: this.#windows,
      control: this.#control,
      pipeline: this.#pipeline,
      unwrap: this.#unwrap,
      line: this.#line,
    });
  }

  async addStream({ labels, pages }: StreamPages): Promise<void> {
    for (const group of await this.groupsToRead(labels, pages)) await this.addGroup(labels, group);
  }

  /** Adds what statistics and tallies know of a stream; returns the groups of pages that have to be read. */
  async groupsToRead(labels: LabelSet, pages: readonly PageRef[]): Promise<PageGroup[]> {
    const groups = groupPages(pages.filter((page) => this.#touchesWindow(page)));
    if (!this.#plain || !this.#selector.selectsAll) return groups;
    const left: PageGroup[] = [];
    for (const group of groups) {
      const turn = this.#control.betweenLines();
      if (turn instanceof Promise) await turn;
      const added = group.length === 1 && this.#addWithoutReading(labels, group[0]!);
      if (!(added instanceof Promise ? await added : added)) left.push(group);
    }
    return left;
  }

  #addWithoutReading(base: LabelSet, ref: PageRef): Promise<boolean> | boolean {
    if (ref.deletes !== undefined) return false;
    if (this.#addFromStatistics(base, ref)) return true;
    if (this.#tallies === undefined) return false;
    const tally = this.#reader.tally(ref);
    return tally instanceof Promise ? tally.then((known) => this.#addFromTally(base, ref, known)) : this.#addFromTally(base, ref, tally);
  }

  #addFromTally(base: LabelSet, ref: PageRef, tally: PageTally | undefined): boolean {
    if (tally === undefined || !this.#tallies!.add(base, ref, tally)) return false;
    this.#control.sawStatistics(ref.stats);
    return true;
  }

  /** Reads pages that overlap in time. An entry that is in two of them and passes the filters is in two that may match. */
  async addGroup(labels: LabelSet, group: PageGroup): Promise<void> {
    const possible: PageRef[] = [];
    for (const page of group) if (await this.#mayMatch(page)) possible.push(page);
    const skips = await findDuplicates(possible, this.#reader);
    for (let p = 0; p < possible.length; p++) await this.#addPage(labels, possible[p]!, skips[p]);
  }

  partial(): MetricPartial {
    return {
      labels: this.#series.labels,
      states: this.#series.labels.map((_, i) => this.#state.series[i] ?? { blocks: [], samples: undefined }),
    };
  }

  #touchesWindow({ stats }: PageRef): boolean {
    const first = Math.max(0, this.#windows.bucketOf(stats.minSec, stats.minNanos));
    const last = Math.min(this.#windows.bucketCount - 1, this.#windows.bucketOf(stats.maxSec, stats.maxNanos));
    for (let b = first; b <= last; b++) if (this.#windows.covered[b] === 1) return true;
    return false;
  }

  /** A page within one bucket whose lines nobody asks for: true when its statistics were enough. */
  #addFromStatistics(base: LabelSet, ref: PageRef): boolean {
    const { stats } = ref;
    const sole = this.#soleBucket(ref);
    const series = sole < 0 ? -1 : this.#series.ofStream(base, stats.metadataBytes > 0);
    if (series < 0) return false;
    this.#control.sawStatistics(stats);
    this.#state.addTotals(series, sole, stats.entryCount, stats.lineBytes);
    return true;
  }

  /** The bucket that the whole page lies in, or -1. */
  #soleBucket({ stats }: PageRef): number {
    const bucket = this.#windows.bucketOf(stats.minSec, stats.minNanos);
    return bucket >= 0 && bucket < this.#windows.bucketCount && bucket === this.#windows.bucketOf(stats.maxSec, stats.maxNanos)
      ? bucket
      : -1;
  }

  async #addPage(base: LabelSet, ref: PageRef, duplicates: ReadonlySet<number> | undefined): Promise<void> {
    const { stats } = ref;
    const sole = this.#soleBucket(ref);
    const series = this.#plain ? this.#series.ofStream(base, stats.metadataBytes > 0) : -1;
    const opened = this.#reader.open(ref);
    const page = opened instanceof Promise ? await opened : opened;
    await this.#control.openedPage(stats);
    const skip = ref.deletes === undefined ? duplicates : this.#deleted.of(page, base, ref.deletes, duplicates);
    const [from, to] = sole >= 0 ? [0, stats.entryCount] : this.#linesInWindows(page);
    const selected = this.#selector.selectInTurns(page, from, to, this.#control);
    const count = typeof selected === "number" ? selected : await selected;
    const lines = count < 0 ? undefined : this.#selector.hits;
    const total = count < 0 ? to - from : count;
    if (this.#plain) this.#control.stats.linesAfterOps += total;
    if (series < 0 && this.#plain) this.#addByMetadata(base, page, lines, from, total, skip);
    else if (series < 0) await this.#addLines(base, page, { lines, first: from, count: total, skip }, sole);
    else if (lines === undefined && skip === undefined) this.#addSpans(page, series, from, to);
    else this.#addHits(page, series, sole, lines, from, total, skip);
  }

  /** False when page filters say that no line of the group can pass the line filters. */
  async mayMatchAny(group: PageGroup): Promise<boolean> {
    for (const page of group) if (await this.#mayMatch(page)) return true;
    return false;
  }

  async #mayMatch({ location }: PageRef): Promise<boolean> {
    for (const { required } of this.#pipeline.lineFilters) {
      if (required === null) continue;
      let possible = false;
      for (const literal of required) {
        const answer = this.#reader.mayContain(location, literal);
        possible ||= answer instanceof Promise ? await answer : answer;
        if (possible) break;
      }
      if (!possible) return false;
    }
    return true;
  }

  #linesInWindows(page: Page): [from: number, to: number] {
    const { edgeSec, edgeNanos } = this.#windows;
    const total = page.stats.entryCount;
    const from = firstAfter(page.sec, page.nanos, 0, total, edgeSec[0]!, edgeNanos[0]!);
    const end = edgeSec.length - 1;
    return [from, firstAfter(page.sec, page.nanos, from, total, edgeSec[end]!, edgeNanos[end]!)];
  }

  /** All lines, one series: where the buckets' edges fall in the time column says how many there are. */
  #addSpans(page: Page, series: number, from: number, to: number): void {
    if (from >= to) return;
    const { edgeSec, edgeNanos, covered } = this.#windows;
    let at = from;
    for (let bucket = this.#windows.bucketOf(page.sec[from]!, page.nanos[from]!); at < to; bucket++) {
      const next = firstAfter(page.sec, page.nanos, at, to, edgeSec[bucket + 1]!, edgeNanos[bucket + 1]!);
      if (next > at && covered[bucket] === 1)
        this.#state.addTotals(series, bucket, next - at, this.#countsBytes ? lineBytes(page, at, next) : 0);
      at = next;
    }
  }

  /** Selected lines, one series. */
  #addHits(
    page: Page,
    series: number,
    sole: number,
    lines: Int32Array | undefined,
    first: number,
    count: number,
    skip: ReadonlySet<number> | undefined,
  ): void {
    if (sole >= 0 && skip === undefined && !this.#countsBytes) {
      this.#state.addTotals(series, sole, count, 0);
      return;
    }
    const cursor = new BucketCursor(this.#windows);
    for (let k = 0; k < count; k++) {
      const i = lines === undefined ? first + k : lines[k]!;
      if (skip?.has(i)) continue;
      const bucket = cursor.at(page.sec[i]!, page.nanos[i]!);
      if (this.#windows.covered[bucket] === 1) this.#state.addTotals(series, bucket, 1, this.#countsBytes ? lineBytes(page, i, i + 1) : 0);
    }
  }

  /** Selected lines whose series their metadata decide. Entries of a page with equal metadata share one list. */
  #addByMetadata(
    base: LabelSet,
    page: Page,
    lines: Int32Array | undefined,
    first: number,
    count: number,
    skip: ReadonlySet<number> | undefined,
  ): void {
    const { covered } = this.#windows;
    const { labels } = this.#line;
    const cursor = new BucketCursor(this.#windows);
    const known = new Map<unknown, number>();
    let list: unknown = known;
    let series = 0;
    for (let k = 0; k < count; k++) {
      const i = lines === undefined ? first + k : lines[k]!;
      const bucket = cursor.at(page.sec[i]!, page.nanos[i]!);
      if (covered[bucket] !== 1 || skip?.has(i)) continue;
      const metadata = page.metadata?.[i];
      if (metadata !== list) {
        list = metadata;
        const seen = known.get(metadata);
        if (seen === undefined) {
          labels.reset(base, metadata, NO_BYTES);
          known.set(metadata, (series = this.#series.ofLine(labels)));
        } else series = seen;
      }
      this.#state.addTotals(series, bucket, 1, this.#countsBytes ? lineBytes(page, i, i + 1) : 0);
    }
  }

  /** Selected lines through the ops, each to its own series. */
  async #addLines(base: LabelSet, page: Page, selected: SelectedLines, sole: number): Promise<void> {
    if (this.#fields?.load(page, base) === true) return this.#fields.add(page, base, selected, sole, this.#addLine);
    const { lines, first, count, skip } = selected;
    const { covered } = this.#windows;
    const cursor = new BucketCursor(this.#windows);
    this.#columns?.load(page, base, lines, first, count);
    const sifted = this.#columns?.sift(page, base, count);
    const siftedCount = sifted?.length ?? count;
    const columnScan = this.#columnScan?.begin(base) === true ? this.#columnScan : undefined;
    for (let s = 0; s < siftedCount; s++) {
      const k = sifted === undefined ? s : sifted[s]!;
      const i = lines === undefined ? first + k : lines[k]!;
      const bucket = cursor.at(page.sec[i]!, page.nanos[i]!);
      if (covered[bucket] !== 1 || skip?.has(i)) continue;
      if ((s & 7) === 7) {
        const turn = this.#control.betweenLines();
        if (turn instanceof Promise) await turn;
      }
      if (columnScan?.add(page, i, k, bucket) !== true) this.#addLine(page, base, i, k, bucket);
    }
  }

  /** @param ordinal of the line among those loaded into the key columns */
  readonly #addLine = (page: Page, base: LabelSet, i: number, ordinal: number, bucket: number): void => {
    const line = this.#line;
    line.setEntry(page, i, base);
    line.ordinal = ordinal;
    if (!runOps(this.#pipeline, line)) return;
    this.#control.stats.linesAfterOps++;
    this.#addSample(line, bucket);
  };

  #addSample(line: LineState, bucket: number): void {
    if (this.#unwrap === undefined) {
      const series = this.#series.ofLine(line.labels);
      this.#state.addTotals(series, bucket, 1, this.#countsBytes ? line.byteLength : 0);
      return;
    }
    const value = this.#unwrap(line);
    if (value !== undefined) this.#state.add(this.#series.ofLine(line.labels), bucket, value, line.sec, line.nanos);
  }
}
