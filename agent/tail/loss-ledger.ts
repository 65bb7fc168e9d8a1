import type { Log } from "../../lib/runtime/log.ts";
import type { TailMetrics } from "./tail-metrics.ts";

/** Why bytes of a file could not be read: a label of the metrics, so the list is closed. */
export type LossReason = "truncated" | "rotated_away" | "deleted" | "line_too_long" | "too_many_rotated";

export interface Loss {
  readonly reason: LossReason;
  readonly path: string;
  readonly fromByte: number;
  /** Undefined: nobody knows whether there was anything. */
  readonly toByte: number | undefined;
  readonly text: string;
}

/** What could not be read is written down: a counter, and a log line with file and byte range. Never silent. */
export function reportLoss(loss: Loss, metrics: TailMetrics, log: Log): void {
  const { reason, path, fromByte, toByte, text } = loss;
  const bytes = toByte === undefined ? 0 : Math.max(0, toByte - fromByte);
  metrics.losses.inc({ reason });
  metrics.lostBytes.inc({ reason }, bytes);
  log.warn({ file: path, reason, from_byte: fromByte, to_byte: toByte ?? "unknown", bytes }, text);
}
