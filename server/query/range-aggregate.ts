// From buckets to the values of a range aggregation at each step (reference §2.8). Windows that overlap share their buckets: sums of
// integers by running totals, everything else by a queue of two stacks, so that the cost does not grow with range / step.

import type { RangeFn } from "../../lib/logql/ast.ts";
import { NO_TURNS, type TakeTurn } from "../../lib/runtime/turns.ts";
import { type BucketState, combine, FIELDS, type Samples, type StateKind } from "./bucket-state.ts";
import { queryErrors } from "./errors.ts";
import { quantile } from "./quantile.ts";
import type { ResultLabels } from "./series-table.ts";
import { joinNs, type Windows } from "./windows.ts";

/** Values of one series at each step; `present[k]` is 0 where it has none. */
export interface Series {
  readonly labels: ResultLabels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export interface RangeFunction {
  readonly fn: RangeFn;
  /** The φ of quantile_over_time. */
  readonly parameter: number | null;
  readonly rangeSeconds: number;
}

/** Series times steps that one node of a query may give, at nine bytes each. */
const VALUES_MAX = 48_000_000;

export function seriesMaxOf(stepCount: number): number {
  return Math.floor(VALUES_MAX / stepCount);
}

/** @throws QueryError */
export function refuseTooManyValues(seriesCount: number, stepCount: number): void {
  if (seriesCount * stepCount > VALUES_MAX) throw queryErrors.tooManyValues(seriesCount, stepCount, VALUES_MAX);
}

export function newSeries(labels: ResultLabels, stepCount: number): Series {
  return { labels, values: new Float64Array(stepCount), present: new Uint8Array(stepCount) };
}

/** @param takeTurn called between steps of what is made from single samples: a step may have to look at millions of them */
export async function finishSeries(
  labels: ResultLabels,
  id: number,
  state: BucketState,
  windows: Windows,
  how: RangeFunction,
  takeTurn: TakeTurn = NO_TURNS,
): Promise<Series> {
  const out = newSeries(labels, windows.stepCount);
  const samples = state.series[id]?.samples;
  if (samples !== undefined) await finishSamples(samples, windows, how, out, takeTurn);
  else finishBuckets(id, state, windows, how, out);
  return out;
}

/** absent_over_time: 1 wherever none of the series has a value. */
export function finishAbsent(labels: ResultLabels, counts: readonly Series[], stepCount: number): Series {
  const out = newSeries(labels, stepCount);
  out.present.fill(1);
  for (const { present } of counts) for (let k = 0; k < stepCount; k++) if (present[k] === 1) out.present[k] = 0;
  out.values.set(out.present);
  return out;
}

function finishBuckets(id: number, state: BucketState, windows: Windows, how: RangeFunction, out: Series): void {
  const { kind } = state;
  const fields = FIELDS[kind];
  const result = new Float64Array(fields);
  const queue = new WindowQueue(kind, id, state);
  for (let k = 0; k < windows.stepCount; k++) {
    queue.moveTo(windows.first[k]!, windows.last[k]!, result);
    if (result[0] === 0) continue;
    out.present[k] = 1;
    out.values[k] = windowValue(how, result);
  }
}

/** What a function makes of the numbers of one window. */
function windowValue({ fn, rangeSeconds }: RangeFunction, window: Float64Array): number {
  switch (fn) {
    case "count_over_time":
    case "absent_over_time":
      return window[0]!;
    case "rate":
      return (window.length === 1 ? window[0]! : window[1]!) / rangeSeconds;
    case "bytes_rate":
      return window[1]! / rangeSeconds;
    case "stdvar_over_time":
      return window[2]! / window[0]!;
    case "stddev_over_time":
      return Math.sqrt(window[2]! / window[0]!);
    case "first_over_time":
    case "last_over_time":
      return window[3]!;
    default:
      return window[1]!;
  }
}

/**
 * Aggregates of windows that only ever move forward. The front stack holds, for each bucket up to `#middle`, the aggregate from it to the
 * middle; the back is the running aggregate behind the middle. Each bucket is combined at most twice, whatever the overlap.
 */
class WindowQueue {
  readonly #kind: StateKind;
  readonly #fields: number;
  readonly #id: number;
  readonly #state: BucketState;
  #front = new Float64Array(0);
  readonly #back: Float64Array;
  #frontStart = 0;
  #middle = 0;
  #end = 0;

  constructor(kind: StateKind, id: number, state: BucketState) {
    this.#kind = kind;
    this.#fields = FIELDS[kind];
    this.#id = id;
    this.#state = state;
    this.#back = new Float64Array(this.#fields);
  }

