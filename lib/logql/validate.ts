// What Loki checks once a query is known to be well formed, from the outside in: the faults the parser noted, and that each selector
// has a matcher that leaves something out.

import type { Expr, Matcher, MetricExpr } from "./ast.ts";
import { LogqlError } from "./errors.ts";
import type { Faults } from "./faults.ts";
import { matchesEmpty } from "./matcher.ts";

/** @throws LogqlError the first mistake, in Loki's order */
export function validate(expr: Expr, faults: Faults): void {
  if (expr.kind === "log") validateMatchers(expr.matchers);
  else validateMetric(expr, faults);
}

function validateMetric(expr: MetricExpr, faults: Faults): void {
  const fault = faults.get(expr);
  if (fault !== undefined) throw fault;
  switch (expr.kind) {
    case "literal":
    case "vector":
      return;
    case "rangeAggregation":
      validateMatchers(expr.range.log.matchers);
      return;
    case "vectorAggregation":
    case "labelReplace":
      validateMetric(expr.of, faults);
      return;
    case "binary":
      validateMetric(expr.left, faults);
      validateMetric(expr.right, faults);
      return;
    case "variants":
      for (const variant of expr.exprs) validateMetric(variant, faults);
      validateMatchers(expr.of.log.matchers);
      return;
  }
}

/** At least one matcher must refuse streams that lack its label. @throws LogqlError */
export function validateMatchers(matchers: readonly Matcher[]): void {
  if (matchers.some((matcher) => !matchesEmpty(matcher))) return;
  throw LogqlError.semantic(
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. " +
      'For instance, app=~".*" does not meet this requirement, but app=~".+" will',
  );
}
