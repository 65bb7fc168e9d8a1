// Counts over time from pages' tallies, which say how many entries each second has: where a query's edges fall on whole ticks of a tally,
// the page itself is not read.

import type { LabelSet } from "../../lib/wire/labels.ts";
import type { PageRef, PageStats, PageTally } from "../page.ts";
import type { BucketState } from "./bucket-state.ts";
import type { LineLabels } from "./line-labels.ts";
import type { SeriesTable } from "./series-table.ts";
import { BucketCursor, type Windows } from "./windows.ts";

/** Labels of an entry alone are never spans of its page, whose lines need not be decoded for them. */
export const NO_BYTES = new Uint8Array(0);

export interface TallyScanSetting {
  readonly windows: Windows;
  readonly series: SeriesTable;
  readonly state: BucketState;
  /** Scratch. */
  readonly labels: LineLabels;
}

export class TallyScan {
  readonly #setting: TallyScanSetting;

  constructor(setting: TallyScanSetting) {
    this.#setting = setting;
  }

  /** Adds all of a page's entries; false, and nothing added, when the page has to be read. */
  add(base: LabelSet, { stats }: PageRef, tally: PageTally): boolean {
    if (!this.#edgesAreTicks(stats, tally.tickSec)) return false;
    const { windows, series, state } = this.#setting;
    const sole = series.ofStream(base, stats.metadataBytes > 0);
    /** Series by list; a list that no window sees has none. */
    const byList: number[] = sole < 0 ? [] : new Array<number>(tally.lists.length).fill(sole);
    const cursor = new BucketCursor(windows);
    // Runs of one series in one bucket, the usual thing, are added up before they are counted.
    let bucket = -1;
    let id = -1;
    let count = 0;
    while (tally.next()) {
      const nextBucket = cursor.at(tally.endSec, 0);
      if (windows.covered[nextBucket] !== 1) continue;
      const nextId = (byList[tally.list] ??= this.#seriesOf(base, tally));
      if (nextBucket !== bucket || nextId !== id) {
        if (count > 0) state.addTotals(id, bucket, count, 0);
        bucket = nextBucket;
        id = nextId;
        count = 0;
      }
      count += tally.entryCount;
    }
    if (count > 0) state.addTotals(id, bucket, count, 0);
    return true;
  }

  #seriesOf(base: LabelSet, { lists, list }: PageTally): number {
    const { series, labels } = this.#setting;
    labels.reset(base, lists[list], NO_BYTES);
    return series.ofLine(labels);
  }

  /** Whether no edge parts the entries of a tick. */
  #edgesAreTicks({ minSec, minNanos, maxSec, maxNanos }: PageStats, tickSec: number): boolean {
    const { windows } = this.#setting;
    const last = windows.bucketOf(maxSec, maxNanos);
    for (let edge = windows.bucketOf(minSec, minNanos) + 1; edge <= last; edge++) {
      if (windows.edgeNanos[edge] !== 0 || windows.edgeSec[edge]! % tickSec !== 0) return false;
    }
    return true;
  }
}
