// Trees to one line of text. Two styles: `exact` reads back as the same tree; `loki` is what Loki prints (in `format_query` and in the
// messages about an op), which rounds sizes to two digits and `vector(…)` to six.

import { printHumanBytes } from "../text/byte-size.ts";
import { printGoDuration, printPrometheusDuration } from "../text/duration.ts";
import { quoteGo } from "../text/go-quote.ts";
import type {
  BinaryExpr,
  CompareOp,
  Expr,
  Extraction,
  Grouping,
  LabelFilter,
  LineFilter,
  LogRange,
  Matcher,
  Op,
  Unwrap,
  VectorMatching,
} from "./ast.ts";
import { printGoFloat, printGoFloatPlain } from "./go-number.ts";
import { isSimpleRegex } from "./simple-regex.ts";

export type PrintStyle = "exact" | "loki";

const NS_PER_MS = 1e6;
const NS_PER_SECOND = 1e9;

/** A query in its canonical form; `printExpr(parseExpr(text))` is a fixed point and means the same as `text`. */
export function printExpr(expr: Expr, style: PrintStyle = "exact"): string {
  switch (expr.kind) {
    case "log":
      return [printMatchers(expr.matchers), ...expr.ops.map((op) => printOp(op, style))].join(" ");
    case "literal":
      return printLiteral(expr.value, style);
    case "vector":
      return `vector(${style === "loki" ? expr.value.toFixed(6) : printGoFloat(expr.value)})`;
    case "rangeAggregation": {
      const parameter = expr.parameter === null ? "" : `${printGoFloatPlain(expr.parameter)},`;
      const grouping = expr.grouping === null ? "" : ` ${printGrouping(expr.grouping, ",")}`;
      return `${expr.fn}(${parameter}${printRange(expr.range, style)})${grouping}`;
    }
    case "vectorAggregation": {
      const parameter = expr.parameter === null ? "" : `${expr.parameter},`;
      return `${expr.fn}${printVectorGrouping(expr.grouping, ",")}(${parameter}${printExpr(expr.of, style)})`;
    }
    case "binary":
      return `(${printExpr(expr.left, style)} ${printOperator(expr, style)} ${printExpr(expr.right, style)})`;
    case "labelReplace": {
      const strings = [expr.dst, expr.replacement, expr.src, expr.pattern].map((text) => quoteGo(text));
      return `label_replace(${[printExpr(expr.of, style), ...strings].join(",")})`;
    }
    case "variants":
      return `variants(${expr.exprs.map((variant) => printExpr(variant, style)).join(", ")}) of (${printRange(expr.of, style)})`;
  }
}

/** `{a="b", c!~"d"}` */
export function printMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(printMatcher).join(", ")}}`;
}

export function printMatcher({ name, op, value }: Matcher): string {
  return `${name}${op}${quoteGo(value)}`;
}

/** One op with its bar: `| json a="b"`, `|= "x" or "y"`. */
export function printOp(op: Op, style: PrintStyle = "exact"): string {
  switch (op.kind) {
    case "lineFilter":
      return printLineFilter(op);
    case "json":
      return `| json${printExtractions(op.extractions)}`;
    case "logfmt":
      return `| logfmt${op.strict ? " --strict" : ""}${op.keepEmpty ? " --keep-empty" : ""}${printExtractions(op.extractions)}`;
    case "regexp":
    case "pattern":
      return `| ${op.kind} ${quoteGo(op.pattern)}`;
    case "unpack":
    case "decolorize":
      return `| ${op.kind}`;
    case "labelFilter":
      return `| ${printLabelFilter(op.filter, style)}`;
    case "lineFormat":
      return `| line_format ${quoteGo(op.template)}`;
    case "labelFormat":
      return `| label_format ${op.formats.map(({ label, from }) => `${label}=${from.kind === "label" ? from.text : quoteGo(from.text)}`).join(",")}`;
    case "drop":
    case "keep":
      return `| ${op.kind} ${op.items.map(({ name, matcher }) => (matcher === null ? name : printMatcher(matcher))).join(",")}`;
  }
}

/** A chain of a negative filter is printed as the filters it stands for. */
function printLineFilter({ op, operands }: LineFilter): string {
  const texts = operands.map((operand) => (operand.kind === "text" ? quoteGo(operand.text) : `ip(${quoteGo(operand.pattern)})`));
  return op.startsWith("!") ? texts.map((text) => `${op} ${text}`).join(" ") : `${op} ${texts.join(" or ")}`;
}

const printExtractions = (extractions: readonly Extraction[]): string =>
  extractions.length === 0 ? "" : ` ${extractions.map(({ label, expression }) => `${label}=${quoteGo(expression)}`).join(",")}`;

export function printLabelFilter(filter: LabelFilter, style: PrintStyle = "exact"): string {
  switch (filter.kind) {
    case "and":
      return `( ${printLabelFilter(filter.left, style)} , ${printLabelFilter(filter.right, style)} )`;
    case "or":
      return `( ${printLabelFilter(filter.left, style)} or ${printLabelFilter(filter.right, style)} )`;
    case "string":
      return printFilterMatcher(filter.matcher, style);
    case "ip":
      return `${filter.name}${filter.op}ip(${quoteGo(filter.pattern)})`;
    default:
      return `${filter.name}${printCompareOp(filter.op)}${printQuantity(filter, style)}`;
  }
}

/** Loki prints the regexes that it runs as such raw; those it turns into a search for literals, and negated ones, stay quoted. */
function printFilterMatcher(matcher: Matcher, style: PrintStyle): string {
  const { name, op, value } = matcher;
  const isRaw = op === "=~" && !/[`\r]/.test(value) && (style === "loki" ? !isSimpleRegex(value) : value.includes("\\"));
  return isRaw ? `${name}${op}\`${value}\`` : printMatcher(matcher);
}

