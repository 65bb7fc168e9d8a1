// Parameters of the read endpoints: times, steps, limits, directions, with Loki's defaults and error texts (reference §1.2).

import { messageOf } from "../../lib/runtime/invariant.ts";
import { parsePrometheusDurationMs } from "../../lib/text/duration.ts";
import { quoteGo } from "../../lib/text/go-quote.ts";
import type { TimeRange } from "../page.ts";
import { QueryError } from "../query/errors.ts";
import { parseGoFloat } from "../query/go-number.ts";
import type { Direction } from "../query/plan.ts";

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const HOUR_MS = 3_600_000;
const DEFAULT_LIMIT = 100;
/** A step that would give more points than this is refused. */
const INT64_DIGITS_MAX = 19;
const POINTS_MAX = 11_000n;
/** Steps of a range when none is given: about this many. */
const DEFAULT_STEPS = 250;
const INT64_MAX = 9_223_372_036_854_775_807n;

export interface InstantParams {
  readonly query: string;
  readonly timeNs: bigint;
  readonly limit: number;
  readonly direction: Direction;
}

export interface RangeParams {
  readonly query: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly stepNs: bigint;
  readonly intervalNs: bigint;
  readonly limit: number;
  readonly direction: Direction;
}

/** @throws QueryError */
export function parseInstantParams(params: URLSearchParams, nowMs: number): InstantParams {
  const limit = parseLimit(params);
  const timeNs = parseTimeNs(params.get("time") ?? "") ?? BigInt(Math.round(nowMs)) * NS_PER_MS;
  return { query: params.get("query") ?? "", timeNs, limit, direction: parseDirection(params) };
}

/** @throws QueryError */
export function parseRangeParams(params: URLSearchParams, nowMs: number): RangeParams {
  const range = parseRange(params, nowMs);
  const limit = parseLimit(params);
  const direction = parseDirection(params);
  const stepNs = parseRangeStep(params, range);
  const interval = params.get("interval") ?? "";
  const intervalNs = interval === "" ? 0n : parseSecondsOrDuration(interval);
  if (intervalNs < 0n) throw bad("interval must be >= 0");
  const again = { startNs: readAgain(range.startNs), endNs: readAgain(range.endNs) };
  refuseTooManyPoints(again, stepNs);
  return { query: params.get("query") ?? "", ...again, stepNs, intervalNs, limit, direction };
}

/** `start` (an hour before the end when absent) and `end` (now when absent). @throws QueryError when they are the wrong way round */
export function parseRange(params: URLSearchParams, nowMs: number): TimeRange {
  const range = parseTimes(params, { nowMs, defaultRangeMs: HOUR_MS });
  if (range.endNs < range.startNs) throw bad("end timestamp must not be before or equal to start time");
  return range;
}

/** The step of a range; without `step`, whole seconds so that there are about 250. @throws QueryError when it is not positive, or too short */
export function parseRangeStep(params: URLSearchParams, range: TimeRange, leastNs = 1n): bigint {
  const text = params.get("step") ?? "";
  const stepNs = text === "" ? defaultStepNs(range) : parseSecondsOrDuration(text);
  if (stepNs < leastNs) throw bad("zero or negative query resolution step widths are not accepted. Try a positive integer");
  refuseTooManyPoints(range, stepNs);
  return stepNs;
}

function defaultStepNs({ startNs, endNs }: TimeRange): bigint {
  return BigInt(Math.max(Math.floor(Number(endNs - startNs) / 1e9 / DEFAULT_STEPS), 1)) * NS_PER_SECOND;
}

function refuseTooManyPoints({ startNs, endNs }: TimeRange, stepNs: bigint): void {
  if ((endNs - startNs) / stepNs <= POINTS_MAX) return;
  throw bad("exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter");
}

/** Loki's front end hands a time to the querier as nanoseconds, which reads up to ten characters of them as seconds once more. */
function readAgain(ns: bigint): bigint {
  return String(ns).length <= 10 ? ns * NS_PER_SECOND : ns;
}

/**
 * `start`, `end` and `since`. Without a start, it lies `since` (or `defaultRangeMs`) before the end, or before now when the end is in the
 * future. @throws QueryError
 */
export function parseTimes(
  params: URLSearchParams,
  { nowMs, defaultRangeMs }: { readonly nowMs: number; readonly defaultRangeMs: number },
): { startNs: bigint; endNs: bigint } {
  const nowNs = BigInt(Math.round(nowMs)) * NS_PER_MS;
  const since = params.get("since") ?? "";
  const sinceNs = BigInt(since === "" ? defaultRangeMs : named("since", () => parsePrometheusDurationMs(since))) * NS_PER_MS;
  const endNs = named("end", () => parseTimeNs(params.get("end") ?? "")) ?? nowNs;
  const startNs = named("start", () => parseTimeNs(params.get("start") ?? "")) ?? (endNs > nowNs ? nowNs : endNs) - sinceNs;
  return { startNs, endNs };
}

