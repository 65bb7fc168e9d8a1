// What a range aggregation remembers per series and bucket: a few numbers that can be put together with those of the next bucket, or
// (quantile, counters) the samples themselves. States of several workers merge the same way.

import type { RangeFn } from "../../lib/logql/ast.ts";
import { queryErrors } from "./errors.ts";

export type StateKind = "count" | "sum" | "min" | "max" | "moments" | "first" | "last" | "samples";

export function stateKindOf(fn: RangeFn, unwrapped: boolean): StateKind {
  switch (fn) {
    case "count_over_time":
    case "absent_over_time":
      return "count";
    case "rate":
      return unwrapped ? "sum" : "count";
    case "bytes_rate":
    case "bytes_over_time":
    case "sum_over_time":
      return "sum";
    case "min_over_time":
      return "min";
    case "max_over_time":
      return "max";
    case "avg_over_time":
    case "stddev_over_time":
    case "stdvar_over_time":
      return "moments";
    case "first_over_time":
      return "first";
    case "last_over_time":
      return "last";
    case "quantile_over_time":
    case "rate_counter":
      return "samples";
  }
}

/** Numbers per bucket: [0] is the count of samples; then the sum; the extreme; mean and sum of squares; or seconds, nanoseconds, value. */
export const FIELDS: Readonly<Record<StateKind, number>> = { count: 1, sum: 2, min: 2, max: 2, moments: 3, first: 4, last: 4, samples: 1 };

/** Buckets of a series are made in blocks, so that a series seen once in a long range stays small. */
const BLOCK_BUCKETS = 64;

/** Samples of one series with their times, in the order of arrival. */
export interface Samples {
  count: number;
  sec: Int32Array;
  nanos: Int32Array;
  values: Float64Array;
}

/** Structured-clonable state of one series: blocks by number, or samples. */
export interface SeriesState {
  blocks: (Float64Array | undefined)[];
  samples: Samples | undefined;
}

export class BucketState {
  readonly kind: StateKind;
  readonly series: SeriesState[] = [];
  readonly #fields: number;
  #sampleCount = 0;

  constructor(kind: StateKind) {
    this.kind = kind;
    this.#fields = FIELDS[kind];
  }

