// When a range aggregation looks where. Step k covers the window (t_k - R - offset, t_k - offset]. All window edges, sorted, cut time into
// buckets; a window is a run of buckets, so overlapping windows are aggregated in one pass: each entry goes into one bucket, and
// windows are put together from buckets.

/** Steps of a query: `count` of them, the first at `startNs`. An instant query is one step. */
export interface Steps {
  readonly startNs: bigint;
  readonly stepNs: bigint;
  readonly count: number;
}

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_MAX = 0x7fffffff;

export class Windows {
  readonly rangeNs: bigint;
  readonly stepCount: number;
  /** Entries after the first edge and up to the last one can be in a window. */
  readonly firstEdgeNs: bigint;
  readonly lastEdgeNs: bigint;
  readonly bucketCount: number;
  /** Bucket b is (edge b, edge b+1]. */
  readonly edgeSec: Int32Array;
  readonly edgeNanos: Int32Array;
  /** 1: some window covers the bucket. */
  readonly covered: Uint8Array;
  /** Window k is the buckets `first[k] … last[k]`, both inclusive. */
  readonly first: Int32Array;
  readonly last: Int32Array;

  constructor(steps: Steps, rangeMs: number, offsetMs: number) {
    this.rangeNs = BigInt(Math.round(rangeMs * 1e6));
    const offsetNs = BigInt(Math.round(offsetMs * 1e6));
    this.stepCount = steps.count;
    const edges = sortedEdges(steps, this.rangeNs, offsetNs);
    this.firstEdgeNs = edges[0] ?? 0n;
    this.lastEdgeNs = edges.at(-1) ?? 0n;
    this.bucketCount = Math.max(0, edges.length - 1);
    this.edgeSec = new Int32Array(edges.length);
    this.edgeNanos = new Int32Array(edges.length);
    const at = new Map<bigint, number>();
    edges.forEach((ns, i) => {
      at.set(ns, i);
      const [sec, nanos] = splitNs(ns);
      this.edgeSec[i] = sec;
      this.edgeNanos[i] = nanos;
    });
    this.first = new Int32Array(steps.count);
    this.last = new Int32Array(steps.count);
    this.covered = new Uint8Array(this.bucketCount);
    for (let k = 0; k < steps.count; k++) {
      const end = steps.startNs + BigInt(k) * steps.stepNs - offsetNs;
      this.first[k] = at.get(end - this.rangeNs)!;
      this.last[k] = at.get(end)! - 1;
    }
    markCovered(this.covered, this.first, this.last);
  }

  /** The bucket of a time, -1 before the first and `bucketCount` behind the last. */
  bucketOf(sec: number, nanos: number): number {
    let low = 0;
    let high = this.edgeSec.length;
    // The number of edges that lie before the time.
    while (low < high) {
      const mid = (low + high) >> 1;
      const edge = this.edgeSec[mid]!;
      if (edge < sec || (edge === sec && this.edgeNanos[mid]! < nanos)) low = mid + 1;
      else high = mid;
    }
    return low - 1;
  }
}

function sortedEdges(steps: Steps, rangeNs: bigint, offsetNs: bigint): bigint[] {
  const edges = new Set<bigint>();
  for (let k = 0; k < steps.count; k++) {
    const end = steps.startNs + BigInt(k) * steps.stepNs - offsetNs;
    edges.add(end - rangeNs);
    edges.add(end);
  }
  return [...edges].sort((a, b) => (a < b ? -1 : 1));
}

function markCovered(covered: Uint8Array, first: Int32Array, last: Int32Array): void {
  let done = 0;
  for (let k = 0; k < first.length; k++) {
    for (let b = Math.max(done, first[k]!); b <= last[k]!; b++) covered[b] = 1;
    done = Math.max(done, last[k]! + 1);
  }
}

/** Seconds (held within 32 bits, as pages have them) and nanoseconds of a time. */
export function splitNs(ns: bigint): [sec: number, nanos: number] {
  let sec = ns / NS_PER_SECOND;
  let nanos = ns % NS_PER_SECOND;
  if (nanos < 0n) {
    nanos += NS_PER_SECOND;
    sec -= 1n;
  }
  if (sec > SECONDS_MAX) return [SECONDS_MAX, 999_999_999];
  if (sec < -SECONDS_MAX) return [-SECONDS_MAX, 0];
  return [Number(sec), Number(nanos)];
}

export function joinNs(sec: number, nanos: number): bigint {
  return BigInt(sec) * NS_PER_SECOND + BigInt(nanos);
}

/** Milliseconds of each step, as results are stamped. */
export function stepTimesMs(steps: Steps): Float64Array {
  const times = new Float64Array(steps.count);
  for (let k = 0; k < steps.count; k++) times[k] = Number((steps.startNs + BigInt(k) * steps.stepNs) / NS_PER_MS);
  return times;
}

/** First index in `from..to` of a time column that lies after (sec, nanos). */
export function firstAfter(secs: Int32Array, nanos: Int32Array, from: number, to: number, sec: number, nano: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const mid = (low + high) >> 1;
    const s = secs[mid]!;
    if (s < sec || (s === sec && nanos[mid]! <= nano)) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** The bucket of ascending times: moves on from the last one instead of searching. */
export class BucketCursor {
  readonly #windows: Windows;
  #bucket = -2;

  constructor(windows: Windows) {
    this.#windows = windows;
  }

  at(sec: number, nanos: number): number {
    const { edgeSec, edgeNanos } = this.#windows;
    if (this.#bucket < -1) this.#bucket = this.#windows.bucketOf(sec, nanos);
    let next = this.#bucket + 1;
    while (next < edgeSec.length && (edgeSec[next]! < sec || (edgeSec[next] === sec && edgeNanos[next]! < nanos))) next++;
    this.#bucket = next - 1;
    return this.#bucket;
  }
}
