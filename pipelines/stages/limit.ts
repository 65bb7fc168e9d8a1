// Limits the rate of entries, of all of them or for each value of a label: what exceeds it is dropped, or the source waits.

import { z } from "zod";
import { Counter, type Registry } from "../../lib/runtime/metrics.ts";
import { defineStage, type Stage } from "../stage.ts";
import { numeric, weakBoolean, weakText, wholeNumber } from "../stage-config.ts";
import { TokenBucket, TokenBuckets } from "../token-bucket.ts";

const REASON = "ratelimit_drop_stage";
/** The least that Promtail remembers, whatever the configuration says. */
const DISTINCT_LABELS_MIN = 10_000;

export const limit = defineStage({
  name: "limit",
  config: () =>
    z
      .object({
        rate: numeric().refine((rate) => rate > 0, "has to be above 0 (lines per second)"),
        burst: wholeNumber().refine((burst) => burst > 0, "has to be above 0 (lines)"),
        drop: weakBoolean().default(false),
        by_label_name: weakText().default(""),
        max_distinct_labels: wholeNumber().default(DISTINCT_LABELS_MIN),
      })
      .refine(({ by_label_name: label, drop }) => label === "" || drop, {
        path: ["by_label_name"],
        error: "needs drop: true; a source cannot wait for one label value only",
      }),
  build(config, { now, dropped, registry }): Stage {
    const { rate, burst, by_label_name: label } = config;
    if (label !== "") {
      const buckets = new TokenBuckets(rate, burst, Math.max(config.max_distinct_labels, DISTINCT_LABELS_MIN));
      const counter = droppedByLabel(registry);
      return {
        process(batch) {
          const nowMs = now();
          const before = batch.liveCount;
          batch.filterLive((i) => {
            const labels = batch.labels.get(i)!;
            if (!labels.has(label) || buckets.take(labels.get(label), nowMs)) return true;
            counter.inc({ label_name: label, label_value: labels.get(label) });
            return false;
          });
          if (batch.liveCount < before) dropped(REASON, before - batch.liveCount);
        },
      };
    }
    const bucket = new TokenBucket(rate, burst);
    if (!config.drop) {
      return {
        process: (batch) => bucket.owe(batch.liveCount, now()),
        delayMs: (nowMs) => bucket.debtMs(nowMs),
      };
    }
    return {
      process(batch) {
        const nowMs = now();
        const before = batch.liveCount;
        batch.filterLive(() => bucket.take(nowMs));
        if (batch.liveCount < before) dropped(REASON, before - batch.liveCount);
      },
    };
  },
});

function droppedByLabel(registry: Registry): Counter<"label_name" | "label_value"> {
  const name = "logentry_dropped_lines_by_label_total";
  const known = registry.getSingleMetric(name) as Counter<"label_name" | "label_value"> | undefined;
  return (
    known ??
    new Counter({
      name,
      help: "A count of all log lines dropped as a result of a pipeline stage",
      labelNames: ["label_name", "label_value"],
      registers: [registry],
    })
  );
}
