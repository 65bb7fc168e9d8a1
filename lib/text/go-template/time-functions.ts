// Template functions over times: layouts, zones, Unix times.

import { formatTime, parseLayout } from "../go-time.ts";
import { loadZone, type TimeZone, UTC } from "../time-zone.ts";
import { fn, type TemplateFunction } from "./function.ts";
import { TemplateError, type TemplateValue, TimeValue } from "./value.ts";

/** @param nowMs milliseconds since 1970 */
export function timeFunctions(nowMs: () => number): readonly (readonly [string, TemplateFunction])[] {
  return [
    ["now", fn([], () => timeNow(nowMs))],
    ["date", fn(["text", "any"], (layout, time) => formatTime(inZone(timeOf(time, nowMs), loadZone("Local")), layout))],
    ["toDate", fn(["text", "text"], (layout, text) => readTime(layout, text, loadZone("Local")))],
    ["unixEpoch", fn(["any"], (time) => String(expectTime(time).sec))],
  ];
}

export function timeNow(nowMs: () => number): TimeValue {
  const ms = nowMs();
  const sec = Math.floor(ms / 1000);
  return new TimeValue(sec, Math.round((ms - sec * 1000) * 1e6), loadZone("Local"));
}

/** A text that is not a time is Go's zero time, year 1: sprig drops the error. */
export function readTime(layout: string, text: string, zone: TimeZone): TimeValue {
  const time = parseLayout(layout).tryParse(text, { zone });
  return time === null ? TimeValue.ZERO : TimeValue.of(time);
}

/** sprig's idea of a time: a time, seconds since 1970, or else now. */
export function timeOf(value: TemplateValue, nowMs: () => number): TimeValue {
  if (value instanceof TimeValue) return value;
  return typeof value === "bigint" ? new TimeValue(Number(value), 0, loadZone("Local")) : timeNow(nowMs);
}

export function expectTime(value: TemplateValue): TimeValue {
  if (value instanceof TimeValue) return value;
  throw new TemplateError("wrong type for value; expected time.Time");
}

export const inZone = (time: TimeValue, zone: TimeZone): TimeValue => new TimeValue(time.sec, time.nanos, zone);

/** A zone by name; UTC when it is not known. */
export function zoneOrUtc(name: string): TimeZone {
  try {
    return loadZone(name);
  } catch {
    return UTC;
  }
}

/** @param ns a duration in nanoseconds */
export function addDuration(time: TimeValue, ns: number): TimeValue {
  return TimeValue.fromUnixNanos(time.unixNanos() + BigInt(Math.trunc(ns)), time.zone);
}
