// From the tree and the time range to what has to be read: for each log selector its matchers, the time span of the data, and what the
// parsers have to extract.

import type { Grouping, LogExpr, LogRange, RangeAggregation, RangeFn, VectorAggregation } from "../../lib/logql/ast.ts";
import type { TimeRange } from "../page.ts";
import { LOG_QUERY_HINTS, metricHints, type ParserHints, type SeriesGrouping, seriesGrouping } from "./hints.ts";
import type { Steps } from "./windows.ts";
import { Windows } from "./windows.ts";

/** One range aggregation. Structured-clonable, so that workers get it as it is. */
export interface MetricPlan {
  readonly fn: RangeFn;
  readonly parameter: number | null;
  readonly range: LogRange;
  readonly hints: ParserHints;
  readonly grouping: SeriesGrouping;
  readonly seriesMax: number;
  readonly steps: Steps;
}

export type Direction = "forward" | "backward";

/** A log query: the best `limit` entries of [startNs, endNs), from the side that `direction` names. */
export interface LogPlan {
  readonly log: LogExpr;
  readonly hints: ParserHints;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly direction: Direction;
  readonly limit: number;
}

/**
 * @param outer grouping of the vector aggregation around it, when samples may be put together by it from the start; undefined: none
 */
export function planRange(aggregation: RangeAggregation, outer: Grouping | undefined, steps: Steps, seriesMax: number): MetricPlan {
  const { fn, parameter, range } = aggregation;
  const grouping = fn === "absent_over_time" ? NOTHING : (aggregation.grouping ?? outer ?? null);
  return {
    fn,
    parameter,
    range,
    hints: metricHints(range.log, range.unwrap, grouping, templateLabels),
    grouping: seriesGrouping(grouping, range.unwrap),
    seriesMax,
    steps,
  };
}

const NOTHING: Grouping = { without: false, labels: [] };

/** `sum` of these may sum up by its own labels while lines are read: the sum of sums is the sum. */
const SUMMABLE: ReadonlySet<RangeFn> = new Set(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"]);

/** The grouping that a vector aggregation hands down to the range aggregation right inside it; undefined when it may not. */
export function groupingPushedDown({ fn, of, grouping }: VectorAggregation): Grouping | undefined {
  if (fn !== "sum" || of.kind !== "rangeAggregation" || of.grouping !== null || !SUMMABLE.has(of.fn)) return undefined;
  return grouping ?? NOTHING;
}

/** Times of entries that the windows can hold, both ends inclusive. */
export function dataRange(windows: Windows): TimeRange {
  return { startNs: windows.firstEdgeNs + 1n, endNs: windows.lastEdgeNs };
}

export function windowsOf(plan: MetricPlan): Windows {
  return new Windows(plan.steps, plan.range.rangeMs, plan.range.offsetMs);
}

export function planLog(log: LogExpr, range: { startNs: bigint; endNs: bigint }, direction: Direction, limit: number): LogPlan {
  return { log, hints: LOG_QUERY_HINTS, startNs: range.startNs, endNs: range.endNs, direction, limit };
}

/** Names that a template's actions read: `.name`, also within pipelines. */
export function templateLabels(template: string): readonly string[] {
  const names = new Set<string>();
  for (const [, action = ""] of template.matchAll(/\{\{(.*?)\}\}/gs)) {
    for (const [, name] of action.replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '""').matchAll(/\.([a-zA-Z_][a-zA-Z0-9_]*)/g)) names.add(name!);
  }
  return [...names];
}
