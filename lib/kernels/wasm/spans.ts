// Where the spans of a call lie: what has to be brought into the module's memory, and whether the spans may be trusted at all.

export interface Extent {
  /** The part of the bytes that all spans lie in. */
  readonly from: number;
  readonly to: number;
  /** Bytes of all spans together. */
  readonly sum: number;
}

/** Of the spans 0..count, or of those among the first `pickCount` of `picks`. Undefined when one is not within `bytes`. */
export function extentOf(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  picks?: Int32Array,
  pickCount = count,
): Extent | undefined {
  if (count > starts.length || count > ends.length || (picks !== undefined && pickCount > picks.length)) return undefined;
  let from = bytes.length;
  let to = 0;
  let sum = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks === undefined ? k : picks[k]!;
    if (i < 0 || i >= count) return undefined;
    const start = starts[i]!;
    const end = ends[i]!;
    if (start < 0 || end < start || end > bytes.length) return undefined;
    if (start < from) from = start;
    if (end > to) to = end;
    sum += end - start;
  }
  return { from: Math.min(from, to), to, sum };
}
