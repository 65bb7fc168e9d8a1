// Go's times: read by layout (with all leniencies of time.Parse), printed by layout, and Promtail's timestamp formats. A time is whole
// seconds since 1970 and nanoseconds. Source of the rules: Go's time package, format.go.

import { type LayoutStep, layoutSteps, MONTHS, NAMED_LAYOUTS, WEEKDAYS } from "./go-time-layout.ts";
import { TimeReader } from "./go-time-reader.ts";
import { type TimeZone, UTC, wallToUtc } from "./time-zone.ts";

/** A text that is not a time of the layout; the text is Go's. */
export class TimeParseError extends Error {
  override readonly name = "TimeParseError";
}

export interface GoTime {
  /** Whole seconds since 1970. */
  readonly sec: number;
  /** 0 to 999 999 999. */
  readonly nanos: number;
  readonly zone: TimeZone;
}

export interface ParseTimeOptions {
  /** Zone of texts that name none; UTC by default. */
  readonly zone?: TimeZone;
  /**
   * For layouts without a year: the year is the one of this moment; the next or last one when a January is read in December or a
   * December in January. Without it the year is 0, as in Go.
   */
  readonly nowMs?: number;
}

export interface TimeLayout {
  readonly layout: string;
  readonly hasYear: boolean;
  /** @throws TimeParseError in Go's words */
  parse(text: string, options?: ParseTimeOptions): GoTime;
  /** As `parse`, null instead of an error. */
  tryParse(text: string, options?: ParseTimeOptions): GoTime | null;
}

const layouts = new Map<string, TimeLayout>();
const LAYOUTS_MAX = 1_000;

/** Compiles a layout; layouts are remembered. */
export function parseLayout(layout: string): TimeLayout {
  let compiled = layouts.get(layout);
  if (compiled !== undefined) return compiled;
  const steps = layoutSteps(layout);
  const hasYear = steps.some((step) => step.element === "year" || step.element === "longYear");
  const read = (text: string, options: ParseTimeOptions): GoTime | TimeReader => {
    const reader = new TimeReader(text, steps);
    const time = reader.read(options.zone ?? UTC);
    if (time === null) return reader;
    return hasYear || options.nowMs === undefined ? time : inferYear(time, options.nowMs);
  };
  compiled = {
    layout,
    hasYear,
    tryParse(text, options = {}) {
      const result = read(text, options);
      return result instanceof TimeReader ? null : result;
    },
    parse(text, options = {}) {
      const result = read(text, options);
      if (result instanceof TimeReader) throw new TimeParseError(result.message(layout));
      return result;
    },
  };
  if (layouts.size >= LAYOUTS_MAX) layouts.clear();
  layouts.set(layout, compiled);
  return compiled;
}

/** A `format` of Promtail's timestamp stage, compiled: a time or null. */
export type TimestampReader = (text: string, nowMs: number) => GoTime | null;

/**
 * Compiles a format of the timestamp stage: `Unix UnixMs UnixUs UnixNs`, a name of Go's layouts, or a layout. The zone counts for the
 * last only. Times outside the years 1 to 9999, which a push cannot carry, are failures.
 */
export function compileTimestampFormat(format: string, zone: TimeZone = UTC): TimestampReader {
  const digits = Object.hasOwn(UNIX_FRACTION_DIGITS, format) ? UNIX_FRACTION_DIGITS[format] : undefined;
  if (digits !== undefined) return (text) => inRange(digits === 0 ? readUnixSeconds(text) : readUnixInteger(text, digits));
  const named = Object.hasOwn(NAMED_LAYOUTS, format) ? NAMED_LAYOUTS[format] : undefined;
  const layout = parseLayout(named ?? format);
  return (text, nowMs) => inRange(layout.tryParse(text, named === undefined ? { zone, nowMs } : {}));
}

/** Does a format of the timestamp stage have a name (`RFC3339`, `UnixMs`), or is it a layout? */
export function isNamedFormat(format: string): boolean {
  return Object.hasOwn(UNIX_FRACTION_DIGITS, format) || Object.hasOwn(NAMED_LAYOUTS, format);
}

const UNIX_FRACTION_DIGITS: Readonly<Record<string, number>> = { Unix: 0, UnixMs: 3, UnixUs: 6, UnixNs: 9 };
const SEC_OF_YEAR_1 = -62_135_596_800;
const SEC_OF_YEAR_10000 = 253_402_300_800;

function inRange(time: GoTime | null): GoTime | null {
  return time !== null && time.sec >= SEC_OF_YEAR_1 && time.sec < SEC_OF_YEAR_10000 ? time : null;
}

/** `1562708916.414`: the fraction's digits count from the point. */
function readUnixSeconds(text: string): GoTime | null {
  const match = /^([+-]?\d{1,18})(?:\.(\d{1,18}))?$/.exec(text);
  if (match === null) return null;
  return { sec: Number(match[1]), nanos: match[2] === undefined ? 0 : Number(match[2].slice(0, 9).padEnd(9, "0")), zone: UTC };
}

