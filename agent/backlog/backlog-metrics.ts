// What the backlogs count, by client.

import type { Registry } from "prom-client";
import { counter, gauge } from "../metric.ts";

export interface BacklogSize {
  /** On disk. */
  readonly bytes: number;
  /** Not dealt with. */
  readonly batchCount: number;
  /** How long the oldest of them has been there. */
  readonly oldestMs: number;
}

export interface BacklogMetrics {
  readonly size: (size: BacklogSize) => void;
  readonly entriesIn: (count: number) => void;
  readonly entriesOut: (count: number) => void;
  readonly damaged: (bytes: number) => void;
  readonly torn: (bytes: number) => void;
  readonly writeFailed: () => void;
}

export function openBacklogMetrics(registry: Registry, client: string): BacklogMetrics {
  const labels = { client };
  const bytes = gauge(registry, "skald_backlog_bytes", "Bytes on disk of what waits for a client that is behind.", ["client"]);
  const batches = gauge(registry, "skald_backlog_batches", "Batches on disk that wait for a client that is behind.", ["client"]);
  const oldest = gauge(registry, "skald_backlog_oldest_seconds", "How long the oldest batch on disk has waited for the client.", [
    "client",
  ]);
  const into = counter(registry, "skald_backlog_entries_in_total", "Entries that were put on disk because the client was behind.", [
    "client",
  ]);
  const out = counter(registry, "skald_backlog_entries_out_total", "Entries of the backlog that were acknowledged or dropped.", ["client"]);
  const damaged = counter(registry, "skald_backlog_damaged_bytes_total", "Bytes of the backlog that could not be read back: lost.", [
    "client",
  ]);
  const torn = counter(registry, "skald_backlog_torn_bytes_total", "Bytes that a crash left unfinished; their entries are read again.", [
    "client",
  ]);
  const failures = counter(registry, "skald_backlog_write_failures_total", "Failed reads and writes of the backlog.", ["client"]);
  for (const metric of [into, out, damaged, torn, failures]) metric.inc(labels, 0);
  return {
    size: ({ bytes: size, batchCount, oldestMs }) => {
      bytes.set(labels, size);
      batches.set(labels, batchCount);
      oldest.set(labels, oldestMs / 1000);
    },
    entriesIn: (count) => into.inc(labels, count),
    entriesOut: (count) => out.inc(labels, count),
    damaged: (count) => damaged.inc(labels, count),
    torn: (count) => torn.inc(labels, count),
    writeFailed: () => failures.inc(labels),
  };
}
