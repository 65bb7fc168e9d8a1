// What waits on disk for one client: a queue per tenant, in a folder each, with one bound for all of them.

import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Disk } from "../../lib/runtime/disk.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { ClientDisk, DiskQueue, OnUnreadable } from "../client/disk-queue.ts";
import { folderName } from "../spool/folder-name.ts";
import { isSegment } from "../spool/segments.ts";
import { Allowance } from "./allowance.ts";
import { type BacklogMetrics, openBacklogMetrics } from "./backlog-metrics.ts";
import { TenantBacklog, type TenantBacklogOptions } from "./tenant-backlog.ts";

export interface ClientBacklogOptions {
  readonly folder: string;
  readonly bytesMax: number;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

/** Largest file: what is removed at once, and read when it is damaged. */
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
/** The bound has room for this many segments, so that what was sent makes room soon. */
const SEGMENTS_MIN = 8;
/** Stands for no tenant: names have no such character where they are folders. */
const NO_TENANT = "@none";

export class ClientBacklog {
  readonly #options: ClientBacklogOptions;
  readonly #metrics: BacklogMetrics;
  readonly #allowance: Allowance;
  readonly #byTenant = new Map<string, TenantBacklog>();

  /** @param client its name, in metrics and the log */
  constructor(client: string, options: ClientBacklogOptions) {
    this.#options = { ...options, log: options.log.child({ client }) };
    this.#allowance = new Allowance(options.bytesMax);
    this.#metrics = openBacklogMetrics(options.registry, client);
  }

  /** Finds what an agent before has left. */
  async find(): Promise<void> {
    const { disk, folder, log } = this.#options;
    for (const name of await disk.list(folder).catch(() => [])) {
      const tenantFolder = join(folder, name);
      try {
        if (!(await holdsSegments(disk, tenantFolder))) continue;
        const found = await TenantBacklog.find(this.#tenantOptions(tenantFolder));
        if (found !== undefined) this.#byTenant.set(found.tenant, found);
      } catch (error) {
        log.error(
          { folder: tenantFolder, error: messageOf(error) },
          "a backlog cannot be read and is left where it is, try the next start",
        );
      }
    }
    this.observe();
  }

  /** For the client as one configuration has it. */
  disk(mayGrow: boolean): ClientDisk {
    return {
      mayGrow,
      tenants: this.#tenants(),
      queue: (tenant, onUnreadable) => this.#queue(tenant, mayGrow, onUnreadable),
      observe: () => this.observe(),
    };
  }

  #tenants(): string[] {
    return [...this.#byTenant].filter(([, { bytes }]) => bytes > 0).map(([tenant]) => tenant);
  }

  #queue(tenant: string, mayGrow: boolean, onUnreadable: OnUnreadable): DiskQueue {
    let backlog = this.#byTenant.get(tenant);
    if (backlog === undefined) {
      const folder = join(this.#options.folder, tenant === "" ? NO_TENANT : folderName(tenant));
      backlog = TenantBacklog.create(tenant, this.#tenantOptions(folder));
      this.#byTenant.set(tenant, backlog);
    }
    return backlog.reader(mayGrow, onUnreadable);
  }

  observe(): void {
    const all = [...this.#byTenant.values()];
    const nowMs = this.#options.clock.nowMs();
    this.#metrics.size({
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      batchCount: all.reduce((sum, { batchCount }) => sum + batchCount, 0),
      oldestMs: Math.max(0, ...all.map(({ oldestMs }) => nowMs - (oldestMs ?? nowMs))),
    });
  }

  /** Acknowledgements that come later are not saved. */
  async close(): Promise<void> {
    await Promise.all([...this.#byTenant.values()].map((backlog) => backlog.close()));
    this.observe();
  }

  #tenantOptions(folder: string): TenantBacklogOptions {
    const { bytesMax, disk, clock, log } = this.#options;
    const segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(bytesMax / SEGMENTS_MIN));
    return { folder, segmentBytes, allowance: this.#allowance, disk, clock, log, metrics: this.#metrics };
  }
}

/** @throws the disk's error; what is no folder holds none */
export async function holdsSegments(disk: Disk, folder: string): Promise<boolean> {
  try {
    return (await disk.list(folder)).some(isSegment);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw error;
  }
}
