// The results cache: values of metric queries over time, by (tenants, query, step) and piece of time. Each piece holds one extent: a run of
// consecutive steps with the series that have a value in it. Bounded in bytes, the piece used last stays; an extent is too old after the TTL.
//
// What is kept is true, not only young: an entry that arrives in the time an extent was made from drops the extent, and so does whatever
// changes a tenant's past (deletes, retention). A query that was under way meanwhile is not kept.

import type { Registry } from "prom-client";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { type CacheMetrics, createCacheMetrics } from "./cache-metrics.ts";
import { type Extent, joined, reaches, SERIES_BYTES } from "./extent.ts";

export interface ResultsCacheOptions {
  readonly bytesMax: number;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly registry: Registry;
}

/** What all pieces of a query have in common. */
export interface CacheQuery {
  readonly tenants: readonly string[];
  /** Query, step and where in a step its times lie: equal for queries whose values may be put together. */
  readonly key: string;
}

/** A query that is being answered. */
export interface CacheTicket extends CacheQuery {
  /** Bounds of the entries that it keeps values of, in seconds. */
  readonly oldestSec: number;
  readonly newestSec: number;
  /** Entries arrived among those, or some are gone. */
  isStale: boolean;
}

interface Piece {
  readonly id: string;
  readonly tenants: readonly string[];
  readonly extent: Extent;
}

/** An extent may take this part of the cache. */
const EXTENT_SHARE_MAX = 1 / 8;

export class ResultsCache {
  readonly #options: ResultsCacheOptions;
  readonly #metrics: CacheMetrics;
  /** The piece used last at the end. */
  readonly #pieces = new Map<string, Piece>();
  readonly #byTenant = new Map<string, Set<Piece>>();
  readonly #tickets = new Set<CacheTicket>();
  /** No piece or ticket of the tenant is about entries behind this second. */
  readonly #watchedSec = new Map<string, number>();
  #bytes = 0;

  constructor(options: ResultsCacheOptions) {
    this.#options = options;
    this.#metrics = createCacheMetrics(options.registry, () => ({ pieces: this.#pieces.size, bytes: this.#bytes }));
  }

  /** Of more series than this no extent is kept. */
  get extentSeriesMax(): number {
    return Math.floor((this.#options.bytesMax * EXTENT_SHARE_MAX) / SERIES_BYTES);
  }

  /** Before the entries are looked up that a query reads. To be ended, whatever happens. */
  begin(query: CacheQuery, oldestSec: number, newestSec: number): CacheTicket {
    const ticket: CacheTicket = { ...query, oldestSec, newestSec, isStale: false };
    this.#tickets.add(ticket);
    for (const tenant of query.tenants)
      this.#watchedSec.set(tenant, Math.max(newestSec, this.#watchedSec.get(tenant) ?? Number.NEGATIVE_INFINITY));
    return ticket;
  }

  end(ticket: CacheTicket): void {
    this.#tickets.delete(ticket);
  }

  get({ key, tenants }: CacheQuery, piece: number): Extent | undefined {
    this.#metrics.requested.inc();
    const found = this.#pieces.get(idOf(tenants, key, piece));
    if (found === undefined) return undefined;
    if (this.#options.clock.nowMs() - found.extent.storedMs >= this.#options.ttlMs) {
      this.#drop(found, "ttl");
      return undefined;
    }
    this.#pieces.delete(found.id);
    this.#pieces.set(found.id, found);
    this.#metrics.found.inc();
    return found.extent;
  }

  /** Keeps an extent, together with the one that is there when they touch; of two that do not, the longer one. */
  put({ key, tenants, isStale }: CacheTicket, piece: number, fresh: Extent): void {
    if (isStale) return;
    const id = idOf(tenants, key, piece);
    const old = this.#pieces.get(id);
    const isLonger = old === undefined || fresh.last - fresh.first >= old.extent.last - old.extent.first;
    const extent = old !== undefined && reaches(old.extent, fresh) ? joined(old.extent, fresh) : isLonger ? fresh : old.extent;
    if (extent === old?.extent) return;
    if (old !== undefined) this.#drop(old, "replaced");
    if (extent.bytes > this.#options.bytesMax * EXTENT_SHARE_MAX) return;
    this.#add({ id, tenants, extent });
    for (const oldest of this.#pieces.values()) {
      if (this.#bytes <= this.#options.bytesMax) break;
      this.#drop(oldest, "full");
    }
  }

  /** Entries of a tenant arrived, from the first second to the last one. */
  entriesArrived(tenant: string, minSec: number, maxSec: number): void {
    if (minSec > this.watchedSec(tenant)) return;
    const meets = ({ oldestSec, newestSec }: { oldestSec: number; newestSec: number }): boolean =>
      newestSec >= minSec && oldestSec <= maxSec;
    for (const ticket of this.#tickets) if (ticket.tenants.includes(tenant) && meets(ticket)) ticket.isStale = true;
    for (const piece of this.#byTenant.get(tenant) ?? []) if (meets(piece.extent)) this.#drop(piece, "late");
  }

  /** Entries behind this second concern nothing in the cache. */
  watchedSec(tenant: string): number {
    return this.#watchedSec.get(tenant) ?? Number.NEGATIVE_INFINITY;
  }

  /** The tenant's past is not what it was. */
  dropTenant(tenant: string): void {
    for (const ticket of this.#tickets) if (ticket.tenants.includes(tenant)) ticket.isStale = true;
    for (const piece of this.#byTenant.get(tenant) ?? []) this.#drop(piece, "deleted");
  }

  #add(piece: Piece): void {
    this.#pieces.set(piece.id, piece);
    this.#bytes += piece.extent.bytes;
    this.#metrics.stored.inc();
    for (const tenant of piece.tenants) {
      const own = this.#byTenant.get(tenant);
      if (own === undefined) this.#byTenant.set(tenant, new Set([piece]));
      else own.add(piece);
    }
  }

  #drop(piece: Piece, reason: string): void {
    this.#pieces.delete(piece.id);
    this.#bytes -= piece.extent.bytes;
    this.#metrics.evicted.inc({ reason });
    for (const tenant of piece.tenants) {
      const own = this.#byTenant.get(tenant);
      own?.delete(piece);
      if (own?.size === 0) this.#byTenant.delete(tenant);
    }
  }
}

function idOf(tenants: readonly string[], key: string, piece: number): string {
  return `${tenants.join("|")}\u0000${key}\u0000${piece}`;
}
