// Values as Go prints them: encoding/json's Marshal (`<`, `>`, `&` and the line separators escaped, keys sorted, ES6 numbers), and
// Promtail's number to string.

import { compareCodePoints } from "./go-quote.ts";

export interface GoJsonOptions {
  /** Leave `<`, `>` and `&` as they are (SetEscapeHTML(false)). */
  readonly plainHtml?: boolean;
  /** As json-iterator prints instead of encoding/json: exponents of two digits at least, \\b and \\f by their numbers. */
  readonly iterator?: boolean;
  /** White space per level, as MarshalIndent takes it. */
  readonly indent?: string;
  /** Prints values that are not JSON's own; undefined hands the value back. */
  readonly print?: (value: object) => string | undefined;
}

/** JSON text of strings, numbers, booleans, null, arrays, Maps and plain objects. Anything else, and NaN or infinities: TypeError. */
export function goJson(value: unknown, options: GoJsonOptions = {}): string {
  return print(value, options);
}

/**
 * A float64 as Promtail's stages turn it into text: the shortest decimal that reads back, never with an exponent: 1e21 is
 * `1000000000000000000000`, 2e-10 is `0.0000000002`, -0 is `-0`.
 */
export function goNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const text = String(value);
  const exponent = text.indexOf("e");
  if (exponent < 0) return text;
  const [whole = "", fraction = ""] = text.slice(0, exponent).replace("-", "").split(".");
  const digits = whole + fraction;
  const point = whole.length + Number(text.slice(exponent + 1));
  const sign = value < 0 ? "-" : "";
  return point <= 0 ? `${sign}0.${"0".repeat(-point)}${digits}` : sign + digits.padEnd(point, "0");
}

const PLAIN = /^[\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x5b\x5d-\x7e]*$/;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A string as a JSON string, quotes included. */
export function goJsonString(text: string, { plainHtml = false, iterator = false }: GoJsonOptions = {}): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const special = plainHtml ? /["\\\x00-\x1f\u2028\u2029\ud800-\udfff]/ : /["\\\x00-\x1f<>&\u2028\u2029\ud800-\udfff]/;
  if (!special.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    const short = iterator && (char === "\b" || char === "\f") ? undefined : SHORT[char];
    if (short !== undefined) out += short;
    else if (code < 0x20 || code === 0x2028 || code === 0x2029 || (!plainHtml && (char === "<" || char === ">" || char === "&")))
      out += `\\u${code.toString(16).padStart(4, "0")}`;
    else out += code < 0xd800 || code > 0xdfff ? char : iterator ? "\ufffd" : "\\ufffd";
  }
  return out + '"';
}

/** An array or object that is being printed. */
interface Level {
  /** Each with what stands before its value: nothing, or a key and a colon. */
  readonly items: readonly (readonly [before: string, value: unknown])[];
  readonly close: string;
  /** Line feed and white space of the items; empty without indentation. */
  readonly lead: string;
  next: number;
}

/** With a stack of its own: what is nested a hundred thousand deep is printed too. */
function print(value: unknown, options: GoJsonOptions): string {
  const levels: Level[] = [];
  let out = "";
  const add = (item: unknown): void => {
    if (typeof item !== "object" || item === null) {
      out += printScalar(item, options);
      return;
    }
    const own = options.print?.(item);
    if (own !== undefined) {
      out += own;
      return;
    }
    const level = levelOf(item, options, levels.length + 1);
    if (level.items.length === 0) out += Array.isArray(item) ? "[]" : "{}";
    else {
      out += Array.isArray(item) ? "[" : "{";
      levels.push(level);
    }
  };
  add(value);
  while (levels.length > 0) {
    const level = levels.at(-1)!;
    if (level.next === level.items.length) {
      levels.pop();
      out += level.close;
      continue;
    }
    const [before, item] = level.items[level.next]!;
    out += (level.next === 0 ? "" : ",") + level.lead + before;
    level.next++;
    add(item);
  }
  return out;
}

function levelOf(value: object, options: GoJsonOptions, depth: number): Level {
  const { indent } = options;
  const lead = indent === undefined ? "" : `\n${indent.repeat(depth)}`;
  const last = indent === undefined ? "" : `\n${indent.repeat(depth - 1)}`;
  if (Array.isArray(value)) return { items: value.map((item) => ["", item]), close: `${last}]`, lead, next: 0 };
  const pairs: [string, unknown][] = value instanceof Map ? [...value].map(([key, item]) => [String(key), item]) : Object.entries(value);
  pairs.sort((a, b) => compareCodePoints(a[0], b[0]));
  const colon = indent === undefined ? ":" : ": ";
  return { items: pairs.map(([key, item]) => [goJsonString(key, options) + colon, item]), close: `${last}}`, lead, next: 0 };
}

function printScalar(value: unknown, options: GoJsonOptions): string {
  switch (typeof value) {
    case "string":
      return goJsonString(value, options);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`json: unsupported value: ${goNumber(value)}`);
      if (Object.is(value, -0)) return "-0";
      return options.iterator === true ? String(value).replace(/e([+-])(\d)$/, "e$10$2") : String(value);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      if (value === null) return "null";
      throw new TypeError(`json: unsupported type: ${typeof value}`);
  }
}
