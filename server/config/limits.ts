// Limits of a tenant: limits_config of the main file, and the same keys per tenant in the overrides file.
// Names, defaults and effects: Loki's, reference "limits_config"; what a key without effect would do is said beside it.

import { z } from "zod";
import { parseMatchers } from "../../lib/logql/index.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { printPrometheusDuration } from "../../lib/text/duration.ts";
import { DEFAULT_LEVEL_FIELDS } from "../ingest/levels.ts";
import { bool, byteSize, count, noEffects, number, promDurationMs, stringList, text } from "./fields.ts";
import { rulerLimits } from "./ruler.ts";

const otlpAttributes = z.strictObject({
  action: z.enum(["index_label", "structured_metadata", "drop"]).default("structured_metadata"),
  attributes: z.array(z.string()).default([]),
  regex: text().default(""),
});

const blockedQuery = z.strictObject({
  pattern: text().default(""),
  regex: bool().default(false),
  types: stringList().prefault([]),
  hash: z.coerce.number().default(0),
  tags: z.record(z.string(), z.string()).optional(),
});

/** Shorter than a day is refused, as in Loki; 0 keeps the stream for ever. */
const RETENTION_MS_MIN = 24 * 3_600_000;

const retentionStream = z
  .strictObject({ selector: text(), priority: count().default(0), period: promDurationMs() })
  .superRefine(({ selector, period }, context) => {
    if (period !== 0 && period < RETENTION_MS_MIN)
      context.addIssue({
        code: "custom",
        path: ["period"],
        message: `retention period must be >= 24h was ${printPrometheusDuration(period)}`,
      });
    try {
      parseMatchers(selector);
    } catch (error) {
      context.addIssue({ code: "custom", path: ["selector"], message: `invalid labels matchers: ${messageOf(error)}` });
    }
  });

