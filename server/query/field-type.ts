// What kind of value a text is, for tools that offer filters on fields: the first of Loki's types that reads it (reference §1.10).

import { parseHumanBytes } from "../../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../../lib/text/duration.ts";
import { parseGoFloat } from "./go-number.ts";

export type FieldType = "int" | "float" | "boolean" | "duration" | "bytes" | "string";

const INT64_MAX = 9_223_372_036_854_775_807n;
/** What strconv.ParseBool takes, but for `0` and `1`, which are numbers before. */
const BOOLEANS: ReadonlySet<string> = new Set(["t", "T", "TRUE", "true", "True", "f", "F", "FALSE", "false", "False"]);

export function fieldTypeOf(text: string): FieldType {
  if (isInt64(text)) return "int";
  // Digits with underscores are numbers in LogQL only.
  if (!text.includes("_") && reads(parseGoFloat, text)) return "float";
  if (BOOLEANS.has(text)) return "boolean";
  if (reads(parseGoDurationNs, text)) return "duration";
  return reads(parseHumanBytes, text) ? "bytes" : "string";
}

function isInt64(text: string): boolean {
  if (!/^[+-]?\d+$/.test(text)) return false;
  // Leading zeros do not count: 20 significant digits are too many in any case, and BigInt is slow on long texts.
  const digits = text.replace(/^[+-]?0*/, "");
  if (digits.length > 19) return false;
  const value = BigInt(digits === "" ? "0" : digits);
  return value <= INT64_MAX || (text.startsWith("-") && value === INT64_MAX + 1n);
}

function reads(parse: (text: string) => number, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
