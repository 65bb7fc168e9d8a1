// One log scan: the best `limit` entries of some streams. Pages are read from the side the direction names, and only while they can still
// hold a better entry than the worst one kept.

import type { Kernels } from "../../lib/kernels/kernels.ts";
import { sortInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Page, PageReader, PageRef, StreamPages } from "../page.ts";
import { DeletedLines } from "./deleted-lines.ts";
import { compareTimes } from "./duplicates.ts";
import { type EntryBounds, entryFloor } from "./entry-floor.ts";
import { EntryKeeper, type LogPartial } from "./entry-keeper.ts";
import { LineSelector } from "./line-selector.ts";
import { LineState } from "./line-state.ts";
import { type CompiledPipeline, compilePipeline, runOps } from "./ops/compile.ts";
import type { Direction, LogPlan } from "./plan.ts";
import type { ScanControl } from "./scan-control.ts";
import { firstAfter, splitNs } from "./windows.ts";

/** A page that a log query may have to read. */
export interface LogPage {
  readonly labels: LabelSet;
  /** Position of the stream among all of the query, for ties. */
  readonly stream: number;
  readonly page: PageRef;
}

/** All pages of the streams, those that can hold the best entries first. */
export function pagesInOrder(streams: readonly StreamPages[], direction: Direction, takeTurn: TakeTurn): Promise<LogPage[]> {
  const pages = streams.flatMap(({ labels, pages }, stream) => pages.map((page): LogPage => ({ labels, stream, page })));
  const backward = direction === "backward";
  return sortInTurns(pages, takeTurn, (a, b) => (backward ? byEnd(b, a) : byStart(a, b)) || a.stream - b.stream);
}

/** The best time of a page's entries. */
export function bestTime({ page: { stats } }: LogPage, direction: Direction): readonly [sec: number, nanos: number] {
  return direction === "backward" ? [stats.maxSec, stats.maxNanos] : [stats.minSec, stats.minNanos];
}

export class LogScan {
  readonly #plan: LogPlan;
  readonly #reader: PageReader;
  readonly #control: ScanControl;
  readonly #pipeline: CompiledPipeline;
  readonly #selector: LineSelector;
  readonly #line = new LineState();
  #keeper: EntryKeeper;
  readonly #deleted: DeletedLines;
  readonly #bounds: EntryBounds;

  constructor(plan: LogPlan, reader: PageReader, kernels: Kernels, control: ScanControl) {
    this.#plan = plan;
    this.#reader = reader;
    this.#control = control;
    this.#pipeline = compilePipeline(plan.log, null, plan.hints, kernels);
    this.#selector = new LineSelector(this.#pipeline.lineFilters, kernels, new LineState());
    this.#keeper = new EntryKeeper(plan.limit, plan.direction);
    this.#deleted = new DeletedLines(kernels);
    this.#bounds = { after: splitNs(plan.startNs - 1n), upTo: splitNs(plan.endNs - 1n) };
  }

  /** @param pages in the order of `pagesInOrder` */
  async scan(pages: readonly LogPage[]): Promise<LogPartial> {
    const { limit, direction } = this.#plan;
    const all = this.#pipeline.ops.length === 0 && this.#selector.selectsAll;
    const floor = all ? await entryFloor(pages, { limit, direction, bounds: this.#bounds }, this.#reader, this.#control) : undefined;
    if (floor !== undefined) {
      this.#keeper = new EntryKeeper(limit, direction, { floor });
      const entries = await this.#best(pages);
      if (entries.length >= limit) return entries;
      // Some were stored twice, as after a push that was repeated, and count once.
      this.#keeper = new EntryKeeper(limit, direction);
    }
    return this.#best(pages);
  }

  async #best(pages: readonly LogPage[]): Promise<LogPartial> {
    for (const page of pages) {
      const [sec, nanos] = bestTime(page, this.#plan.direction);
      // All pages behind this one in the order are no better.
      if (!this.#keeper.wants(sec, nanos)) break;
      if (this.#overlapsRange(page.page) && (await this.#mayMatch(page.page))) await this.#scanPage(page);
    }
    return this.#keeper.finish();
  }

  #overlapsRange({ stats }: PageRef): boolean {
    const { after, upTo } = this.#bounds;
    return (
      compareTimes(stats.maxSec, stats.maxNanos, after[0], after[1]) > 0 &&
      compareTimes(stats.minSec, stats.minNanos, upTo[0], upTo[1]) <= 0
    );
  }

  async #mayMatch({ location }: PageRef): Promise<boolean> {
    for (const { required } of this.#pipeline.lineFilters) {
      if (required === null) continue;
      let possible = false;
      for (const literal of required) possible ||= await this.#reader.mayContain(location, literal);
      if (!possible) return false;
    }
    return true;
  }

  async #scanPage({ labels, stream, page: ref }: LogPage): Promise<void> {
    const page = await this.#reader.open(ref);
    await this.#control.openedPage(ref.stats);
    const deleted = ref.deletes === undefined ? undefined : this.#deleted.of(page, labels, ref.deletes);
    const { after, upTo } = this.#bounds;
    const from = firstAfter(page.sec, page.nanos, 0, ref.stats.entryCount, after[0], after[1]);
    const to = firstAfter(page.sec, page.nanos, from, ref.stats.entryCount, upTo[0], upTo[1]);
    const selected = this.#selector.selectInTurns(page, from, to, this.#control);
    const count = typeof selected === "number" ? selected : await selected;
    const lines = count < 0 ? undefined : this.#selector.hits;
    const total = count < 0 ? to - from : count;
    const backward = this.#plan.direction === "backward";
    for (let n = 0; n < total; n++) {
      const k = backward ? total - 1 - n : n;
      const i = lines === undefined ? from + k : lines[k]!;
      if (!this.#keeper.wants(page.sec[i]!, page.nanos[i]!)) break;
      if (deleted?.has(i)) continue;
      this.#take(page, i, labels, stream);
      if ((n & 3) !== 3) continue;
      const turn = this.#control.betweenLines();
      if (turn instanceof Promise) await turn;
    }
    this.#keeper.fill();
  }

  #take(page: Page, i: number, base: LabelSet, stream: number): void {
    const line = this.#line;
    line.setEntry(page, i, base);
    if (!runOps(this.#pipeline, line)) return;
    this.#control.stats.linesAfterOps++;
    this.#keeper.add(line, stream, i);
  }
}

function byEnd(a: LogPage, b: LogPage): number {
  return compareTimes(a.page.stats.maxSec, a.page.stats.maxNanos, b.page.stats.maxSec, b.page.stats.maxNanos);
}

function byStart(a: LogPage, b: LogPage): number {
  return compareTimes(a.page.stats.minSec, a.page.stats.minNanos, b.page.stats.minSec, b.page.stats.minNanos);
}
