// Trees to readable text, as Loki's `format_query` lays it out: what is longer than a line is split, two blanks deeper each time.

import { printPrometheusDuration } from "../text/duration.ts";
import { quoteGo } from "../text/go-quote.ts";
import type { BinaryExpr, Expr, LabelReplace, LogExpr, LogRange, Op, RangeAggregation, VectorAggregation } from "./ast.ts";
import { printGoFloat } from "./go-number.ts";
import { printExpr, printGrouping, printMatchers, printMatching, printOp, printUnwrapLines, printVectorGrouping } from "./print.ts";

/** Bytes of a line above which it is split. */
const LINE_BYTES_MAX = 100;

/** The text that Loki's `format_query` answers. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const line = printExpr(expr, "loki");
  if (Buffer.byteLength(line) <= LINE_BYTES_MAX) return indent(level) + line;
  switch (expr.kind) {
    case "log":
      return prettyLog(expr, level);
    case "rangeAggregation":
      return prettyRangeAggregation(expr, level);
    case "vectorAggregation":
      return prettyVectorAggregation(expr, level);
    case "binary":
      return prettyBinary(expr, level);
    case "labelReplace":
      return prettyLabelReplace(expr, level);
    default:
      return indent(level) + line;
  }
}

const indent = (level: number): string => "  ".repeat(level);

/** The selector, and each op on a line of its own. */
function prettyLog({ matchers, ops }: LogExpr, level: number): string {
  const lines = [indent(level) + printMatchers(matchers)];
  for (const run of lineFilterRuns(ops)) {
    // Loki forgets to indent this one.
    if (run[0]!.kind === "decolorize") lines.push(printOp(run[0]!, "loki"));
    else lines.push(...prettyRun(run, level + 1));
  }
  return lines.join("\n");
}

/** Line filters stay together as long as they fit; of a longer run, the last ones go on lines of their own. */
function prettyRun(run: readonly Op[], level: number): string[] {
  const texts = run.map((op) => printOp(op, "loki"));
  let together = 1;
  let bytes = Buffer.byteLength(texts[0]!);
  while (together < texts.length && (bytes += 1 + Buffer.byteLength(texts[together]!)) <= LINE_BYTES_MAX) together++;
  return [texts.slice(0, together).join(" "), ...texts.slice(together)].map((text) => indent(level) + text);
}

/** Line filters behind one another are one op to Loki. */
function lineFilterRuns(ops: readonly Op[]): Op[][] {
  const runs: Op[][] = [];
  for (const op of ops) {
    const last = runs.at(-1);
    if (op.kind === "lineFilter" && last?.[0]?.kind === "lineFilter") last.push(op);
    else runs.push([op]);
  }
  return runs;
}

function prettyRange({ log, unwrap, rangeMs, offsetMs }: LogRange, level: number): string {
  const lines = [pretty(log, level)];
  if (unwrap !== null) for (const line of printUnwrapLines(unwrap, "loki")) lines.push(indent(level + 1) + line);
  const offset = offsetMs === 0 ? "" : ` offset ${printPrometheusDuration(offsetMs)}`;
  return `${lines.join("\n")} [${printPrometheusDuration(rangeMs)}]${offset}`;
}

function prettyRangeAggregation({ fn, parameter, range, grouping }: RangeAggregation, level: number): string {
  const parts = parameter === null ? [] : [indent(level + 1) + printGoFloat(parameter)];
  parts.push(prettyRange(range, level + 1));
  return `${indent(level)}${fn}${parenthesized(parts, level)}${grouping === null ? "" : ` ${printGrouping(grouping, ", ")}`}`;
}

function prettyVectorAggregation({ fn, parameter, of, grouping }: VectorAggregation, level: number): string {
  const parts = parameter === null ? [] : [`${indent(level + 1)}${parameter}`];
  parts.push(pretty(of, level + 1));
  return `${indent(level)}${fn}${printVectorGrouping(grouping, ", ")}${parenthesized(parts, level)}`;
}

function prettyLabelReplace({ of, dst, replacement, src, pattern }: LabelReplace, level: number): string {
  const strings = [dst, replacement, src, pattern].map((text) => indent(level + 1) + quoteGo(text));
  return `${indent(level)}label_replace${parenthesized([pretty(of, level + 1), ...strings], level)}`;
}

/** Legs and operator on lines of their own. Matching on no label at all is left out, as Loki does. */
function prettyBinary({ op, returnBool, matching, left, right }: BinaryExpr, level: number): string {
  const bool = returnBool ? " bool" : "";
  const match = matching === null || matching.labels.length === 0 ? "" : ` ${printMatching(matching, ", ")}`;
  return `${pretty(left, level + 1)}\n${indent(level)}${op}${bool}${match}\n${pretty(right, level + 1)}`;
}

const parenthesized = (parts: readonly string[], level: number): string => `(\n${parts.join(",\n")}\n${indent(level)})`;
