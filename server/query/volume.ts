// Volumes: how many bytes each group of streams has, over a range or per step of it, from page statistics alone. Of a page that a bound
// cuts, the part counts that its time has in the range. Rules: Loki's /loki/api/v1/index/volume (reference §1.8).

import type { Matcher } from "../../lib/logql/ast.ts";
import { createTurns, forEachInTurns, mapInTurns, sortInTurns } from "../../lib/runtime/turns.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { countedBytes, type PageStats, type StreamPages, type TimeRange } from "../page.ts";
import { QueryError } from "./errors.ts";

/** `series`: a volume per set of label values. `labels`: one per label name. */
export type AggregateBy = "series" | "labels";

export interface VolumeGrouping {
  readonly aggregateBy: AggregateBy;
  /** Names that groups are made of; undefined: all labels of a stream. */
  readonly names: readonly string[] | undefined;
}

/** Bucket i is [edges[i], edges[i + 1]) in seconds since 1970, the last one with its end; `timesMs[i]` is what its sample is dated with. */
export interface VolumeBuckets {
  readonly edges: readonly number[];
  readonly timesMs: readonly number[];
}

export interface VolumeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly timeMs: number; readonly bytes: number }[];
}

/** Steps times groups: more would block the process for a second and more, and answer a hundred megabytes. */
const CELLS_MAX = 2_000_000;

/** What a request groups by: the target labels, else the names in the selector, else (of `{}`) everything. */
export function groupingOf(matchers: readonly Matcher[], targetLabels: readonly string[], aggregateBy: AggregateBy): VolumeGrouping {
  if (targetLabels.length > 0) return { aggregateBy, names: targetLabels };
  if (matchers.length === 0) return { aggregateBy, names: undefined };
  return { aggregateBy, names: [...new Set(matchers.map(({ name }) => name))] };
}

/** The selector, and that a stream has the target labels which it does not speak of. */
export function withTargets(matchers: readonly Matcher[], targetLabels: readonly string[]): readonly Matcher[] {
  const named = new Set(matchers.map(({ name }) => name));
  return [...matchers, ...targetLabels.filter((name) => !named.has(name)).map((name): Matcher => ({ name, op: "=~", value: ".+" }))];
}

export function oneBucket(range: TimeRange): VolumeBuckets {
  return { edges: [secondsOf(range.startNs), secondsOf(range.endNs)], timesMs: [msOf(range.endNs)] };
}

/** Steps begin at multiples of the step; a sample is dated with the last millisecond of its step, the last one with the end of the range. */
export function bucketsOf({ startNs, endNs }: TimeRange, stepNs: bigint): VolumeBuckets {
  const edges = [secondsOf(startNs)];
  const timesMs: number[] = [];
  for (let nextNs = startNs - (((startNs % stepNs) + stepNs) % stepNs) + stepNs; nextNs < endNs; nextNs += stepNs) {
    edges.push(secondsOf(nextNs));
    timesMs.push(msOf(nextNs - 1_000_000n));
  }
  edges.push(secondsOf(endNs));
  timesMs.push(msOf(endNs));
  return { edges, timesMs };
}

interface Group {
  readonly metric: Readonly<Record<string, string>>;
  /** Bytes by bucket. */
  readonly cells: Float64Array;
}

/** Adds up streams, of one tenant after the other. */
export class VolumeSums {
  readonly #grouping: VolumeGrouping;
  readonly #buckets: VolumeBuckets;
  readonly #groups = new Map<string, Group>();
  readonly #byLabels = new Map<LabelSet, readonly Group[]>();
  readonly #takeTurn = createTurns();

  constructor(grouping: VolumeGrouping, buckets: VolumeBuckets) {
    this.#grouping = grouping;
    this.#buckets = buckets;
  }

  /**
   * @param seriesMax groups that stored blocks may give; what is still in memory is not held against it, as in Loki
   * @throws QueryError
   */
  async add(streams: readonly StreamPages[], seriesMax: number): Promise<void> {
    const stored = new Set<Group>();
    await forEachInTurns(streams, this.#takeTurn, ({ labels, pages }) => {
      const groups = this.#groupsOf(labels);
      for (const { stats, location } of pages) {
        for (const group of groups) {
          addPage(group.cells, stats, this.#buckets.edges);
          if (location.kind === "block") stored.add(group);
        }
      }
      if (stored.size > seriesMax) throw new QueryError(500, `the query hit the max number of series limit (limit: ${seriesMax} series)`);
    });
  }

