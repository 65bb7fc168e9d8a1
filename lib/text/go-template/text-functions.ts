// Template functions over text that both sets have: Go's strings functions by their own names, and sprig's by lower-case names, which
// take the text last.

import { decodeGoUtf8 } from "../go-utf8.ts";
import { compileRegex, expandTemplate, type Regex } from "../regex.ts";
import { isEmpty } from "./cast.ts";
import { fn, type TemplateFunction, variadic } from "./function.ts";
import { TemplateError } from "./value.ts";

/** No function makes a text longer than this. */
const TEXT_CHARS_MAX = 4 * 1024 * 1024;
const REGEXES_MAX = 500;
const WHITE_SPACE =
  "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

export const GO_TEXT_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["ToLower", fn(["text"], lower)],
  ["ToUpper", fn(["text"], upper)],
  ["Replace", fn(["text", "text", "text", "int"], replace)],
  ["Trim", fn(["text", "text"], (text, cutset) => trimLeft(trimRight(text, cutset), cutset))],
  ["TrimLeft", fn(["text", "text"], trimLeft)],
  ["TrimRight", fn(["text", "text"], trimRight)],
  ["TrimPrefix", fn(["text", "text"], trimPrefix)],
  ["TrimSuffix", fn(["text", "text"], trimSuffix)],
  ["TrimSpace", fn(["text"], trimSpace)],
];

export const SPRIG_TEXT_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["lower", fn(["text"], lower)],
  ["upper", fn(["text"], upper)],
  ["title", fn(["text"], title)],
  ["trunc", fn(["int", "text"], truncate)],
  ["substr", fn(["int", "int", "text"], substring)],
  ["contains", fn(["text", "text"], (part, text) => text.includes(part))],
  ["hasPrefix", fn(["text", "text"], (prefix, text) => text.startsWith(prefix))],
  ["hasSuffix", fn(["text", "text"], (suffix, text) => text.endsWith(suffix))],
  ["indent", fn(["int", "text"], indent)],
  ["nindent", fn(["int", "text"], (spaces, text) => `\n${indent(spaces, text)}`)],
  ["replace", fn(["text", "text", "text"], (old, fresh, text) => replace(text, old, fresh, -1))],
  ["repeat", fn(["int", "text"], repeat)],
  ["trim", fn(["text"], trimSpace)],
  ["trimAll", fn(["text", "text"], (cutset, text) => trimLeft(trimRight(text, cutset), cutset))],
  ["trimSuffix", fn(["text", "text"], (suffix, text) => trimSuffix(text, suffix))],
  ["trimPrefix", fn(["text", "text"], (prefix, text) => trimPrefix(text, prefix))],
  ["default", variadic(["any"], "any", (given, fallback) => (isEmpty(given[0]) ? fallback : given[0]!))],
  ["regexReplaceAll", fn(["text", "text", "text"], (pattern, text, replacement) => replaceAll(pattern, text, replacement, true))],
  ["regexReplaceAllLiteral", fn(["text", "text", "text"], (pattern, text, replacement) => replaceAll(pattern, text, replacement, false))],
  ["b64enc", fn(["text"], (text) => Buffer.from(text).toString("base64"))],
  ["b64dec", fn(["text"], decodeBase64)],
];

/** One code point to one: `ß` stays, as in Go. */
export function upper(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text.toUpperCase() : [...text].map(upperChar).join("");
}

export function lower(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : [...text].map(lowerChar).join("");
}

export function upperChar(char: string): string {
  const changed = char.toUpperCase();
  return [...changed].length === 1 ? changed : char;
}

export function lowerChar(char: string): string {
  const changed = char.toLowerCase();
  return [...changed].length === 1 ? changed : char === "\u0130" ? "i" : char;
}

/** Go's strings.Title: the first letter of each word, where a word is letters, digits and underscores. */
function title(text: string): string {
  let inWord = false;
  let out = "";
  for (const char of text) {
    out += inWord ? char : upperChar(char);
    inWord = /[\p{L}\p{N}_]/u.test(char) || (char > "\x7f" && !/\s/u.test(char));
  }
  return out;
}

export function replace(text: string, old: string, fresh: string, count: number): string {
  if (count === 0 || old === fresh) return text;
  const most = count < 0 ? Number.POSITIVE_INFINITY : count;
  let out = "";
  let rest = text;
  if (old === "") {
    // Before each character and at the end.
    const chars = [...text];
    for (let i = 0; i <= chars.length; i++) out += (i < most ? fresh : "") + (chars[i] ?? "");
    return bounded(out);
  }
  for (let done = 0; done < most; done++) {
    const at = rest.indexOf(old);
    if (at < 0) break;
    out += rest.slice(0, at) + fresh;
    rest = rest.slice(at + old.length);
  }
  return bounded(out + rest);
}