  /** Adds `count` entries (and, for `sum`, their total) to a bucket. */
  addTotals(series: number, bucket: number, count: number, total: number): void {
    const block = this.#block(series, bucket);
    const at = (bucket % BLOCK_BUCKETS) * this.#fields;
    block[at]! += count;
    if (this.#fields > 1) block[at + 1]! += total;
  }

  add(series: number, bucket: number, value: number, sec: number, nanos: number): void {
    if (this.kind === "samples") {
      if (++this.#sampleCount > SAMPLES_MAX) throw queryErrors.tooManySamples(SAMPLES_MAX);
      addSample(this.#state(series), value, sec, nanos);
      return;
    }
    const block = this.#block(series, bucket);
    const at = (bucket % BLOCK_BUCKETS) * this.#fields;
    const count = block[at]!++;
    switch (this.kind) {
      case "sum":
        block[at + 1]! += value;
        break;
      case "min":
        if (count === 0 || value < block[at + 1]! || Number.isNaN(block[at + 1]!)) block[at + 1] = value;
        break;
      case "max":
        if (count === 0 || value > block[at + 1]! || Number.isNaN(block[at + 1]!)) block[at + 1] = value;
        break;
      case "moments": {
        const mean = block[at + 1]!;
        const delta = value - mean;
        // An infinite mean stays what it is: inf - inf would make it NaN.
        block[at + 1] = Number.isFinite(delta) ? mean + delta / (count + 1) : mean + value;
        block[at + 2]! += delta * (value - block[at + 1]!);
        break;
      }
      case "first":
        if (count === 0 || isBefore(sec, nanos, block[at + 1]!, block[at + 2]!)) setTimed(block, at, sec, nanos, value);
        break;
      case "last":
        if (count === 0 || !isBefore(sec, nanos, block[at + 1]!, block[at + 2]!)) setTimed(block, at, sec, nanos, value);
        break;
    }
  }

  /** Takes over another's series; `ids[i]` is the number here of series i there. */
  merge(other: readonly SeriesState[], ids: readonly number[]): void {
    other.forEach((state, i) => {
      const mine = this.#state(ids[i]!);
      if (state.samples !== undefined) appendSamples(mine, state.samples);
      state.blocks.forEach((block, b) => {
        if (block === undefined) return;
        const known = mine.blocks[b];
        if (known === undefined) mine.blocks[b] = block;
        else for (let at = 0; at < block.length; at += this.#fields) combine(this.kind, known, at, block, at);
      });
    });
  }

  /** The block and offset of a bucket for reading; undefined when nothing is in the block. */
  blockAt(series: number, bucket: number): Float64Array | undefined {
    return this.series[series]?.blocks[Math.floor(bucket / BLOCK_BUCKETS)];
  }

  offsetOf(bucket: number): number {
    return (bucket % BLOCK_BUCKETS) * this.#fields;
  }

  #state(series: number): SeriesState {
    return (this.series[series] ??= { blocks: [], samples: undefined });
  }

  #block(series: number, bucket: number): Float64Array {
    const { blocks } = this.#state(series);
    const number = Math.floor(bucket / BLOCK_BUCKETS);
    return (blocks[number] ??= new Float64Array(BLOCK_BUCKETS * this.#fields));
  }
}

/** Adds the bucket at `from[b]` to that at `into[a]`, which is the earlier one where order counts. */
export function combine(kind: StateKind, into: Float64Array, a: number, from: Float64Array, b: number): void {
  const more = from[b]!;
  if (more === 0) return;
  const had = into[a]!;
  if (had === 0) {
    for (let i = 0; i < FIELDS[kind]; i++) into[a + i] = from[b + i]!;
    return;
  }
  into[a] = had + more;
  switch (kind) {
    case "sum":
      into[a + 1]! += from[b + 1]!;
      break;
    case "min":
      if (from[b + 1]! < into[a + 1]! || Number.isNaN(into[a + 1]!)) into[a + 1] = from[b + 1]!;
      break;
    case "max":
      if (from[b + 1]! > into[a + 1]! || Number.isNaN(into[a + 1]!)) into[a + 1] = from[b + 1]!;
      break;
    case "moments": {
      const delta = from[b + 1]! - into[a + 1]!;
      const share = more / (had + more);
      into[a + 2]! += from[b + 2]! + delta * delta * had * share;
      into[a + 1] = Number.isFinite(delta) ? into[a + 1]! + delta * share : into[a + 1]! + from[b + 1]!;
      break;
    }
    case "first":
      if (isBefore(from[b + 1]!, from[b + 2]!, into[a + 1]!, into[a + 2]!)) setTimed(into, a, from[b + 1]!, from[b + 2]!, from[b + 3]!);
      break;
    case "last":
      if (!isBefore(from[b + 1]!, from[b + 2]!, into[a + 1]!, into[a + 2]!)) setTimed(into, a, from[b + 1]!, from[b + 2]!, from[b + 3]!);
      break;
  }
}

function isBefore(sec: number, nanos: number, otherSec: number, otherNanos: number): boolean {
  return sec < otherSec || (sec === otherSec && nanos < otherNanos);
}

function setTimed(block: Float64Array, at: number, sec: number, nanos: number, value: number): void {
  block[at + 1] = sec;
  block[at + 2] = nanos;
  block[at + 3] = value;
}

/** Samples of one scan, at 16 bytes each, that quantiles and counters may keep in memory. */
const SAMPLES_MAX = 32_000_000;

function addSample(state: SeriesState, value: number, sec: number, nanos: number): void {
  const samples = (state.samples ??= { count: 0, sec: new Int32Array(64), nanos: new Int32Array(64), values: new Float64Array(64) });
  if (samples.count === samples.values.length) grow(samples, samples.count * 2);
  samples.sec[samples.count] = sec;
  samples.nanos[samples.count] = nanos;
  samples.values[samples.count++] = value;
}

function appendSamples(state: SeriesState, more: Samples): void {
  if (state.samples === undefined) {
    state.samples = more;
    return;
  }
  const { samples } = state;
  const count = samples.count + more.count;
  if (count > samples.values.length) grow(samples, Math.max(count, samples.values.length * 2));
  samples.sec.set(more.sec.subarray(0, more.count), samples.count);
  samples.nanos.set(more.nanos.subarray(0, more.count), samples.count);
  samples.values.set(more.values.subarray(0, more.count), samples.count);
  samples.count = count;
}

function grow(samples: Samples, room: number): void {
  const { sec, nanos, values } = samples;
  samples.sec = new Int32Array(room);
  samples.nanos = new Int32Array(room);
  samples.values = new Float64Array(room);
  samples.sec.set(sec);
  samples.nanos.set(nanos);
  samples.values.set(values);
}
