// The functions every Go template has: comparison, logic, index, slice, len, print, printf, and the escapers.

import { compareCodePoints } from "../go-quote.ts";
import { decodeGoUtf8 } from "../go-utf8.ts";
import { formatValue, sprint, sprintf, sprintln } from "./format.ts";
import { fn, type TemplateFunction, type TemplateFunctions, variadic } from "./function.ts";
import { isList, isMap, isTrue, mapSize, TemplateError, type TemplateValue, TimeValue, typeName } from "./value.ts";

/** `and` and `or` are here for their names; the executor evaluates them, for they stop early. */
export const BUILTINS: TemplateFunctions = new Map<string, TemplateFunction>([
  ["and", variadic(["any"], "any", (rest, first) => [first, ...rest].find((value) => !isTrue(value)) ?? rest.at(-1) ?? first)],
  ["or", variadic(["any"], "any", (rest, first) => [first, ...rest].find(isTrue) ?? rest.at(-1) ?? first)],
  ["not", fn(["any"], (value) => !isTrue(value))],
  ["eq", variadic(["any"], "any", (others, first) => isOneOf(first, others))],
  ["ne", fn(["any", "any"], (a, b) => !isOneOf(a, [b]))],
  ["lt", fn(["any", "any"], (a, b) => compare(a, b) < 0)],
  ["le", fn(["any", "any"], (a, b) => compare(a, b) <= 0)],
  ["gt", fn(["any", "any"], (a, b) => compare(a, b) > 0)],
  ["ge", fn(["any", "any"], (a, b) => compare(a, b) >= 0)],
  ["len", fn(["any"], (value) => BigInt(lengthOf(value)))],
  ["index", variadic(["any"], "any", indexed)],
  ["slice", variadic(["any"], "any", (bounds, value) => slice(value, bounds))],
  ["print", variadic([], "any", sprint)],
  ["println", variadic([], "any", sprintln)],
  ["printf", variadic(["text"], "any", (args, format) => sprintf(format, args))],
  ["html", variadic([], "any", (args) => escapeHtml(textOf(args)))],
  ["js", variadic([], "any", (args) => escapeJs(textOf(args)))],
  ["urlquery", variadic([], "any", (args) => escapeQuery(textOf(args)))],
  [
    "call",
    variadic(["any"], "any", (_, called) => {
      throw new TemplateError(called === null ? "call of nil" : `non-function of type ${typeName(called)}`);
    }),
  ],
]);

/** What the escapers escape; nil is the text that templates print for it. */
const textOf = (args: readonly TemplateValue[]): string => sprint(args.map((arg) => arg ?? "<no value>"));

function isOneOf(first: TemplateValue, others: readonly TemplateValue[]): boolean {
  if (others.length === 0) throw new TemplateError("missing argument for comparison");
  return others.some((other) => {
    if (first === null || other === null) return first === other;
    if (typeof first !== typeof other) throw new TemplateError("incompatible types for comparison");
    if (typeof first !== "object" || typeof other !== "object") return first === other;
    if (first instanceof TimeValue && other instanceof TimeValue) return first.unixNanos() === other.unixNanos();
    throw new TemplateError(`non-comparable type ${formatValue(first)}: ${typeName(first)}`);
  });
}

function compare(a: TemplateValue, b: TemplateValue): number {
  const orderable = (value: TemplateValue): boolean => typeof value === "string" || typeof value === "bigint" || typeof value === "number";
  if (!orderable(a) || !orderable(b)) throw new TemplateError("invalid type for comparison");
  if (typeof a !== typeof b) throw new TemplateError("incompatible types for comparison");
  if (typeof a === "string") return compareCodePoints(a, b as string);
  // NaN compares with nothing: neither smaller nor larger.
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

function lengthOf(value: TemplateValue): number {
  if (value === null) throw new TemplateError("len of nil pointer");
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return mapSize(value);
  throw new TemplateError(`len of type ${typeName(value)}`);
}

function indexed(keys: readonly TemplateValue[], value: TemplateValue): TemplateValue {
  if (value === null) throw new TemplateError("index of untyped nil");
  return keys.reduce<TemplateValue>(element, value);
}

function element(value: TemplateValue, key: TemplateValue): TemplateValue {
  if (value === null) throw new TemplateError("index of untyped nil");
  if (isMap(value)) {
    if (typeof key !== "string") throw new TemplateError(`value has type ${typeName(key)}; should be string`);
    return value.get(key) ?? null;
  }
  if (typeof value !== "string" && !isList(value)) throw new TemplateError(`can't index item of type ${typeName(value)}`);
  const at = indexOf(key);
  const items = typeof value === "string" ? Buffer.from(value) : value;
  if (at < 0 || at >= items.length) throw new TemplateError(`index out of range: ${at}`);
  const item = items[at]!;
  return typeof item === "number" && typeof value === "string" ? BigInt(item) : item;
}

function indexOf(key: TemplateValue): number {
  if (key === null) throw new TemplateError("cannot index slice/array with nil");
  if (typeof key !== "bigint") throw new TemplateError(`cannot index slice/array with type ${typeName(key)}`);
  return Number(key);
}

function slice(value: TemplateValue, bounds: readonly TemplateValue[]): TemplateValue {
  if (value === null) throw new TemplateError("slice of untyped nil");
  if (bounds.length > 3) throw new TemplateError(`too many slice indexes: ${bounds.length}`);
  if (typeof value === "string" && bounds.length === 3) throw new TemplateError("cannot 3-index slice a string");
  if (typeof value !== "string" && !isList(value)) throw new TemplateError(`can't slice item of type ${typeName(value)}`);
  const items = typeof value === "string" ? Buffer.from(value) : value;
  const [from = 0, to = items.length] = bounds.map(indexOf);
  for (const at of [from, to]) if (at < 0 || at > items.length) throw new TemplateError(`index out of range: ${at}`);
  if (from > to) throw new TemplateError(`invalid slice index: ${from} > ${to}`);
  // Half a character becomes U+FFFD.
  return typeof value === "string"
    ? decodeGoUtf8((items as Buffer).subarray(from, to))
    : (items as readonly TemplateValue[]).slice(from, to);
}

const HTML: Readonly<Record<string, string>> = { "\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;" };

export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (char) => HTML[char]!);
}

const JS: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
};

function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\x00-\x1f]|[^\x00-\x7f]/gu, (char) => {
    if (JS[char] !== undefined) return JS[char];
    const code = char.codePointAt(0)!;
    if (code >= 0x80 && /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) return char;
    return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

/** Go's url.QueryEscape. */
export function escapeQuery(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"))
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
