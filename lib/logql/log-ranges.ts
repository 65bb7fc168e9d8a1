// Which logs a metric query reads.

import type { LogRange, MetricExpr } from "./ast.ts";

/** The ranges of a metric query, from left to right. */
export function logRangesOf(expr: MetricExpr): LogRange[] {
  switch (expr.kind) {
    case "rangeAggregation":
      return [expr.range];
    case "vectorAggregation":
    case "labelReplace":
      return logRangesOf(expr.of);
    case "binary":
      return [...logRangesOf(expr.left), ...logRangesOf(expr.right)];
    case "variants":
      return [...expr.exprs.flatMap(logRangesOf), expr.of];
    case "literal":
    case "vector":
      return [];
  }
}
