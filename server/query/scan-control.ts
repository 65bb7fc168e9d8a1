// What a scan tells the outside between pages: how much it has read, and whether it should go on. On the main thread it also lets other
// requests have their turn.

import { createTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { PageStats } from "../page.ts";

/** Counted while scanning; summed over workers for the answer's `stats`. */
export interface ScanStats {
  pagesOpened: number;
  pagesFromStatistics: number;
  bytes: number;
  lines: number;
  metadataBytes: number;
  linesAfterOps: number;
}

export function noStats(): ScanStats {
  return { pagesOpened: 0, pagesFromStatistics: 0, bytes: 0, lines: 0, metadataBytes: 0, linesAfterOps: 0 };
}

export function addStats(into: ScanStats, more: ScanStats): void {
  into.pagesOpened += more.pagesOpened;
  into.pagesFromStatistics += more.pagesFromStatistics;
  into.bytes += more.bytes;
  into.lines += more.lines;
  into.metadataBytes += more.metadataBytes;
  into.linesAfterOps += more.linesAfterOps;
}

export interface ScanControl {
  readonly stats: ScanStats;
  /** To be awaited after each opened page. @throws when the scan has been cancelled */
  openedPage(page: PageStats): Promise<void> | void;
  /** To be awaited every few lines that ops were run on: a page of them may take minutes. @throws as `openedPage` */
  betweenLines(): Promise<void> | void;
  sawStatistics(page: PageStats): void;
}

/** How often a worker's scan looks whether it is to stop. */
const LOOK_MS = 8;

/** @param throwIfStopped called between pages, and within one when it takes long */
export function createScanControl(throwIfStopped: () => void, yields: boolean): ScanControl {
  const stats = noStats();
  const takeTurn = yields ? createTurns(throwIfStopped) : createLooks(throwIfStopped);
  return {
    stats,
    openedPage(page) {
      stats.pagesOpened++;
      stats.bytes += page.lineBytes;
      stats.lines += page.entryCount;
      stats.metadataBytes += page.metadataBytes;
      throwIfStopped();
      return takeTurn();
    },
    betweenLines: takeTurn,
    sawStatistics(page) {
      stats.pagesFromStatistics++;
      stats.lines += page.entryCount;
      stats.linesAfterOps += page.entryCount;
    },
  };
}

/** Nobody else wants a worker's thread. */
function createLooks(throwIfStopped: () => void): TakeTurn {
  let lookedMs = performance.now();
  return () => {
    if (performance.now() - lookedMs < LOOK_MS) return;
    lookedMs = performance.now();
    throwIfStopped();
  };
}
