// The functions of LogQL's line_format and label_format.

import { parseHumanBytes } from "../byte-size.ts";
import { parseGoDurationNs } from "../duration.ts";
import { loadZone } from "../time-zone.ts";
import { escapeQuery } from "./builtins.ts";
import { fn, type TemplateFunction, type TemplateFunctions } from "./function.ts";
import { LOGQL_MATH_FUNCTIONS } from "./math-functions.ts";
import { GO_TEXT_FUNCTIONS, SPRIG_TEXT_FUNCTIONS, templateRegex } from "./text-functions.ts";
import { expectTime, readTime, timeFunctions, zoneOrUtc } from "./time-functions.ts";
import { fromJsonValue, TemplateError, type TemplateValue, TimeValue } from "./value.ts";

/** What the functions see of the entry that is being formatted. */
export interface LogqlContext {
  /** `__line__` */
  readonly line?: () => string;
  /** `__timestamp__`, nanoseconds since 1970 */
  readonly timestampNs?: () => bigint;
  readonly nowMs?: () => number;
}

/** The function set of a LogQL template. */
export function logqlFunctions(context: LogqlContext = {}): TemplateFunctions {
  const { line = () => "", timestampNs = () => 0n, nowMs = Date.now } = context;
  return new Map<string, TemplateFunction>([
    ...STATIC,
    ...timeFunctions(nowMs),
    ["__line__", fn([], () => line())],
    ["__timestamp__", fn([], () => timeOfNs(timestampNs()))],
  ]);
}

const STATIC: readonly (readonly [string, TemplateFunction])[] = [
  ...GO_TEXT_FUNCTIONS,
  ...SPRIG_TEXT_FUNCTIONS,
  ...LOGQL_MATH_FUNCTIONS,
  ["alignLeft", fn(["int", "text"], (count, text) => align(count, text, true))],
  ["alignRight", fn(["int", "text"], (count, text) => align(count, text, false))],
  ["count", fn(["text", "text"], (pattern, text) => BigInt(templateRegex(pattern).matchAll(text).length))],
  ["urlencode", fn(["text"], escapeQuery)],
  ["urldecode", fn(["text"], unescapeQuery)],
  ["bytes", fn(["text"], (text) => parseHumanBytes(text))],
  ["duration", fn(["text"], (text) => parseGoDurationNs(text) / 1e9)],
  ["duration_seconds", fn(["text"], (text) => parseGoDurationNs(text) / 1e9)],
  ["toDateInZone", fn(["text", "text", "text"], (layout, zone, text) => readTime(layout, text, zoneOrUtc(zone)))],
  ["unixEpochMillis", fn(["any"], (time) => String(expectTime(time).unixNanos() / 1_000_000n))],
  ["unixEpochNanos", fn(["any"], (time) => String(expectTime(time).unixNanos()))],
  ["unixToTime", fn(["text"], unixToTime)],
  ["fromJson", fn(["text"], decodeJson)],
];

function timeOfNs(ns: bigint): TimeValue {
  const nanos = BigInt.asUintN(64, ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  return new TimeValue(Number((ns - nanos) / 1_000_000_000n), Number(nanos), loadZone("Local"));
}

/** Exactly `count` characters: filled with blanks on the other side, or cut. */
function align(count: number, text: string, left: boolean): string {
  const chars = [...text];
  const missing = count - chars.length;
  if (count < 0 || missing === 0) return text;
  if (missing > 1_000_000) throw new TemplateError(`a width of ${count} exceeds 1000000; align to less`);
  if (missing > 0) return left ? text + " ".repeat(missing) : " ".repeat(missing) + text;
  return (left ? chars.slice(0, count) : chars.slice(-missing)).join("");
}

/** Go's url.QueryUnescape. */
function unescapeQuery(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2})/.exec(text);
  if (bad !== null) throw new TemplateError(`invalid URL escape ${JSON.stringify(text.slice(bad.index, bad.index + 3))}`);
  const bytes: Buffer[] = [];
  for (const [piece] of text.matchAll(/%[0-9a-fA-F]{2}|\+|[^%+]+/g)) {
    bytes.push(piece === "+" ? Buffer.from(" ") : piece[0] === "%" ? Buffer.from(piece.slice(1), "hex") : Buffer.from(piece));
  }
  return Buffer.concat(bytes).toString("utf8");
}

/** By the number of digits: days, seconds, milliseconds, microseconds, nanoseconds. */
const UNIT_NS_BY_DIGITS: Readonly<Record<number, bigint>> = {
  5: 86_400_000_000_000n,
  10: 1_000_000_000n,
  13: 1_000_000n,
  16: 1_000n,
  19: 1n,
};

function unixToTime(text: string): TimeValue {
  const unitNs = UNIT_NS_BY_DIGITS[text.length];
  if (!/^[+-]?\d+$/.test(text))
    throw new TemplateError(`unable to parse time '${text}': strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (unitNs === undefined) throw new TemplateError(`unable to parse time '${text}': timestamp in unsupported format`);
  return timeOfNs(BigInt(text) * unitNs);
}

/** A text that is no JSON is nil, as in sprig. */
function decodeJson(text: string): TemplateValue {
  try {
    return fromJsonValue(JSON.parse(text));
  } catch {
    return null;
  }
}
