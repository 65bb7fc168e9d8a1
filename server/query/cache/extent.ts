// A run of consecutive steps of a query with the series that have a value in it. Steps are numbered from 1970 on, so that queries of the
// same step agree on them.

import type { Series } from "../range-aggregate.ts";
import { labelsKey, type ResultLabels } from "../series-table.ts";

export interface ExtentSeries {
  readonly key: string;
  readonly labels: ResultLabels;
  /** By step, from `first` on. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export interface Extent {
  /** Both inclusive. */
  readonly first: number;
  readonly last: number;
  readonly series: readonly ExtentSeries[];
  /** Bounds of the entries that the values were made from, in seconds. */
  readonly oldestSec: number;
  readonly newestSec: number;
  readonly storedMs: number;
  readonly bytes: number;
}

/** Of a value and whether it is there. */
const STEP_BYTES = 9;
export const SERIES_BYTES = 300;

/** The bounds of the steps' entries and the time of storing are the caller's. */
export type ExtentFacts = Pick<Extent, "oldestSec" | "newestSec" | "storedMs">;

/** @param steps number of the first step of the series; `first` and `last` lie within them */
export function extentOf(series: readonly Series[], steps: number, first: number, last: number, facts: ExtentFacts): Extent {
  const from = first - steps;
  const to = last - steps + 1;
  const cut = series.flatMap(({ labels, values, present }): ExtentSeries[] => {
    const own = present.slice(from, to);
    return own.includes(1) ? [{ key: labelsKey(labels), labels, values: values.slice(from, to), present: own }] : [];
  });
  return withBytes({ first, last, series: cut, ...facts });
}

/** Whether two extents overlap or stand side by side. */
export function reaches(a: Extent, b: Extent): boolean {
  return a.first <= b.last + 1 && b.first <= a.last + 1;
}

/** One extent of two that touch. Where both have a step, the second is the younger. */
export function joined(a: Extent, b: Extent): Extent {
  const first = Math.min(a.first, b.first);
  const last = Math.max(a.last, b.last);
  const series = new Map<string, ExtentSeries>();
  for (const extent of [a, b]) {
    for (const one of extent.series) {
      let whole = series.get(one.key);
      if (whole === undefined) {
        whole = { ...one, values: new Float64Array(last - first + 1), present: new Uint8Array(last - first + 1) };
        series.set(one.key, whole);
      }
      whole.values.set(one.values, extent.first - first);
      whole.present.set(one.present, extent.first - first);
    }
  }
  return withBytes({
    first,
    last,
    series: [...series.values()],
    oldestSec: Math.min(a.oldestSec, b.oldestSec),
    newestSec: Math.max(a.newestSec, b.newestSec),
    storedMs: Math.min(a.storedMs, b.storedMs),
  });
}

function withBytes(extent: Omit<Extent, "bytes">): Extent {
  let bytes = SERIES_BYTES;
  for (const { key, values } of extent.series) bytes += SERIES_BYTES + key.length * 4 + values.length * STEP_BYTES;
  return { ...extent, bytes };
}