/**
 * Nanoseconds since 1970 of a time parameter: a float with a point is seconds, an integer seconds up to ten characters and nanoseconds
 * beyond, anything else RFC 3339. Undefined when empty. @throws QueryError with strconv's text
 */
export function parseTimeNs(text: string): bigint | undefined {
  if (text === "") return undefined;
  if (text.includes(".")) {
    const seconds = floatOf(text);
    if (seconds !== undefined) return secondsToNs(seconds);
  }
  if (/^[+-]?\d+$/.test(text)) {
    const value = int64Of(text);
    if (value === undefined) throw bad(`strconv.ParseInt: parsing ${quoteGo(text)}: value out of range`);
    return text.length <= 10 ? value * NS_PER_SECOND : value;
  }
  const ns = rfc3339Ns(text);
  if (ns === undefined) throw bad(`strconv.ParseInt: parsing ${quoteGo(text)}: invalid syntax`);
  return ns;
}

/** Fractions are rounded to milliseconds. */
function secondsToNs(seconds: number): bigint {
  const whole = Math.trunc(seconds);
  return BigInt(whole) * NS_PER_SECOND + BigInt(Math.round((seconds - whole) * 1000)) * NS_PER_MS;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Nanoseconds since 1970 of a time in RFC 3339; undefined for anything else. */
export function rfc3339Ns(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone = "Z"] = match;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(ms);
  if (
    date.getUTCDate() !== Number(day) ||
    date.getUTCMonth() !== Number(month) - 1 ||
    Number(hour) > 23 ||
    Number(minute) > 59 ||
    Number(second) > 59
  )
    return undefined;
  const offsetMinutes = zone === "Z" ? 0 : (zone.startsWith("-") ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  return BigInt(ms - offsetMinutes * 60_000) * NS_PER_MS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

/** @throws QueryError */
export function parseLimit(params: URLSearchParams, fallback = DEFAULT_LIMIT): number {
  const text = params.get("limit") ?? "";
  if (text === "") return fallback;
  if (!/^[+-]?\d+$/.test(text)) throw bad(`strconv.Atoi: parsing ${quoteGo(text)}: invalid syntax`);
  if (int64Of(text) === undefined) throw bad(`strconv.Atoi: parsing ${quoteGo(text)}: value out of range`);
  const limit = Number(text);
  if (limit <= 0) throw bad("limit must be a positive value");
  return limit;
}

/** @throws QueryError */
export function parseDirection(params: URLSearchParams): Direction {
  const text = params.get("direction") ?? "";
  const lower = text.toLowerCase();
  if (lower === "" || lower === "backward") return "backward";
  if (lower === "forward") return "forward";
  throw bad(`invalid direction '${text}'`);
}

/** `60`, `0.5` (seconds) or `1h30m`. @throws QueryError */
function parseSecondsOrDuration(text: string): bigint {
  const seconds = floatOf(text);
  if (seconds !== undefined) {
    const ns = seconds * 1e9;
    // Go makes the least number of 64 bits of it.
    if (Number.isNaN(ns)) return -INT64_MAX - 1n;
    if (!(Math.abs(ns) <= Number(INT64_MAX))) throw bad(`cannot parse ${quoteGo(text)} to a valid duration. It overflows int64`);
    return BigInt(Math.trunc(ns));
  }
  try {
    return BigInt(parsePrometheusDurationMs(text)) * NS_PER_MS;
  } catch {
    throw bad(`cannot parse ${quoteGo(text)} to a valid duration`);
  }
}

/** Undefined when 64 bits cannot hold it. @param text digits, with or without a sign */
function int64Of(text: string): bigint | undefined {
  // A megabyte of digits would take a second to become a number.
  if (text.replace(/^[+-]?0*/, "").length > INT64_DIGITS_MAX) return undefined;
  const value = BigInt(text);
  return value > INT64_MAX || value < -INT64_MAX - 1n ? undefined : value;
}

function floatOf(text: string): number | undefined {
  try {
    return parseGoFloat(text);
  } catch {
    return undefined;
  }
}

function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw bad(`could not parse '${name}' parameter: ${messageOf(error)}`);
  }
}

function bad(message: string): QueryError {
  return new QueryError(400, message);
}
