// The results cache of a server: there when `query_range.cache_results` is on, and told of every push.

import type { Registry } from "prom-client";
import type { Clock } from "../../../lib/runtime/clock.ts";
import type { ServerConfig } from "../../config/schema.ts";
import type { AcceptedPush } from "../../ingest/accepted-push.ts";
import { ResultsCache } from "./results-cache.ts";

const MB = 1_000_000;

export interface CacheSurroundings {
  readonly onAppend: (listener: (tenant: string, push: AcceptedPush) => void) => void;
  readonly clock: Clock;
  readonly registry: Registry;
}

export function openResultsCache(
  { cache_results, results_cache }: ServerConfig["query_range"],
  { onAppend, clock, registry }: CacheSurroundings,
): ResultsCache | undefined {
  if (!cache_results) return undefined;
  const { max_size_mb, ttl } = results_cache.cache.embedded_cache;
  const cache = new ResultsCache({ bytesMax: max_size_mb * MB, ttlMs: ttl, clock, registry });
  onAppend((tenant, push) => tellOfPush(cache, tenant, push));
  return cache;
}

/** Nearly every push is newer than everything in the cache. */
export function tellOfPush(cache: ResultsCache, tenant: string, { sec, entryCount }: AcceptedPush): void {
  const watchedSec = cache.watchedSec(tenant);
  let [minSec, maxSec] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < entryCount; i++) {
    const second = sec[i]!;
    if (second > watchedSec) continue;
    if (second < minSec) minSec = second;
    if (second > maxSec) maxSec = second;
  }
  if (minSec <= maxSec) cache.entriesArrived(tenant, minSec, maxSec);
}
