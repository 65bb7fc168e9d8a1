// How far back a log query without a filter has to look: pages' tallies say in which second the last of the wanted entries lies, before a
// single line was read.

import type { PageReader, PageTally } from "../page.ts";
import type { Direction } from "./plan.ts";
import type { ScanControl } from "./scan-control.ts";
import { bestTime, type LogPage } from "./scan-log.ts";

export interface EntryTime {
  readonly sec: number;
  readonly nanos: number;
}

/** Entries of a log query lie after the first time and up to the second. */
export interface EntryBounds {
  readonly after: readonly [sec: number, nanos: number];
  readonly upTo: readonly [sec: number, nanos: number];
}

export interface FloorQuestion {
  readonly direction: Direction;
  /** How many entries are wanted. */
  readonly limit: number;
  readonly bounds: EntryBounds;
}

/** Entries of one tick of the clock: all of them lie on the better side of `edgeSec`, or on it. */
interface Run {
  readonly edgeSec: number;
  readonly count: number;
}

/**
 * A time that at least `limit` of the pages' entries are better than, or equal to; undefined when the tallies do not know of so many.
 * Entries that are stored twice count twice.
 *
 * @param pages in the order of `pagesInOrder`
 */
export async function entryFloor(
  pages: readonly LogPage[],
  question: FloorQuestion,
  reader: PageReader,
  control: ScanControl,
): Promise<EntryTime | undefined> {
  const { direction, limit } = question;
  const sign = direction === "backward" ? -1 : 1;
  let runs: Run[] = [];
  let floor: EntryTime | undefined;
  for (const page of pages) {
    const [sec] = bestTime(page, direction);
    // Neither this page nor those behind it have a better entry.
    if (floor !== undefined && (sec - floor.sec) * sign > 0) break;
    if (page.page.deletes !== undefined) continue;
    const opened = reader.tally(page.page);
    const tally = opened instanceof Promise ? await opened : opened;
    if (tally !== undefined) addRuns(runs, tally, question);
    runs.sort((a, b) => (a.edgeSec - b.edgeSec) * sign);
    const enough = runsFor(runs, limit);
    if (enough !== undefined) {
      runs = runs.slice(0, enough);
      floor = { sec: runs.at(-1)!.edgeSec, nanos: 0 };
    }
    const turn = control.betweenLines();
    if (turn instanceof Promise) await turn;
  }
  return floor;
}

/** Adds the runs that lie within the bounds as a whole. */
function addRuns(runs: Run[], tally: PageTally, { direction, bounds: { after, upTo } }: FloorQuestion): void {
  // A bound within a second leaves that second out.
  const fromSec = after[1] > 0 ? after[0] + 1 : after[0];
  while (tally.next()) {
    const startSec = tally.endSec - tally.tickSec;
    if (startSec < fromSec || tally.endSec > upTo[0]) continue;
    runs.push({ edgeSec: direction === "backward" ? startSec : tally.endSec, count: tally.entryCount });
  }
}

/** How many runs, best first, have `limit` entries together. */
function runsFor(runs: readonly Run[], limit: number): number | undefined {
  let entries = 0;
  for (let r = 0; r < runs.length; r++) {
    entries += runs[r]!.count;
    if (entries >= limit) return r + 1;
  }
  return undefined;
}
