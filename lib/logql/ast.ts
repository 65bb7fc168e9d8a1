// The tree of a LogQL query: frozen unions with a `kind`. No visitors; a rewrite is a function from node to node and the compiler
// lists the cases that were forgotten. Grammar: docs/logql.md.

export type Expr = LogExpr | MetricExpr;

/** `{app="x"} |= "error" | json`: a selector and the operators behind it. */
export interface LogExpr {
  readonly kind: "log";
  readonly matchers: readonly Matcher[];
  readonly ops: readonly Op[];
}

export type MatchOp = "=" | "!=" | "=~" | "!~";
export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

export type Op = LineFilter | Parser | LabelFilterOp | LineFormat | LabelFormat | Decolorize | DropKeep;

export type LineFilterOp = "|=" | "!=" | "|~" | "!~" | "|>" | "!>";
/** `|= "a" or "b" or ip("10.0.0.0/8")`: a line passes a positive filter when one operand matches, a negative one when none does. */
export interface LineFilter {
  readonly kind: "lineFilter";
  readonly op: LineFilterOp;
  readonly operands: readonly LineFilterOperand[];
}
export type LineFilterOperand = { readonly kind: "text"; readonly text: string } | { readonly kind: "ip"; readonly pattern: string };

export type Parser =
  | { readonly kind: "json"; readonly extractions: readonly Extraction[] }
  | { readonly kind: "logfmt"; readonly strict: boolean; readonly keepEmpty: boolean; readonly extractions: readonly Extraction[] }
  | { readonly kind: "regexp"; readonly pattern: string }
  | { readonly kind: "pattern"; readonly pattern: string }
  | { readonly kind: "unpack" };
/** `json a="x.y[0]"`; the short form `json a` has `expression` equal to `label`. */
export interface Extraction {
  readonly label: string;
  readonly expression: string;
}

export interface LabelFilterOp {
  readonly kind: "labelFilter";
  readonly filter: LabelFilter;
}
export type CompareOp = "==" | "=" | "!=" | ">" | ">=" | "<" | "<=";
export type LabelFilter =
  | { readonly kind: "string"; readonly matcher: Matcher }
  /** `value` is the number; seconds for a duration, bytes for bytes. `text` is what was written. */
  | {
      readonly kind: "number" | "duration" | "bytes";
      readonly name: string;
      readonly op: CompareOp;
      readonly value: number;
      readonly text: string;
    }
  | { readonly kind: "ip"; readonly name: string; readonly op: "=" | "!="; readonly pattern: string }
  | { readonly kind: "and" | "or"; readonly left: LabelFilter; readonly right: LabelFilter };

export interface LineFormat {
  readonly kind: "lineFormat";
  readonly template: string;
}
export interface LabelFormat {
  readonly kind: "labelFormat";
  readonly formats: readonly { readonly label: string; readonly from: { readonly kind: "label" | "template"; readonly text: string } }[];
}
export interface Decolorize {
  readonly kind: "decolorize";
}
/** `drop a, b="x"`; an item without `matcher` names the label whatever its value. */
export interface DropKeep {
  readonly kind: "drop" | "keep";
  readonly items: readonly { readonly name: string; readonly matcher: Matcher | null }[];
}

export type MetricExpr = RangeAggregation | VectorAggregation | BinaryExpr | Literal | LabelReplace | VectorExpr | Variants;

export type RangeFn =
  | "rate"
  | "rate_counter"
  | "count_over_time"
  | "bytes_rate"
  | "bytes_over_time"
  | "avg_over_time"
  | "sum_over_time"
  | "min_over_time"
  | "max_over_time"
  | "stdvar_over_time"
  | "stddev_over_time"
  | "quantile_over_time"
  | "first_over_time"
  | "last_over_time"
  | "absent_over_time";
export interface RangeAggregation {
  readonly kind: "rangeAggregation";
  readonly fn: RangeFn;
  readonly parameter: number | null;
  readonly range: LogRange;
  readonly grouping: Grouping | null;
}
export interface LogRange {
  readonly log: LogExpr;
  readonly unwrap: Unwrap | null;
  /** The `[5m]`, in milliseconds. */
  readonly rangeMs: number;
  /** `offset 5m`, in milliseconds; 0 without one, negative looks ahead. */
  readonly offsetMs: number;
}
export interface Unwrap {
  readonly label: string;
  readonly conversion: "bytes" | "duration" | "duration_seconds" | null;
  /** Label filters behind the unwrap. */
  readonly filters: readonly LabelFilter[];
}

export type VectorFn =
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "count"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "sort"
  | "sort_desc"
  | "approx_topk";
export interface VectorAggregation {
  readonly kind: "vectorAggregation";
  readonly fn: VectorFn;
  readonly parameter: number | null;
  readonly of: MetricExpr;
  readonly grouping: Grouping | null;
}
export interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

export type BinaryOp = "or" | "and" | "unless" | "==" | "!=" | ">" | ">=" | "<" | "<=" | "+" | "-" | "*" | "/" | "%" | "^";
export interface BinaryExpr {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly returnBool: boolean;
  readonly matching: VectorMatching | null;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
}
export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly group: "left" | "right" | null;
  readonly include: readonly string[];
}

export interface Literal {
  readonly kind: "literal";
  readonly value: number;
}
export interface LabelReplace {
  readonly kind: "labelReplace";
  readonly of: MetricExpr;
  readonly dst: string;
  readonly replacement: string;
  readonly src: string;
  readonly pattern: string;
}
export interface VectorExpr {
  readonly kind: "vector";
  readonly value: number;
}
/** `variants(expr, …) of (logRange)`: parsed and printed; execution is refused as Loki refuses it by default. */
export interface Variants {
  readonly kind: "variants";
  readonly exprs: readonly MetricExpr[];
  readonly of: LogRange;
}
