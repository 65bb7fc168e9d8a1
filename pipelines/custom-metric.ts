// Metrics that pipelines count, exposed through prom-client's registry. prom-client wants the label names of a metric beforehand; here
// every series has the labels its entries had, so series are kept and printed by ourselves.

import type { Metric, Registry } from "prom-client";
import { formatFloat } from "../lib/text/go-template/format.ts";
import type { LabelSet } from "../lib/wire/labels.ts";

export type CustomMetricType = "counter" | "gauge" | "histogram";

interface Series {
  readonly labels: LabelSet;
  /** Counter and gauge: the value. Histogram: the sum. */
  value: number;
  /** Histogram: observations by bucket, not accumulated; the last is above all bounds. */
  readonly counts: number[];
  lastMs: number;
}

/** The label as a metric has it: not at all when its name is internal, and with none of the characters that names of metrics' labels lack. */
function shown(labels: LabelSet, name: string): LabelSet {
  if (name.startsWith("__")) return labels.without(name);
  const plain = name.replace(/^\d|\W/g, "_");
  return plain === name ? labels : labels.without(name).with(plain, labels.get(name));
}

/** One line of the exposition, as prom-client takes it. */
interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface CustomMetricOptions {
  readonly name: string;
  readonly help: string;
  readonly type: CustomMetricType;
  /** Ascending upper bounds of a histogram. */
  readonly buckets: readonly number[];
  /** A series that got nothing for this long is forgotten after it was exposed once more. */
  readonly idleMsMax: number;
  readonly nowMs: () => number;
}

export class CustomMetric {
  readonly name: string;
  readonly help: string;
  readonly type: CustomMetricType;
  readonly #options: CustomMetricOptions;
  readonly #series = new Map<LabelSet, Series>();
  #lastMs = 0;
  /** An entry's labels to those of its series. */
  readonly #publicLabels = new WeakMap<LabelSet, LabelSet>();

  /** The metric of this name in the registry; made and registered when there is none of this type. */
  static register(registry: Registry, options: CustomMetricOptions): CustomMetric {
    const known: unknown = registry.getSingleMetric(options.name);
    if (known instanceof CustomMetric && known.type === options.type) return known;
    if (known instanceof CustomMetric) registry.removeSingleMetric(options.name);
    const metric = new CustomMetric(options);
    registry.registerMetric(metric as unknown as Metric);
    return metric;
  }

  private constructor(options: CustomMetricOptions) {
    this.name = options.name;
    this.help = options.help;
    this.type = options.type;
    this.#options = options;
  }

  /** Looks at the clock for what is counted next: once a batch, since looking costs more than counting. */
  tick(): void {
    this.#lastMs = this.#options.nowMs();
  }

  /** Adds to a counter or gauge. */
  add(labels: LabelSet, amount: number): void {
    this.#touch(labels).value += amount;
  }

  /** Sets a gauge. */
  set(labels: LabelSet, value: number): void {
    this.#touch(labels).value = value;
  }

  /** Counts one observation of a histogram. */
  observe(labels: LabelSet, value: number): void {
    const series = this.#touch(labels);
    const { buckets } = this.#options;
    let bucket = 0;
    while (bucket < buckets.length && !(value <= buckets[bucket]!)) bucket++;
    series.counts[bucket]!++;
    series.value += value;
  }

  /** prom-client asks for this at each scrape. */
  async get(): Promise<{ name: string; help: string; type: string; values: Sample[]; aggregator: string }> {
    const values: Sample[] = [];
    const idleSinceMs = this.#options.nowMs() - this.#options.idleMsMax;
    for (const [labels, series] of this.#series) {
      if (this.type === "histogram") this.#addHistogram(values, series);
      else values.push({ labels: labels.toObject(), value: series.value });
      if (series.lastMs <= idleSinceMs) this.#series.delete(labels);
    }
    return { name: this.name, help: this.help, type: this.type, values, aggregator: "sum" };
  }

  reset(): void {
    this.#series.clear();
  }

  #touch(entryLabels: LabelSet): Series {
    let labels = this.#publicLabels.get(entryLabels);
    if (labels === undefined) {
      labels = entryLabels.names.reduce(shown, entryLabels);
      this.#publicLabels.set(entryLabels, labels);
    }
    let series = this.#series.get(labels);
    if (series === undefined) {
      const buckets = this.type === "histogram" ? this.#options.buckets.length + 1 : 0;
      series = { labels, value: 0, counts: new Array<number>(buckets).fill(0), lastMs: 0 };
      this.#series.set(labels, series);
    }
    series.lastMs = this.#lastMs;
    return series;
  }

  #addHistogram(values: Sample[], series: Series): void {
    const labels = series.labels.toObject();
    let count = 0;
    for (let b = 0; b < series.counts.length; b++) {
      count += series.counts[b]!;
      const bound = this.#options.buckets[b];
      const le = bound === undefined || bound === Number.POSITIVE_INFINITY ? "+Inf" : formatFloat(bound, "g", -1);
      if (le === "+Inf" && b < series.counts.length - 1) continue;
      values.push({ metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: count });
    }
    values.push({ metricName: `${this.name}_sum`, labels, value: series.value });
    values.push({ metricName: `${this.name}_count`, labels, value: count });
  }
}