const printCompareOp = (op: CompareOp): string => (op === "=" ? "==" : op);

function printQuantity(filter: Extract<LabelFilter, { value: number }>, style: PrintStyle): string {
  if (filter.kind === "duration") return printGoDuration(Math.round(filter.value * NS_PER_SECOND));
  if (style === "exact") return filter.text;
  return filter.kind === "bytes" ? printHumanBytes(filter.value).replaceAll(" ", "") : printGoFloatPlain(filter.value);
}

function printLiteral(value: number, style: PrintStyle): string {
  if (Number.isFinite(value) || style === "loki") return printGoFloat(value === 0 ? 0 : value);
  // LogQL has no word for these; they are folded back when read.
  if (Number.isNaN(value)) return "(0 / 0)";
  return value > 0 ? "(1e+308 * 10)" : "(-1e+308 * 10)";
}

/** The inside of a range aggregation: `{…} | json | unwrap x[5m] offset 1m0s`. */
export function printRange({ log, unwrap, rangeMs, offsetMs }: LogRange, style: PrintStyle = "exact"): string {
  const offset = offsetMs === 0 ? "" : ` offset ${printGoDuration(Math.round(offsetMs * NS_PER_MS))}`;
  const tail = unwrap === null ? "" : ` ${printUnwrapLines(unwrap, style).join(" ")}`;
  return `${printExpr(log, style)}${tail}[${printPrometheusDuration(rangeMs)}]${offset}`;
}

/** `| unwrap bytes(size)`, and each filter behind it. */
export function printUnwrapLines({ label, conversion, filters }: Unwrap, style: PrintStyle): string[] {
  const target = conversion === null ? label : `${conversion}(${label})`;
  return [`| unwrap ${target}`, ...filters.map((filter) => `| ${printLabelFilter(filter, style)}`)];
}

/** `by (a,b)`, `without ()`. */
export function printGrouping({ without, labels }: Grouping, comma: string): string {
  return `${without ? "without" : "by"} (${labels.join(comma)})`;
}

/** A vector aggregation by no label is one without a grouping. */
export function printVectorGrouping(grouping: Grouping | null, comma: string): string {
  return grouping === null || (!grouping.without && grouping.labels.length === 0) ? "" : ` ${printGrouping(grouping, comma)}`;
}

/** `/ on (a,b) group_left (c)`; without a group Loki leaves a blank behind the labels. It leaves out `ignoring ()` with all behind it. */
function printOperator({ op, returnBool, matching }: BinaryExpr, style: PrintStyle): string {
  const base = returnBool ? `${op} bool` : op;
  if (matching === null || (style === "loki" && !matching.on && matching.labels.length === 0)) return base;
  // Without its own parentheses, a bare group would take those of the leg behind it.
  const bareGroup = style === "exact" && matching.group !== null && matching.include.length === 0;
  return `${base} ${printMatching(matching, ",")}${bareGroup ? " ()" : ""}`;
}

export function printMatching({ on, labels, group, include }: VectorMatching, comma: string): string {
  const names = group === null ? "" : include.length === 0 ? `group_${group}` : `group_${group} (${include.join(comma)})`;
  return `${on ? "on" : "ignoring"} (${labels.join(comma)}) ${names}`;
}
