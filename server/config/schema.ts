// The whole Loki configuration file: keys that matter are honoured, keys of parts this server does not need are accepted and named
// once with the reason, any other key is refused with its position.

import { z } from "zod";
import { bool, count, goDurationMs, noEffect, noEffects, number, text } from "./fields.ts";
import { limitsSchema } from "./limits.ts";
import { rulerSchema, rulerStorageSchema } from "./ruler.ts";

const NO_RING = "one process needs no ring";
const NO_GRPC = "nothing here speaks gRPC";
const OWN_STORE = "blocks and catalogue are this server's own store";
const NO_CACHE = "pages are read from the local disk, whose cache the operating system keeps";
const NO_PARTS = "a single process has no such part";

const tls = z.strictObject({
  cert_file: text().default(""),
  key_file: text().default(""),
  client_auth_type: text().default(""),
  client_ca_file: text().default(""),
  ...noEffects("use files", ["cert", "key", "client_ca", "cipher_suites", "min_version"]),
});

const server = z.strictObject({
  http_listen_address: text().default(""),
  http_listen_port: count().min(0).max(65535).default(3100),
  http_path_prefix: text().default(""),
  http_server_read_timeout: goDurationMs().prefault("30s"),
  http_server_write_timeout: goDurationMs().prefault("30s"),
  http_server_idle_timeout: goDurationMs().prefault("2m"),
  http_tls_config: tls.prefault({}),
  graceful_shutdown_timeout: goDurationMs().prefault("30s"),
  grpc_server_max_recv_msg_size: count().default(4 * 1024 * 1024),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  log_format: z.enum(["logfmt", "json"]).default("logfmt"),
  register_instrumentation: bool().default(true),
  ...noEffects(NO_GRPC, [
    "grpc_listen_address",
    "grpc_listen_port",
    "grpc_listen_network",
    "grpc_listen_conn_limit",
    "grpc_tls_config",
    "grpc_server_max_send_msg_size",
    "grpc_server_max_concurrent_streams",
    "grpc_server_max_connection_idle",
    "grpc_server_max_connection_age",
    "grpc_server_max_connection_age_grace",
    "grpc_server_keepalive_time",
    "grpc_server_keepalive_timeout",
    "grpc_server_min_time_between_pings",
    "grpc_server_ping_without_stream_allowed",
    "grpc_server_num_workers",
    "grpc_server_num_stream_workers",
    "grpc_server_stats_tracking_enabled",
    "grpc_server_recv_buffer_pools_enabled",
  ]),
  ...noEffects("the listener is Node's own", [
    "http_listen_network",
    "http_listen_conn_limit",
    "http_server_read_header_timeout",
    "tls_cipher_suites",
    "tls_min_version",
    "proxy_protocol_enabled",
    "http_log_closed_connections_without_response_enabled",
  ]),
  ...noEffects("requests are logged at debug level", [
    "log_source_ips_enabled",
    "log_source_ips_full",
    "log_source_ips_header",
    "log_source_ips_regex",
    "log_request_headers",
    "log_request_exclude_headers_list",
    "log_request_at_info_level_enabled",
  ]),
  ...noEffects("not part of this server", [
    "trace_request_headers",
    "trace_request_exclude_headers_list",
    "cluster_validation",
    "throughput",
    "external_url",
  ]),
});

const filesystem = z.strictObject({
  chunks_directory: text().default(""),
  rules_directory: text().default(""),
  directory: text().optional(),
});

const common = z.strictObject({
  path_prefix: text().default(""),
  storage: z
    .strictObject({
      filesystem: filesystem.prefault({}),
      ...noEffects("only the local file system is a store in this version", [
        "s3",
        "gcs",
        "azure",
        "alibabacloud",
        "bos",
        "swift",
        "cos",
        "hedging",
        "object_store",
        "congestion_control",
      ]),
    })
    .prefault({}),
  ...noEffects(NO_RING, [
    "ring",
    "replication_factor",
    "instance_interface_names",
    "instance_addr",
    "instance_enable_ipv6",
    "persist_tokens",
  ]),
  ...noEffects(NO_PARTS, ["compactor_address", "compactor_grpc_address", "compactor_ring_cluster_name"]),
});

