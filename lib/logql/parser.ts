// LogQL text to tree, by recursive descent with one token of look-ahead. Grammar: docs/logql.md.
//
// Mistakes of form are thrown where they are met. Mistakes of meaning (a topk without its number, arithmetic on a log query) are noted
// at their node and thrown by `validate.ts` once the whole text is known to be well formed, in Loki's order.

import type {
  BinaryExpr,
  BinaryOp,
  Expr,
  Grouping,
  MetricExpr,
  RangeAggregation,
  Variants,
  VectorAggregation,
  VectorMatching,
} from "./ast.ts";
import { LogqlError } from "./errors.ts";
import { type Faults, faultOfLabelReplace, faultOfRangeAggregation, faultOfVectorAggregation, typeNameOf } from "./faults.ts";
import { foldBinary } from "./fold.ts";
import { parseGoFloat } from "./go-number.ts";
import { parseBraces, parseOps } from "./parse-ops.ts";
import { parseLogRange } from "./parse-range.ts";
import { TokenReader } from "./token-reader.ts";
import { KEYWORDS, RANGE_FUNCTIONS, VECTOR_FUNCTIONS } from "./tokens.ts";

/** Bytes of a query that Loki still takes. */
export const QUERY_BYTES_MAX = 131_072;

/** A tree and the mistakes of meaning that were found in it. */
export interface Parsed {
  readonly expr: Expr;
  readonly faults: Faults;
}

/**
 * @param keywords words that are no label names
 * @throws LogqlError for mistakes of form, and for a regex or pattern that cannot be built
 */
export function parse(text: string, keywords: ReadonlySet<string> = KEYWORDS): Parsed {
  const bytes = Buffer.byteLength(text);
  if (bytes > QUERY_BYTES_MAX) throw LogqlError.semantic(`input size too long (${bytes} > ${QUERY_BYTES_MAX})`);
  const parser = new Parser(text, keywords);
  return { expr: parser.parseAll(), faults: parser.faults };
}

const BINARY_LEVELS: readonly (readonly BinaryOp[])[] = [
  ["or"],
  ["and", "unless"],
  ["==", "!=", ">", ">=", "<", "<="],
  ["+", "-"],
  ["*", "/", "%"],
  ["^"],
];
const LEVEL_OF: ReadonlyMap<string, number> = new Map(BINARY_LEVELS.flatMap((ops, level) => ops.map((op) => [op, level] as const)));

/** Stands where something was written that cannot be part of a metric query; a fault tells of it. */
const PLACEHOLDER: MetricExpr = { kind: "literal", value: 0 };

class Parser {
  readonly faults: Faults = new Map();
  readonly #reader: TokenReader;

  constructor(text: string, keywords: ReadonlySet<string>) {
    this.#reader = new TokenReader(text, keywords);
  }

  parseAll(): Expr {
    const expr = this.#parseBinary(0);
    if (this.#reader.kind !== "$end") throw this.#reader.unexpected();
    return expr;
  }

  #parseBinary(lowestLevel: number): Expr {
    const reader = this.#reader;
    let left = this.#parseOperand();
    for (;;) {
      const level = LEVEL_OF.get(reader.kind);
      if (level === undefined || level < lowestLevel) return left;
      const op = reader.take().kind as BinaryOp;
      const returnBool = reader.takeIf("bool");
      const matching = this.#parseMatching();
      // `^` binds to the right, all others to the left.
      const right = reader.deeper(() => this.#parseBinary(op === "^" ? level : level + 1));
      left = this.#join(op, returnBool, matching, left, right);
    }
  }

  #parseMatching(): VectorMatching | null {
    const reader = this.#reader;
    if (reader.kind !== "on" && reader.kind !== "ignoring") return null;
    const on = reader.take().kind === "on";
    const labels = this.#parseLabelList();
    let group: VectorMatching["group"] = null;
    if (reader.takeIf("group_left")) group = "left";
    else if (reader.takeIf("group_right")) group = "right";
    const include = group !== null ? this.#parseLabelListIfAny() : [];
    return { on, labels, group, include };
  }

