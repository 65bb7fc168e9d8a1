// What the metrics stage takes for a number: numbers, booleans, texts that Go's ParseFloat reads, Go durations (as seconds).

import { parseGoDurationNs } from "../lib/text/duration.ts";
import { parseGoFloat } from "../lib/text/go-float.ts";
import type { Value } from "../lib/wire/entry-batch.ts";

/** The value as a number; undefined when it is none. */
export function numberOfValue(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" ? numberOfText(value) : undefined;
}

function numberOfText(text: string): number | undefined {
  const number = parseGoFloat(text);
  if (number !== undefined) return number;
  try {
    return parseGoDurationNs(text) / 1e9;
  } catch {
    return undefined;
  }
}
