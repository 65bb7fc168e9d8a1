// A recording rule at work: its query's answer under the rule's name and labels, and an end for every series that is not there any more.

import { labelsKey, type ResultLabels } from "../query/series-table.ts";
import { setLabel, toResultLabels } from "./evaluate-alerting.ts";
import type { Sample } from "./query.ts";
import type { RecordingRule } from "./rules.ts";

/** A sample for the remote: a value, or the mark that the series has ended. */
export interface RecordedSample {
  readonly labels: ResultLabels;
  readonly timeMs: number;
  readonly value: number | "stale";
}

export class RecordingState {
  readonly rule: RecordingRule;
  #series = new Map<string, ResultLabels>();

  constructor(rule: RecordingRule) {
    this.rule = rule;
  }

  /** Goes on with the series of the rule that this one replaces. */
  takeOver(former: RecordingState): void {
    this.#series = former.#series;
  }

  /** @throws Error when two series get the same labels, or there are more than the limit allows */
  evaluate(samples: readonly Sample[], atMs: number, limit: number): RecordedSample[] {
    const now = new Map<string, ResultLabels>();
    const recorded: RecordedSample[] = [];
    for (const { labels: result, value } of samples) {
      const labels = this.#label(result);
      const key = labelsKey(labels);
      if (now.has(key)) throw new Error("vector contains metrics with the same labelset after applying rule labels");
      now.set(key, labels);
      recorded.push({ labels, timeMs: atMs, value });
    }
    if (limit > 0 && now.size > limit) throw new Error(`exceeded limit of ${limit} with ${now.size} series`);
    for (const [key, labels] of this.#series) if (!now.has(key)) recorded.push({ labels, timeMs: atMs, value: "stale" });
    this.#series = now;
    return recorded;
  }

  /** Ends of all series: the rule is going away for good. */
  endAll(atMs: number): RecordedSample[] {
    const ends = [...this.#series.values()].map((labels) => ({ labels, timeMs: atMs, value: "stale" as const }));
    this.#series.clear();
    return ends;
  }

  #label({ names, values }: ResultLabels): ResultLabels {
    const labels = new Map(names.map((name, i) => [name, values[i]!]));
    labels.set("__name__", this.rule.name);
    for (const [name, value] of this.rule.labels) setLabel(labels, name, value);
    return toResultLabels(labels);
  }
}
