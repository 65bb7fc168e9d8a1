// The kinds of value a Loki configuration has, as zod schemas that turn text into milliseconds and bytes at the edge, and `noEffect`
// for keys of parts this server does not need.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { parseConfigBytes } from "../../lib/text/byte-size.ts";
import { parseGoDurationNs, parsePrometheusDurationMs } from "../../lib/text/duration.ts";

const reasons = new WeakMap<object, string>();

type NoEffect = z.ZodOptional<z.ZodUnknown>;

/** A key that is accepted whatever its value, and named once at start with the reason why it changes nothing. */
export function noEffect(reason: string): NoEffect {
  const schema = z.unknown().optional();
  reasons.set(schema, reason);
  return schema;
}

export function noEffectReason(schema: unknown): string | undefined {
  return typeof schema === "object" && schema !== null ? reasons.get(schema) : undefined;
}

/** The same reason for several keys. */
export function noEffects<K extends string>(reason: string, keys: readonly K[]): Record<K, NoEffect> {
  return Object.fromEntries(keys.map((key) => [key, noEffect(reason)])) as Record<K, NoEffect>;
}

function parsed<T>(parse: (value: string | number) => T, wanted: string): z.ZodType<T> {
  return z.union([z.string(), z.number()], { error: `expected ${wanted}` }).transform((value, context) => {
    try {
      return parse(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  }) as unknown as z.ZodType<T>;
}

const durations = new WeakSet<object>();

/** Whether a key's value is a time in milliseconds, with or without a default. */
export function isDuration(schema: unknown): boolean {
  let here = schema as { def?: { innerType?: object } } | undefined;
  while (here?.def?.innerType !== undefined) here = here.def.innerType;
  return here !== undefined && durations.has(here);
}

function duration(schema: z.ZodType<number>): z.ZodType<number> {
  durations.add(schema);
  return schema;
}

/** Go's durations (`1h30m`, `1.5s`), which have no days; a bare number is nanoseconds. Milliseconds. */
export const goDurationMs = (): z.ZodType<number> =>
  duration(parsed((value) => (typeof value === "number" ? value : parseGoDurationNs(value)) / 1e6, "a duration such as 5m or 1h30m"));

/** Prometheus' durations (`30d`, `1w`), which limits take; Go's are taken as well. Milliseconds. */
export const promDurationMs = (): z.ZodType<number> =>
  duration(
    parsed((value) => {
      if (typeof value === "number") return value / 1e6;
      try {
        return parsePrometheusDurationMs(value);
      } catch (error) {
        try {
          return parseGoDurationNs(value) / 1e6;
        } catch {
          throw error;
        }
      }
    }, "a duration such as 24h or 7d"),
  );

/** `256KB`, `3MB`, or a number of bytes. */
export const byteSize = (): z.ZodType<number> =>
  parsed((value) => (typeof value === "number" ? value : parseConfigBytes(value)), "a size such as 256KB");

/** A list, or the text form that flags use: comma separated. */
export const stringList = (): z.ZodType<string[]> =>
  z
    .union([z.array(z.string()), z.string()])
    .transform((value) => (Array.isArray(value) ? value : value.split(",").filter((item) => item !== ""))) as unknown as z.ZodType<
    string[]
  >;

export const bool = () => z.boolean();
export const count = () => z.number().int();
export const number = () => z.number();
export const text = () => z.coerce.string();
