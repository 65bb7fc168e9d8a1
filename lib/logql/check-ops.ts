// What Loki refuses only when it builds a query's ops, and not when it parses or formats them: `stage '…' : cause`.

import { compileJsonPath, JsonPathError } from "../text/json-path.ts";
import type { Expr, LabelFilter, LabelFormat, LineFilter, LogExpr, Op } from "./ast.ts";
import { checkLogfmtKey, checkPatternFilter, checkRegex } from "./check-parsers.ts";
import { LogqlError } from "./errors.ts";
import { compileIpPattern, IpPatternError } from "./ip-pattern.ts";
import { logRangesOf } from "./log-ranges.ts";
import { printLabelFilter, printOp } from "./print.ts";

export interface OpChecks {
  /** Says what is wrong with a Go template that is called `name` ("line", "label") in messages; null when nothing is. */
  readonly template?: (text: string, name: string) => string | null;
}

/** Checks all ops of a query, in the order in which Loki builds them. @throws LogqlError */
export function checkOps(expr: Expr, checks: OpChecks = {}): void {
  if (expr.kind === "log") checkLog(expr, checks, []);
  else for (const { log, unwrap } of logRangesOf(expr)) checkLog(log, checks, unwrap?.filters ?? []);
}

function checkLog({ ops }: LogExpr, checks: OpChecks, unwrapFilters: readonly LabelFilter[]): void {
  for (const step of orderedSteps(ops)) {
    const fault = firstFault(step, checks);
    if (fault !== null) throw LogqlError.stage(step.map((op) => printOp(op, "loki")).join(" "), fault);
  }
  for (const filter of unwrapFilters) {
    const fault = faultOfLabelFilter(filter);
    if (fault !== null) throw LogqlError.stage(`| ${printLabelFilter(filter, "loki")}`, fault);
  }
}

/** Loki runs line filters first, as one step, up to each label filter and each op that changes the line. */
function orderedSteps(ops: readonly Op[]): Op[][] {
  const steps: Op[][] = [];
  let filters: Op[] = [];
  let others: Op[][] = [];
  const flush = (): void => {
    if (filters.length > 0) steps.push(filters);
    steps.push(...others);
    filters = [];
    others = [];
  };
  for (const op of ops) {
    if (op.kind === "labelFilter") flush();
    if (op.kind === "lineFilter") filters.push(op);
    else others.push([op]);
    if (op.kind === "labelFilter" || op.kind === "lineFormat" || op.kind === "unpack") flush();
  }
  flush();
  return steps;
}

/** Line filters behind one another are built from the last one on. */
function firstFault(step: readonly Op[], checks: OpChecks): string | null {
  for (const op of step.toReversed()) {
    const fault = faultOf(op, checks);
    if (fault !== null) return fault;
  }
  return null;
}

function faultOf(op: Op, { template = () => null }: OpChecks): string | null {
  switch (op.kind) {
    case "lineFilter":
      return faultOfLineFilter(op);
    case "json":
      return firstOf(op.extractions, ({ expression }) => caught(JsonPathError, () => compileJsonPath(expression)));
    case "logfmt":
      return firstOf(op.extractions, ({ expression }) => checkLogfmtKey(expression));
    case "labelFilter":
      return faultOfLabelFilter(op.filter);
    case "labelFormat":
      return faultOfLabelFormat(op, template);
    case "lineFormat": {
      const fault = template(op.template, "line");
      return fault === null ? null : `invalid line template: ${fault}`;
    }
    default:
      return null;
  }
}

function faultOfLineFilter({ op, operands }: LineFilter): string | null {
  const negative = op.startsWith("!");
  return firstOf(negative ? operands.toReversed() : operands, (operand) => {
    // In a chain of `or`, ip("…") stands for its text.
    if (operand.kind === "ip" && (negative || operands.length === 1))
      return op === "|=" || op === "!=" ? faultOfIp(operand.pattern) : "ip: invalid operation";
    const text = operand.kind === "ip" ? operand.pattern : operand.text;
    if (op === "|~" || op === "!~") return checkRegex(text);
    return op === "|>" || op === "!>" ? checkPatternFilter(text) : null;
  });
}

function faultOfLabelFilter(filter: LabelFilter): string | null {
  if (filter.kind === "and" || filter.kind === "or") return faultOfLabelFilter(filter.left) ?? faultOfLabelFilter(filter.right);
  return filter.kind === "ip" ? faultOfIp(filter.pattern) : null;
}

function faultOfLabelFormat({ formats }: LabelFormat, template: (text: string, name: string) => string | null): string | null {
  const seen = new Set<string>();
  for (const { label } of formats) {
    if (label === "__error__") return "__error__ cannot be formatted";
    if (seen.has(label)) return `multiple label name '${label}' not allowed in a single format operation`;
    seen.add(label);
  }
  return firstOf(formats, ({ label, from }) => {
    const fault = from.kind === "template" ? template(from.text, "label") : null;
    return fault === null ? null : `invalid template for label '${label}': ${fault}`;
  });
}

const faultOfIp = (pattern: string): string | null => caught(IpPatternError, () => compileIpPattern(pattern));

function firstOf<T>(items: readonly T[], fault: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = fault(item);
    if (found !== null) return found;
  }
  return null;
}

function caught(type: typeof IpPatternError | typeof JsonPathError, build: () => unknown): string | null {
  try {
    build();
    return null;
  } catch (error) {
    if (error instanceof type) return error.message;
    throw error;
  }
}
