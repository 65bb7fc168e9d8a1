import type { Counter, Gauge, Histogram, Registry } from "prom-client";
import { counter, gauge, histogram } from "../metric.ts";

export const DROP_REASONS = ["ingester_error", "rate_limited", "stream_limited", "line_too_long"] as const;
/** Ours, of optional clients: there was no room to wait in, or the end came first. */
export const OPTIONAL_DROP_REASONS = ["queue_full", "shutdown"] as const;
/** The last, ours: of an agent before, and not to be read. */
export type DropReason = (typeof DROP_REASONS)[number] | (typeof OPTIONAL_DROP_REASONS)[number] | "backlog_unreadable";

type PerReason = "host" | "tenant" | "reason";

/** Promtail's metrics of its clients. Bytes of dropped batches are compressed, those of dropped lines raw, as there. */
export interface ClientMetrics {
  readonly encodedBytes: Counter<"host">;
  readonly sentBytes: Counter<"host">;
  readonly sentEntries: Counter<"host">;
  readonly droppedBytes: Counter<PerReason>;
  readonly droppedEntries: Counter<PerReason>;
  readonly mutatedBytes: Counter<PerReason>;
  readonly mutatedEntries: Counter<PerReason>;
  readonly requestDuration: Histogram<"status_code" | "host">;
  readonly batchRetries: Counter<"host" | "tenant">;
  /** Lines waiting for acknowledgement, ours. */
  readonly pendingBytes: Gauge<"client" | "tenant">;
  readonly deadLetterEntries: Counter<"client">;
  readonly deadLetterFailed: Counter<"client">;
}

const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export function createClientMetrics(registry: Registry): ClientMetrics {
  const perReason = ["host", "tenant", "reason"] as const;
  return {
    encodedBytes: counter(registry, "promtail_encoded_bytes_total", "Number of bytes encoded and ready to send.", ["host"]),
    sentBytes: counter(registry, "promtail_sent_bytes_total", "Number of bytes sent.", ["host"]),
    sentEntries: counter(registry, "promtail_sent_entries_total", "Number of log entries sent to the ingester.", ["host"]),
    droppedBytes: counter(
      registry,
      "promtail_dropped_bytes_total",
      "Number of bytes dropped because failed to be sent to the ingester after all retries.",
      perReason,
    ),
    droppedEntries: counter(
      registry,
      "promtail_dropped_entries_total",
      "Number of log entries dropped because failed to be sent to the ingester after all retries.",
      perReason,
    ),
    mutatedBytes: counter(registry, "promtail_mutated_bytes_total", "The total number of bytes that have been mutated.", perReason),
    mutatedEntries: counter(
      registry,
      "promtail_mutated_entries_total",
      "The total number of log entries that have been mutated.",
      perReason,
    ),
    requestDuration: histogram(
      registry,
      "promtail_request_duration_seconds",
      "Duration of send requests.",
      ["status_code", "host"] as const,
      BUCKETS_S,
    ),
    batchRetries: counter(registry, "promtail_batch_retries_total", "Number of times batches has had to be retried.", ["host", "tenant"]),
    pendingBytes: gauge(registry, "promtail_client_pending_bytes", "Bytes of lines waiting to be acknowledged.", ["client", "tenant"]),
    deadLetterEntries: counter(registry, "promtail_dead_letter_entries_total", "Refused entries written to the dead-letter file.", [
      "client",
    ]),
    deadLetterFailed: counter(registry, "promtail_dead_letter_failed_entries_total", "Refused entries that could not be written there.", [
      "client",
    ]),
  };
}

/** Counters exist from the start, so that a rate over the first failure is one. Labels are in the order of their names, as Go exposes them. */
export function initHostMetrics(metrics: ClientMetrics, host: string): void {
  for (const metric of [metrics.encodedBytes, metrics.sentBytes, metrics.sentEntries]) metric.inc({ host }, 0);
}

export function initTenantMetrics(metrics: ClientMetrics, host: string, tenant: string, optional: boolean): void {
  metrics.batchRetries.inc({ host, tenant }, 0);
  if (optional) {
    for (const reason of OPTIONAL_DROP_REASONS) {
      for (const metric of [metrics.droppedBytes, metrics.droppedEntries]) metric.inc({ host, reason, tenant }, 0);
    }
  }
  for (const reason of DROP_REASONS) {
    for (const metric of [metrics.droppedBytes, metrics.droppedEntries, metrics.mutatedBytes, metrics.mutatedEntries]) {
      metric.inc({ host, reason, tenant }, 0);
    }
  }
}
