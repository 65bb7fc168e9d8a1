// Counters and gauges of deletes and retention, under the names of Loki's compactor, which its dashboards and alerts ask for. Names with
// "boltdb_shipper" are Loki's for whatever index there is.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { addLiveGauges } from "../../lib/runtime/live-gauge.ts";

export interface CompactorMetrics {
  /** `status`: success, failure. */
  readonly runs: Counter<"status">;
  readonly runSeconds: Gauge;
  readonly lastRun: Gauge;
  readonly retentionRuns: Counter<"status">;
  readonly retentionSeconds: Histogram;
  readonly lastRetention: Gauge;
  readonly requestsReceived: Counter<"user">;
  readonly requestsProcessed: Counter<"user">;
  readonly loads: Counter<"status">;
  readonly failures: Counter<"cause">;
  readonly deletedLines: Counter<"user">;
  readonly dropped: Counter;
  readonly rewritten: Counter;
}

/** What is there right now. */
export interface CompactorSizes {
  /** Requests past their cancel period that are not processed, and how long the oldest of them is past it. */
  readonly pendingRequests: number;
  readonly oldestPendingSeconds: number;
  /** Objects that wait to be removed. */
  readonly replacedBlocks: number;
}

export function createCompactorMetrics(registry: Registry, read: () => CompactorSizes): CompactorMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
  addLiveGauges(registry, read, {
    loki_compactor_pending_delete_requests_count: [
      "Delete requests past their cancel period that are not processed yet.",
      "pendingRequests",
    ],
    loki_compactor_oldest_pending_delete_request_age_seconds: [
      "How long the oldest of them has been past its cancel period.",
      "oldestPendingSeconds",
    ],
    loki_boltdb_shipper_retention_sweeper_marker_files_current: [
      "Replaced blocks whose objects wait for retention_delete_delay.",
      "replacedBlocks",
    ],
  });
  const operation = "loki_boltdb_shipper_compact_tables_operation";
  const retention = "loki_compactor_apply_retention";
  return {
    runs: counter(`${operation}_total`, "Runs of the compactor.", "status"),
    runSeconds: gauge(`${operation}_duration_seconds`, "Time the last successful run took."),
    lastRun: gauge(`${operation}_last_successful_run_timestamp_seconds`, "When the last successful run ended."),
    retentionRuns: counter(`${retention}_operation_total`, "Times that retention was applied.", "status"),
    retentionSeconds: new Histogram({
      name: `${retention}_operation_duration_seconds`,
      help: "Time it took to apply retention.",
      buckets: [0.01, 0.1, 1, 10, 60, 600],
      registers,
    }),
    lastRetention: gauge(`${retention}_last_successful_run_timestamp_seconds`, "When retention was last applied without a failure."),
    requestsReceived: counter("loki_compactor_delete_requests_received_total", "Delete requests received.", "user"),
    requestsProcessed: counter("loki_compactor_delete_requests_processed_total", "Delete requests processed.", "user"),
    loads: counter("loki_compactor_load_pending_requests_attempts_total", "Times that pending requests were looked up.", "status"),
    failures: counter("loki_compactor_delete_processing_fails_total", "Times that requests could not be carried out.", "cause"),
    deletedLines: counter("loki_compactor_deleted_lines", "Lines removed for delete requests.", "user"),
    dropped: counter("skald_compactor_blocks_dropped_total", "Blocks of which nothing was left."),
    rewritten: counter("skald_compactor_blocks_rewritten_total", "Blocks that were written anew without some of their entries."),
  };
}
