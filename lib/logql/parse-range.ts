// A range: the log query of a range aggregation with its `[5m]`, which stands behind the ops or in front of them, its `unwrap` and its
// `offset`.

import type { LabelFilter, LogExpr, LogRange, Matcher, Op, Unwrap } from "./ast.ts";
import { parseLabelFilter } from "./parse-label-filter.ts";
import { parseBraces, parseOps } from "./parse-ops.ts";
import type { TokenReader } from "./token-reader.ts";
import { CONVERSIONS } from "./tokens.ts";

const NS_PER_MS = 1e6;

/** `{…} | json [5m]`, `{…}[5m] | json`, `({…} | json)[5m]`, each with an offset behind the brackets; or one of them in parentheses. */
export function parseLogRange(reader: TokenReader): LogRange {
  if (reader.kind === "{") return parseBareRange(reader, parseBraces(reader));
  reader.expect("(", "{");
  return reader.deeper(() => {
    if (reader.kind === "{") return parseInParentheses(reader);
    const inner = parseLogRange(reader);
    reader.expect(")");
    return inner;
  });
}

function parseBareRange(reader: TokenReader, matchers: readonly Matcher[]): LogRange {
  if (reader.kind === "RANGE") return parseRangeFirst(reader, matchers, true);
  const { ops, unwrap } = parseTail(reader);
  return finish(reader, { kind: "log", matchers, ops }, unwrap);
}

/** Behind `(`: the parenthesis may hold the whole range or only what the range is of. */
function parseInParentheses(reader: TokenReader): LogRange {
  const matchers = parseBraces(reader);
  if (reader.kind === "RANGE") {
    const inner = parseRangeFirst(reader, matchers, true);
    reader.expect(")");
    return inner;
  }
  const { ops, unwrap } = parseTail(reader);
  const log: LogExpr = { kind: "log", matchers, ops };
  if (reader.takeIf(")")) {
    if (reader.kind !== "RANGE") throw reader.unexpected("RANGE");
    return ops.length === 0 && unwrap === null ? parseRangeFirst(reader, matchers, false) : finish(reader, log, unwrap);
  }
  const inner = finish(reader, log, unwrap);
  reader.expect(")");
  return inner;
}

/** `[5m] offset 1m | json | unwrap x`. Behind a selector in parentheses Loki allows the unwrap only. */
function parseRangeFirst(reader: TokenReader, matchers: readonly Matcher[], opsAllowed: boolean): LogRange {
  const rangeMs = reader.expect("RANGE").value;
  const offsetMs = parseOffsetMs(reader);
  if (!opsAllowed && reader.kind !== "|") return { log: { kind: "log", matchers, ops: [] }, unwrap: null, rangeMs, offsetMs };
  if (!opsAllowed && reader.nextKind !== "unwrap") {
    reader.take();
    throw reader.unexpected("unwrap");
  }
  const { ops, unwrap } = parseTail(reader);
  return { log: { kind: "log", matchers, ops }, unwrap, rangeMs, offsetMs };
}

function finish(reader: TokenReader, log: LogExpr, unwrap: Unwrap | null): LogRange {
  if (reader.kind !== "RANGE") throw unwrap === null ? reader.unexpected() : reader.unexpected("RANGE", "|");
  const rangeMs = reader.take().value;
  return { log, unwrap, rangeMs, offsetMs: parseOffsetMs(reader) };
}

function parseOffsetMs(reader: TokenReader): number {
  return reader.takeIf("offset") ? reader.expect("DURATION").value / NS_PER_MS : 0;
}

function parseTail(reader: TokenReader): { readonly ops: Op[]; readonly unwrap: Unwrap | null } {
  const { ops, atUnwrap } = parseOps(reader, true);
  return { ops, unwrap: atUnwrap ? parseUnwrap(reader) : null };
}

/** `unwrap bytes(size) | __error__=""`; the bar in front has been taken. */
function parseUnwrap(reader: TokenReader): Unwrap {
  reader.expect("unwrap");
  const conversion = CONVERSIONS.get(reader.kind) ?? null;
  if (conversion !== null) {
    reader.take();
    reader.expect("(");
  } else if (reader.kind !== "IDENTIFIER") throw reader.unexpected("IDENTIFIER", ...CONVERSIONS.keys());
  const label = reader.expect("IDENTIFIER").text;
  if (conversion !== null) reader.expect(")");
  const filters: LabelFilter[] = [];
  while (reader.takeIf("|")) {
    if (reader.kind !== "IDENTIFIER" && reader.kind !== "(") throw reader.unexpected("IDENTIFIER", "(");
    filters.push(parseLabelFilter(reader));
  }
  return { label, conversion, filters };
}
