import type { Counter, Gauge, Registry } from "prom-client";
import { counter, gauge } from "../metric.ts";

/** Promtail's metrics of files, and our own of what it leaves unsaid. */
export interface TailMetrics {
  readonly readBytes: Gauge<"path">;
  readonly fileBytes: Gauge<"path">;
  readonly readLines: Counter<"path">;
  readonly filesActive: Gauge<never>;
  readonly encodingFailures: Counter<"path">;
  /** Bytes known to have been in a file and not read before they were gone. */
  readonly lostBytes: Counter<"reason">;
  /** Occasions on which something was lost, or may have been. */
  readonly losses: Counter<"reason">;
  readonly longLines: Counter<never>;
  readonly stalledFiles: Gauge<never>;
  readonly inFlightBytes: Gauge<never>;
  readonly rotations: Counter<"kind">;
}

export function createTailMetrics(registry: Registry): TailMetrics {
  return {
    readBytes: gauge(registry, "promtail_read_bytes_total", "Number of bytes read.", ["path"]),
    fileBytes: gauge(registry, "promtail_file_bytes_total", "Number of bytes total.", ["path"]),
    readLines: counter(registry, "promtail_read_lines_total", "Number of lines read.", ["path"]),
    filesActive: gauge(registry, "promtail_files_active_total", "Number of active files."),
    encodingFailures: counter(
      registry,
      "promtail_encoding_failures_total",
      "Number of lines with bytes that are malformed in the file's encoding.",
      ["path"],
    ),
    lostBytes: counter(registry, "promtail_file_lost_bytes_total", "Bytes of files that were gone before they could be read.", ["reason"]),
    losses: counter(registry, "promtail_file_losses_total", "Occasions on which bytes of a file were, or may have been, lost.", ["reason"]),
    longLines: counter(registry, "promtail_file_long_lines_total", "Lines cut because they exceed the largest line that is read."),
    stalledFiles: gauge(registry, "promtail_files_stalled", "Files that have grown while nothing of them could be delivered."),
    inFlightBytes: gauge(registry, "promtail_in_flight_bytes", "Bytes read from files and not acknowledged yet."),
    rotations: counter(registry, "promtail_file_rotations_total", "Rotations seen, by kind.", ["kind"]),
  };
}