  #join(op: BinaryOp, returnBool: boolean, matching: VectorMatching | null, left: Expr, right: Expr): MetricExpr {
    const fault = faultOfLegs(op, left, right);
    if (fault === null && left.kind === "literal" && right.kind === "literal") {
      const folded: MetricExpr = {
        kind: "literal",
        value: foldBinary(op as Exclude<BinaryOp, "and" | "or" | "unless">, left.value, right.value),
      };
      const inherited = this.faults.get(left) ?? this.faults.get(right);
      if (inherited !== undefined) this.faults.set(folded, inherited);
      return folded;
    }
    const node: BinaryExpr = { kind: "binary", op, returnBool, matching, left: asMetric(left), right: asMetric(right) };
    if (fault !== null) this.faults.set(node, LogqlError.semantic(fault));
    return this.#reader.grow(node, left, right);
  }

  #parseOperand(): Expr {
    const reader = this.#reader;
    const rangeFn = RANGE_FUNCTIONS.get(reader.kind);
    if (rangeFn !== undefined) return this.#parseRangeAggregation(rangeFn);
    const vectorFn = VECTOR_FUNCTIONS.get(reader.kind);
    if (vectorFn !== undefined) return this.#parseVectorAggregation(vectorFn);
    switch (reader.kind) {
      case "{":
        return { kind: "log", matchers: parseBraces(reader), ops: parseOps(reader, false).ops };
      case "(": {
        reader.take();
        const inner = reader.deeper(() => this.#parseBinary(0));
        if (!reader.takeIf(")")) throw reader.unexpected();
        return inner;
      }
      case "NUMBER":
      case "+":
      case "-":
        return this.#parseLiteral();
      case "LABEL_REPLACE":
        return this.#parseLabelReplace();
      case "VECTOR": {
        reader.take();
        reader.expect("(");
        const { value, error } = this.#parseNumber();
        reader.expect(")");
        const node: MetricExpr = { kind: "vector", value };
        return this.#checked(node, error === null ? null : `unable to parse vectorExpr as a float: ${error}`);
      }
      case "variants":
        return this.#parseVariants();
      default:
        throw reader.unexpected();
    }
  }

  #parseLiteral(): MetricExpr {
    const reader = this.#reader;
    const sign = reader.kind === "NUMBER" ? "+" : reader.take().kind;
    const { value, error } = this.#parseNumber();
    const node: MetricExpr = { kind: "literal", value: sign === "-" ? -value : value };
    if (error !== null) this.faults.set(node, LogqlError.semantic(`unable to parse literal as a float: ${error}`));
    return node;
  }

  #parseNumber(): { readonly value: number; readonly error: string | null } {
    return parseGoFloat(this.#reader.expect("NUMBER").text);
  }

  #parseRangeAggregation(fn: RangeAggregation["fn"]): MetricExpr {
    const reader = this.#reader;
    reader.take();
    reader.expect("(");
    let parameter: string | null = null;
    if (reader.kind === "NUMBER") {
      parameter = reader.take().text;
      reader.expect(",");
    } else if (reader.kind !== "{" && reader.kind !== "(") throw reader.unexpected("NUMBER", "{", "(");
    const range = parseLogRange(reader);
    if (!reader.takeIf(")")) throw reader.unexpected();
    const node: RangeAggregation = {
      kind: "rangeAggregation",
      fn,
      parameter: parameter === null ? null : parseGoFloat(parameter).value,
      range,
      grouping: this.#parseGrouping(),
    };
    return this.#checked(node, faultOfRangeAggregation(node, parameter));
  }

  #parseVectorAggregation(fn: VectorAggregation["fn"]): MetricExpr {
    const reader = this.#reader;
    reader.take();
    const before = this.#parseGrouping();
    reader.expect("(", ...(before === null ? ["by", "without"] : []));
    let parameter: string | null = null;
    if (reader.kind === "NUMBER" && reader.nextKind === ",") {
      parameter = reader.take().text;
      reader.take();
    }
    const of = this.#parseMetric();
    if (!reader.takeIf(")")) throw reader.unexpected();
    const node: VectorAggregation = {
      kind: "vectorAggregation",
      fn,
      parameter: parameter === null ? null : parseGoFloat(parameter).value,
      of,
      grouping: before ?? this.#parseGrouping(),
    };
    return reader.grow(this.#checked(node, faultOfVectorAggregation(node, parameter)), of);
  }

  /** An expression of numbers. A log query is noticed only at its end: up to there it could be the leg of an operator. */
  #parseMetric(): MetricExpr {
    const expr = this.#reader.deeper(() => this.#parseBinary(0));
    if (expr.kind === "log") throw this.#reader.unexpected();
    return expr;
  }

  #parseLabelReplace(): MetricExpr {
    const reader = this.#reader;
    reader.take();
    reader.expect("(");
    const of = this.#parseMetric();
    const [dst, replacement, src, pattern] = [0, 1, 2, 3].map(() => {
      if (!reader.takeIf(",")) throw reader.unexpected(",");
      return reader.expect("STRING").text;
    }) as [string, string, string, string];
    reader.expect(")");
    const node: MetricExpr = { kind: "labelReplace", of, dst, replacement, src, pattern };
    return reader.grow(this.#checked(node, faultOfLabelReplace(node)), of);
  }

  #parseVariants(): MetricExpr {
    const reader = this.#reader;
    reader.take();
    reader.expect("(");
    const exprs: MetricExpr[] = [];
    do exprs.push(this.#parseMetric());
    while (reader.takeIf(","));
    reader.expect(")", ",");
    reader.expect("of");
    reader.expect("(");
    const of = parseLogRange(reader);
    reader.expect(")");
    const node: Variants = { kind: "variants", exprs, of };
    return reader.grow(node, ...exprs);
  }

  #parseGrouping(): Grouping | null {
    const reader = this.#reader;
    if (reader.kind !== "by" && reader.kind !== "without") return null;
    const without = reader.take().kind === "without";
    return { without, labels: this.#parseLabelList() };
  }

  /** `(a, b)`, `()`. */
  #parseLabelList(): string[] {
    const reader = this.#reader;
    reader.expect("(");
    const labels: string[] = [];
    if (reader.takeIf(")")) return labels;
    if (reader.kind !== "IDENTIFIER") throw reader.unexpected("IDENTIFIER", ")");
    do labels.push(reader.expect("IDENTIFIER").text);
    while (reader.takeIf(","));
    if (!reader.takeIf(")")) throw reader.unexpected(",", ")");
    return labels;
  }

  #parseLabelListIfAny(): string[] {
    return this.#reader.kind === "(" ? this.#parseLabelList() : [];
  }

  #checked<Node extends MetricExpr>(node: Node, fault: string | null): Node {
    if (fault !== null) this.faults.set(node, LogqlError.semantic(fault));
    return node;
  }
}

/** What is wrong with the legs of an operator. */
function faultOfLegs(op: BinaryOp, left: Expr, right: Expr): string | null {
  for (const [side, leg] of [["left", left] as const, ["right", right] as const]) {
    if (leg.kind === "log") return `unexpected type for ${side} leg of binary operation (${op}): ${typeNameOf(leg)}`;
  }
  if (op !== "and" && op !== "or" && op !== "unless") return null;
  for (const [side, leg] of [["left", left] as const, ["right", right] as const]) {
    if (leg.kind === "literal")
      return `unexpected literal for ${side} leg of logical/set binary operation (${op}): ${leg.value.toFixed(6)}`;
  }
  return null;
}

const asMetric = (leg: Expr): MetricExpr => (leg.kind === "log" ? PLACEHOLDER : leg);
