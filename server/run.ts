// The server's parts in the order the data takes: routes -> ingest -> storage -> queries.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { collectDefaultMetrics, Registry } from "prom-client";
import { systemClock } from "../lib/runtime/clock.ts";
import { listen } from "../lib/runtime/http-server.ts";
import type { Log } from "../lib/runtime/log.ts";
import { watchTenantLimits } from "./config/overrides.ts";
import type { ServerConfig } from "./config/schema.ts";
import { answerError } from "./http/answers.ts";
import { detectedRoutes } from "./http/detected-routes.ts";
import { formatRoutes } from "./http/format-routes.ts";
import { createHttpMetrics } from "./http/http-metrics.ts";
import { labelRoutes } from "./http/label-routes.ts";
import { otlpRoutes } from "./http/otlp-routes.ts";
import { pageRoutes } from "./http/page-routes.ts";
import { patternRoutes } from "./http/pattern-routes.ts";
import { pushRoutes } from "./http/push-routes.ts";
import { queryRoutes } from "./http/query-routes.ts";
import { ruleStateRoutes } from "./http/rule-state-routes.ts";
import { rulesRoutes } from "./http/rules-routes.ts";
import { statusRoutes } from "./http/status-routes.ts";
import { createTails } from "./http/tail-routes.ts";
import { createTenantResolver } from "./http/tenant.ts";
import { volumeRoutes } from "./http/volume-routes.ts";
import { createIngestMetrics } from "./ingest/ingest-metrics.ts";
import { Ingester } from "./ingest/ingester.ts";
import { PatternStore } from "./patterns/pattern-store.ts";
import { openResultsCache } from "./query/cache/open-cache.ts";
import { createQueryEngine } from "./query/engine.ts";
import { queryLimitsOf } from "./query/limits.ts";
import { openCompaction } from "./retention/open-compaction.ts";
import { engineQuery } from "./ruler/query.ts";
import { openRuler, type RulerFolders } from "./ruler/ruler.ts";
import { openStorage } from "./storage.ts";
import { warmUp } from "./warm-up.ts";

/** Of a push after decompression; a body as large as this needs about three times its size while it is taken in. */
const DECODED_PUSH_BYTES_MAX = 128 * 1024 * 1024;
/** Of a push as it comes over the wire. Loki's own bound is that of its gRPC messages, which people raise for large pushes. */
const PUSH_BODY_BYTES_MIN = 32 * 1024 * 1024;
const DEFAULT_FOLDER = "skald-data";

export interface RunningServer {
  readonly port: number;
  /** Stops listening, lets requests finish, leaves everything durable. */
  close(): Promise<void>;
}

