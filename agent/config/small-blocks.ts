// The small top-level blocks: global, positions, spool, backlog, target_config, limits_config, options, tracing, wal.

import { z } from "zod";
import { bool, byteSize, float, goDuration, int, oneOf, text } from "./fields.ts";

export const globalSchema = () =>
  z.strictObject({
    file_watch_config: z
      .strictObject({
        min_poll_frequency: goDuration().prefault("250ms"),
        max_poll_frequency: goDuration().prefault("250ms"),
      })
      .prefault({}),
  });

export const positionsSchema = () =>
  z.strictObject({
    sync_period: goDuration().prefault("10s"),
    filename: text().default("/var/log/positions.yaml"),
    ignore_invalid_yaml: bool().default(false),
  });

/** Below this a spool would refuse pushes, and a backlog batches, of ordinary size. */
const QUEUE_BYTES_MIN = 1024 * 1024;

/** Not Promtail's: where entries of senders that cannot send again wait for their acknowledgement. */
export const spoolSchema = () =>
  z.strictObject({
    enabled: bool().default(true),
    /** Empty: the positions file's name with `.spool` behind it. */
    directory: text().default(""),
    /** Of each scrape config. */
    max_bytes: byteSize()
      .prefault("512MB")
      .refine((bytes) => bytes >= QUEUE_BYTES_MIN, "expected 1MB or more; set enabled: false to do without a spool"),
    on_full: oneOf(["refuse", "drop_oldest"]).default("refuse"),
  });

/** Not Promtail's: where batches wait for a required client that is behind the others. */
export const backlogSchema = () =>
  z.strictObject({
    enabled: bool().default(true),
    /** Empty: the positions file's name with `.backlog` behind it. */
    directory: text().default(""),
    /** Of each client. */
    max_bytes: byteSize()
      .prefault("512MB")
      .refine(
        (bytes) => bytes >= QUEUE_BYTES_MIN,
        "expected 1MB or more; set enabled: false to have all clients keep the pace of the slowest",
      ),
  });

export const targetConfigSchema = () =>
  z.strictObject({
    sync_period: goDuration().prefault("10s"),
    stdin: bool().default(false),
  });

export const limitsSchema = () =>
  z.strictObject({
    readline_rate: float().default(10_000),
    readline_burst: int().default(10_000),
    readline_rate_enabled: bool().default(false),
    readline_rate_drop: bool().default(true),
    max_streams: int().default(0),
    max_line_size: byteSize().prefault("0"),
    max_line_size_truncate: bool().default(false),
  });

export const optionsSchema = () => z.strictObject({ stream_lag_labels: text().optional() });

export const tracingSchema = () =>
  z.strictObject({ enabled: bool().default(false), filter_gcs_spans: bool().default(false), profiling_enabled: bool().default(false) });

export const walSchema = () =>
  z.strictObject({
    enabled: bool().default(false),
    dir: text().default(""),
    cleanSegmentsOlderThan: goDuration().prefault("1h"),
    watchConfig: z
      .strictObject({
        minReadFrequency: goDuration().prefault("250ms"),
        maxReadFrequency: goDuration().prefault("1s"),
        drainTimeout: goDuration().prefault("30s"),
      })
      .prefault({}),
  });