const ingester = z.strictObject({
  chunk_idle_period: goDurationMs().prefault("30m"),
  max_chunk_age: goDurationMs().prefault("2h"),
  max_returned_stream_errors: count().default(10),
  wal: z
    .strictObject({
      enabled: bool().default(true),
      dir: text().default(""),
      flush_on_shutdown: bool().default(false),
      ...noEffects("the log is cut behind each flush", ["checkpoint_duration", "replay_memory_ceiling", "disk_full_threshold"]),
    })
    .prefault({}),
  ...noEffects(NO_RING, [
    "lifecycler",
    "autoforget_unhealthy",
    "max_transfer_retries",
    "owned_streams_check_interval",
    "kafka_ingestion",
    "shutdown_marker_path",
    "index_shards",
  ]),
  ...noEffects(OWN_STORE, [
    "chunk_retain_period",
    "chunk_block_size",
    "chunk_target_size",
    "chunk_encoding",
    "concurrent_flushes",
    "flush_check_period",
    "flush_op_backoff",
    "flush_op_timeout",
    "sync_period",
    "sync_min_utilization",
    "query_store_max_look_back_period",
    "query_store",
    "query_ingesters_within",
    "max_dropped_streams",
    "chunk_filterer",
    "unordered_writes",
    "profiling_enabled",
  ]),
});

const querier = z.strictObject({
  max_concurrent: count().default(4),
  tail_max_duration: goDurationMs().prefault("1h"),
  multi_tenant_queries_enabled: bool().default(false),
  // Not Loki's.
  warm_up: bool().default(true),
  query_timeout: noEffect("it is limits_config.query_timeout now"),
  ...noEffects(NO_PARTS, [
    "query_ingesters_within",
    "query_store_only",
    "query_ingester_only",
    "extra_query_delay",
    "per_request_limits_enabled",
    "query_partition_ingesters",
    "ingester_query_store_max_look_back_period",
    "dataobj_storage_lag",
    "dataobj_storage_start",
    "engine",
    "engine_v2",
    "max_age",
  ]),
});

const EMBEDDED_ONLY = "the embedded cache is the only one";
const resultsCache = z.strictObject({
  cache: z
    .strictObject({
      embedded_cache: z
        .strictObject({
          enabled: bool().default(true),
          max_size_mb: number().default(100),
          ttl: goDurationMs().prefault("1h"),
          ...noEffects("the cache is bounded by its bytes, and looks at the age of a piece when it is asked for", [
            "max_size_items",
            "purge_interval",
          ]),
        })
        .prefault({}),
      ...noEffects(EMBEDDED_ONLY, [
        "memcached",
        "memcached_client",
        "redis",
        "background",
        "default_validity",
        "prefix",
        "async_cache_write_back_concurrency",
        "async_cache_write_back_buffer_size",
        "enable_fifocache",
        "fifocache",
      ]),
    })
    .prefault({}),
  ...noEffects("values are kept as numbers", ["compression"]),
});

const queryRange = z.strictObject({
  align_queries_with_step: bool().default(false),
  cache_results: bool().default(false),
  results_cache: resultsCache.prefault({}),
  ...noEffects("answers come from statistics and gram filters", [
    "cache_index_stats_results",
    "index_stats_results_cache",
    "cache_volume_results",
    "volume_results_cache",
    "cache_series_results",
    "series_results_cache",
    "cache_label_results",
    "label_results_cache",
    "cache_instant_metric_results",
    "instant_metric_results_cache",
    "instant_metric_query_split_align",
    "cache_log_results",
    "log_result_cache",
  ]),
  ...noEffects(NO_PARTS, ["max_retries", "parallelise_shardable_queries", "shard_aggregations", "split_queries_by_interval"]),
});

const frontend = z.strictObject({
  compress_responses: bool().default(true),
  log_queries_longer_than: goDurationMs().prefault("0s"),
  max_outstanding_per_tenant: count().default(2048),
  ...noEffects(NO_PARTS, [
    "max_body_size",
    "query_stats_enabled",
    "querier_forget_delay",
    "scheduler_address",
    "scheduler_dns_lookup_period",
    "scheduler_worker_concurrency",
    "grpc_client_config",
    "graceful_shutdown_timeout",
    "instance_interface_names",
    "instance_enable_ipv6",
    "address",
    "port",
    "downstream_url",
    "tail_proxy_url",
    "tail_tls_config",
    "encoding",
    "support_parquet_encoding",
    "results_cache",
  ]),
});

const compactor = z.strictObject({
  working_directory: text().default(""),
  compaction_interval: goDurationMs().prefault("10m"),
  retention_enabled: bool().default(false),
  retention_delete_delay: goDurationMs().prefault("2h"),
  delete_request_store: text().default(""),
  delete_request_cancel_period: goDurationMs().prefault("24h"),
  delete_max_interval: goDurationMs().prefault("24h"),
  delete_batch_size: count().min(1).default(70),
  ...noEffects(OWN_STORE, [
    "shared_store",
    "shared_store_key_prefix",
    "apply_retention_interval",
    "retention_delete_worker_count",
    "retention_table_timeout",
    "retention_backoff_config",
    "delete_request_store_key_prefix",
    "delete_request_store_db_type",
    "backup_delete_request_store_db_type",
    "deletion_mode",
    "max_compaction_parallelism",
    "upload_parallelism",
    "run_once",
    "tables_to_compact",
    "skip_latest_n_tables",
    "allow_deletes",
    "horizontal_scaling_mode",
    "worker_config",
    "jobs_config",
    "deletion_worker_count",
  ]),
  compactor_ring: noEffect(NO_RING),
});

