// What retention takes of a block: pages whose newest entry is past its stream's period. Nothing goes earlier than configured.

import type { BlockIndex } from "../block/block-index.ts";
import type { BlockMeta } from "../store/catalog.ts";
import type { Retention } from "./retention-rules.ts";
import type { Judge } from "./rewrite-block.ts";

/** A block is written anew for its old pages when they are at least this part of it … */
const REWRITE_SHARE_MIN = 0.1;
/** … or past their period for so long: a block is then written anew about once a day at most. */
const OVERDUE_MS_MAX = 24 * 3_600_000;

/** Whether everything in a block is past, whichever rule holds. */
export function isPast({ maxSec }: BlockMeta, { longestMs }: Retention, nowMs: number): boolean {
  return isOlder(maxSec, longestMs, nowMs);
}

/** Whether anything in a block may be past. */
export function mayBePast({ minSec }: BlockMeta, { shortestMs }: Retention, nowMs: number): boolean {
  return isOlder(minSec, shortestMs, nowMs);
}

export function retentionJudge({ periodMsOf }: Retention, nowMs: number): Judge {
  return (labels) => {
    const periodMs = periodMsOf(labels);
    return periodMs === Number.POSITIVE_INFINITY ? undefined : ({ maxSec }) => (isOlder(maxSec, periodMs, nowMs) ? "goes" : "stays");
  };
}

/** Whether the pages that are past are worth writing the block anew. */
export function isWorthRewriting({ streams, pages }: BlockIndex, { periodMsOf }: Retention, nowMs: number): boolean {
  let bytes = 0;
  let bytesPast = 0;
  let longestOverdueMs = 0;
  for (const { labels, firstPage, pageCount } of streams) {
    const periodMs = periodMsOf(labels);
    for (let p = firstPage; p < firstPage + pageCount; p++) {
      bytes += pages.bytes[p]!;
      if (!isOlder(pages.maxSec[p]!, periodMs, nowMs)) continue;
      bytesPast += pages.bytes[p]!;
      longestOverdueMs = Math.max(longestOverdueMs, nowMs - periodMs - (pages.maxSec[p]! + 1) * 1000);
    }
  }
  return bytesPast > 0 && (bytesPast >= bytes * REWRITE_SHARE_MIN || longestOverdueMs >= OVERDUE_MS_MAX);
}

/** Times are whole seconds: an entry may be up to one younger than they say. */
function isOlder(sec: number, periodMs: number, nowMs: number): boolean {
  return (sec + 1) * 1000 <= nowMs - periodMs;
}
