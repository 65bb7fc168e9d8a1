// What the metrics stage takes for a number: numbers, booleans, texts that Go's ParseFloat reads, Go durations (as seconds).

import { parseGoDurationNs } from "../lib/text/duration.ts";
import type { Value } from "../lib/wire/entry-batch.ts";

const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** The value as a number; undefined when it is none. */
export function numberOfValue(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" ? numberOfText(value) : undefined;
}

function numberOfText(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const number = Number(text.replaceAll("_", ""));
    // Go calls a number out of range an error.
    return Number.isFinite(number) ? number : undefined;
  }
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  try {
    return parseGoDurationNs(text) / 1e9;
  } catch {
    return undefined;
  }
}
