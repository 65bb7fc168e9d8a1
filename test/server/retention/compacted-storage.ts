// A storage with delete requests, compactor and query engine over it, on a clock that tests move.

import { join } from "node:path";
import { Registry } from "prom-client";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type Disk, systemDisk } from "../../../lib/runtime/disk.ts";
import { type Limits, limitsSchema } from "../../../server/config/limits.ts";
import type { DeleteRequest } from "../../../server/deletes/delete-request.ts";
import { type DeleteStore, openDeleteStore } from "../../../server/deletes/delete-store.ts";
import { PendingDeletes } from "../../../server/deletes/pending-deletes.ts";
import { VisibleView } from "../../../server/deletes/visible-view.ts";
import { tellOfPush } from "../../../server/query/cache/open-cache.ts";
import { ResultsCache } from "../../../server/query/cache/results-cache.ts";
import { createQueryEngine, type QueryEngine } from "../../../server/query/engine.ts";
import { queryLimitsOf } from "../../../server/query/limits.ts";
import { Compactor } from "../../../server/retention/compactor.ts";
import { openStorage, type Storage } from "../../../server/storage.ts";
import { silentLog } from "../../silent-log.ts";
import { type ModelEntry, pushOf } from "../storage-entries.ts";

/** When the clock begins. */
export const NOW_SEC = 1_700_000_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const CANCEL_MS = HOUR_MS;

export interface Compacted {
  readonly storage: Storage;
  readonly deletes: DeleteStore;
  readonly pending: PendingDeletes;
  readonly view: VisibleView;
  readonly compactor: Compactor;
  readonly engine: QueryEngine;
  /** The same with a results cache before it. */
  readonly cachedEngine: QueryEngine;
  readonly cache: ResultsCache;
  readonly clock: ReturnType<typeof manualClock>;
  readonly registry: Registry;
  /** Tenants whose past changed, in order. */
  readonly changed: string[];
  push(entries: readonly ModelEntry[], tenant?: string): Promise<void>;
  /** Asks for lines to go; times are seconds since `NOW_SEC`. */
  remove(query: string, fromSec: number, toSec: number, more?: Partial<DeleteRequest>): Promise<DeleteRequest>;
  /** Lines of a log query over all time, sorted. */
  lines(query: string, tenant?: string): Promise<string[]>;
  /** Value of an instant query that answers one number; 0 for none. */
  value(query: string): Promise<number>;
  close(): Promise<void>;
}

export interface CompactedOptions {
  readonly disk?: Disk;
  readonly limits?: Record<string, unknown>;
  /** By tenant, over `limits`. */
  readonly overrides?: Readonly<Record<string, Record<string, unknown>>>;
  readonly clock?: ReturnType<typeof manualClock>;
  readonly batchSize?: number;
  readonly flushBytes?: number;
  readonly cacheBytes?: number;
}

export async function openCompacted(folder: string, options: CompactedOptions = {}): Promise<Compacted> {
  const { disk = systemDisk, clock = manualClock(NOW_SEC * 1000) } = options;
  const registry = new Registry();
  const limits = { max_query_length: "0s", max_entries_limit_per_query: 0, ...options.limits };
  const global = limitsSchema.parse(limits);
  const limitsOf = (tenant: string): Limits => {
    const own = options.overrides?.[tenant];
    return own === undefined ? global : limitsSchema.parse({ ...limits, ...own });
  };
  const storage = await openStorage({
    walFolder: join(folder, "wal"),
    storeFolder: join(folder, "chunks"),
    idleMs: 1e12,
    maxAgeMs: 1e12,
    flushOnClose: false,
    clock,
    log: silentLog,
    registry,
    disk,
    ...(options.flushBytes === undefined ? {} : { flushBytes: options.flushBytes }),
  });
  const deletes = await openDeleteStore(join(folder, "chunks", "deletes"), disk);
  const pending = new PendingDeletes(deletes, (tenant) => limitsOf(tenant).deletion_mode, silentLog);
  const view = new VisibleView(storage, pending);
  const changed: string[] = [];
  const cache = new ResultsCache({ bytesMax: options.cacheBytes ?? 1e6, ttlMs: HOUR_MS, clock, registry });
  storage.onAppend((tenant, push) => tellOfPush(cache, tenant, push));
  deletes.onChange((tenant) => cache.dropTenant(tenant));
  const compactor = new Compactor({
    storage,
    deletes,
    limitsOf,
    globalLimits: global,
    intervalMs: 2 ** 31 - 1,
    deleteDelayMs: 2 * HOUR_MS,
    cancelPeriodMs: CANCEL_MS,
    batchSize: options.batchSize ?? 70,
    onRemoved: (tenant) => {
      changed.push(tenant);
      cache.dropTenant(tenant);
    },
    clock,
    log: silentLog,
    registry,
  });
  const engineOptions = {
    view,
    openReader: () => storage.openReader(),
    limits: (tenant: string) => queryLimitsOf(limitsOf(tenant)),
    clock,
    log: silentLog,
  };
  const engine = createQueryEngine(engineOptions);
  const cachedEngine = createQueryEngine({ ...engineOptions, cache });
  const common = (query: string, tenant: string) => ({ tenants: [tenant], query, limit: 1e6, direction: "forward" as const });
  return {
    storage,
    deletes,
    pending,
    view,
    compactor,
    engine,
    cachedEngine,
    cache,
    clock,
    registry,
    changed,
    push: (entries, tenant = "t") => storage.append(tenant, pushOf(entries)),
    remove: (query, fromSec, toSec, more = {}) =>
      deletes.add({
        tenant: "t",
        query,
        startMs: (NOW_SEC + fromSec) * 1000,
        endMs: (NOW_SEC + toSec) * 1000,
        intervalMs: 0,
        createdMs: clock.nowMs(),
        ...more,
      }),
    async lines(query, tenant = "t") {
      const range = { startNs: 0n, endNs: 2n ** 61n, stepNs: 2n ** 60n, intervalNs: 0n };
      const { data } = await engine.range({ ...common(query, tenant), ...range });
      if (data.type !== "streams") throw new Error(`${query} is no log query`);
      return data.entries.map(({ line }) => line).sort();
    },
    async value(query) {
      const { data } = await engine.instant({ ...common(query, "t"), timeNs: BigInt(clock.nowMs()) * 1_000_000n });
      if (data.type !== "vector") throw new Error(`${query} answers no vector`);
      return data.series[0]?.values[0] ?? 0;
    },
    async close() {
      await compactor.close();
      await engine.close();
      await cachedEngine.close();
      await storage.close();
    },
  };
}
