// A metric query over all of its steps at once: each node of the tree gives series, the leaves are scans.

import type { BinaryExpr, Grouping, Matcher, MetricExpr, RangeAggregation } from "../../lib/logql/ast.ts";
import { unreachable } from "../../lib/runtime/invariant.ts";
import type { TakeTurn } from "../../lib/runtime/turns.ts";
import { type ValueOp, vectorWithNumber, vectorWithVector } from "./binary.ts";
import { BucketState, stateKindOf } from "./bucket-state.ts";
import { queryErrors } from "./errors.ts";
import { replaceLabels } from "./functions.ts";
import { groupingPushedDown, type MetricPlan, planRange, windowsOf } from "./plan.ts";
import { finishAbsent, finishSeries, newSeries, type Series, seriesMaxOf } from "./range-aggregate.ts";
import type { MetricPartial } from "./scan-metric.ts";
import { NO_LABELS, type ResultLabels, SeriesTable, sortedLabels } from "./series-table.ts";
import { aggregateVectors } from "./vector-aggregate.ts";
import type { Steps, Windows } from "./windows.ts";

export interface EvaluationContext {
  readonly steps: Steps;
  /** Bound for the series of one scan, so that memory is bounded whatever the query. */
  readonly scanSeriesMax: number;
  /** Reads what one range aggregation needs. */
  readonly scan: (plan: MetricPlan, windows: Windows) => Promise<readonly MetricPartial[]>;
  /** To be awaited between series, and between steps of many of them: others get their turn. @throws when the query is stopped */
  readonly takeTurn: TakeTurn;
}

/** Range aggregations of a query that are scanned at the same time: what each has read is in memory until its operator is done. */
const SCANS_AT_ONCE_MAX = 4;
/** Series that are merged between two looks at the clock. */
const MERGED_AT_ONCE = 64;

/** @throws QueryError */
export async function evaluate(expr: MetricExpr, context: EvaluationContext): Promise<Series[]> {
  switch (expr.kind) {
    case "rangeAggregation":
      return evaluateRange(expr, undefined, context);
    case "vectorAggregation": {
      refuseLiteral(expr.of);
      const pushed = groupingPushedDown(expr);
      const inner =
        pushed !== undefined && expr.of.kind === "rangeAggregation"
          ? await evaluateRange(expr.of, pushed, context)
          : await evaluate(expr.of, context);
      return aggregateVectors(expr, inner, context.steps.count, context.takeTurn);
    }
    case "binary":
      return evaluateBinary(expr, context);
    case "labelReplace":
      refuseLiteral(expr.of);
      return replaceLabels(expr, await evaluate(expr.of, context), context.takeTurn);
    case "vector":
    case "literal":
      return [constant(expr.value, context.steps.count)];
    case "variants":
      throw queryErrors.variants();
    default:
      return unreachable(expr);
  }
}

function constant(value: number, stepCount: number): Series {
  const out = newSeries(NO_LABELS, stepCount);
  out.values.fill(value);
  out.present.fill(1);
  return out;
}

/** A bare number is no vector: where one is needed, `vector(1)` has to be written. */
function refuseLiteral(expr: MetricExpr): void {
  if (expr.kind === "literal") throw queryErrors.bareLiteral();
}

async function evaluateBinary(expr: BinaryExpr, context: EvaluationContext): Promise<Series[]> {
  const { left, right, returnBool } = expr;
  const { takeTurn, steps } = context;
  const op = expr.op as ValueOp;
  if (right.kind === "literal") return vectorWithNumber(op, await evaluate(left, context), right.value, false, returnBool, takeTurn);
  if (left.kind === "literal") return vectorWithNumber(op, await evaluate(right, context), left.value, true, returnBool, takeTurn);
  const atOnce = scanCount(expr) <= SCANS_AT_ONCE_MAX;
  const first = evaluate(left, context);
  const [a, b] = atOnce ? await Promise.all([first, evaluate(right, context)]) : [await first, await evaluate(right, context)];
  return vectorWithVector(expr, a, b, steps.count, takeTurn);
}

/** Range aggregations below a node. */
function scanCount(expr: MetricExpr): number {
  switch (expr.kind) {
    case "rangeAggregation":
      return 1;
    case "vectorAggregation":
    case "labelReplace":
      return scanCount(expr.of);
    case "binary":
      return scanCount(expr.left) + scanCount(expr.right);
    default:
      return 0;
  }
}

/** @param outer grouping that is handed down to it */
async function evaluateRange(expr: RangeAggregation, outer: Grouping | undefined, context: EvaluationContext): Promise<Series[]> {
  const { fn, parameter, range } = expr;
  // A scan that finds more series than the steps leave room for ends at once, not when it has read everything.
  const plan = planRange(expr, outer, context.steps, Math.min(context.scanSeriesMax, seriesMaxOf(context.steps.count)));
  const windows = windowsOf(plan);
  const partials = await context.scan(plan, windows);
  const { labels, state } = await mergePartials(plan, partials, context);
  const how = { fn, parameter, rangeSeconds: range.rangeMs / 1000 };
  const series: Series[] = [];
  for (const [id, own] of labels.entries()) {
    const one = await finishSeries(own, id, state, windows, how, context.takeTurn);
    if (one.present.includes(1)) series.push(one);
    const turn = context.takeTurn();
    if (turn instanceof Promise) await turn;
  }
  return fn === "absent_over_time" ? [finishAbsent(absentLabels(range.log.matchers), series, plan.steps.count)] : series;
}

async function mergePartials(
  plan: MetricPlan,
  partials: readonly MetricPartial[],
  { takeTurn }: EvaluationContext,
): Promise<{ labels: readonly ResultLabels[]; state: BucketState }> {
  const table = new SeriesTable(plan.grouping, plan.seriesMax);
  const state = new BucketState(stateKindOf(plan.fn, plan.range.unwrap !== null));
  for (const { labels, states } of partials) {
    for (let from = 0; from < labels.length; from += MERGED_AT_ONCE) {
      const ids = labels.slice(from, from + MERGED_AT_ONCE).map((own) => table.add(own));
      state.merge(states.slice(from, from + MERGED_AT_ONCE), ids);
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
    }
  }
  return { labels: table.labels, state };
}

/** The labels that an absent series would have had: those that the selector pins to one value. */
function absentLabels(matchers: readonly Matcher[]): ResultLabels {
  const pinned = new Map<string, string>();
  const open = new Set<string>();
  for (const { name, op, value } of matchers) {
    if (op !== "=" || pinned.has(name)) open.add(name);
    else if (value !== "") pinned.set(name, value);
  }
  for (const name of open) pinned.delete(name);
  return sortedLabels([...pinned]);
}
