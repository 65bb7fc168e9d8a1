// The kinds of value a Promtail configuration has, read as Go's YAML decoder reads them: quoted numbers and booleans are refused where
// a number or a boolean is wanted, any bare scalar is taken as written where a text is wanted. Times become milliseconds, sizes bytes.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { once } from "../../lib/runtime/once.ts";
import { parseConfigBytes } from "../../lib/text/byte-size.ts";
import { parseGoDurationMs, parsePrometheusDurationMs } from "../../lib/text/duration.ts";
import { goUrlFault } from "../../lib/text/go-url.ts";
import { Plain } from "./written.ts";

/** A schema out of a function that returns the value or throws what is wrong with it. */
export function field<T>(read: (value: unknown) => T): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    try {
      if (value === undefined) throw new Error("is required");
      return read(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  }) as unknown as z.ZodType<T>;
}

function expected(wanted: string, value: unknown): Error {
  if (typeof value === "string") {
    const quoted = /^([-+]?[\d.]+|true|false|yes|no|on|off)$/i.test(value) ? ": remove the quotes" : "";
    return new Error(`expected ${wanted}, got the text ${JSON.stringify(value)}${quoted}`);
  }
  if (value instanceof Plain) return new Error(`expected ${wanted}, got ${value.written}`);
  if (typeof value === "number" || typeof value === "boolean") return new Error(`expected ${wanted}, got ${value}`);
  return new Error(`expected ${wanted}, got ${Array.isArray(value) ? "a list" : value === null ? "nothing" : "a map"}`);
}

function readText(value: unknown): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (value instanceof Plain) return value.written;
  throw expected("a text", value);
}

function readNumber(wanted: string, value: unknown): number {
  if (value instanceof Plain && typeof value.value === "number") return value.value;
  throw expected(wanted, value);
}

// A schema without settings is made once: a configuration has two hundred places for a text, a number, a time.
export const text = once(() => field(readText));

/** A text out of a few. */
export function oneOf<T extends string>(allowed: readonly T[]): z.ZodType<T> {
  return field((value) => {
    const got = readText(value);
    const found = allowed.find((word) => word === got);
    if (found === undefined) throw new Error(`expected one of ${allowed.join(", ")}, got ${JSON.stringify(got)}`);
    return found;
  });
}

const ints = new Map<string, z.ZodType<number>>();

/** A whole number; what stands behind a decimal point is cut off, as Go's decoder does. */
export function int(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  const key = `${min} to ${max}`;
  let made = ints.get(key);
  if (made === undefined) ints.set(key, (made = wholeNumber(min, max)));
  return made;
}

const wholeNumber = (min: number, max: number): z.ZodType<number> =>
  field((value) => {
    const number = Math.trunc(readNumber("a whole number", value));
    if (!(number >= min && number <= max)) throw new Error(`expected a whole number from ${min} to ${max}, got ${number}`);
    return number;
  });

export const float = once(
  (): z.ZodType<number> =>
    field((value) => {
      const number = readNumber("a number", value);
      if (Number.isNaN(number)) throw expected("a number", value);
      return number;
    }),
);

export const bool = once(
  (): z.ZodType<boolean> =>
    field((value) => {
      if (value instanceof Plain && typeof value.value === "boolean") return value.value;
      throw expected("true or false", value);
    }),
);

/** Go's durations are nanoseconds in 64 bits: 292 years. */
const DURATION_NS_MAX = 2 ** 63;

/** Go's durations (`1h30m`, `1.5s`; no days); a bare number is nanoseconds. Milliseconds. */
export const goDuration = once(
  (): z.ZodType<number> =>
    field((value) => {
      if (value instanceof Plain) {
        const nanoseconds = readNumber("a duration such as 10s or 1h30m", value);
        if (!(Math.abs(nanoseconds) < DURATION_NS_MAX)) throw expected("a duration such as 10s or 1h30m, of at most 292 years", value);
        return nanoseconds / 1e6;
      }
      if (typeof value !== "string") throw expected("a duration such as 10s or 1h30m", value);
      return parseGoDurationMs(value);
    }),
);

/** Prometheus' durations (`30d`, `1w`), which discoveries take. Milliseconds. */
export const promDuration = once((): z.ZodType<number> => field((value) => parsePrometheusDurationMs(readText(value))));

/** `256kb`, `2M`, or a number of bytes. */
export const byteSize = once((): z.ZodType<number> => field((value) => parseConfigBytes(readText(value))));

export const list = <T>(item: z.ZodType<T>): z.ZodType<T[]> => z.array(item, { error: "expected a list" }) as unknown as z.ZodType<T[]>;
export const textList = once((): z.ZodType<string[]> => list(text()));

/** Names to texts; a name without a value has the empty one. */
export const wholeTextMap = once(
  (): z.ZodType<Record<string, string>> =>
    z.record(z.string(), text(), { error: "expected a map of names to texts" }) as unknown as z.ZodType<Record<string, string>>,
);

/** Names to texts; a name without a value vanishes. */
export const textMap = once(
  (): z.ZodType<Record<string, string>> => wholeTextMap().transform(withoutEmpty) as unknown as z.ZodType<Record<string, string>>,
);

/** Labels: an empty label is no label. */
export const labels = textMap;

function withoutEmpty(map: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== ""));
}

/** A URL as Go's net/url takes it: nearly everything, for instance `${LOKI_URL}` as a whole, but no stray characters in host or port. */
export const url = once(
  (): z.ZodType<string> =>
    field((value) => {
      const written = readText(value);
      const fault = goUrlFault(written);
      if (fault !== undefined) throw new Error(`parse ${JSON.stringify(written)}: ${fault}`);
      return written;
    }),
);