function readUnixInteger(text: string, fractionDigits: number): GoTime | null {
  if (!/^[+-]?\d{1,19}$/.test(text)) return null;
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) return null;
  const unit = 10n ** BigInt(fractionDigits);
  const rest = ((value % unit) + unit) % unit;
  return { sec: Number((value - rest) / unit), nanos: Number(rest * 10n ** BigInt(9 - fractionDigits)), zone: UTC };
}

/** The year is moved on the zone's wall clock: in year 0 most zones have an offset of odd minutes (local mean time). */
function inferYear(time: GoTime, nowMs: number): GoTime {
  const wall = new Date((time.sec + time.zone.at(time.sec).offsetSec) * 1000);
  const now = new Date(nowMs);
  const [month, nowMonth] = [wall.getUTCMonth(), now.getMonth()];
  const shift = month === 11 && nowMonth === 0 ? -1 : month === 0 && nowMonth === 11 ? 1 : 0;
  wall.setUTCFullYear(wall.getUTCFullYear() + now.getFullYear() + shift);
  return { ...time, sec: wallToUtc(Math.floor(wall.getTime() / 1000), time.zone) };
}

/** Prints a time by a layout, in the time's zone. */
export function formatTime(time: GoTime, layout: string): string {
  const { offsetSec, abbreviation } = time.zone.at(time.sec);
  const wall = new Date((time.sec + offsetSec) * 1000);
  let out = "";
  for (const step of layoutSteps(layout))
    out += step.prefix + (step.element === null ? "" : printElement(step, wall, time.nanos, offsetSec, abbreviation));
  return out;
}

/** As Go's Time.String prints: `2006-01-02 15:04:05.999999999 -0700 MST`. */
export function printGoTime(time: GoTime): string {
  return formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

function printElement(step: LayoutStep, wall: Date, nanos: number, offsetSec: number, abbreviation: string): string {
  const two = (n: number): string => (n < 10 ? `0${n}` : String(n));
  const hour12 = wall.getUTCHours() % 12 || 12;
  switch (step.element!) {
    case "longYear":
      return String(wall.getUTCFullYear()).padStart(4, "0");
    case "year":
      return two(((wall.getUTCFullYear() % 100) + 100) % 100);
    case "longMonth":
      return MONTHS[wall.getUTCMonth()]!;
    case "month":
      return MONTHS[wall.getUTCMonth()]!.slice(0, 3);
    case "numMonth":
      return String(wall.getUTCMonth() + 1);
    case "zeroMonth":
      return two(wall.getUTCMonth() + 1);
    case "longWeekday":
      return WEEKDAYS[wall.getUTCDay()]!;
    case "weekday":
      return WEEKDAYS[wall.getUTCDay()]!.slice(0, 3);
    case "day":
      return String(wall.getUTCDate());
    case "underDay":
      return String(wall.getUTCDate()).padStart(2, " ");
    case "zeroDay":
      return two(wall.getUTCDate());
    case "underYearDay":
      return String(dayOfYear(wall)).padStart(3, " ");
    case "zeroYearDay":
      return String(dayOfYear(wall)).padStart(3, "0");
    case "hour":
      return two(wall.getUTCHours());
    case "hour12":
      return String(hour12);
    case "zeroHour12":
      return two(hour12);
    case "minute":
      return String(wall.getUTCMinutes());
    case "zeroMinute":
      return two(wall.getUTCMinutes());
    case "second":
      return String(wall.getUTCSeconds());
    case "zeroSecond":
      return two(wall.getUTCSeconds());
    case "PM":
      return wall.getUTCHours() >= 12 ? "PM" : "AM";
    case "pm":
      return wall.getUTCHours() >= 12 ? "pm" : "am";
    case "zoneName":
      // Go prints the offset of a zone without a name.
      return abbreviation === "" ? printOffset("-0700", offsetSec) : abbreviation;
    case "offset":
      return printOffset(step.text, offsetSec);
    case "fraction0":
      return (
        step.text[0] +
        String(nanos)
          .padStart(9, "0")
          .slice(0, step.text.length - 1)
      );
    case "fraction9": {
      const digits = String(nanos)
        .padStart(9, "0")
        .slice(0, step.text.length - 1)
        .replace(/0+$/, "");
      return digits === "" ? "" : step.text[0] + digits;
    }
  }
}

function printOffset(layout: string, offsetSec: number): string {
  if (layout[0] === "Z" && offsetSec === 0) return "Z";
  const size = Math.abs(offsetSec);
  const two = (n: number): string => String(n).padStart(2, "0");
  const fields = [two(Math.floor(size / 3600)), two(Math.floor(size / 60) % 60), two(size % 60)];
  const colon = layout.includes(":") ? ":" : "";
  const count = layout.replaceAll(":", "").length === 3 ? 1 : layout.replaceAll(":", "").length === 5 ? 2 : 3;
  return (offsetSec < 0 ? "-" : "+") + fields.slice(0, count).join(colon);
}

function dayOfYear(wall: Date): number {
  const start = new Date(wall);
  start.setUTCMonth(0, 1);
  return Math.round((wall.getTime() - start.getTime()) / 86_400_000) + 1;
}
