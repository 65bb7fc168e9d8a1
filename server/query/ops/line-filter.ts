// Line filters `|= != |~ !~ |> !>`, compiled to what a page can be searched for: literals by the kernels over the whole page, and a test per
// line only where literals do not settle it.

import type { Kernels, Needle } from "../../../lib/kernels/kernels.ts";
import { prepareNeedle } from "../../../lib/kernels/needle.ts";
import type { LineFilter, LineFilterOperand } from "../../../lib/logql/ast.ts";
import { compileIpMatcher } from "../../../lib/text/ip-match.ts";
import { compilePatternFilter } from "../../../lib/text/pattern.ts";
import { compileRegex, type RegexLiteral } from "../../../lib/text/regex.ts";
import type { LineOp, LineState } from "../line-state.ts";

export interface CompiledLineFilter {
  /** A line passes when some (positive) or no (negative) operand matches. */
  readonly negative: boolean;
  /** Tests one line in full. */
  readonly test: LineOp;
  /** An operand matches only lines with one of these; null when nothing is known. Empty: no operand ever matches. */
  readonly needles: readonly LineNeedle[] | null;
  /** What a passing line contains at least one of, for page filters; null when nothing is known. */
  readonly required: readonly Uint8Array[] | null;
  /** Every line passes: the filter does nothing. */
  readonly passesAll: boolean;
}

export interface LineNeedle {
  readonly needle: Needle;
  /** A line that contains it matches. */
  readonly exact: "always" | "on ASCII pages" | "never";
}

const encoder = new TextEncoder();

export function compileLineFilter(filter: LineFilter, kernels: Kernels): CompiledLineFilter {
  const negative = filter.op.startsWith("!");
  // In a chain of `or`, Loki takes ip("…") for its text.
  const chained = !negative && filter.operands.length > 1;
  const compiled = filter.operands.map((operand) =>
    compileOperand(filter.op, chained && operand.kind === "ip" ? { kind: "text", text: operand.pattern } : operand, kernels),
  );
  // `|= "a" or ""`: an operand that says nothing is left out, as an empty filter is.
  const saying = chained ? compiled.filter((operand) => !operand.matchesAll) : compiled;
  const operands = saying.length > 0 ? saying : compiled;
  const needles = operands.every((operand) => operand.needles !== null) ? operands.flatMap((operand) => operand.needles ?? []) : null;
  const test: LineOp = negative
    ? (line) => !operands.some((operand) => operand.test(line))
    : (line) => operands.some((operand) => operand.test(line));
  return {
    negative,
    test: operands.length === 1 && !negative ? operands[0]!.test : test,
    needles,
    required: negative || needles === null ? null : operands.flatMap((operand) => longestPiece(operand.needles!)),
    passesAll: !negative && operands.some((operand) => operand.matchesAll),
  };
}

interface Operand {
  readonly test: (line: LineState) => boolean;
  readonly needles: readonly LineNeedle[] | null;
  readonly matchesAll: boolean;
}

function compileOperand(op: LineFilter["op"], operand: LineFilterOperand, kernels: Kernels): Operand {
  if (operand.kind === "ip") {
    const matcher = compileIpMatcher(operand.pattern);
    return { test: (line) => matcher.test(line.text), needles: null, matchesAll: false };
  }
  switch (op) {
    case "|=":
    case "!=":
      return contains([{ text: operand.text, ignoreCase: false, foldsBeyondAscii: false }], kernels, undefined);
    case "|~":
    case "!~":
      return regexOperand(operand.text, kernels);
    default:
      return patternOperand(operand.text);
  }
}

function regexOperand(pattern: string, kernels: Kernels): Operand {
  const regex = compileRegex(pattern);
  const { shape, literals } = regex;
  const test = (line: LineState): boolean => regex.test(line.text);
  if (shape.kind === "always") return { test: () => true, needles: null, matchesAll: true };
  if (shape.kind === "nonEmpty") return { test: (line) => !line.isEmpty, needles: null, matchesAll: false };
  if (shape.kind === "contains") return contains(shape.literals, kernels, test);
  const all = literals.all[0];
  const hints = all !== undefined ? [all] : literals.anyOf;
  return { test, needles: hints === null ? null : hints.flatMap((literal) => prefilter(literal)), matchesAll: false };
}

function patternOperand(text: string): Operand {
  const pattern = compilePatternFilter(text);
  const longest = pattern.literals.reduce((best, literal) => (literal.length > best.length ? literal : best), "");
  return {
    test: (line) => pattern.test(line.text),
    needles: longest === "" ? null : [{ needle: prepareNeedle(encoder.encode(longest), false), exact: "never" }],
    matchesAll: false,
  };
}

/** @param slowTest decides where a search by ASCII case is not exact */
function contains(literals: readonly RegexLiteral[], kernels: Kernels, slowTest: ((line: LineState) => boolean) | undefined): Operand {
  if (literals.some(({ text }) => text === "")) return { test: () => true, needles: null, matchesAll: true };
  if (literals.some(({ ignoreCase, text }) => ignoreCase && !isAsciiText(text)))
    return { test: slowTest!, needles: null, matchesAll: false };
  const needles = literals.map(
    (literal): LineNeedle => ({
      needle: prepareNeedle(encoder.encode(literal.text), literal.ignoreCase),
      exact: literal.ignoreCase && literal.foldsBeyondAscii ? "on ASCII pages" : "always",
    }),
  );
  const test = (line: LineState): boolean => {
    line.asBytes();
    for (const { needle } of needles) if (kernels.find(line.bytes, line.start, line.end, needle) >= 0) return true;
    return false;
  };
  return { test: needles.every(({ exact }) => exact === "always") ? test : slowTest!, needles, matchesAll: false };
}

/** A literal that must be there and does not decide: only the part of it that an ASCII search finds. */
function prefilter(literal: RegexLiteral): LineNeedle[] {
  const text = literal.ignoreCase ? longestFoldable(literal.text) : literal.text;
  return [{ needle: prepareNeedle(encoder.encode(text), literal.ignoreCase), exact: "never" }];
}

function isAsciiText(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}

/** The longest part without letters that fold to something beyond ASCII (`k` to the Kelvin sign, `s` to the long s). */
function longestFoldable(text: string): string {
  return text.split(/[ksKS]|[^\x00-\x7f]/).reduce((best, part) => (part.length > best.length ? part : best), "");
}

/** What page filters are asked for: their grams are folded by ASCII case, so the foldable part of each literal. */
function longestPiece(needles: readonly LineNeedle[]): Uint8Array[] {
  return needles.map(({ needle, exact }) =>
    needle.ignoreCase && exact !== "always" ? encoder.encode(longestFoldable(Buffer.from(needle.bytes).toString("latin1"))) : needle.bytes,
  );
}
