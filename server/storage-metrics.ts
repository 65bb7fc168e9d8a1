// Counters and gauges of the store, under the names Loki's dashboards and alerts use.

import { Counter, Gauge, type Registry } from "prom-client";

export interface StorageMetrics {
  readonly corruptions: Counter;
  readonly flushes: Counter<"reason">;
  readonly flushFailures: Counter;
  readonly pages: Counter;
  readonly missingBlocks: Counter;
}

export function createStorageMetrics(
  registry: Registry,
  read: () => { streams: number; memoryBytes: number; blocks: number; storedBytes: number },
): StorageMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge("loki_ingester_memory_streams", "Streams in the head.", () => read().streams);
  gauge("skald_head_bytes", "Memory of the head's pages.", () => read().memoryBytes);
  gauge("skald_store_blocks", "Blocks in the catalogue.", () => read().blocks);
  gauge("skald_store_bytes", "Bytes of the blocks in the catalogue.", () => read().storedBytes);
  return {
    corruptions: new Counter({
      name: "loki_ingester_wal_corruptions_total",
      help: "WAL segments whose end was damaged at a start.",
      registers,
    }),
    flushes: new Counter({
      name: "skald_flushes_total",
      help: "Flushes of the head, by what caused them.",
      labelNames: ["reason"],
      registers,
    }),
    flushFailures: new Counter({
      name: "loki_ingester_chunks_flush_failures_total",
      help: "Attempts to flush the head that failed; each is tried again.",
      registers,
    }),
    pages: new Counter({ name: "loki_ingester_chunks_flushed_total", help: "Pages written into blocks.", registers }),
    missingBlocks: new Counter({
      name: "skald_store_missing_blocks_total",
      help: "Blocks of the catalogue that could not be opened at a start.",
      registers,
    }),
  };
}
