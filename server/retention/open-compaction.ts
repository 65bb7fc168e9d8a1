// Deletes and retention as one part of the server: present when `compactor.retention_enabled` is, as in Loki.

import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Route } from "../../lib/runtime/http-server.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { TenantLimits } from "../config/overrides.ts";
import type { ServerConfig } from "../config/schema.ts";
import { openDeleteStore } from "../deletes/delete-store.ts";
import { PendingDeletes } from "../deletes/pending-deletes.ts";
import { VisibleView } from "../deletes/visible-view.ts";
import { deleteRoutes } from "../http/delete-routes.ts";
import type { StreamIndex } from "../http/label-routes.ts";
import type { TenantResolver } from "../http/tenant.ts";
import type { LogView } from "../page.ts";
import type { Storage } from "../storage.ts";
import { Compactor } from "./compactor.ts";

/** In the folder of the blocks that the requests are about. */
const DELETES_FILE = "deletes";

export interface Compaction {
  /** What reads see of the storage. */
  readonly view: LogView & StreamIndex;
  /** Absent: nothing is ever deleted. */
  readonly deletes?: PendingDeletes;
  readonly routes: readonly Route[];
  /** Resolves when nothing is being rewritten any more. */
  close(): Promise<void>;
}

export interface CompactionOptions {
  readonly config: ServerConfig["compactor"];
  readonly storage: Storage;
  readonly blocksFolder: string;
  readonly tenantLimits: TenantLimits;
  readonly tenants: TenantResolver;
  /** Called when answers about a tenant's past are not what they were. */
  readonly onPastChanged: (tenant: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

/** @throws when the delete requests cannot be read */
export async function openCompaction(options: CompactionOptions): Promise<Compaction> {
  const { config, storage, tenantLimits, onPastChanged, clock, log } = options;
  if (!config.retention_enabled) return { view: storage, routes: [], close: async () => {} };
  const store = await openDeleteStore(join(options.blocksFolder, DELETES_FILE));
  const deletes = new PendingDeletes(store, (tenant) => tenantLimits.of(tenant).deletion_mode, log);
  store.onChange(onPastChanged);
  const compactor = new Compactor({
    storage,
    deletes: store,
    limitsOf: tenantLimits.of,
    globalLimits: tenantLimits.global,
    intervalMs: config.compaction_interval,
    deleteDelayMs: config.retention_delete_delay,
    cancelPeriodMs: config.delete_request_cancel_period,
    batchSize: config.delete_batch_size,
    onRemoved: onPastChanged,
    clock,
    log,
    registry: options.registry,
  });
  return {
    view: new VisibleView(storage, deletes),
    deletes,
    routes: deleteRoutes({
      store,
      tenants: options.tenants,
      limitsOf: tenantLimits.of,
      maxIntervalMs: config.delete_max_interval,
      onReceived: (user) => compactor.metrics.requestsReceived.inc({ user }),
      clock,
      log,
    }),
    close: () => compactor.close(),
  };
}
