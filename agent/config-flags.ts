// Flags that override a key of the configuration file, beside those of the block `server`.

import { type ConfigFlag, configFlag } from "./config-flag.ts";
import { SERVER_FLAGS } from "./server-flags.ts";

const DEPRECATED = "Deprecated: use the block clients.";
const NO_TRACING = "Without effect: there is nothing to trace with.";

export const CONFIG_FLAGS: Readonly<Record<string, ConfigFlag>> = {
  "positions.file": configFlag("text", "positions.filename", "Where positions are kept.", "/var/log/positions.yaml"),
  "positions.sync-period": configFlag("duration", "positions.sync_period", "How often positions are written.", "10s"),
  "positions.ignore-invalid-yaml": configFlag("bool", "positions.ignore_invalid_yaml", "Treat a broken positions file as empty."),
  "target.sync-period": configFlag("duration", "target_config.sync_period", "How often paths are matched anew.", "10s"),
  stdin: configFlag("bool", "target_config.stdin", "Read standard input instead of the targets of the configuration, and end with it."),
  "file-watch.min_poll_frequency": configFlag(
    "duration",
    "global.file_watch_config.min_poll_frequency",
    "Poll interval after a change.",
    "250ms",
  ),
  "file-watch.max_poll_frequency": configFlag(
    "duration",
    "global.file_watch_config.max_poll_frequency",
    "Longest poll interval of an idle file.",
    "250ms",
  ),
  "limit.readline-rate": configFlag("float", "limits_config.readline_rate", "Lines per second, over all files.", "10000"),
  "limit.readline-burst": configFlag("int", "limits_config.readline_burst", "Lines that may come at once.", "10000"),
  "limit.readline-rate-enabled": configFlag("bool", "limits_config.readline_rate_enabled", "Limit the rate of lines."),
  "limit.readline-rate-drop": configFlag(
    "bool",
    "limits_config.readline_rate_drop",
    "Drop lines above the rate instead of waiting.",
    "true",
  ),
  "max-streams": configFlag("int", "limits_config.max_streams", "Streams per batch and tenant; 0 is no limit."),
  "max-line-size": configFlag("size", "limits_config.max_line_size", "Longest line that is sent; 0 is no limit."),
  "max-line-size-truncate": configFlag("bool", "limits_config.max_line_size_truncate", "Cut longer lines instead of dropping them."),
  "client.url": configFlag("url", "client.url", `URL that entries are pushed to. ${DEPRECATED}`),
  "client.name": configFlag("text", "client.name", `Name of the client. ${DEPRECATED}`),
  "client.batch-wait": configFlag("duration", "client.batchwait", `Longest time a batch waits. ${DEPRECATED}`, "1s"),
  "client.batch-size-bytes": configFlag("int", "client.batchsize", `Largest batch. ${DEPRECATED}`, "1048576"),
  "client.max-retries": configFlag("int", "client.backoff_config.max_retries", `Tries of a batch. ${DEPRECATED}`, "10"),
  "client.min-backoff": configFlag("duration", "client.backoff_config.min_period", `Shortest wait between tries. ${DEPRECATED}`, "500ms"),
  "client.max-backoff": configFlag("duration", "client.backoff_config.max_period", `Longest wait between tries. ${DEPRECATED}`, "5m0s"),
  "client.timeout": configFlag("duration", "client.timeout", `Longest time of a request. ${DEPRECATED}`, "10s"),
  "client.tenant-id": configFlag("text", "client.tenant_id", `Tenant of the entries. ${DEPRECATED}`),
  "client.drop-rate-limited-batches": configFlag("bool", "client.drop_rate_limited_batches", `Drop a batch answered by 429. ${DEPRECATED}`),
  "client.stream-lag-labels": configFlag("text", "options.stream_lag_labels", "Without effect."),
  ...SERVER_FLAGS,
  "tracing.enabled": configFlag("bool", "tracing.enabled", NO_TRACING),
  "tracing.filter-gcs-spans": configFlag("bool", "tracing.filter_gcs_spans", NO_TRACING),
  "tracing.profiling-enabled": configFlag("bool", "tracing.profiling_enabled", NO_TRACING),
  "log.level": configFlag("level", "server.log_level", "Only messages of this level and above: debug, info, warn, error.", "info"),
  "log.format": configFlag("text", "server.log_format", "Format of messages: logfmt, json.", "logfmt"),
};
