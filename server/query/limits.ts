// The tenant's limits of a query (reference §3.1), checked before anything is read. Several tenants: the strictest counts.

import type { Matcher } from "../../lib/logql/ast.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { printGoDuration, printPrometheusDuration } from "../../lib/text/duration.ts";
import type { Limits } from "../config/limits.ts";
import type { TimeRange } from "../page.ts";
import { queryErrors } from "./errors.ts";

/** 0 means no limit, but for `maxQuerySeries` of a tenant that set it so. */
export interface QueryLimits {
  readonly maxQuerySeries: number;
  readonly maxEntriesLimitPerQuery: number;
  readonly maxQueryLengthMs: number;
  /** The longest `[5m]`. */
  readonly maxQueryRangeMs: number;
  readonly maxQueryLookbackMs: number;
  readonly maxStreamsMatchersPerQuery: number;
  readonly maxQueryBytesRead: number;
  readonly queryTimeoutMs: number;
  readonly requiredLabels: readonly string[];
  readonly minimumLabelsNumber: number;
  readonly blockedQueries: readonly BlockedQuery[];
}

export interface BlockedQuery {
  readonly pattern: string;
  readonly regex: boolean;
  /** Empty: all kinds. */
  readonly types: readonly string[];
}

export interface CheckedQuery {
  readonly matchers: readonly Matcher[];
  readonly range: TimeRange;
  /** Of each range aggregation. */
  readonly rangesMs: readonly number[];
  readonly query: string;
  readonly kind: "metric" | "filter" | "limited";
}

/** @throws QueryError */
export function checkLimits(limits: readonly QueryLimits[], query: CheckedQuery): QueryLimits {
  const strictest = limits.reduce(strictestOf);
  for (const rangeMs of query.rangesMs) {
    if (strictest.maxQueryRangeMs > 0 && rangeMs > strictest.maxQueryRangeMs) {
      throw queryErrors.rangeTooLong(printPrometheusDuration(rangeMs), printPrometheusDuration(strictest.maxQueryRangeMs));
    }
  }
  checkLength(strictest, query);
  const { maxStreamsMatchersPerQuery: matchersMax } = strictest;
  if (matchersMax > 0 && query.matchers.length > matchersMax) throw queryErrors.tooManyMatchers(query.matchers.length, matchersMax);
  checkRequiredLabels(strictest, query.matchers);
  if (strictest.blockedQueries.some((blocked) => isBlocked(blocked, query))) throw queryErrors.blocked();
  return strictest;
}

function checkLength({ maxQueryLengthMs }: QueryLimits, { range }: CheckedQuery): void {
  const lengthNs = range.endNs - range.startNs;
  if (maxQueryLengthMs <= 0 || lengthNs <= BigInt(Math.round(maxQueryLengthMs * 1e6))) return;
  throw queryErrors.queryTooLong(printGoDuration(Number(lengthNs)), printPrometheusDuration(maxQueryLengthMs));
}

function checkRequiredLabels({ requiredLabels, minimumLabelsNumber }: QueryLimits, matchers: readonly Matcher[]): void {
  if (matchers.length === 0) return;
  const present = [...new Set(matchers.map(({ name }) => name))];
  const missing = requiredLabels.filter((name) => !present.includes(name));
  if (missing.length > 0) throw queryErrors.missingLabels(missing, present);
  if (minimumLabelsNumber > 0 && present.length < minimumLabelsNumber)
    throw queryErrors.tooFewLabels(present, present.length, minimumLabelsNumber);
}

function isBlocked({ pattern, regex, types }: BlockedQuery, { query, kind }: CheckedQuery): boolean {
  if (types.length > 0 && !types.includes(kind)) return false;
  if (pattern === "") return types.length > 0;
  return regex ? compileRegex(pattern).test(query) : pattern.trim() === query.trim();
}

function strictestOf(a: QueryLimits, b: QueryLimits): QueryLimits {
  return {
    maxQuerySeries: smaller(a.maxQuerySeries, b.maxQuerySeries),
    maxEntriesLimitPerQuery: smaller(a.maxEntriesLimitPerQuery, b.maxEntriesLimitPerQuery),
    maxQueryLengthMs: smaller(a.maxQueryLengthMs, b.maxQueryLengthMs),
    maxQueryRangeMs: smaller(a.maxQueryRangeMs, b.maxQueryRangeMs),
    maxQueryLookbackMs: smaller(a.maxQueryLookbackMs, b.maxQueryLookbackMs),
    maxStreamsMatchersPerQuery: smaller(a.maxStreamsMatchersPerQuery, b.maxStreamsMatchersPerQuery),
    maxQueryBytesRead: smaller(a.maxQueryBytesRead, b.maxQueryBytesRead),
    queryTimeoutMs: smaller(a.queryTimeoutMs, b.queryTimeoutMs),
    requiredLabels: [...new Set([...a.requiredLabels, ...b.requiredLabels])],
    minimumLabelsNumber: Math.max(a.minimumLabelsNumber, b.minimumLabelsNumber),
    blockedQueries: [...a.blockedQueries, ...b.blockedQueries],
  };
}

function smaller(a: number, b: number): number {
  return a === 0 ? b : b === 0 ? a : Math.min(a, b);
}

/** The query limits among a tenant's limits. */
export function queryLimitsOf(limits: Limits): QueryLimits {
  return {
    maxQuerySeries: limits.max_query_series,
    maxEntriesLimitPerQuery: limits.max_entries_limit_per_query,
    maxQueryLengthMs: limits.max_query_length,
    maxQueryRangeMs: limits.max_query_range,
    maxQueryLookbackMs: limits.max_query_lookback,
    maxStreamsMatchersPerQuery: limits.max_streams_matchers_per_query,
    maxQueryBytesRead: limits.max_query_bytes_read,
    queryTimeoutMs: limits.query_timeout,
    requiredLabels: limits.required_labels,
    minimumLabelsNumber: limits.minimum_labels_number,
    blockedQueries: limits.blocked_queries,
  };
}
