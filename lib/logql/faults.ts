// Mistakes of meaning in metric queries, in Loki's words. The parser notes them at their nodes; validate.ts throws them.

import type { LabelReplace, LogExpr, MetricExpr, RangeAggregation, RangeFn, VectorAggregation } from "./ast.ts";
import { checkRegex } from "./check-parsers.ts";
import type { LogqlError } from "./errors.ts";
import { parseGoFloat } from "./go-number.ts";

export type Faults = Map<MetricExpr, LogqlError>;

const GROUPING_ALLOWED: ReadonlySet<RangeFn> = new Set<RangeFn>([
  ...(["avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time"] as const),
  ...(["max_over_time", "min_over_time", "first_over_time", "last_over_time"] as const),
]);
const UNWRAP_FORBIDDEN: ReadonlySet<RangeFn> = new Set<RangeFn>(["count_over_time", "bytes_over_time", "bytes_rate"]);
const UNWRAP_OPTIONAL: ReadonlySet<RangeFn> = new Set<RangeFn>(["rate", "absent_over_time"]);

/** @param parameter the number as it was written, null without one */
export function faultOfRangeAggregation({ fn, range, grouping }: RangeAggregation, parameter: string | null): string | null {
  if (fn === "quantile_over_time") {
    if (parameter === null) return "parameter required for operation quantile_over_time";
    const { error } = parseGoFloat(parameter);
    if (error !== null) return `invalid parameter for operation quantile_over_time: ${error}`;
  } else if (parameter !== null) return `parameter ${parameter} not supported for operation ${fn}`;
  if (grouping !== null && !GROUPING_ALLOWED.has(fn)) return `grouping not allowed for ${fn} aggregation`;
  if (range.unwrap !== null) return UNWRAP_FORBIDDEN.has(fn) ? `invalid aggregation ${fn} with unwrap` : null;
  return UNWRAP_FORBIDDEN.has(fn) || UNWRAP_OPTIONAL.has(fn) ? null : `invalid aggregation ${fn} without unwrap`;
}

/** @param parameter the number as it was written, null without one */
export function faultOfVectorAggregation({ fn, grouping }: VectorAggregation, parameter: string | null): string | null {
  if (fn === "topk" || fn === "bottomk" || fn === "approx_topk") {
    if (parameter === null) return `parameter required for operation ${fn}`;
    if (!/^\d+$/.test(parameter) || BigInt(parameter) >= 2n ** 63n) return `invalid parameter ${fn}(${parameter},`;
    if (BigInt(parameter) === 0n) return `invalid parameter (must be greater than 0) ${fn}(${parameter}`;
    return fn === "approx_topk" && grouping !== null ? "grouping not allowed for approx_topk aggregation" : null;
  }
  if (parameter !== null) return `unsupported parameter for operation ${fn}(${parameter},`;
  const isSort = fn === "sort" || fn === "sort_desc";
  return isSort && grouping !== null && grouping.labels.length > 0 ? "sort and sort_desc doesn't allow grouping by " : null;
}

export function faultOfLabelReplace({ pattern }: LabelReplace): string | null {
  // Loki puts the anchors on before it compiles; some messages show them.
  const fault = checkRegex(`^(?:${pattern})$`) ?? checkRegex(pattern);
  return fault === null ? null : `invalid regex in label_replace: ${fault}`;
}

/** The type that Loki's messages name. */
export const typeNameOf = (log: LogExpr): string => (log.ops.length === 0 ? "*syntax.MatchersExpr" : "*syntax.PipelineExpr");
