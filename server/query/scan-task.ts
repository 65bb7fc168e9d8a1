// A piece of a scan as it travels to a worker and back: plain data both ways.

import { type LabelPair, LabelSet } from "../../lib/wire/labels.ts";
import type { PageRef, StreamPages } from "../page.ts";
import type { LogPartial } from "./entry-keeper.ts";
import type { LogPlan, MetricPlan } from "./plan.ts";
import type { ScanStats } from "./scan-control.ts";
import type { LogPage } from "./scan-log.ts";
import type { MetricPartial } from "./scan-metric.ts";

export type ScanTask =
  | { readonly kind: "metric"; readonly query: number; readonly plan: MetricPlan; readonly streams: readonly PlainStream[] }
  | {
      readonly kind: "log";
      readonly plan: LogPlan;
      readonly streams: readonly (readonly LabelPair[])[];
      readonly pages: readonly PlainLogPage[];
    };

export type ScanResult =
  | { readonly kind: "metric"; readonly partial: MetricPartial; readonly stats: ScanStats }
  | { readonly kind: "log"; readonly entries: LogPartial; readonly stats: ScanStats };

interface PlainStream {
  readonly labels: readonly LabelPair[];
  readonly pages: readonly PageRef[];
}

interface PlainLogPage {
  /** Index in the task's streams. */
  readonly labels: number;
  readonly stream: number;
  readonly page: PageRef;
}

export function metricTask(query: number, plan: MetricPlan, streams: readonly StreamPages[]): ScanTask {
  return { kind: "metric", query, plan, streams: streams.map(({ labels, pages }) => ({ labels: [...labels], pages })) };
}

export function logTask(plan: LogPlan, pages: readonly LogPage[]): ScanTask {
  const at = new Map<LabelSet, number>();
  for (const { labels } of pages) if (!at.has(labels)) at.set(labels, at.size);
  return {
    kind: "log",
    plan,
    streams: [...at.keys()].map((labels) => [...labels]),
    pages: pages.map(({ labels, stream, page }) => ({ labels: at.get(labels)!, stream, page })),
  };
}

export function streamsOf(streams: readonly PlainStream[]): StreamPages[] {
  return streams.map(({ labels, pages }) => ({ labels: LabelSet.of(labels), pages }));
}

export function logPagesOf(task: Extract<ScanTask, { kind: "log" }>): LogPage[] {
  const sets = task.streams.map((pairs) => LabelSet.of(pairs));
  return task.pages.map(({ labels, stream, page }) => ({ labels: sets[labels]!, stream, page }));
}