export function trimLeft(text: string, cutset: string): string {
  const cut = new Set(cutset);
  const chars = [...text];
  let start = 0;
  while (start < chars.length && cut.has(chars[start]!)) start++;
  return chars.slice(start).join("");
}

export function trimRight(text: string, cutset: string): string {
  const cut = new Set(cutset);
  const chars = [...text];
  while (chars.length > 0 && cut.has(chars.at(-1)!)) chars.pop();
  return chars.join("");
}

export function trimPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

export function trimSuffix(text: string, suffix: string): string {
  return suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
}

/** Go's white space: JavaScript's, without the byte order mark and with NEL. */
export function trimSpace(text: string): string {
  return trimRight(trimLeft(text, WHITE_SPACE), WHITE_SPACE);
}

/** The first `count` bytes, the last ones when it is negative. Half a character becomes U+FFFD. */
function truncate(count: number, text: string): string {
  const bytes = Buffer.from(text);
  if (count < 0 && bytes.length + count > 0) return decodeGoUtf8(bytes.subarray(bytes.length + count));
  return count >= 0 && bytes.length > count ? decodeGoUtf8(bytes.subarray(0, count)) : text;
}

/** Bytes `[start, end)`; a negative bound means the text's own. */
function substring(start: number, end: number, text: string): string {
  const bytes = Buffer.from(text);
  const from = Math.max(0, start);
  const to = start >= 0 && (end < 0 || end > bytes.length) ? bytes.length : end;
  if (to < 0 || to > bytes.length) throw new TemplateError(`runtime error: slice bounds out of range [:${to}] with length ${bytes.length}`);
  if (from > to) throw new TemplateError(`runtime error: slice bounds out of range [${from}:${to}]`);
  return decodeGoUtf8(bytes.subarray(from, to));
}

function indent(spaces: number, text: string): string {
  const margin = repeat(spaces, " ");
  return bounded(margin + text.replaceAll("\n", `\n${margin}`));
}

export function repeat(count: number, text: string): string {
  if (count < 0) throw new TemplateError("strings: negative Repeat count");
  if (count * text.length > TEXT_CHARS_MAX)
    throw new TemplateError(`a text of ${count * text.length} characters exceeds ${TEXT_CHARS_MAX}; repeat less`);
  return text.repeat(count);
}

function bounded(text: string): string {
  if (text.length > TEXT_CHARS_MAX)
    throw new TemplateError(`a text of ${text.length} characters exceeds ${TEXT_CHARS_MAX}; make it shorter`);
  return text;
}

const regexes = new Map<string, Regex>();

/** A regex of a template, remembered. @throws RegexError */
export function templateRegex(pattern: string): Regex {
  let regex = regexes.get(pattern);
  if (regex === undefined) {
    regex = compileRegex(pattern);
    if (regexes.size >= REGEXES_MAX) regexes.clear();
    regexes.set(pattern, regex);
  }
  return regex;
}

function replaceAll(pattern: string, text: string, replacement: string, expands: boolean): string {
  const regex = templateRegex(pattern);
  return bounded(regex.replaceAll(text, (match) => (expands ? expandTemplate(replacement, match, regex.groupNames) : replacement)));
}

/** The decoded text, or the error's, as sprig has it: base64.StdEncoding, line feeds passed over. */
function decodeBase64(text: string): string {
  const bytes = Buffer.from(text);
  const bad = badBase64At(bytes);
  return bad < 0 ? decodeGoUtf8(Buffer.from(text, "base64")) : `illegal base64 data at input byte ${bad}`;
}

const PADDING = 0x3d;

/** Where Go says that the text is no base64: a byte, or the start of a group of four that is not whole. -1: nowhere. */
function badBase64At(bytes: Buffer): number {
  let inGroup = 0;
  let at = 0;
  const skipLines = (): void => {
    while (bytes[at] === 10 || bytes[at] === 13) at++;
  };
  for (skipLines(); at < bytes.length; skipLines()) {
    const byte = bytes[at++]!;
    if (/[A-Za-z0-9+/]/.test(String.fromCharCode(byte))) {
      inGroup = (inGroup + 1) % 4;
      continue;
    }
    if (byte !== PADDING || inGroup < 2) return at - 1;
    skipLines();
    if (inGroup === 2) {
      if (at === bytes.length) return at;
      if (bytes[at++] !== PADDING) return at - 2;
      skipLines();
    }
    return at < bytes.length ? at : -1;
  }
  return inGroup === 0 ? -1 : at - inGroup;
}