const storage = z.strictObject({
  filesystem: filesystem.prefault({}),
  ...noEffects("only the local file system is a store in this version", [
    "aws",
    "azure",
    "bos",
    "gcs",
    "swift",
    "cos",
    "alibabacloud",
    "s3",
    "object_store",
    "use_thanos_objstore",
    "named_stores",
    "hedging",
    "congestion_control",
    "object_prefix",
  ]),
  ...noEffects(OWN_STORE, [
    "boltdb",
    "boltdb_shipper",
    "tsdb_shipper",
    "bloom_shipper",
    "cassandra",
    "bigtable",
    "grpc_store",
    "index_cache_validity",
    "index_queries_cache_config",
    "disable_broad_index_queries",
    "max_parallel_get_chunk",
    "max_chunk_batch_size",
    "engine",
    "local",
  ]),
});

const distributor = z.strictObject({
  otlp_config: z.strictObject({ default_resource_attributes_as_index_labels: z.array(z.string()).optional() }).prefault({}),
  ...noEffects(NO_RING, [
    "ring",
    "rate_store",
    "write_failures_logging",
    "push_worker_count",
    "kafka_writes_enabled",
    "ingester_writes_enabled",
    "kafka_config",
    "tenant_topic",
    "ingest_limits_enabled",
    "ingest_limits_dry_run_enabled",
  ]),
});

const patternIngester = z.strictObject({
  enabled: bool().default(false),
  ...noEffects(NO_PARTS, [
    "lifecycler",
    "client_config",
    "concurrent_flushes",
    "flush_check_period",
    "max_clusters",
    "max_eviction_ratio",
    "metric_aggregation",
    "pattern_persistence",
    "tee_config",
    "connection_timeout",
    "max_allowed_line_length",
    "retain_for",
    "max_chunk_age",
    "chunk_sample_interval",
    "volume_threshold",
  ]),
});

export const serverSchema = z.strictObject({
  auth_enabled: bool().default(true),
  target: text().default("all"),
  server: server.prefault({}),
  common: common.prefault({}),
  ingester: ingester.prefault({}),
  querier: querier.prefault({}),
  query_range: queryRange.prefault({}),
  frontend: frontend.prefault({}),
  compactor: compactor.prefault({}),
  storage_config: storage.prefault({}),
  distributor: distributor.prefault({}),
  pattern_ingester: patternIngester.prefault({}),
  limits_config: limitsSchema.prefault({}),
  runtime_config: z.strictObject({ file: text().default(""), period: goDurationMs().prefault("10s") }).prefault({}),
  operational_config: noEffect("its keys are limits_config's"),
  analytics: noEffect("nothing is reported to anyone"),
  reporting_enabled: noEffect("nothing is reported to anyone"),
  tracing: noEffect("traces are not written"),
  ruler: rulerSchema.prefault({}),
  ruler_storage: rulerStorageSchema.prefault({}),
  schema_config: noEffect("there is one format of blocks, whatever the schema"),
  chunk_store_config: noEffect(NO_CACHE),
  table_manager: noEffect("retention is limits_config.retention_period"),
  memberlist: noEffect(NO_RING),
  ui: noEffect("the page is always there"),
  ...noEffects(NO_PARTS, [
    "ingester_client",
    "frontend_worker",
    "query_scheduler",
    "index_gateway",
    "compactor_grpc_client",
    "compactor_client",
    "bloom_compactor",
    "bloom_build",
    "bloom_gateway",
    "block_builder",
    "block_scheduler",
    "kafka_config",
    "dataobj",
    "overrides_exporter",
    "ingest_limits",
    "ingest_limits_frontend",
    "ingest_limits_frontend_client",
    "profiling",
    "store_gateway",
    "metastore",
    "metastore_client",
    "scratch_directory",
  ]),
  ...noEffects("no effect on a single process", [
    "ballast_bytes",
    "shutdown_delay",
    "metrics_namespace",
    "http_prefix",
    "use_buffered_logger",
    "use_sync_logger",
    "legacy_read_mode",
  ]),
});

export type ServerConfig = z.output<typeof serverSchema>;
