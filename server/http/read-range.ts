// The time range of a request to the index or to what is detected: its parameters, held to the tenants' limits.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Limits } from "../config/limits.ts";
import type { TimeRange } from "../page.ts";
import { QueryError } from "../query/errors.ts";
import { checkLength, clampLookback, queryLimitsOf } from "../query/limits.ts";

/** What of a range a tenant may read; undefined when all of it is too old. @throws QueryError when the range is too long */
export function allowedRange(range: TimeRange, limits: Limits, clock: Clock): TimeRange | undefined {
  const queryLimits = queryLimitsOf(limits);
  checkLength(queryLimits, { range, rangesMs: [] });
  return clampLookback(range, queryLimits, clock.nowMs());
}

/** A positive whole number, `fallback` when absent. @throws QueryError */
export function parsePositive(text: string, fallback: number): number {
  if (text === "") return fallback;
  const value = parseWhole(text);
  if (value <= 0) throw new QueryError(400, "limit must be a positive value");
  return value;
}

/** @throws QueryError with strconv's text */
export function parseWhole(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new QueryError(400, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new QueryError(400, `strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}
