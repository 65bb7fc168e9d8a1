// How the results cache fares, under the names that Loki's embedded caches have.

import { Counter, type Registry } from "prom-client";
import { addLiveGauges } from "../../../lib/runtime/live-gauge.ts";

export interface CacheMetrics {
  /** Pieces asked for, and those of them that were there. */
  readonly requested: { inc(): void };
  readonly found: { inc(): void };
  readonly stored: { inc(): void };
  /** `reason`: full, ttl, late (entries arrived), deleted, replaced. */
  readonly evicted: Counter<"reason">;
}

const NAME = { name: "results" } as const;

export function createCacheMetrics(registry: Registry, read: () => { pieces: number; bytes: number }): CacheMetrics {
  const registers = [registry];
  const named = (name: string, help: string): { inc(): void } => {
    const counter = new Counter({ name, help, labelNames: ["name"], registers });
    // Rates want to see it at 0 first.
    counter.inc(NAME, 0);
    return { inc: () => counter.inc(NAME) };
  };
  addLiveGauges(registry, read, {
    loki_embeddedcache_entries: ["Pieces of answers in the results cache.", "pieces"],
    loki_embeddedcache_memory_bytes: ["Bytes of the results cache.", "bytes"],
  });
  return {
    requested: named("loki_cache_fetched_keys", "Pieces that the cache was asked for."),
    found: named("loki_cache_hits", "Pieces that were in the cache."),
    stored: named("loki_cache_stored_keys", "Pieces that were put into the cache."),
    evicted: new Counter({
      name: "loki_embeddedcache_evicted_total",
      help: "Pieces that the cache dropped, by reason.",
      labelNames: ["reason"],
      registers,
    }),
  };
}
