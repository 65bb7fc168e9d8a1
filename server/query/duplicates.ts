// An entry that was pushed twice (a client's retry) may lie in two pages of its stream. Entries with the same time, line and structured
// metadata count once (reference §2.12). Pages whose times do not overlap cannot share an entry, and that is nearly all of them.

import { lineStart } from "../../lib/wire/push-columns.ts";
import type { Page, PageReader, PageRef, PageStats } from "../page.ts";

/** Pages of one stream that overlap in time, directly or by way of others, oldest first. */
export type PageGroup = readonly PageRef[];

/** Cuts a stream's pages into groups without overlap, in time order. */
export function groupPages(pages: readonly PageRef[]): PageGroup[] {
  const sorted = [...pages].sort((a, b) => compareTimes(a.stats.minSec, a.stats.minNanos, b.stats.minSec, b.stats.minNanos));
  const groups: PageRef[][] = [];
  let end: PageStats | undefined;
  for (const page of sorted) {
    const { stats } = page;
    const apart = end === undefined || compareTimes(stats.minSec, stats.minNanos, end.maxSec, end.maxNanos) > 0;
    if (apart) groups.push([page]);
    else groups.at(-1)!.push(page);
    if (end === undefined || compareTimes(stats.maxSec, stats.maxNanos, end.maxSec, end.maxNanos) > 0) end = stats;
  }
  return groups;
}

export function compareTimes(aSec: number, aNanos: number, bSec: number, bNanos: number): number {
  return aSec - bSec || aNanos - bNanos;
}

/** For each page of a group, the lines that are repetitions of an entry in an earlier page (or earlier in the same page). */
export async function findDuplicates(group: PageGroup, reader: PageReader): Promise<(Set<number> | undefined)[]> {
  if (group.length === 1) return [undefined];
  const shared = await sharedTimes(group, reader);
  if (shared.size === 0) return group.map(() => undefined);
  const seen = new Set<string>();
  const skips: (Set<number> | undefined)[] = [];
  for (const ref of group) {
    const page = await reader.open(ref);
    let skip: Set<number> | undefined;
    for (let i = 0; i < ref.stats.entryCount; i++) {
      if (!shared.has(timeKey(page.sec[i]!, page.nanos[i]!))) continue;
      const key = entryKey(page, i);
      if (seen.has(key)) (skip ??= new Set()).add(i);
      else seen.add(key);
    }
    skips.push(skip);
  }
  return skips;
}

/** Times that occur in more than one page of the group. Only time columns are read. */
async function sharedTimes(group: PageGroup, reader: PageReader): Promise<Set<string>> {
  const inEarlier = new Set<string>();
  const shared = new Set<string>();
  for (let p = 0; p < group.length; p++) {
    const page = await reader.open(group[p]!);
    const own: string[] = [];
    const others = group.filter((other, q) => q !== p && overlap(other.stats, page.stats));
    for (let i = 0; i < page.stats.entryCount; i++) {
      if (!mayBeIn(others, page.sec[i]!, page.nanos[i]!)) continue;
      const key = timeKey(page.sec[i]!, page.nanos[i]!);
      if (inEarlier.has(key)) shared.add(key);
      else own.push(key);
    }
    for (const key of own) inEarlier.add(key);
  }
  return shared;
}

function overlap(a: PageStats, b: PageStats): boolean {
  return compareTimes(a.minSec, a.minNanos, b.maxSec, b.maxNanos) <= 0 && compareTimes(b.minSec, b.minNanos, a.maxSec, a.maxNanos) <= 0;
}

function mayBeIn(pages: readonly PageRef[], sec: number, nanos: number): boolean {
  for (const { stats } of pages) {
    if (compareTimes(sec, nanos, stats.minSec, stats.minNanos) >= 0 && compareTimes(sec, nanos, stats.maxSec, stats.maxNanos) <= 0)
      return true;
  }
  return false;
}

function timeKey(sec: number, nanos: number): string {
  return `${sec}.${nanos}`;
}

function entryKey(page: Page, i: number): string {
  const start = lineStart(page.ends, i);
  const line = Buffer.from(page.bytes.buffer, page.bytes.byteOffset + start, page.ends[i]! - start).toString("latin1");
  const metadata = page.metadata?.[i];
  return `${page.sec[i]}.${page.nanos[i]}\u0000${metadata === undefined ? "" : JSON.stringify(metadata)}\u0000${line}`;
}
