// The tenant's limits of a query (reference §3.1), checked before anything is read. Several tenants: the strictest counts.

import type { Matcher } from "../../lib/logql/ast.ts";
import { printHumanBinaryBytes } from "../../lib/text/byte-size.ts";
import { printGoDuration, printPrometheusDuration } from "../../lib/text/duration.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import type { Limits } from "../config/limits.ts";
import type { StreamPages, TimeRange } from "../page.ts";
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
  readonly maxQuerierBytesRead: number;
  readonly queryTimeoutMs: number;
  /** Answers about a time this young are not cached; the longest counts. */
  readonly maxCacheFreshnessMs: number;
  /** Time that one cached piece of an answer covers; 0: a day. The longest counts. */
  readonly splitIntervalMs: number;
  readonly requiredLabels: readonly string[];
  readonly minimumLabelsNumber: number;
  readonly blockedQueries: readonly BlockedQuery[];
}

export interface BlockedQuery {
  readonly pattern: string;
  readonly regex: boolean;
  /** Empty: all kinds. */
  readonly types: readonly string[];
  /** Hash of one query's text; 0: none. */
  readonly hash: number;
}

export interface CheckedQuery {
  /** Of each log selector. */
  readonly selectors: readonly (readonly Matcher[])[];
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
  for (const matchers of query.selectors) {
    if (matchersMax > 0 && matchers.length > matchersMax) throw queryErrors.tooManyMatchers(matchers.length, matchersMax);
    checkRequiredLabels(strictest, matchers);
  }
  if (strictest.blockedQueries.some((blocked) => isBlocked(blocked, query))) throw queryErrors.blocked();
  return strictest;
}

/** The range itself, and then with what the range aggregations reach back, as Loki's front end and querier check it. */
export function checkLength({ maxQueryLengthMs }: QueryLimits, { range, rangesMs }: Pick<CheckedQuery, "range" | "rangesMs">): void {
  if (maxQueryLengthMs <= 0) return;
  const limitNs = BigInt(Math.round(maxQueryLengthMs * 1e6));
  const lengthNs = range.endNs - range.startNs;
  const reachNs = rangesMs.map((ms) => lengthNs + BigInt(Math.round(ms * 1e6)) + 1n);
  const tooLong = [lengthNs, ...reachNs].find((ns) => ns > limitNs);
  if (tooLong !== undefined) throw queryErrors.queryTooLong(printGoDuration(Number(tooLong)), printPrometheusDuration(maxQueryLengthMs));
}

/** The part of a range that `max_query_lookback` leaves; undefined when nothing is left. */
export function clampLookback(range: TimeRange, { maxQueryLookbackMs }: QueryLimits, nowMs: number): TimeRange | undefined {
  if (maxQueryLookbackMs <= 0) return range;
  const oldestNs = BigInt(Math.round(nowMs - maxQueryLookbackMs)) * 1_000_000n;
  if (range.endNs < oldestNs) return undefined;
  return range.startNs < oldestNs ? { startNs: oldestNs, endNs: range.endNs } : range;
}

/** Estimates what a query would read from its pages' statistics. This process is the one querier, and reads all of it. @throws QueryError */
export function checkBytesRead({ maxQueryBytesRead, maxQuerierBytesRead }: QueryLimits, streams: readonly StreamPages[]): void {
  if (maxQueryBytesRead <= 0 && maxQuerierBytesRead <= 0) return;
  let bytes = 0;
  for (const { pages } of streams) for (const { stats } of pages) bytes += stats.lineBytes + stats.metadataBytes;
  if (maxQueryBytesRead > 0 && bytes > maxQueryBytesRead)
    throw queryErrors.tooManyBytes(printHumanBinaryBytes(bytes), printHumanBinaryBytes(maxQueryBytesRead));
  if (maxQuerierBytesRead > 0 && bytes > maxQuerierBytesRead)
    throw queryErrors.tooManyQuerierBytes(printHumanBinaryBytes(bytes), printHumanBinaryBytes(maxQuerierBytesRead));
}

function checkRequiredLabels({ requiredLabels, minimumLabelsNumber }: QueryLimits, matchers: readonly Matcher[]): void {
  const present = [...new Set(matchers.map(({ name }) => name))];
  const missing = requiredLabels.filter((name) => !present.includes(name));
  if (missing.length > 0) throw queryErrors.missingLabels(missing, present);
  if (minimumLabelsNumber > 0 && present.length < minimumLabelsNumber)
    throw queryErrors.tooFewLabels(present, present.length, minimumLabelsNumber);
}

function isBlocked({ pattern, regex, types, hash }: BlockedQuery, { query, kind }: CheckedQuery): boolean {
  if (types.length > 0 && !types.includes(kind)) return false;
  if (hash > 0 && hash === fnv32(query)) return true;
  if (pattern === "") return hash === 0;
  return regex ? compileRegex(pattern).test(query) : pattern.trim() === query.trim();
}

/** FNV-1, 32 bits: the `query_hash` of Loki's query log. */
function fnv32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return hash;
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
    maxQuerierBytesRead: smaller(a.maxQuerierBytesRead, b.maxQuerierBytesRead),
    queryTimeoutMs: smaller(a.queryTimeoutMs, b.queryTimeoutMs),
    maxCacheFreshnessMs: Math.max(a.maxCacheFreshnessMs, b.maxCacheFreshnessMs),
    splitIntervalMs: Math.max(a.splitIntervalMs, b.splitIntervalMs),
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
    maxQuerierBytesRead: limits.max_querier_bytes_read,
    queryTimeoutMs: limits.query_timeout,
    maxCacheFreshnessMs: limits.max_cache_freshness_per_query,
    splitIntervalMs: limits.split_queries_by_interval,
    requiredLabels: limits.required_labels,
    minimumLabelsNumber: limits.minimum_labels_number,
    blockedQueries: limits.blocked_queries,
  };
}
