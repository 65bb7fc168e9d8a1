// Counts entries and extracted numbers in metrics of the agent's own /metrics page.

import { z } from "zod";
import { Counter, type Registry } from "../../lib/runtime/metrics.ts";
import type { EntryBatch, Value } from "../../lib/wire/entry-batch.ts";
import { CustomMetric, type CustomMetricType } from "../custom-metric.ts";
import { numberOfValue } from "../metric-number.ts";
import { defineStage, type Stage, type StageContext } from "../stage.ts";
import { describeValue, durationNs, numeric, strictBoolean, text } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const DEFAULT_PREFIX = "promtail_custom_";
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const COUNTER_ACTIONS = ["inc", "add"];
const GAUGE_ACTIONS = ["set", "inc", "dec", "add", "sub"];

const lowerCase = () => text().transform((given) => given.toLowerCase());

const metricConfig = () =>
  z
    .object({
      type: lowerCase(),
      description: text().default(""),
      prefix: text()
        .default("")
        .transform((prefix) => (prefix === "" ? DEFAULT_PREFIX : prefix)),
      source: text().optional(),
      max_idle_duration: durationNs().prefault("5m"),
      config: z
        .object({
          match_all: strictBoolean().default(false),
          count_entry_bytes: strictBoolean().default(false),
          value: text().optional(),
          action: lowerCase().default(""),
          buckets: z.array(numeric()).default([]),
        })
        .prefault({}),
    })
    .superRefine(({ type, config, max_idle_duration: idleNs }, context) => {
      const problem = (message: string, ...path: string[]): void => context.addIssue({ code: "custom", message, path });
      if (idleNs < 1e9) problem("has to be at least 1s", "max_idle_duration");
      if (type === "counter") checkCounter(config, problem);
      else if (type === "gauge") {
        if (!GAUGE_ACTIONS.includes(config.action))
          problem(`gauge action has to be one of ${GAUGE_ACTIONS.join(", ")}`, "config", "action");
      } else if (type !== "histogram") problem(`unknown metric type ${type}; it has to be counter, gauge or histogram`, "type");
    });

type MetricConfig = z.output<ReturnType<typeof metricConfig>>;

function checkCounter(config: MetricConfig["config"], problem: (message: string, ...path: string[]) => void): void {
  if (!COUNTER_ACTIONS.includes(config.action)) problem("counter action has to be inc or add", "config", "action");
  if (config.match_all && config.value !== undefined) problem("match_all and value exclude each other", "config", "value");
  if (!config.count_entry_bytes) return;
  if (!config.match_all) problem("count_entry_bytes needs match_all: true", "config", "match_all");
  if (config.action !== "add") problem("count_entry_bytes needs action: add", "config", "action");
}

export const metrics = defineStage({
  name: "metrics",
  config: () =>
    z.preprocess(
      (given) => given ?? {},
      z
        .record(z.string(), metricConfig(), { error: (issue) => `expected a map from names to metrics, got ${describeValue(issue.input)}` })
        .superRefine((map, context) => {
          for (const [name, { prefix }] of Object.entries(map)) {
            if (METRIC_NAME.test(prefix + name)) continue;
            context.addIssue({
              code: "custom",
              path: [name],
              message: `invalid metric name ${prefix}${name}; it has to match ${METRIC_NAME.source}`,
            });
          }
        }),
    ),
  build(map, context): Stage {
    const updaters = Object.entries(map).map(([name, config]) => updaterOf(name, config, context));
    return {
      process(batch) {
        for (const { metric, update, updateAll } of updaters) {
          metric.tick();
          if (updateAll !== undefined) updateAll(batch);
          else for (let k = 0; k < batch.liveCount; k++) update(batch, batch.live[k]!);
        }
      },
    };
  },
});

interface Updater {
  readonly metric: CustomMetric;
  update(batch: EntryBatch, i: number): void;
  /** As `update` of all live entries, done once for each label set. */
  readonly updateAll?: (batch: EntryBatch) => void;
}

function updaterOf(name: string, given: MetricConfig, context: StageContext): Updater {
  const { config } = given;
  const metric = CustomMetric.register(context.registry, {
    name: given.prefix + name,
    help: given.description,
    type: given.type as CustomMetricType,
    buckets: [...new Set(config.buckets.length === 0 ? DEFAULT_BUCKETS : config.buckets)].sort((a, b) => a - b),
    idleMsMax: given.max_idle_duration / 1e6,
    nowMs: context.now,
  });
  const update = changeOf(metric, config, context);
  if (config.match_all && metric.type === "counter") {
    if (config.count_entry_bytes) return { metric, update: (batch, i) => metric.add(batch.labels.get(i)!, batch.lineLength(i)) };
    const updateAll = ({ labels, live, liveCount }: EntryBatch): void => {
      const counts = labels.countOf(live, liveCount);
      // Series stand in the order in which they were met.
      for (let k = 0; k < liveCount; k++) {
        const number = labels.ids[live[k]!]!;
        if (counts[number] === 0) continue;
        metric.add(labels.sets[number]!, counts[number]!);
        counts[number] = 0;
      }
    };
    return { metric, update: (batch, i) => update(batch, i, undefined), ...(config.action === "inc" && { updateAll }) };
  }
  const source = given.source ?? name;
  return {
    metric,
    update(batch, i) {
      const value = batch.extract(source, i);
      if (value === undefined) return;
      if (config.value !== undefined && textOfValue(value) !== config.value) return;
      update(batch, i, value);
    },
  };
}

/** What one value does to the metric. */
function changeOf(
  metric: CustomMetric,
  { action }: MetricConfig["config"],
  context: StageContext,
): (batch: EntryBatch, i: number, value: Value | undefined) => void {
  if (metric.type !== "histogram" && (action === "inc" || action === "dec")) {
    const step = action === "inc" ? 1 : -1;
    return (batch, i) => metric.add(batch.labels.get(i)!, step);
  }
  return (batch, i, value) => {
    const number = numberOfValue(value);
    if (number === undefined) return;
    const labels = batch.labels.get(i)!;
    if (metric.type === "histogram") metric.observe(labels, number);
    else if (action === "set") metric.set(labels, number);
    else if (metric.type === "counter" && !(number >= 0)) {
      ignoredValues(context.registry).inc({ metric: metric.name });
      context.debug({ metric: metric.name, value: number }, "a counter cannot go down: value ignored");
    } else metric.add(labels, action === "sub" ? -number : number);
  };
}

/** There from the first such value on. */
function ignoredValues(registry: Registry): Counter<"metric"> {
  const name = "logentry_metric_ignored_values_total";
  const help = "Values that a counter of the metrics stage could not take, because they are negative.";
  const known = registry.getSingleMetric(name) as Counter<"metric"> | undefined;
  return known ?? new Counter({ name, help, labelNames: ["metric"], registers: [registry] });
}
