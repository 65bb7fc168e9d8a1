// What the spools count, by scrape config.

import type { Registry } from "prom-client";
import { counter, gauge } from "../metric.ts";

/** Why entries that were accepted never left the spool. */
export type SpoolLoss = "full" | "pipeline_failed";

export interface SpoolMetrics {
  readonly size: (bytes: number, segmentCount: number) => void;
  readonly entriesIn: (count: number) => void;
  readonly entriesOut: (count: number) => void;
  readonly refused: (count: number) => void;
  readonly dropped: (reason: SpoolLoss, count: number) => void;
  readonly damaged: (bytes: number) => void;
  readonly writeFailed: () => void;
}

export function openSpoolMetrics(registry: Registry, job: string): SpoolMetrics {
  const labels = { job };
  const bytes = gauge(registry, "skald_spool_bytes", "Bytes of a scrape config's spool on disk.", ["job"]);
  const segments = gauge(registry, "skald_spool_segments", "Files of a scrape config's spool.", ["job"]);
  const into = counter(registry, "skald_spool_entries_in_total", "Entries that were written to the spool.", ["job"]);
  const out = counter(registry, "skald_spool_entries_out_total", "Entries of the spool that were acknowledged, or dropped by a stage.", [
    "job",
  ]);
  const refused = counter(registry, "skald_spool_refused_entries_total", "Entries whose sender was told that the spool is full.", ["job"]);
  const damaged = counter(registry, "skald_spool_damaged_bytes_total", "Bytes of the spool that could not be read back.", ["job"]);
  const failures = counter(registry, "skald_spool_write_failures_total", "Failed writes to the spool.", ["job"]);
  const dropped = counter(registry, "logentry_dropped_lines_total", "A count of all log lines dropped as a result of a pipeline stage", [
    "reason",
  ]);
  return {
    size: (size, count) => {
      bytes.set(labels, size);
      segments.set(labels, count);
    },
    entriesIn: (count) => into.inc(labels, count),
    entriesOut: (count) => out.inc(labels, count),
    refused: (count) => refused.inc(labels, count),
    dropped: (reason, count) => dropped.inc({ reason: `spool_${reason}` }, count),
    damaged: (count) => damaged.inc(labels, count),
    writeFailed: () => failures.inc(labels),
  };
}
