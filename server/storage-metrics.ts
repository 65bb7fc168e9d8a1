// Counters and gauges of the store, under the names Loki's dashboards and alerts use; Loki's chunks are pages here.

import { Counter, Gauge, type Registry } from "prom-client";
import { addLiveGauges } from "../lib/runtime/live-gauge.ts";

/** What is there right now. */
export interface StorageSizes {
  /** Streams in the head, and their pages, open ones included. */
  readonly streams: number;
  readonly pages: number;
  readonly memoryBytes: number;
  readonly blocks: number;
  readonly storedBytes: number;
  readonly walBytes: number;
}

export interface StorageMetrics {
  readonly corruptions: Counter;
  readonly walFailures: Counter;
  readonly diskFull: Counter;
  readonly replaySeconds: Gauge;
  readonly streamsCreated: Counter;
  readonly streamsRemoved: Counter;
  readonly flushes: Counter<"reason">;
  readonly flushFailures: Counter;
  readonly pages: Counter<"reason">;
  readonly pageBytes: Counter;
  readonly missingBlocks: Counter;
}

export function createStorageMetrics(registry: Registry, read: () => StorageSizes): StorageMetrics {
  const registers = [registry];
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  const byReason = (name: string, help: string): Counter<"reason"> => new Counter({ name, help, labelNames: ["reason"], registers });
  addLiveGauges(registry, read, {
    loki_ingester_memory_streams: ["Streams in the head.", "streams"],
    loki_ingester_memory_chunks: ["Pages in the head.", "pages"],
    loki_ingester_wal_bytes_in_use: ["Bytes of the WAL's segments.", "walBytes"],
    skald_head_bytes: ["Memory of the head's pages.", "memoryBytes"],
    skald_store_blocks: ["Blocks in the catalogue.", "blocks"],
    skald_store_bytes: ["Bytes of the blocks in the catalogue.", "storedBytes"],
  });
  return {
    corruptions: counter("loki_ingester_wal_corruptions_total", "Damaged places found in WAL segments at a start."),
    walFailures: counter("skald_wal_write_failures_total", "Groups of pushes that were refused because the WAL could not be written."),
    diskFull: counter("loki_ingester_wal_disk_full_failures_total", "Those of them that found the disk full."),
    replaySeconds: new Gauge({
      name: "loki_ingester_wal_replay_duration_seconds",
      help: "Time the last start took to read the WAL.",
      registers,
    }),
    streamsCreated: counter("loki_ingester_streams_created_total", "Streams that came into the head."),
    streamsRemoved: counter("loki_ingester_streams_removed_total", "Streams that left the head for a block."),
    flushes: byReason("skald_flushes_total", "Flushes of the head, by what caused them."),
    flushFailures: counter("loki_ingester_chunks_flush_failures_total", "Attempts to flush the head that failed; each is tried again."),
    pages: byReason("loki_ingester_chunks_flushed_total", "Pages written into blocks, by what caused the flush."),
    pageBytes: counter("loki_ingester_chunk_stored_bytes_total", "Bytes written into blocks."),
    missingBlocks: counter("skald_store_missing_blocks_total", "Blocks of the catalogue that could not be opened."),
  };
}
