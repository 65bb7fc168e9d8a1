// Counters of the ingest path, under the names Loki's dashboards and alerts use.

import { Counter, type Registry } from "prom-client";

export interface IngestMetrics {
  received(tenant: string, lines: number, lineBytes: number, metadataBytes: number): void;
  discarded(tenant: string, reason: string, entries: number, bytes: number): void;
  mutated(tenant: string, reason: string, entries: number, bytes: number): void;
}

/** What is refused of one push, by reason. */
export class Discards {
  readonly #byReason = new Map<string, { entries: number; bytes: number }>();

  add(reason: string, entries: number, bytes: number): void {
    const sum = this.#byReason.get(reason);
    if (sum === undefined) this.#byReason.set(reason, { entries, bytes });
    else {
      sum.entries += entries;
      sum.bytes += bytes;
    }
  }

  count(metrics: IngestMetrics, tenant: string): void {
    for (const [reason, { entries, bytes }] of this.#byReason) metrics.discarded(tenant, reason, entries, bytes);
  }
}

export function createIngestMetrics(registry: Registry): IngestMetrics {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  const bytes = counter("loki_distributor_bytes_received_total", "Bytes of lines and structured metadata received, by tenant.", ["tenant"]);
  const lines = counter("loki_distributor_lines_received_total", "Entries received, by tenant.", ["tenant"]);
  const metadata = counter(
    "loki_distributor_structured_metadata_bytes_received_total",
    "Bytes of structured metadata received, by tenant.",
    ["tenant"],
  );
  const discardedEntries = counter("loki_discarded_samples_total", "Entries refused, by reason and tenant.", ["reason", "tenant"]);
  const discardedBytes = counter("loki_discarded_bytes_total", "Bytes of entries refused, by reason and tenant.", ["reason", "tenant"]);
  const mutatedEntries = counter("loki_mutated_samples_total", "Entries changed at ingest, by reason and tenant.", ["reason", "tenant"]);
  const mutatedBytes = counter("loki_mutated_bytes_total", "Bytes cut off entries at ingest, by reason and tenant.", ["reason", "tenant"]);
  return {
    received(tenant, lineCount, lineBytes, metadataBytes) {
      bytes.inc({ tenant }, lineBytes + metadataBytes);
      lines.inc({ tenant }, lineCount);
      if (metadataBytes > 0) metadata.inc({ tenant }, metadataBytes);
    },
    discarded(tenant, reason, entries, refusedBytes) {
      discardedEntries.inc({ reason, tenant }, entries);
      discardedBytes.inc({ reason, tenant }, refusedBytes);
    },
    mutated(tenant, reason, entries, cutBytes) {
      mutatedEntries.inc({ reason, tenant }, entries);
      mutatedBytes.inc({ reason, tenant }, cutBytes);
    },
  };
}
