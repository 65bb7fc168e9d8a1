// Loki's command line. Every YAML key has a flag in Loki; the ones people use are here, each with the key it sets.

import type { FlagSpec } from "../lib/runtime/flags.ts";

type Kind = "string" | "number" | "boolean";
const KEYS: Readonly<Record<string, readonly [key: string, kind: Kind, help: string]>> = {
  "auth.enabled": ["auth_enabled", "boolean", "Ask for X-Scope-OrgID; without it every request is tenant fake."],
  target: ["target", "string", "Accepted for Loki's sake: one process does everything."],
  "server.http-listen-address": ["server.http_listen_address", "string", "Address to listen on."],
  "server.http-listen-port": ["server.http_listen_port", "number", "Port to listen on; 0 takes a free one."],
  "server.grpc-listen-address": ["server.grpc_listen_address", "string", "No effect: nothing here speaks gRPC."],
  "server.grpc-listen-port": ["server.grpc_listen_port", "number", "No effect: nothing here speaks gRPC."],
  "server.path-prefix": ["server.http_path_prefix", "string", "Prefix of every path."],
  "server.graceful-shutdown-timeout": ["server.graceful_shutdown_timeout", "string", "How long requests in flight may take at the end."],
  "log.level": ["server.log_level", "string", "debug, info, warn or error."],
  "log.format": ["server.log_format", "string", "logfmt or json."],
  "common.path-prefix": ["common.path_prefix", "string", "Folder of everything that is stored, unless said otherwise."],
  "common.storage.filesystem.chunk-directory": ["common.storage.filesystem.chunks_directory", "string", "Folder of blocks and catalogue."],
  "ingester.wal-dir": ["ingester.wal.dir", "string", "Folder of the write-ahead log."],
  "ingester.wal-enabled": ["ingester.wal.enabled", "boolean", "Accepted for Loki's sake: pushes are always durable."],
  "ingester.chunks-idle-period": ["ingester.chunk_idle_period", "string", "Flush what was not written for this long."],
  "ingester.max-chunk-age": ["ingester.max_chunk_age", "string", "Flush what is this old."],
  "querier.multi-tenant-queries-enabled": [
    "querier.multi_tenant_queries_enabled",
    "boolean",
    "Allow reads of several tenants (X-Scope-OrgID: a|b).",
  ],
  "distributor.ingestion-rate-limit-mb": ["limits_config.ingestion_rate_mb", "number", "Ingestion rate of a tenant in MiB per second."],
  "distributor.ingestion-burst-size-mb": ["limits_config.ingestion_burst_size_mb", "number", "Ingestion burst of a tenant in MiB."],
  "distributor.max-line-size": ["limits_config.max_line_size", "string", "Longest line that is taken."],
  "validation.reject-old-samples": ["limits_config.reject_old_samples", "boolean", "Refuse entries older than the maximum age."],
  "validation.reject-old-samples.max-age": ["limits_config.reject_old_samples_max_age", "string", "Maximum age of entries."],
  "validation.allow-structured-metadata": ["limits_config.allow_structured_metadata", "boolean", "Take structured metadata."],
  "querier.max-query-series": ["limits_config.max_query_series", "number", "Most series a query may answer."],
  "validation.max-entries-limit": ["limits_config.max_entries_limit_per_query", "number", "Most entries a query may ask for."],
  "querier.query-timeout": ["limits_config.query_timeout", "string", "Longest time a query may take."],
  "store.max-query-length": ["limits_config.max_query_length", "string", "Longest time range of a query."],
  "store.retention": ["limits_config.retention_period", "string", "How long entries are kept; 0 is for ever."],
  "ruler.alertmanager-url": ["ruler.alertmanager_url", "string", "Alertmanagers that alerts are sent to, comma separated."],
  "ruler.external.url": ["ruler.external_url", "string", "Grafana's address, for the links of alerts."],
  "ruler.evaluation-interval": ["ruler.evaluation_interval", "string", "How often rule groups that do not say so are evaluated."],
  "ruler.poll-interval": ["ruler.poll_interval", "string", "How often files of rules are looked at."],
  "ruler.enable-api": ["ruler.enable_api", "boolean", "Serve the rules API."],
  "ruler.storage.type": ["ruler.storage.type", "string", "local: rules are files, and the rules API changes nothing."],
  "ruler.storage.local.directory": ["ruler.storage.local.directory", "string", "Folder of rule files, one folder per tenant."],
  "ruler.remote-write.enabled": ["ruler.remote_write.enabled", "boolean", "Send recorded samples to the configured remotes."],
  "compactor.retention-enabled": ["compactor.retention_enabled", "boolean", "Apply retention, and take delete requests."],
  "compactor.compaction-interval": ["compactor.compaction_interval", "string", "How often retention and delete requests are carried out."],
  "compactor.retention-delete-delay": ["compactor.retention_delete_delay", "string", "How long the objects of replaced blocks are kept."],
  "compactor.delete-request-cancel-period": [
    "compactor.delete_request_cancel_period",
    "string",
    "How long a delete request can be cancelled before its lines are removed.",
  ],
  "runtime-config.file": ["runtime_config.file", "string", "File of limits per tenant."],
  "runtime-config.reload-period": ["runtime_config.period", "string", "How often that file is looked at."],
};

export const SERVER_FLAGS: Readonly<Record<string, FlagSpec>> = {
  "config.file": {
    kind: "string",
    help: "Configuration file; several, comma separated: the first that exists is read. Without one the defaults hold.",
  },
  "config.expand-env": { kind: "boolean", help: "Replace ${VAR} in the configuration by environment variables." },
  "verify-config": { kind: "boolean", help: "Check the configuration and end." },
  "print-config-stderr": { kind: "boolean", help: "Print the configuration with its defaults to standard error." },
  "log-config-reverse-order": { kind: "boolean", help: "Accepted for Loki's sake." },
  "list-targets": { kind: "boolean", help: "List the targets and end." },
  version: { kind: "boolean", help: "Print the version and end." },
  help: { kind: "boolean", help: "Print this and end." },
  ...Object.fromEntries(
    Object.entries(KEYS).map(([name, [, kind, help]]) => [name, { kind: kind === "boolean" ? "boolean" : "string", help } as const]),
  ),
};

/** Values of the given flags by the configuration key they set. */
export function overridesOf(given: ReadonlyMap<string, string>): Record<string, unknown> {
  const overrides: Record<string, unknown> = {};
  for (const [name, value] of given) {
    const entry = KEYS[name];
    if (entry === undefined) continue;
    const [key, kind] = entry;
    overrides[key] = kind === "boolean" ? value === "true" : kind === "number" ? Number(value) : value;
  }
  return overrides;
}
