// The pipeline of a log selector, compiled once per scan: line filters that may run first over whole pages, and the rest as one function
// per line.

import type { Kernels } from "../../../lib/kernels/kernels.ts";
import type { LogExpr, Op, Unwrap } from "../../../lib/logql/ast.ts";
import { unreachable } from "../../../lib/runtime/invariant.ts";
import { ExtractionState, namesOf, type ParserHints } from "../hints.ts";
import type { KeyColumns, KeyParser } from "../key-columns.ts";
import { ERROR_DETAILS_LABEL, ERROR_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";
import { patternOp, regexpOp } from "./captures.ts";
import { dropKeepOp } from "./drop-keep.ts";
import { decolorizeOp, labelFormatOp, lineFormatOp } from "./formats.ts";
import { jsonOp, jsonPathsOp } from "./json.ts";
import { labelFilterOp } from "./label-filter.ts";
import { type CompiledLineFilter, compileLineFilter } from "./line-filter.ts";
import { logfmtExpressionsOp, logfmtOp } from "./logfmt.ts";
import { unpackOp } from "./unpack.ts";

export interface CompiledPipeline {
  /** Filters on the stored line, wherever they stood before the first op that rewrites it. */
  readonly lineFilters: readonly CompiledLineFilter[];
  /** The other ops in order; empty when there are none. */
  readonly ops: readonly LineOp[];
  /** To be reset for each line. */
  readonly extraction: ExtractionState;
}

/** @throws LogqlError, RegexError … with the texts the parser would have refused the op with */
export function compilePipeline(
  log: LogExpr,
  unwrap: Unwrap | null,
  hints: ParserHints,
  kernels: Kernels,
  columns?: KeyColumns,
): CompiledPipeline {
  const extraction = new ExtractionState(hints, earlyFilters(log, unwrap));
  const { early, late } = splitLineFilters(withoutIdleDrops(log.ops));
  return {
    lineFilters: early.map((op) => compileLineFilter(op, kernels)),
    ops: late.map((op) => compileOp(op, extraction, kernels, columns)),
    extraction,
  };
}

/**
 * Leaves out `drop __error__` where nothing before it can have set an error. Grafana's volume histogram has it in every query, and
 * without it most of them need not look at lines at all.
 */
function withoutIdleDrops(ops: readonly Op[]): Op[] {
  const kept: Op[] = [];
  let errors = false;
  for (const op of ops) {
    if (op.kind !== "drop" || errors) {
      kept.push(op);
      errors ||= maySetError(op);
      continue;
    }
    const items = op.items.filter(({ name, matcher }) => matcher !== null || (name !== ERROR_LABEL && name !== ERROR_DETAILS_LABEL));
    if (items.length > 0) kept.push({ ...op, items });
  }
  return kept;
}

function maySetError(op: Op): boolean {
  switch (op.kind) {
    case "json":
    case "unpack":
    case "lineFormat":
    case "labelFormat":
      return true;
    case "logfmt":
      return op.strict;
    case "labelFilter":
      return op.filter.kind !== "string";
    default:
      return false;
  }
}

/**
 * Filters that parsers apply to a label as soon as they have it: the first of each label, unless it is joined by `and` or `or`. It saves
 * reading lines to their end, and it shows, so the rule is Loki's: a filter meets the label before ops between them (`label_format`,
 * `__error__=""`) do, and again when its turn comes.
 */
function earlyFilters(log: LogExpr, unwrap: Unwrap | null): ReadonlyMap<string, LineOp> {
  const early = new Map<string, LineOp>();
  const filters = log.ops.flatMap((op) => (op.kind === "labelFilter" ? [op.filter] : []));
  for (const filter of [...filters, ...(unwrap?.filters.length === 1 ? unwrap.filters : [])]) {
    if (filter.kind === "and" || filter.kind === "or") continue;
    const [name] = namesOf(filter);
    if (name !== undefined && !early.has(name)) early.set(name, labelFilterOp(filter));
  }
  return early;
}

/**
 * Line filters may move before everything but the ops that rewrite the line: a dropped line is dropped, whatever its labels. Loki
 * moves them before `decolorize`, too, where it shows: a filter behind it still sees the colours, unless a label filter stands between.
 */
export function splitLineFilters(ops: readonly Op[]): { early: Extract<Op, { kind: "lineFilter" }>[]; late: Op[] } {
  const early: Extract<Op, { kind: "lineFilter" }>[] = [];
  const late: Op[] = [];
  let rewritten = false;
  let decolorized = false;
  for (const op of ops) {
    if (op.kind === "lineFilter" && !rewritten) early.push(op);
    else late.push(op);
    decolorized ||= op.kind === "decolorize";
    rewritten ||= op.kind === "lineFormat" || op.kind === "unpack" || (decolorized && op.kind === "labelFilter");
  }
  return { early, late };
}

function compileOp(op: Op, extraction: ExtractionState, kernels: Kernels, columns: KeyColumns | undefined): LineOp {
  const columnsOf = (parser: KeyParser): KeyColumns | undefined => (columns?.parser === parser ? columns : undefined);
  switch (op.kind) {
    case "lineFilter":
      return compileLineFilter(op, kernels).test;
    case "json":
      return op.extractions.length > 0 ? jsonPathsOp(op.extractions, extraction) : jsonOp(extraction, columnsOf("json"));
    case "logfmt":
      return op.extractions.length > 0
        ? logfmtExpressionsOp(op.extractions, op, extraction)
        : logfmtOp(op, extraction, columnsOf("logfmt"));
    case "regexp":
      return regexpOp(op.pattern, extraction);
    case "pattern":
      return patternOp(op.pattern, extraction);
    case "unpack":
      return unpackOp(extraction);
    case "labelFilter":
      return labelFilterOp(op.filter);
    case "lineFormat":
      return lineFormatOp(op.template);
    case "labelFormat":
      return labelFormatOp(op, extraction);
    case "decolorize":
      return decolorizeOp();
    case "drop":
    case "keep":
      return dropKeepOp(op);
    default:
      return unreachable(op);
  }
}

/** Runs the ops over a line whose labels are those it begins with. False when an op has dropped it. */
export function runOps({ ops, extraction }: CompiledPipeline, line: LineState): boolean {
  extraction.reset(line.labels);
  for (let i = 0; i < ops.length; i++) if (!ops[i]!(line)) return false;
  return true;
}
