// Values as Go prints them: encoding/json's Marshal (`<`, `>`, `&` and the line separators escaped, keys sorted, ES6 numbers), and
// Promtail's number to string.

import { compareGoStrings } from "./go-quote.ts";

export interface GoJsonOptions {
  /** Leave `<`, `>` and `&` as they are (SetEscapeHTML(false)). */
  readonly plainHtml?: boolean;
  /** White space per level, as MarshalIndent takes it. */
  readonly indent?: string;
  /** Prints values that are not JSON's own; undefined hands the value back. */
  readonly print?: (value: object) => string | undefined;
}

/** JSON text of strings, numbers, booleans, null, arrays, Maps and plain objects. Anything else, and NaN or infinities: TypeError. */
export function goJson(value: unknown, options: GoJsonOptions = {}): string {
  return print(value, options, "\n");
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
export function goJsonString(text: string, plainHtml = false): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const special = plainHtml ? /["\\\x00-\x1f\u2028\u2029\ud800-\udfff]/ : /["\\\x00-\x1f<>&\u2028\u2029\ud800-\udfff]/;
  if (!special.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (SHORT[char] !== undefined) out += SHORT[char];
    else if (code < 0x20 || code === 0x2028 || code === 0x2029 || (!plainHtml && (char === "<" || char === ">" || char === "&")))
      out += `\\u${code.toString(16).padStart(4, "0")}`;
    else out += code >= 0xd800 && code <= 0xdfff ? "\\ufffd" : char;
  }
  return out + '"';
}

function print(value: unknown, options: GoJsonOptions, newLine: string): string {
  switch (typeof value) {
    case "string":
      return goJsonString(value, options.plainHtml);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`json: unsupported value: ${goNumber(value)}`);
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "null" : printObject(value, options, newLine);
    default:
      throw new TypeError(`json: unsupported type: ${typeof value}`);
  }
}

function printObject(value: object, options: GoJsonOptions, newLine: string): string {
  const own = options.print?.(value);
  if (own !== undefined) return own;
  const deeper = newLine + (options.indent ?? "");
  if (Array.isArray(value)) {
    return bracket(
      "[]",
      value.map((item) => print(item, options, deeper)),
      options,
      newLine,
    );
  }
  const pairs: [string, unknown][] = value instanceof Map ? [...value].map(([key, item]) => [String(key), item]) : Object.entries(value);
  pairs.sort((a, b) => compareGoStrings(a[0], b[0]));
  const colon = options.indent === undefined ? ":" : ": ";
  return bracket(
    "{}",
    pairs.map(([key, item]) => goJsonString(key, options.plainHtml) + colon + print(item, options, deeper)),
    options,
    newLine,
  );
}

function bracket(pair: string, items: readonly string[], options: GoJsonOptions, newLine: string): string {
  if (items.length === 0) return pair;
  if (options.indent === undefined) return `${pair[0]}${items.join(",")}${pair[1]}`;
  const deeper = newLine + options.indent;
  return `${pair[0]}${deeper}${items.join(`,${deeper}`)}${newLine}${pair[1]}`;
}
