// Values of a Go template, as JavaScript has them:
//
//   string   string            bool     boolean          list   array
//   int      bigint (int64)    float64  number           map    anything with get and entries (a Map), or TimeValue's siblings
//   time     TimeValue         nil      null             a missing key is nil as well: neither has a type, both print `<no value>`

import { formatTime, type GoTime, printGoTime } from "../go-time.ts";
import { MONTHS, WEEKDAYS } from "../go-time-layout.ts";
import { loadZone, type TimeZone, UTC, wallToUtc } from "../time-zone.ts";

export type TemplateValue = string | bigint | number | boolean | null | TimeValue | readonly TemplateValue[] | TemplateMap;

/** A map of a template: labels, extracted data, a `dict`. A Map is one; so is a view of something larger. */
export interface TemplateMap {
  /** What it prints as, when that is not its pairs. */
  readonly printed?: string;
  /** Undefined for a key that is not there. */
  get(name: string): TemplateValue | undefined;
  entries(): Iterable<readonly [string, TemplateValue]>;
  /** The map that changes are made in, from then on shown by this one. Without it, and when it is no Map, it cannot be changed. */
  changeable?(): Map<string, TemplateValue>;
}

/** What a function that takes a map gets for nil: it can be read. */
export const NIL_MAP: TemplateMap = { get: () => undefined, entries: () => [] };

/** What a template cannot do. The text is Go's where users know it. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** A time.Time. */
export class TimeValue implements GoTime {
  readonly sec: number;
  readonly nanos: number;
  readonly zone: TimeZone;
  constructor(sec: number, nanos = 0, zone: TimeZone = UTC) {
    this.sec = sec;
    this.nanos = nanos;
    this.zone = zone;
  }

  /** Go's zero time, year 1. */
  static readonly ZERO = new TimeValue(-62_135_596_800);

  static of(time: GoTime): TimeValue {
    return new TimeValue(time.sec, time.nanos, time.zone);
  }

  static fromUnixNanos(unixNanos: bigint, zone: TimeZone): TimeValue {
    const nanos = ((unixNanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    return new TimeValue(Number((unixNanos - nanos) / 1_000_000_000n), Number(nanos), zone);
  }

  /** The time read as if its zone were UTC. */
  wall(): Date {
    return new Date((this.sec + this.zone.at(this.sec).offsetSec) * 1000);
  }

  unixNanos(): bigint {
    return BigInt(this.sec) * 1_000_000_000n + BigInt(this.nanos);
  }
}

/** Methods of time.Time that a template may call, by name: arguments after the time itself. */
export const TIME_METHODS: Readonly<Record<string, (time: TimeValue, args: readonly TemplateValue[]) => TemplateValue>> = {
  Format: (time, [layout]) => formatTime(time, expectString(layout)),
  String: (time) => printGoTime(time),
  Unix: (time) => BigInt(time.sec),
  UnixMilli: (time) => time.unixNanos() / 1_000_000n,
  UnixMicro: (time) => time.unixNanos() / 1_000n,
  UnixNano: (time) => time.unixNanos(),
  UTC: (time) => new TimeValue(time.sec, time.nanos, UTC),
  Local: (time) => new TimeValue(time.sec, time.nanos, loadZone("Local")),
  Year: (time) => BigInt(time.wall().getUTCFullYear()),
  Month: (time) => MONTHS[time.wall().getUTCMonth()]!,
  Day: (time) => BigInt(time.wall().getUTCDate()),
  YearDay: (time) => BigInt(Number(formatTime(time, "002"))),
  Weekday: (time) => WEEKDAYS[time.wall().getUTCDay()]!,
  Hour: (time) => BigInt(time.wall().getUTCHours()),
  Minute: (time) => BigInt(time.wall().getUTCMinutes()),
  Second: (time) => BigInt(time.wall().getUTCSeconds()),
  Nanosecond: (time) => BigInt(time.nanos),
  Add: (time, [ns]) => TimeValue.fromUnixNanos(time.unixNanos() + expectInt(ns), time.zone),
  AddDate: (time, [years, months, days]) => addDate(time, Number(expectInt(years)), Number(expectInt(months)), Number(expectInt(days))),
  IsZero: (time) => time.sec === TimeValue.ZERO.sec && time.nanos === 0,
  Before: (time, [other]) => time.unixNanos() < expectTime(other).unixNanos(),
  After: (time, [other]) => time.unixNanos() > expectTime(other).unixNanos(),
  Equal: (time, [other]) => time.unixNanos() === expectTime(other).unixNanos(),
};

/** Moves the zone's wall clock; a day that the month lacks is one of the next month. */
function addDate(time: TimeValue, years: number, months: number, days: number): TimeValue {
  const wall = time.wall();
  wall.setUTCFullYear(wall.getUTCFullYear() + years, wall.getUTCMonth() + months, wall.getUTCDate() + days);
  return new TimeValue(wallToUtc(Math.floor(wall.getTime() / 1000), time.zone), time.nanos, time.zone);
}

function expectInt(value: TemplateValue | undefined): bigint {
  if (typeof value !== "bigint") throw new TemplateError(`wrong type for value; expected int; got ${typeName(value ?? null)}`);
  return value;
}

function expectString(value: TemplateValue | undefined): string {
  if (typeof value !== "string") throw new TemplateError(`wrong type for value; expected string; got ${typeName(value ?? null)}`);
  return value;
}

function expectTime(value: TemplateValue | undefined): TimeValue {
  if (!(value instanceof TimeValue)) throw new TemplateError(`wrong type for value; expected time.Time; got ${typeName(value ?? null)}`);
  return value;
}

export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

export function isMap(value: TemplateValue): value is TemplateMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof TimeValue);
}

/** Go's name of the value's type. */
export function typeName(value: TemplateValue): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    default:
      return value === null
        ? "nil"
        : isList(value)
          ? "[]interface {}"
          : value instanceof TimeValue
            ? "time.Time"
            : "map[string]interface {}";
  }
}

/** Does `if` take the value for true? */
export function isTrue(value: TemplateValue): boolean {
  if (value === null || typeof value !== "object") return Boolean(value);
  if (value instanceof TimeValue) return true;
  return isList(value) ? value.length > 0 : mapSize(value) > 0;
}

export function mapSize(map: TemplateMap): number {
  if (map instanceof Map) return map.size;
  let size = 0;
  for (const _ of map.entries()) size++;
  return size;
}

/** Decoded JSON (or YAML) as template values: every number a float64, as Go decodes into interface{}. */
export function fromJsonValue(value: unknown): TemplateValue {
  if (Array.isArray(value)) return value.map(fromJsonValue);
  if (typeof value === "object" && value !== null) return new Map(Object.entries(value).map(([key, item]) => [key, fromJsonValue(item)]));
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

/** An int64 out of any whole number, wrapped around as Go's arithmetic does. */
export const int64 = (value: bigint): bigint => BigInt.asIntN(64, value);