/** @param raw the configuration before defaults, for overrides per tenant */
export async function runServer(config: ServerConfig, raw: Readonly<Record<string, unknown>>, log: Log): Promise<RunningServer> {
  const clock = systemClock;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const folders = foldersOf(config);
  const tenantLimits = watchTenantLimits(config.limits_config, raw.limits_config ?? {}, {
    file: config.runtime_config.file,
    periodMs: config.runtime_config.period,
    log,
    registry,
  });
  const tenants = createTenantResolver({
    authEnabled: config.auth_enabled,
    multiTenantQueries: config.querier.multi_tenant_queries_enabled,
  });

  const storage = await openStorage({
    walFolder: folders.wal,
    storeFolder: folders.blocks,
    idleMs: config.ingester.chunk_idle_period,
    maxAgeMs: config.ingester.max_chunk_age,
    flushOnClose: config.ingester.wal.flush_on_shutdown,
    clock,
    log,
    registry,
  });
  const cache = openResultsCache(config.query_range, { onAppend: (listener) => storage.onAppend(listener), clock, registry });
  const compaction = await openCompaction({
    config: config.compactor,
    storage,
    blocksFolder: folders.blocks,
    tenantLimits,
    tenants,
    onPastChanged: (tenant) => cache?.dropTenant(tenant),
    clock,
    log,
    registry,
  });
  const { view } = compaction;
  const engine = createQueryEngine({
    view,
    openReader: () => storage.openReader(),
    workers: {
      count: availableParallelism(),
      readerModule: new URL("./block/page-reader.js", import.meta.url).href,
      readerOptions: { folder: folders.blocks },
    },
    limits: (tenant) => queryLimitsOf(tenantLimits.of(tenant)),
    ...(cache === undefined ? {} : { cache }),
    alignsWithStep: config.query_range.align_queries_with_step,
    clock,
    log,
    registry,
  });
  const ingester = new Ingester({
    append: (tenant, push) => storage.append(tenant, push),
    limitsOf: tenantLimits.of,
    maxChunkAgeMs: config.ingester.max_chunk_age,
    streamIdleMs: config.ingester.chunk_idle_period,
    maxStreamErrors: config.ingester.max_returned_stream_errors,
    clock,
    metrics: createIngestMetrics(registry),
  });

  const pushLimits = {
    bodyBytes: Math.max(config.server.grpc_server_max_recv_msg_size, PUSH_BODY_BYTES_MIN),
    decodedBytes: DECODED_PUSH_BYTES_MAX,
  };
  const patterns = config.pattern_ingester.enabled ? await PatternStore.open({ folder: folders.patterns, clock, log }) : undefined;
  if (patterns !== undefined) storage.onAppend((tenant, push) => patterns.learn(tenant, push));
  const tails = createTails({
    engine,
    tenants,
    limitsOf: tenantLimits.of,
    onAppend: (listener) => storage.onAppend(listener),
    ...(compaction.deletes === undefined ? {} : { deletes: compaction.deletes }),
    prefix: config.server.http_path_prefix,
    maxDurationMs: config.querier.tail_max_duration,
    clock,
  });

  const ruler = await openRuler({
    config: config.ruler,
    limitsOf: tenantLimits.of,
    query: engineQuery(engine),
    folders: rulerFoldersOf(config),
    clock,
    log,
    registry,
  });

  let state: "Starting" | "Running" | "Stopping" = "Starting";
  const http = await listen({
    address: config.server.http_listen_address,
    port: config.server.http_listen_port,
    prefix: config.server.http_path_prefix,
    routes: [
      ...pushRoutes(ingester, tenants, pushLimits),
      ...otlpRoutes(ingester, tenants, {
        ...pushLimits,
        limitsOf: tenantLimits.of,
        defaultIndexAttributes: config.distributor.otlp_config.default_resource_attributes_as_index_labels,
        clock,
        log,
      }),
      ...tails.routes,
      ...(patterns === undefined ? [] : patternRoutes(patterns, tenants, clock)),
      ...queryRoutes(engine, tenants, clock),
      ...labelRoutes({ index: view, tenants, limitsOf: tenantLimits.of, clock }),
      ...volumeRoutes({ view, index: view, tenants, limitsOf: tenantLimits.of, clock }),
      ...detectedRoutes({ engine, index: view, tenants, limitsOf: tenantLimits.of, clock, patterns: patterns !== undefined }),
      ...compaction.routes,
      ...formatRoutes(),
      ...(config.ruler.enable_api ? [...rulesRoutes(ruler, tenants), ...ruleStateRoutes(ruler, tenants)] : []),
      ...statusRoutes({
        config,
        tenantLimits,
        registry,
        log,
        notReady: () => (state === "Running" ? undefined : state === "Starting" ? "starting: queries are warmed up" : "stopping"),
        flush: () => storage.flush(),
        services: () => ({ server: state, store: state, ingester: state, querier: state, ruler: state }),
      }),
      ...pageRoutes(),
    ],
    onUpgrade: tails.onUpgrade,
    observe: createHttpMetrics(registry).observe,
    onError: (error, _, response) => answerError(error, response, log),
    timeouts: { readMs: config.server.http_server_read_timeout, idleMs: config.server.http_server_idle_timeout },
  });
  log.info({ address: config.server.http_listen_address, port: http.port, wal: folders.wal, blocks: folders.blocks }, "server listening");

  const stopping = new AbortController();
  const warm = config.querier.warm_up
    ? warmUp({
        blocks: storage.stored.catalog.all(),
        view: storage,
        openReader: () => storage.openReader(),
        engine,
        signal: stopping.signal,
      })
    : Promise.resolve(0);
  const started = clock.nowMs();
  void warm.then((queries) => {
    if (queries > 0) log.info({ queries, ms: clock.nowMs() - started }, "queries are warmed up");
    if (state === "Starting") state = "Running";
  });

  return {
    port: http.port,
    async close() {
      state = "Stopping";
      stopping.abort();
      await warm;
      tenantLimits.close();
      tails.close();
      await http.close(config.server.graceful_shutdown_timeout);
      await ruler.close();
      await compaction.close();
      await engine.close();
      await storage.close();
      await patterns?.close();
    },
  };
}

/** Where everything is kept (docs/configuration.md). */
function foldersOf(config: ServerConfig): { wal: string; blocks: string; patterns: string } {
  const prefix = prefixOf(config);
  const { filesystem } = config.storage_config;
  return {
    wal: config.ingester.wal.dir === "" ? join(prefix, "wal") : config.ingester.wal.dir,
    blocks: filesystem.directory || config.common.storage.filesystem.chunks_directory || join(prefix, "chunks"),
    patterns: join(prefix, "patterns"),
  };
}

/** The same of rules, alerts and recorded samples (docs/ruler.md). */
function rulerFoldersOf(config: ServerConfig): RulerFolders {
  const prefix = prefixOf(config);
  const { ruler, ruler_storage: storage, common } = config;
  const local = ruler.storage.local.directory || storage.local.directory;
  return {
    rules: local || storage.filesystem.dir || common.storage.filesystem.rules_directory || join(prefix, "rules"),
    rulesReadOnly: local !== "",
    alerts: join(prefix, "ruler-alerts"),
    samples: ruler.wal.dir === "" ? join(prefix, "ruler-wal") : ruler.wal.dir,
  };
}

function prefixOf(config: ServerConfig): string {
  return config.common.path_prefix === "" ? DEFAULT_FOLDER : config.common.path_prefix;
}
