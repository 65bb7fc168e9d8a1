// LogQL, pure text <-> tree. Grammar and meaning: docs/logql.md.

import type { Expr, LogExpr, Matcher, MetricExpr } from "./ast.ts";
import { checkOps } from "./check-ops.ts";
import { LogqlError } from "./errors.ts";
import { parse } from "./parser.ts";
import { validate } from "./validate.ts";

export type * from "./ast.ts";
export { checkOps, type OpChecks } from "./check-ops.ts";
export { LogqlError } from "./errors.ts";
export { compileIpPattern, IpPatternError } from "./ip-pattern.ts";
export { logRangesOf } from "./log-ranges.ts";
export { compileMatcher, compileMatchers, matchesEmpty } from "./matcher.ts";
export { QUERY_BYTES_MAX } from "./parser.ts";
export { prettyExpr } from "./pretty.ts";
export { type PrintStyle, printExpr, printLabelFilter, printMatcher, printMatchers, printOp, printRange } from "./print.ts";
export { validateMatchers } from "./validate.ts";

/** Parses a query that is to run, and checks it in all the ways in which Loki refuses one before it reads anything. @throws LogqlError */
export function parseExpr(text: string): Expr {
  const expr = parseForFormat(text);
  checkOps(expr);
  return expr;
}

/** As `parseExpr`, without the checks that Loki leaves out when it only formats a query (`stage '…' : …`). @throws LogqlError */
export function parseForFormat(text: string): Expr {
  const { expr, faults } = parse(text);
  validate(expr, faults);
  return expr;
}

/** A query that answers lines. @throws LogqlError */
export function parseLogExpr(text: string): LogExpr {
  const expr = parseExpr(text);
  if (expr.kind !== "log") throw LogqlError.wrongKind("only log selector is supported");
  return expr;
}

/** A query that answers numbers. @throws LogqlError */
export function parseMetricExpr(text: string): MetricExpr {
  const expr = parseExpr(text);
  if (expr.kind === "log") throw LogqlError.wrongKind("only sample expression supported");
  return expr;
}

/** `{a="b"}` and nothing behind it, with at least one matcher that leaves something out. @throws LogqlError */
export function parseMatchers(text: string): readonly Matcher[] {
  return matchersOf(parseForFormat(text));
}

/** As `parseMatchers`, but `{}` and `{a=~".*"}` will do: `match[]` of the series API. @throws LogqlError */
export function parseSelector(text: string): readonly Matcher[] {
  return matchersOf(parse(text).expr);
}

function matchersOf(expr: Expr): readonly Matcher[] {
  if (expr.kind !== "log" || expr.ops.length > 0) throw LogqlError.wrongKind("only label matchers are supported");
  return expr.matchers;
}

/** True for a query that answers numbers. */
export function isMetric(expr: Expr): expr is MetricExpr {
  return expr.kind !== "log";
}

/** True for a query that answers lines. */
export function isLog(expr: Expr): expr is LogExpr {
  return expr.kind === "log";
}
