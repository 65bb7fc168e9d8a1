// The words of LogQL, by the names that Loki's messages give them ("unexpected RATE, expecting IDENTIFIER or )").

import type { RangeFn, VectorFn } from "./ast.ts";

export interface Token {
  /** `IDENTIFIER STRING NUMBER DURATION BYTES RANGE FUNCTION_FLAG $end`, an operator's spelling, a keyword, or a function's name in capitals. */
  readonly kind: string;
  /** What was written; a string's content, the inner part of a range. */
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly start: number;
  /** False for the tokens of which Loki's lexer forgets the line (it then says 0). */
  readonly lineKnown: boolean;
  /** Nanoseconds of a DURATION, milliseconds of a RANGE, bytes of BYTES; else 0. */
  readonly value: number;
}

/** Always keywords, in any case: none can be a bare label name. */
export const KEYWORDS: ReadonlySet<string> = new Set([
  ...["by", "without", "bool", "offset", "on", "ignoring", "group_left", "group_right", "or", "and", "unless"],
  ...["json", "regexp", "logfmt", "unpack", "pattern", "label_format", "line_format", "decolorize", "drop", "keep", "unwrap"],
  ...["of", "variants"],
]);

export const RANGE_FUNCTIONS: ReadonlyMap<string, RangeFn> = byTokenName<RangeFn>([
  ...(["rate", "rate_counter", "count_over_time", "bytes_rate", "bytes_over_time", "avg_over_time", "sum_over_time"] as const),
  ...(["min_over_time", "max_over_time", "stdvar_over_time", "stddev_over_time", "quantile_over_time"] as const),
  ...(["first_over_time", "last_over_time", "absent_over_time"] as const),
]);

export const VECTOR_FUNCTIONS: ReadonlyMap<string, VectorFn> = byTokenName<VectorFn>([
  ...(["sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk", "sort", "sort_desc", "approx_topk"] as const),
]);

export const CONVERSIONS: ReadonlyMap<string, "bytes" | "duration" | "duration_seconds"> = new Map([
  ["BYTES_CONV", "bytes"],
  ["DURATION_CONV", "duration"],
  ["DURATION_SECONDS_CONV", "duration_seconds"],
]);

/** Words that are functions only in front of `(` or `by (`, and label names elsewhere; in lower case, with their token names. */
export const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ...[...RANGE_FUNCTIONS, ...VECTOR_FUNCTIONS].map(([kind, name]): [string, string] => [name, kind]),
  ...[...CONVERSIONS].map(([kind, name]): [string, string] => [name, kind]),
  ["ip", "ip"],
  ["label_replace", "LABEL_REPLACE"],
  ["vector", "VECTOR"],
]);

function byTokenName<Name extends string>(names: readonly Name[]): ReadonlyMap<string, Name> {
  return new Map(names.map((name) => [name.toUpperCase(), name]));
}
