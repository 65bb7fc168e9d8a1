// A metric query over all of its steps at once: each node of the tree gives series, the leaves are scans.

import type { BinaryExpr, Matcher, MetricExpr, RangeAggregation } from "../../lib/logql/ast.ts";
import { unreachable } from "../../lib/runtime/invariant.ts";
import { type ValueOp, vectorWithNumber, vectorWithVector } from "./binary.ts";
import { BucketState, stateKindOf } from "./bucket-state.ts";
import { queryErrors } from "./errors.ts";
import { replaceLabels } from "./functions.ts";
import { groupingPushedDown, type MetricPlan, planRange, windowsOf } from "./plan.ts";
import { finishAbsent, finishSeries, newSeries, type Series } from "./range-aggregate.ts";
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
  readonly takeTurn: () => Promise<void> | void;
}

/** Series times steps of one range aggregation, at nine bytes each. */
const VALUES_MAX = 48_000_000;

/** @throws QueryError */
export async function evaluate(expr: MetricExpr, context: EvaluationContext): Promise<Series[]> {
  switch (expr.kind) {
    case "rangeAggregation":
      return evaluateRange(expr, planRange(expr, undefined, context.steps, context.scanSeriesMax), context);
    case "vectorAggregation": {
      refuseLiteral(expr.of);
      const pushed = groupingPushedDown(expr);
      const inner =
        pushed !== undefined && expr.of.kind === "rangeAggregation"
          ? await evaluateRange(expr.of, planRange(expr.of, pushed, context.steps, context.scanSeriesMax), context)
          : await evaluate(expr.of, context);
      return aggregateVectors(expr, inner, context.steps.count, context.takeTurn);
    }
    case "binary":
      return evaluateBinary(expr, context);
    case "labelReplace":
      refuseLiteral(expr.of);
      return replaceLabels(expr, await evaluate(expr.of, context));
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
  const { left, right } = expr;
  if (right.kind === "literal")
    return vectorWithNumber(expr.op as ValueOp, await evaluate(left, context), right.value, false, expr.returnBool);
  if (left.kind === "literal")
    return vectorWithNumber(expr.op as ValueOp, await evaluate(right, context), left.value, true, expr.returnBool);
  const [a, b] = await Promise.all([evaluate(left, context), evaluate(right, context)]);
  return vectorWithVector(expr, a, b, context.steps.count);
}

async function evaluateRange({ fn, parameter, range }: RangeAggregation, plan: MetricPlan, context: EvaluationContext): Promise<Series[]> {
  const windows = windowsOf(plan);
  const partials = await context.scan(plan, windows);
  const { labels, state } = mergePartials(plan, partials, context.scanSeriesMax);
  const how = { fn, parameter, rangeSeconds: range.rangeMs / 1000 };
  if (labels.length * plan.steps.count > VALUES_MAX) throw queryErrors.tooManyValues(labels.length, plan.steps.count, VALUES_MAX);
  const series: Series[] = [];
  for (const [id, own] of labels.entries()) {
    const one = finishSeries(own, id, state, windows, how);
    if (one.present.includes(1)) series.push(one);
    const turn = context.takeTurn();
    if (turn instanceof Promise) await turn;
  }
  return fn === "absent_over_time" ? [finishAbsent(absentLabels(range.log.matchers), series, plan.steps.count)] : series;
}

function mergePartials(
  plan: MetricPlan,
  partials: readonly MetricPartial[],
  seriesMax: number,
): { labels: readonly ResultLabels[]; state: BucketState } {
  const table = new SeriesTable(plan.grouping, seriesMax);
  const state = new BucketState(stateKindOf(plan.fn, plan.range.unwrap !== null));
  for (const { labels, states } of partials) {
    state.merge(
      states,
      labels.map((own) => table.add(own)),
    );
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
