// A metric query over time, answered from the results cache as far as it goes: the steps that are missing are evaluated, in runs, and those
// of them that are old enough are kept. Each step is evaluated as it would be alone, so how a query is cut does not show in its values
// (beyond the order in which fractions are added up).

import { forEachInTurns, NO_TURNS, type TakeTurn } from "../../../lib/runtime/turns.ts";
import { newSeries, type Series } from "../range-aggregate.ts";
import { labelsKey } from "../series-table.ts";
import type { Steps } from "../windows.ts";
import { type Extent, extentOf } from "./extent.ts";
import type { CacheQuery, CacheTicket, ResultsCache } from "./results-cache.ts";

export interface CachedRange {
  readonly tenants: readonly string[];
  readonly query: string;
  readonly steps: Steps;
  /** How far the query looks from a step: back to the oldest entry and on to the newest. */
  readonly backMs: number;
  readonly aheadMs: number;
  /** Time that one piece of the cache covers. */
  readonly intervalMs: number;
  /** Nothing is kept that was made from entries behind this time. */
  readonly newestMs: number;
  readonly nowMs: number;
}

/** A piece of fewer steps costs more than it holds. */
const PIECE_STEPS_MIN = 24;

/** @param evaluate gives the series of some steps */
export async function answerFromCache(
  cache: ResultsCache,
  range: CachedRange,
  evaluate: (steps: Steps) => Promise<readonly Series[]>,
  takeTurn: TakeTurn = NO_TURNS,
): Promise<Series[]> {
  const grid = gridOf(range);
  const lastKept = Math.min(grid.last, grid.stepAt(range.newestMs - range.aheadMs));
  const ticket = cache.begin(grid.query, grid.oldestSec(grid.first), grid.newestSec(Math.max(grid.first, lastKept)));
  try {
    const known = extentsOf(cache, grid);
    const runs = missingRuns(grid, known);
    const answer = new Stitched(grid, range.steps.count, takeTurn);
    for (const extent of known) await answer.addExtent(extent);
    for (const { first, last } of runs) {
      const series = await evaluate(grid.stepsOf(first, last));
      if (runs.length === 1 && known.length === 0) {
        keep(cache, ticket, grid, series, first, Math.min(last, lastKept), range.nowMs);
        return [...series];
      }
      await answer.add(series, first);
      keep(cache, ticket, grid, series, first, Math.min(last, lastKept), range.nowMs);
    }
    return answer.finish();
  } finally {
    cache.end(ticket);
  }
}

/** The steps of a query, numbered from 1970 on. */
interface Grid {
  readonly query: CacheQuery;
  readonly first: number;
  readonly last: number;
  readonly pieceSteps: number;
  readonly stepsOf: (first: number, last: number) => Steps;
  /** The last step at or before a time. */
  readonly stepAt: (ms: number) => number;
  /** Bounds of the entries that a step looks at, in whole seconds. */
  readonly oldestSec: (step: number) => number;
  readonly newestSec: (step: number) => number;
}

function gridOf({ tenants, query, steps, backMs, aheadMs, intervalMs }: CachedRange): Grid {
  const { startNs, stepNs, count } = steps;
  const phaseNs = ((startNs % stepNs) + stepNs) % stepNs;
  const first = Number((startNs - phaseNs) / stepNs);
  const timeMs = (step: number): number => Number(BigInt(step) * stepNs + phaseNs) / 1e6;
  return {
    query: { tenants, key: `${query}\u0000${stepNs}\u0000${phaseNs}` },
    first,
    last: first + count - 1,
    pieceSteps: Math.max(PIECE_STEPS_MIN, Math.floor((intervalMs * 1e6) / Number(stepNs))),
    stepsOf: (from, to) => ({ startNs: BigInt(from) * stepNs + phaseNs, stepNs, count: to - from + 1 }),
    stepAt: (ms) => Number((BigInt(Math.floor(ms)) * 1_000_000n - phaseNs) / stepNs),
    oldestSec: (step) => Math.floor((timeMs(step) - backMs) / 1000),
    newestSec: (step) => Math.ceil((timeMs(step) + aheadMs) / 1000),
  };
}

/** What the cache has of the query's steps, in order, cut to them. */
function extentsOf(cache: ResultsCache, grid: Grid): Extent[] {
  const found: Extent[] = [];
  for (let piece = pieceOf(grid, grid.first); piece <= pieceOf(grid, grid.last); piece++) {
    const extent = cache.get(grid.query, piece);
    if (extent !== undefined && extent.first <= grid.last && extent.last >= grid.first) found.push(extent);
  }
  return found;
}

function missingRuns(grid: Grid, known: readonly Extent[]): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = [];
  let next = grid.first;
  for (const { first, last } of known) {
    if (first > next) runs.push({ first: next, last: first - 1 });
    next = Math.max(next, last + 1);
  }
  if (next <= grid.last) runs.push({ first: next, last: grid.last });
  return runs;
}

/** Puts steps `[first, last]` of evaluated series into the pieces they belong to. */
function keep(
  cache: ResultsCache,
  ticket: CacheTicket,
  grid: Grid,
  series: readonly Series[],
  first: number,
  last: number,
  storedMs: number,
): void {
  // An extent of them would be put together only to be thrown away.
  if (series.length > cache.extentSeriesMax) return;
  for (let from = first; from <= last; ) {
    const piece = pieceOf(grid, from);
    const to = Math.min(last, (piece + 1) * grid.pieceSteps - 1);
    const facts = { oldestSec: grid.oldestSec(from), newestSec: grid.newestSec(to), storedMs };
    cache.put(ticket, piece, extentOf(series, first, from, to, facts));
    from = to + 1;
  }
}

function pieceOf({ pieceSteps }: Grid, step: number): number {
  return Math.floor(step / pieceSteps);
}

/** Series put together from parts of the query's steps. */
class Stitched {
  readonly #grid: Grid;
  readonly #count: number;
  readonly #takeTurn: TakeTurn;
  readonly #series = new Map<string, Series>();

  constructor(grid: Grid, count: number, takeTurn: TakeTurn) {
    this.#grid = grid;
    this.#count = count;
    this.#takeTurn = takeTurn;
  }

  /** @param first number of the first step of the series */
  add(series: readonly Series[], first: number): Promise<void> {
    return forEachInTurns(series, this.#takeTurn, (one) => this.#copy(labelsKey(one.labels), one, first, 0, one.values.length));
  }

  addExtent({ series, first, last }: Extent): Promise<void> {
    const from = Math.max(first, this.#grid.first);
    const to = Math.min(last, this.#grid.last);
    return forEachInTurns(series, this.#takeTurn, (one) => this.#copy(one.key, one, from, from - first, to - first + 1));
  }

  finish(): Series[] {
    return [...this.#series.values()].filter(({ present }) => present.includes(1));
  }

  #copy(key: string, { labels, values, present }: Series, first: number, from: number, to: number): void {
    let whole = this.#series.get(key);
    if (whole === undefined) this.#series.set(key, (whole = newSeries(labels, this.#count)));
    whole.values.set(values.subarray(from, to), first - this.#grid.first);
    whole.present.set(present.subarray(from, to), first - this.#grid.first);
  }
}