  /** The `limit` largest of each bucket, the largest series first. */
  async finish(limit: number): Promise<VolumeSeries[]> {
    const takeTurn = this.#takeTurn;
    const groups = await mapInTurns(this.#groups, takeTurn, ([name, { metric, cells }]) => ({
      name,
      metric,
      cells,
      samples: [] as { timeMs: number; bytes: number }[],
      total: 0,
    }));
    // By name, so that a stable sort by size leaves equal ones in that order.
    const all = await sortInTurns(groups, takeTurn, (a, b) => compareCodePoints(a.name, b.name));
    for (let bucket = 0; bucket < this.#buckets.timesMs.length; bucket++) {
      let found = all.filter(({ cells }) => cells[bucket]! >= 1);
      if (found.length > limit) {
        const bySize = await sortInTurns(found, takeTurn, (a, b) => Math.floor(b.cells[bucket]!) - Math.floor(a.cells[bucket]!));
        found = bySize.slice(0, limit);
      }
      for (const one of found) {
        const bytes = Math.floor(one.cells[bucket]!);
        one.samples.push({ timeMs: this.#buckets.timesMs[bucket]!, bytes });
        one.total += bytes;
      }
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
    }
    return sortInTurns(
      all.filter(({ total }) => total > 0),
      takeTurn,
      (a, b) => b.total - a.total,
    );
  }

  #groupsOf(labels: LabelSet): readonly Group[] {
    let groups = this.#byLabels.get(labels);
    if (groups !== undefined) return groups;
    const { aggregateBy, names } = this.#grouping;
    const own = names === undefined ? labels.names : names.filter((name) => labels.has(name));
    if (aggregateBy === "labels") groups = own.map((name) => this.#group(name, { [name]: "" }));
    else {
      const set = LabelSet.of(own.map((name) => [name, labels.get(name)] as const));
      groups = [this.#group(set.toString(), set.toObject())];
    }
    this.#byLabels.set(labels, groups);
    return groups;
  }

  #group(name: string, metric: Readonly<Record<string, string>>): Group {
    let group = this.#groups.get(name);
    if (group !== undefined) return group;
    const buckets = this.#buckets.timesMs.length;
    if ((this.#groups.size + 1) * buckets > CELLS_MAX) {
      throw new QueryError(
        400,
        `the volumes of more than ${this.#groups.size} series in ${buckets} steps were asked for; use a longer step, a narrower selector or fewer target labels`,
      );
    }
    this.#groups.set(name, (group = { metric, cells: new Float64Array(buckets) }));
    return group;
  }
}

/** Spreads a page's bytes over the buckets as if its entries were evenly apart. */
function addPage(cells: Float64Array, stats: PageStats, edges: readonly number[]): void {
  const bytes = countedBytes(stats);
  const from = stats.minSec + stats.minNanos / 1e9;
  const to = stats.maxSec + stats.maxNanos / 1e9;
  if (from > edges.at(-1)! || to < edges[0]!) return;
  const first = bucketAt(edges, from);
  if (to <= from) {
    cells[first]! += bytes;
    return;
  }
  for (let bucket = first; bucket < cells.length && edges[bucket]! <= to; bucket++) {
    const part = Math.min(to, edges[bucket + 1]!) - Math.max(from, edges[bucket]!);
    cells[bucket]! += (bytes * part) / (to - from);
  }
}

/** The bucket of a time; the first one for what lies before all, the last one for the end of the range. */
function bucketAt(edges: readonly number[], seconds: number): number {
  let low = 0;
  let high = edges.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle]! <= seconds) low = middle;
    else high = middle - 1;
  }
  return low;
}

function secondsOf(ns: bigint): number {
  return Number(ns / 1_000_000_000n) + Number(ns % 1_000_000_000n) / 1e9;
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
