// A stage that throws must not hold up its file: nothing behind the batch would ever be read. What it throws is a fault of ours (stages
// answer bad input themselves), so it is told as one and counted, and the entries go on as the stage has left them.

import { messageOf } from "../lib/runtime/invariant.ts";
import { Counter, type Registry } from "../lib/runtime/metrics.ts";
import type { Stage, StageContext } from "./stage.ts";

const TELL_PERIOD_MS = 60_000;
const METRIC = "skald_stage_failures_total";

/** @param where the stage's place in the configuration, for the log */
export function contained(stage: Stage, name: string, where: string, context: StageContext): Stage {
  let toldMs = Number.NEGATIVE_INFINITY;
  const tell = (error: unknown): void => {
    failures(context.registry).inc({ stage: name });
    const nowMs = context.now();
    if (nowMs - toldMs < TELL_PERIOD_MS) return;
    toldMs = nowMs;
    context.warn({ stage: where, error: messageOf(error) }, "BUG: a stage has failed; its entries go on as they are");
  };
  return {
    process(batch) {
      try {
        stage.process(batch);
      } catch (error) {
        tell(error);
      }
    },
    ...(stage.flush !== undefined && {
      flush(nowMs: number, closing: boolean) {
        try {
          return stage.flush!(nowMs, closing);
        } catch (error) {
          tell(error);
          return undefined;
        }
      },
    }),
    ...(stage.delayMs !== undefined && { delayMs: (nowMs: number) => stage.delayMs!(nowMs) }),
  };
}

function failures(registry: Registry): Counter<"stage"> {
  const known = registry.getSingleMetric(METRIC) as Counter<"stage"> | undefined;
  const help = "Batches that a pipeline stage has failed on by a fault of its own; their entries went on.";
  return known ?? new Counter({ name: METRIC, help, labelNames: ["stage"], registers: [registry] });
}
