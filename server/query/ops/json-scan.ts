// A JSON reader over bytes with the habits of the one in Loki (buger/jsonparser): it looks no further than it must, so that a broken
// document yields what stood before the fault. Errors are its texts, which users see in `__error_details__`.

import { unescapeJsonString } from "../../../lib/text/json-escape.ts";

export const MALFORMED_JSON = "Malformed JSON error";
export const MALFORMED_OBJECT = "Value looks like object, but can't find closing '}' symbol";
const MALFORMED_ARRAY = "Value is array, but can't find closing ']' symbol";
const MALFORMED_STRING = "Value is string, but can't find closing '\"' symbol";
const MALFORMED_ESCAPE = "Encountered an invalid escape sequence in a string";
const UNKNOWN_TYPE = "Unknown value type";

export const STRING = 1;
export const NUMBER = 2;
export const BOOLEAN = 3;
export const NULL = 4;
export const OBJECT = 5;
export const ARRAY = 6;
export type JsonKind = typeof STRING | typeof NUMBER | typeof BOOLEAN | typeof NULL | typeof OBJECT | typeof ARRAY;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** A value as `readValue` found it. For a string, the span is its content without quotes. */
export interface JsonValue {
  kind: JsonKind;
  start: number;
  end: number;
  escaped: boolean;
  /** The byte behind the value. */
  next: number;
}

/** What `eachMember` hands out; reused, so read it before the next call. */
export interface JsonMember extends JsonValue {
  keyStart: number;
  keyEnd: number;
  keyEscaped: boolean;
}

/** Returned by a visitor to go on; any other text ends the walk and is its result. */
export const GO_ON = undefined;

export function newMember(): JsonMember {
  return { kind: NULL, start: 0, end: 0, escaped: false, next: 0, keyStart: 0, keyEnd: 0, keyEscaped: false };
}

/**
 * Visits the members of the object that begins at or behind `from`. Stops at the object's end, at the first fault, or when the visitor
 * returns a text. @returns undefined when all went well, else the error's text or the visitor's
 */
export function eachMember(
  bytes: Uint8Array,
  from: number,
  to: number,
  member: JsonMember,
  visit: (member: JsonMember) => string | undefined,
): string | undefined {
  let at = skipSpace(bytes, from, to);
  if (at >= to || bytes[at] !== OPEN_BRACE) return MALFORMED_OBJECT;
  at = skipSpace(bytes, at + 1, to);
  if (at >= to) return MALFORMED_JSON;
  if (bytes[at] === CLOSE_BRACE) return undefined;
  while (at < to) {
    if (bytes[at] === CLOSE_BRACE) return undefined;
    if (bytes[at] !== QUOTE) return MALFORMED_OBJECT;
    const keyStart = at + 1;
    const keyEnd = stringEnd(bytes, keyStart, to);
    if (keyEnd < 0) return MALFORMED_JSON;
    const keyEscaped = sawEscape;
    if (keyEscaped && unescaped(bytes, keyStart, keyEnd) === undefined) return MALFORMED_ESCAPE;
    at = skipSpace(bytes, keyEnd + 1, to);
    if (at >= to || bytes[at] !== COLON) return MALFORMED_JSON;
    const fault = readValue(bytes, at + 1, to, member);
    if (fault !== undefined) return fault;
    member.keyStart = keyStart;
    member.keyEnd = keyEnd;
    member.keyEscaped = keyEscaped;
    at = member.next;
    const stop = visit(member);
    if (stop !== undefined) return stop;
    at = skipSpace(bytes, at, to);
    if (at >= to) return MALFORMED_ARRAY;
    if (bytes[at] === CLOSE_BRACE) return undefined;
    if (bytes[at] !== COMMA) return MALFORMED_OBJECT;
    at = skipSpace(bytes, at + 1, to);
    if (at >= to) return MALFORMED_ARRAY;
  }
  return MALFORMED_OBJECT;
}

/** Reads the value at or behind `from`. @returns the fault's text, undefined when there is none */
export function readValue(bytes: Uint8Array, from: number, to: number, out: JsonValue): string | undefined {
  const at = skipSpace(bytes, from, to);
  if (at >= to) return MALFORMED_JSON;
  const first = bytes[at]!;
  out.escaped = false;
  if (first === QUOTE) {
    const end = stringEnd(bytes, at + 1, to);
    if (end < 0) return MALFORMED_STRING;
    out.escaped = sawEscape;
    return found(out, STRING, at + 1, end, end + 1);
  }
  if (first === OPEN_BRACKET || first === OPEN_BRACE) {
    const isObject = first === OPEN_BRACE;
    const end = blockEnd(bytes, at, to, first, isObject ? CLOSE_BRACE : CLOSE_BRACKET);
    if (end < 0) return isObject ? MALFORMED_OBJECT : MALFORMED_ARRAY;
    return found(out, isObject ? OBJECT : ARRAY, at, end, end);
  }
  let end = at;
  while (end < to && !endsToken(bytes[end]!)) end++;
  if ((first >= 0x30 && first <= 0x39) || first === 0x2d) return found(out, NUMBER, at, end, end);
  if (first === 0x74 || first === 0x66) {
    return isWord(bytes, at, end, "true") || isWord(bytes, at, end, "false") ? found(out, BOOLEAN, at, end, end) : UNKNOWN_TYPE;
  }
  return isWord(bytes, at, end, "null") ? found(out, NULL, at, end, end) : UNKNOWN_TYPE;
}

function found(out: JsonValue, kind: JsonKind, start: number, end: number, next: number): undefined {
  out.kind = kind;
  out.start = start;
  out.end = end;
  out.next = next;
}

export function skipSpace(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

/** Set by `stringEnd`: the string it walked over has escapes. */
let sawEscape = false;

/** Position of the closing quote of the string whose content begins at `from`, or -1. */
function stringEnd(bytes: Uint8Array, from: number, to: number): number {
  sawEscape = false;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) {
      sawEscape = true;
      at++;
    }
  }
  return -1;
}

/** The byte behind the bracket that closes the one at `from`, or -1. Only this kind of bracket is counted. */
export function blockEnd(bytes: Uint8Array, from: number, to: number, open: number, close: number): number {
  let level = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = stringEnd(bytes, at + 1, to);
      if (at < 0) return -1;
    } else if (byte === open) level++;
    else if (byte === close && --level === 0) return at + 1;
  }
  return -1;
}

function endsToken(byte: number): boolean {
  return (
    byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
  );
}

function isWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** A string's content with its escapes resolved; undefined when one of them is not JSON's. */
export function unescaped(bytes: Uint8Array, start: number, end: number): string | undefined {
  return unescapeJsonString(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"), true) ?? undefined;
}

/** A string value as a label: escapes resolved (a broken one makes it empty), what is no character a space. */
export function labelText(bytes: Uint8Array, start: number, end: number): string {
  return cleanText(unescaped(bytes, start, end) ?? "");
}

export function cleanText(text: string): string {
  return text.includes("\ufffd") ? text.replaceAll("\ufffd", " ") : text;
}
