// Top-level keys of JSON objects, in plain TypeScript. The grammar is RFC 8259's, strictly; what it does not allow, and what takes
// more than one pass (escaped keys, repeated wanted keys, nesting past 32 levels), is left to a full parser: JSON_LINE_UNSURE.

import {
  JSON_ABSENT,
  JSON_ABSENT_IS_NULL,
  JSON_ENOUGH,
  JSON_ESCAPED_STRING,
  JSON_FALSE,
  JSON_LINE_OBJECT,
  JSON_LINE_UNSURE,
  JSON_NESTED,
  JSON_NULL,
  JSON_NUMBER,
  JSON_PLAIN_STRING,
  JSON_TRIMMED_KEYS,
  JSON_TRUE,
} from "../kernels.ts";

/** Containers open at once, the line's own object included. */
const DEPTH_MAX = 32;

/** Set by `stringEnd`: whether the string had a backslash. Set by `valueEndOf`: what the value was. */
let escaped = false;
let valueKind = 0;

export function scanJson(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  keys: readonly Uint8Array[],
  rules: number,
  verdict: Uint8Array,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): number {
  let unsureCount = 0;
  for (let i = 0; i < count; i++) {
    const slot = i * keys.length;
    clearSlots(slot, slot + keys.length, kind, valueStart, valueEnd);
    verdict[i] = scanLine(bytes, starts[i]!, ends[i]!, keys, rules, slot, kind, valueStart, valueEnd) ? JSON_LINE_OBJECT : JSON_LINE_UNSURE;
    if (verdict[i] === JSON_LINE_UNSURE) {
      clearSlots(slot, slot + keys.length, kind, valueStart, valueEnd);
      unsureCount++;
    } else if ((rules & JSON_ABSENT_IS_NULL) !== 0) {
      for (let s = slot; s < slot + keys.length; s++) if (kind[s] === JSON_ABSENT) kind[s] = JSON_NULL;
    }
  }
  return unsureCount;
}

/** Nothing was found of keys in these slots. */
export function clearSlots(from: number, to: number, kind: Uint8Array, valueStart: Int32Array, valueEnd: Int32Array): void {
  for (let slot = from; slot < to; slot++) {
    kind[slot] = JSON_ABSENT;
    valueStart[slot] = valueEnd[slot] = 0;
  }
}

function scanLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  keys: readonly Uint8Array[],
  rules: number,
  slot: number,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): boolean {
  let p = skipSpace(bytes, start, end);
  if (p >= end || bytes[p] !== 0x7b) return false;
  p = skipSpace(bytes, p + 1, end);
  if (p < end && bytes[p] === 0x7d) return skipSpace(bytes, p + 1, end) === end;
  let missing = keys.length;
  for (;;) {
    if (p >= end || bytes[p] !== 0x22) return false;
    const keyStart = p + 1;
    const keyEnd = stringEnd(bytes, keyStart, end);
    if (keyEnd < 0 || escaped) return false;
    if ((rules & JSON_TRIMMED_KEYS) !== 0 && keyEnd > keyStart && !(isInner(bytes[keyStart]!) && isInner(bytes[keyEnd - 1]!))) return false;
    p = skipSpace(bytes, keyEnd + 1, end);
    if (p >= end || bytes[p] !== 0x3a) return false;
    p = skipSpace(bytes, p + 1, end);
    const from = p;
    p = valueEndOf(bytes, from, end);
    if (p < 0) return false;
    const quoted = valueKind === JSON_PLAIN_STRING || valueKind === JSON_ESCAPED_STRING ? 1 : 0;
    for (let k = 0; k < keys.length; k++) {
      if (!sameBytes(bytes, keyStart, keyEnd, keys[k]!)) continue;
      if (kind[slot + k] !== JSON_ABSENT) return false;
      kind[slot + k] = valueKind;
      valueStart[slot + k] = from + quoted;
      valueEnd[slot + k] = p - quoted;
      if (valueKind < JSON_NULL) missing--;
    }
    p = skipSpace(bytes, p, end);
    if (p >= end) return false;
    if (missing === 0 && (rules & JSON_ENOUGH) !== 0 && (bytes[p] === 0x7d || bytes[p] === 0x2c)) return true;
    if (bytes[p] === 0x7d) return skipSpace(bytes, p + 1, end) === end;
    if (bytes[p] !== 0x2c) return false;
    p = skipSpace(bytes, p + 1, end);
  }
}

/** Neither a blank nor a part of a character beyond ASCII. */
const isInner = (byte: number): boolean => byte > 32 && byte < 128;

function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && (bytes[p] === 32 || bytes[p] === 9 || bytes[p] === 10 || bytes[p] === 13)) p++;
  return p;
}