export const limitsSchema = z.strictObject({
  ingestion_rate_mb: number().default(4),
  ingestion_burst_size_mb: number().default(6),
  max_label_name_length: count().default(1024),
  max_label_value_length: count().default(2048),
  max_label_names_per_series: count().default(15),
  reject_old_samples: bool().default(true),
  reject_old_samples_max_age: promDurationMs().prefault("1w"),
  creation_grace_period: promDurationMs().prefault("10m"),
  max_line_size: byteSize().prefault("256KB"),
  max_line_size_truncate: bool().default(false),
  increment_duplicate_timestamp: bool().default(false),
  discover_service_name: stringList().prefault([
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
  ]),
  discover_log_levels: bool().default(true),
  log_level_fields: stringList().prefault([...DEFAULT_LEVEL_FIELDS]),
  log_level_from_json_max_depth: count().default(2),
  max_streams_per_user: count().default(0),
  max_global_streams_per_user: count().default(5000),
  unordered_writes: bool().default(true),
  per_stream_rate_limit: byteSize().prefault("3MB"),
  per_stream_rate_limit_burst: byteSize().prefault("15MB"),
  max_query_series: count().default(500),
  max_query_lookback: promDurationMs().prefault("0s"),
  max_query_length: promDurationMs().prefault("721h"),
  max_query_range: promDurationMs().prefault("0s"),
  max_streams_matchers_per_query: count().default(1000),
  max_concurrent_tail_requests: count().default(10),
  max_entries_limit_per_query: count().default(5000),
  max_cache_freshness_per_query: promDurationMs().prefault("10m"),
  query_timeout: promDurationMs().prefault("1m"),
  split_queries_by_interval: promDurationMs().prefault("1h"),
  max_query_bytes_read: byteSize().prefault("0B"),
  max_querier_bytes_read: byteSize().prefault("150GB"),
  volume_enabled: bool().default(true),
  volume_max_series: count().default(1000),
  deletion_mode: z.enum(["disabled", "filter-only", "filter-and-delete"]).default("filter-and-delete"),
  retention_period: promDurationMs().prefault("0s"),
  retention_stream: z.array(retentionStream).default([]),
  allow_structured_metadata: bool().default(true),
  max_structured_metadata_size: byteSize().prefault("64KB"),
  max_structured_metadata_entries_count: count().default(128),
  otlp_config: z
    .strictObject({
      resource_attributes: z
        .strictObject({ ignore_defaults: bool().default(false), attributes_config: z.array(otlpAttributes).default([]) })
        .prefault({}),
      scope_attributes: z.array(otlpAttributes).default([]),
      log_attributes: z.array(otlpAttributes).default([]),
      severity_text_as_label: bool().default(false),
    })
    .prefault({}),
  block_ingestion_until: text().default(""),
  block_ingestion_status_code: count().default(260),
  required_labels: stringList().prefault([]),
  minimum_labels_number: count().default(0),
  blocked_queries: z.array(blockedQuery).default([]),
  enforced_labels: stringList().prefault([]),
  ...noEffects("one process takes a stream at any rate, and does not split it", ["shard_streams"]),
  ...noEffects("the index is in memory, and not looked up by rows", ["cardinality_limit"]),
  ...noEffects("pages are read one after the other; max_query_bytes_read bounds what a query reads", ["max_chunks_per_query"]),
  ...noEffects("a single process has no queriers to share work out to", [
    "max_query_parallelism",
    "tsdb_max_query_parallelism",
    "tsdb_max_bytes_per_shard",
    "tsdb_sharding_strategy",
    "tsdb_precompute_chunks",
    "max_queriers_per_tenant",
    "max_query_capacity",
    "max_queriers_per_user",
    "shard_aggregations",
    "min_sharding_lookback",
    "query_ready_index_num_days",
    "use_owned_stream_count",
    "ingestion_rate_strategy",
    "ingestion_partitions_tenant_shard_size",
    "index_gateway_shard_size",
    "index_gateway_max_capacity",
    "split_metadata_queries_by_interval",
    "split_recent_metadata_queries_by_interval",
    "recent_metadata_query_window",
    "split_instant_metric_queries_by_interval",
    "split_ingester_queries_by_interval",
    "max_stats_cache_freshness",
    "max_metadata_cache_freshness",
    "max_count_min_sketch_heap_size",
    "query_partial_data",
    "instant_metric_query_split_align",
  ]),
  ...noEffects("bloom filters of Loki's kind are not used: every page has a gram filter", [
    "bloom_gateway_enable_filtering",
    "bloom_gateway_shard_size",
    "bloom_build_enabled",
    "bloom_creation_enabled",
    "bloom_planning_enabled",
    "bloom_split_series_keyspace_by",
    "bloom_build_max_builders",
    "bloom_build_task_max_retries",
    "bloom_builder_response_timeout",
    "bloom_ngram_length",
    "bloom_ngram_skip",
    "bloom_false_positive_rate",
    "bloom_block_encoding",
    "bloom_prefetch_blocks",
    "bloom_max_block_size",
    "bloom_max_bloom_size",
    "bloom_compactor_enabled",
    "bloom_compactor_enable_compaction",
    "bloom_max_bloom_size",
    "bloom_task_target_series_chunk_size",
    "bloom_gateway_cache_key_interval",
    "bloom_gateway_blocks_downloading_parallelism",
    "bloom_compactor_shard_size",
  ]),
  ...rulerLimits,
  ...noEffects("it was taken out of Loki long ago", [
    "enforce_metric_name",
    "per_tenant_override_config",
    "per_tenant_override_period",
    "s3_sse_type",
    "s3_sse_kms_key_id",
    "s3_sse_kms_encryption_context",
  ]),
  ...noEffects("experimental in Loki and not part of this version", [
    "discover_generic_fields",
    "policy_enforced_labels",
    "policy_stream_mapping",
    "block_ingestion_policy_until",
    "metric_aggregation_enabled",
    "pattern_persistence_enabled",
    "pattern_ingester_tokenizable_json_fields_default",
    "pattern_ingester_tokenizable_json_fields_append",
    "pattern_ingester_tokenizable_json_fields_delete",
    "pattern_ingester_tokenizable_json_fields",
    "simulated_push_latency",
    "enable_multi_variant_queries",
    "max_line_size_truncate_identifier",
    "limited_log_push_errors",
    "log_push_request_streams",
    "ingest_limits_enabled",
    "bloom_gateway_address",
    "volume_enabled_legacy",
    "deletion_max_interval",
    "metric_aggregation_push_wait",
  ]),
});

export type Limits = z.output<typeof limitsSchema>;