  /** Writes the aggregate of buckets `first…last` to `out`. Neither bound may be smaller than in the call before. */
  moveTo(first: number, last: number, out: Float64Array): void {
    if (first >= this.#end) {
      this.#frontStart = this.#middle = this.#end = first;
      this.#back.fill(0);
    }
    for (; this.#end <= last; this.#end++) this.#add(this.#back, 0, this.#end);
    if (first >= this.#middle && first !== this.#frontStart) this.#turn(first);
    out.fill(0);
    if (first < this.#middle) {
      const at = (first - this.#frontStart) * this.#fields;
      for (let i = 0; i < this.#fields; i++) out[i] = this.#front[at + i]!;
    }
    combine(this.#kind, out, 0, this.#back, 0);
  }

  /** Moves everything that is left of the window to the front stack. */
  #turn(first: number): void {
    const count = this.#end - first;
    if (this.#front.length < count * this.#fields) this.#front = new Float64Array(count * 2 * this.#fields);
    const running = new Float64Array(this.#fields);
    for (let b = this.#end - 1; b >= first; b--) {
      const here = new Float64Array(this.#fields);
      this.#add(here, 0, b);
      combine(this.#kind, here, 0, running, 0);
      running.set(here);
      this.#front.set(here, (b - first) * this.#fields);
    }
    this.#frontStart = first;
    this.#middle = this.#end;
    this.#back.fill(0);
  }

  #add(into: Float64Array, at: number, bucket: number): void {
    const block = this.#state.blockAt(this.#id, bucket);
    if (block !== undefined) combine(this.#kind, into, at, block, this.#state.offsetOf(bucket));
  }
}

async function finishSamples(samples: Samples, windows: Windows, how: RangeFunction, out: Series, takeTurn: TakeTurn): Promise<void> {
  const { order, buckets } = how.fn === "rate_counter" ? sortedByTime(samples, windows) : sortedByBucket(samples, windows);
  const count = order.length;
  let from = 0;
  let to = 0;
  for (let k = 0; k < windows.stepCount; k++) {
    while (from < count && buckets[from]! < windows.first[k]!) from++;
    to = Math.max(to, from);
    while (to < count && buckets[to]! <= windows.last[k]!) to++;
    if (from === to) continue;
    out.present[k] = 1;
    out.values[k] =
      how.fn === "rate_counter"
        ? counterRate(samples, order, from, to, how.rangeSeconds)
        : quantileOf(samples, order, from, to, how.parameter ?? 0);
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
}

interface Sorted {
  readonly order: Uint32Array;
  /** Bucket of the i-th sample in that order. */
  readonly buckets: Int32Array;
}

function sortedByTime(samples: Samples, windows: Windows): Sorted {
  const { count, sec, nanos } = samples;
  const order = new Uint32Array(count);
  let sorted = true;
  for (let i = 0; i < count; i++) {
    order[i] = i;
    if (i > 0 && (sec[i]! < sec[i - 1]! || (sec[i] === sec[i - 1] && nanos[i]! < nanos[i - 1]!))) sorted = false;
  }
  if (!sorted) order.sort((a, b) => sec[a]! - sec[b]! || nanos[a]! - nanos[b]! || a - b);
  const buckets = Int32Array.from(order, (i) => windows.bucketOf(sec[i]!, nanos[i]!));
  return { order, buckets };
}

/** Within a bucket any order will do: a counting sort. Samples outside all buckets are left out. */
function sortedByBucket({ count, sec, nanos }: Samples, windows: Windows): Sorted {
  const bucketOf = new Int32Array(count);
  const ends = new Uint32Array(windows.bucketCount + 1);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const bucket = windows.bucketOf(sec[i]!, nanos[i]!);
    bucketOf[i] = bucket;
    if (bucket < 0 || bucket >= windows.bucketCount) continue;
    ends[bucket + 1]!++;
    kept++;
  }
  for (let b = 0; b < windows.bucketCount; b++) ends[b + 1]! += ends[b]!;
  const order = new Uint32Array(kept);
  const buckets = new Int32Array(kept);
  for (let i = 0; i < count; i++) {
    const bucket = bucketOf[i]!;
    if (bucket < 0 || bucket >= windows.bucketCount) continue;
    const at = ends[bucket]!++;
    order[at] = i;
    buckets[at] = bucket;
  }
  return { order, buckets };
}

function quantileOf(samples: Samples, order: Uint32Array, from: number, to: number, phi: number): number {
  const values = new Float64Array(to - from);
  for (let i = from; i < to; i++) values[i - from] = samples.values[order[i]!]!;
  return quantile(values, phi);
}

/**
 * Increase per second of a counter, with resets. The extrapolation to the window's bounds is Prometheus', as Loki runs it: its times are
 * nanoseconds where the range is milliseconds, so that hardly anything is extrapolated.
 */
function counterRate(samples: Samples, order: Uint32Array, from: number, to: number, rangeSeconds: number): number {
  const count = to - from;
  if (count < 2) return 0;
  const { sec, nanos, values } = samples;
  const firstAt = order[from]!;
  const lastAt = order[to - 1]!;
  const first = values[firstAt]!;
  let increase = values[lastAt]! - first;
  let before = 0;
  for (let i = from; i < to; i++) {
    const value = values[order[i]!]!;
    if (value < before) increase += before;
    before = value;
  }
  const sampled = Number(joinNs(sec[lastAt]!, nanos[lastAt]!) - joinNs(sec[firstAt]!, nanos[firstAt]!)) / 1000;
  let toStart = rangeSeconds;
  const average = sampled / (count - 1);
  if (increase > 0 && first >= 0) toStart = Math.min(toStart, sampled * (first / increase));
  const threshold = average * 1.1;
  // The window ends, for this purpose, with its last sample: nothing is added behind it.
  const extrapolated = sampled + (toStart < threshold ? toStart : average / 2) + (threshold > 0 ? 0 : average / 2);
  return (increase * (extrapolated / sampled)) / rangeSeconds;
}