function sameBytes(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (end - start !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
  return true;
}

/** Position of the quote that ends the string begun before `at`, or -1. Sets `escaped`. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  escaped = false;
  let p = at;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte === 0x22) return p;
    if (byte < 0x20) return -1;
    if (byte !== 0x5c) {
      p++;
      continue;
    }
    escaped = true;
    const after = escapeEnd(bytes, p + 1, end);
    if (after < 0) return -1;
    p = after;
  }
  return -1;
}

/** Where the escape goes on whose backslash is before `at`, or -1. */
function escapeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  switch (bytes[at]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 1;
    case 0x75: // u
      if (at + 5 > end) return -1;
      for (let i = 1; i <= 4; i++) if (!isHex(bytes[at + i]!)) return -1;
      return at + 5;
    default:
      return -1;
  }
}

const isHex = (byte: number): boolean => (byte >= 48 && byte <= 57) || ((byte | 32) >= 97 && (byte | 32) <= 102);

/** Where the value at `at` ends, or -1. Sets `valueKind`. */
function valueEndOf(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const byte = bytes[at]!;
  if (byte !== 0x7b && byte !== 0x5b) return scalarEnd(bytes, at, end);
  const p = nestedEnd(bytes, at, end);
  valueKind = JSON_NESTED;
  return p;
}

function scalarEnd(bytes: Uint8Array, at: number, end: number): number {
  switch (bytes[at]) {
    case 0x22: {
      const close = stringEnd(bytes, at + 1, end);
      valueKind = escaped ? JSON_ESCAPED_STRING : JSON_PLAIN_STRING;
      return close < 0 ? -1 : close + 1;
    }
    case 0x74:
      valueKind = JSON_TRUE;
      return at + 4 <= end && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : -1;
    case 0x66:
      valueKind = JSON_FALSE;
      if (at + 5 > end || bytes[at + 1] !== 0x61 || bytes[at + 2] !== 0x6c) return -1;
      return bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65 ? at + 5 : -1;
    case 0x6e:
      valueKind = JSON_NULL;
      return at + 4 <= end && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c ? at + 4 : -1;
    default:
      valueKind = JSON_NUMBER;
      return numberEnd(bytes, at, end);
  }
}

/** 200 digits and an exponent of 99 are below the largest double, 1.8e308. */
const WHOLE_DIGITS_MAX = 200;
const EXPONENT_DIGITS_MAX = 2;

/**
 * RFC 8259 §6: an optional minus, digits without a leading zero, an optional fraction, an optional exponent. -1 also for a number that may be
 * too large for a double, which decoders refuse.
 */
function numberEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = bytes[at] === 0x2d ? at + 1 : at;
  let after = digitsEnd(bytes, p, end);
  if (after === p || (bytes[p] === 48 && after > p + 1) || after - p > WHOLE_DIGITS_MAX) return -1;
  p = after;
  if (p < end && bytes[p] === 0x2e) {
    after = digitsEnd(bytes, p + 1, end);
    if (after === p + 1) return -1;
    p = after;
  }
  if (p < end && (bytes[p]! | 32) === 0x65) {
    p++;
    if (p < end && (bytes[p] === 0x2b || bytes[p] === 0x2d)) p++;
    after = digitsEnd(bytes, p, end);
    if (after === p || after - p > EXPONENT_DIGITS_MAX) return -1;
    p = after;
  }
  return p;
}

function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p]! >= 48 && bytes[p]! <= 57) p++;
  return p;
}

/** Where the object or array at `at` ends, or -1. `kinds` is a stack of bits, one per open container: 1 for an object. */
function nestedEnd(bytes: Uint8Array, at: number, end: number): number {
  let kinds = 0;
  let depth = 1;
  let p = at;
  for (;;) {
    // A value begins at p.
    if (p >= end) return -1;
    const byte = bytes[p]!;
    if (byte === 0x7b || byte === 0x5b) {
      if (depth++ === DEPTH_MAX) return -1;
      const isObject = byte === 0x7b;
      kinds = (kinds << 1) | (isObject ? 1 : 0);
      p = skipSpace(bytes, p + 1, end);
      if (p >= end) return -1;
      if (bytes[p] !== (isObject ? 0x7d : 0x5d)) {
        if (isObject && (p = memberValue(bytes, p, end)) < 0) return -1;
        continue;
      }
      p++;
      kinds >>>= 1;
      depth--;
    } else if ((p = scalarEnd(bytes, p, end)) < 0) return -1;
    // A value has ended at p: close containers until one goes on.
    for (;;) {
      if (depth === 1) return p;
      p = skipSpace(bytes, p, end);
      if (p >= end) return -1;
      const isObject = (kinds & 1) === 1;
      if (bytes[p] === 0x2c) {
        p = skipSpace(bytes, p + 1, end);
        if (isObject && (p = memberValue(bytes, p, end)) < 0) return -1;
        break;
      }
      if (bytes[p] !== (isObject ? 0x7d : 0x5d)) return -1;
      p++;
      kinds >>>= 1;
      depth--;
    }
  }
}

/** Reads `"key" :` at `at`; where the value begins, or -1. */
function memberValue(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== 0x22) return -1;
  const keyEnd = stringEnd(bytes, at + 1, end);
  if (keyEnd < 0) return -1;
  const colon = skipSpace(bytes, keyEnd + 1, end);
  if (colon >= end || bytes[colon] !== 0x3a) return -1;
  return skipSpace(bytes, colon + 1, end);
}
