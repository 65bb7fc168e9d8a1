// Top-level keys of JSON objects, as typescript/json.ts describes it.

import { forgetShape, scanShaped } from "./shape";

export const ABSENT: u8 = 0;
export const PLAIN_STRING: u8 = 1;
export const ESCAPED_STRING: u8 = 2;
const NUMBER: u8 = 3;
const TRUE: u8 = 4;
const FALSE: u8 = 5;
const NULL: u8 = 6;
const NESTED: u8 = 7;
const DEPTH_MAX: i32 = 32;
const TRIMMED_KEYS: i32 = 1;
const ENOUGH: i32 = 2;
const ABSENT_IS_NULL: i32 = 4;

/** Set by `stringEnd`: whether the string had a backslash. Set by `valueEndOf`: what the value was. */
export let escaped: bool = false;
export let valueKind: u8 = 0;

// @ts-ignore: decorator
@inline
export function setValueKind(kind: u8): void {
  valueKind = kind;
}

/** `keys` holds per key its address <4b> and its length <4b>. Returns how many lines are unsure. */
export function scanJson(
  base: usize, starts: usize, ends: usize, count: i32, keys: usize, keyCount: i32, rules: i32,
  verdict: usize, kind: usize, valueStart: usize, valueEnd: usize,
): i32 {
  let unsureCount = 0;
  const lengths = keyLengths(keys, keyCount);
  forgetShape();
  for (let i = 0; i < count; i++) {
    const slot = i * keyCount;
    const kinds = kind + slot;
    const starting = valueStart + (slot << 2);
    const ending = valueEnd + (slot << 2);
    clear(kinds, starting, ending, keyCount);
    const start = base + load<i32>(starts + (i << 2));
    const end = base + load<i32>(ends + (i << 2));
    const good = (rules & ENOUGH) != 0
      ? scanLine(base, start, end, keys, keyCount, rules, lengths, kinds, starting, ending)
      : scanShaped(base, start, end, keys, keyCount, rules, lengths, kinds, starting, ending, count - i);
    store<u8>(verdict + i, good ? 1 : 0);
    if (!good) {
      clear(kinds, starting, ending, keyCount);
      unsureCount++;
    } else if ((rules & ABSENT_IS_NULL) != 0) {
      for (let k = 0; k < keyCount; k++) if (load<u8>(kinds + k) == ABSENT) store<u8>(kinds + k, NULL);
    }
  }
  return unsureCount;
}

/** Which lengths the keys have, as bits: most keys of a line are dismissed by this alone. */
export function keyLengths(keys: usize, keyCount: i32): u64 {
  let lengths: u64 = 0;
  for (let k = 0; k < keyCount; k++) lengths |= <u64>1 << (load<u32>(keys + (k << 3) + 4) & 63);
  return lengths;
}

export function clear(kinds: usize, starting: usize, ending: usize, keyCount: i32): void {
  for (let k = 0; k < keyCount; k++) {
    store<u8>(kinds + k, ABSENT);
    store<i32>(starting + (k << 2), 0);
    store<i32>(ending + (k << 2), 0);
  }
}

export function scanLine(
  base: usize, start: usize, end: usize, keys: usize, keyCount: i32, rules: i32, lengths: u64, kinds: usize, starting: usize, ending: usize,
): bool {
  let p = skipSpace(start, end);
  if (p >= end || load<u8>(p) != 0x7b) return false;
  p = skipSpace(p + 1, end);
  if (p < end && load<u8>(p) == 0x7d) return skipSpace(p + 1, end) == end;
  return scanMembers(base, p, end, false, keys, keyCount, rules, lengths, kinds, starting, ending);
}

/** The rest of a line's object: from a member on, or `behindValue`. */
export function scanMembers(
  base: usize, at: usize, end: usize, behindValue: bool, keys: usize, keyCount: i32, rules: i32, lengths: u64,
  kinds: usize, starting: usize, ending: usize,
): bool {
  let p = at;
  let behind = behindValue;
  let missing = keyCount;
  for (;;) {
    if (behind) {
      p = skipSpace(p, end);
      if (p >= end) return false;
      const byte = load<u8>(p);
      if (missing == 0 && (rules & ENOUGH) != 0 && (byte == 0x7d || byte == 0x2c)) return true;
      if (byte == 0x7d) return skipSpace(p + 1, end) == end;
      if (byte != 0x2c) return false;
      p = skipSpace(p + 1, end);
    }
    behind = true;
    if (p >= end || load<u8>(p) != 0x22) return false;
    const keyStart = p + 1;
    const keyEnd = stringEnd(keyStart, end);
    if (keyEnd == 0 || escaped) return false;
    if ((rules & TRIMMED_KEYS) != 0 && keyEnd > keyStart && !(isInner(load<u8>(keyStart)) && isInner(load<u8>(keyEnd - 1)))) return false;
    p = skipSpace(keyEnd + 1, end);
    if (p >= end || load<u8>(p) != 0x3a) return false;
    p = skipSpace(p + 1, end);
    const from = p;
    p = valueEndOf(from, end);
    if (p == 0) return false;
    const keyBytes = <u32>(keyEnd - keyStart);
    if (!((lengths >> (keyBytes & 63)) & 1)) continue;
    const quoted: usize = valueKind == PLAIN_STRING || valueKind == ESCAPED_STRING ? 1 : 0;
    for (let k = 0; k < keyCount; k++) {
      const key = keys + (k << 3);
      if (load<u32>(key + 4) != keyBytes || !sameBytes(keyStart, load<u32>(key), keyBytes)) continue;
      if (load<u8>(kinds + k) != ABSENT) return false;
      store<u8>(kinds + k, valueKind);
      store<i32>(starting + (k << 2), <i32>(from + quoted - base));
      store<i32>(ending + (k << 2), <i32>(p - quoted - base));
      if (valueKind < NULL) missing--;
    }
  }
  return false;
}

// @ts-ignore: decorator
@inline
export function skipSpace(at: usize, end: usize): usize {
  let p = at;
  while (p < end) {
    const byte: u32 = load<u8>(p);
    if (byte > 32 || (byte != 32 && byte != 9 && byte != 10 && byte != 13)) break;
    p++;
  }
  return p;
}

/** Neither a blank nor a part of a character beyond ASCII. */
// @ts-ignore: decorator
@inline
function isInner(byte: u32): bool {
  return byte - 33 <= 94;
}

export function sameBytes(a: usize, b: usize, count: u32): bool {
  for (let i: u32 = 0; i < count; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** Address of the quote that ends the string begun before `at`, or 0. Sets `escaped`. Reads up to 15 bytes past `end`. */
export function stringEnd(at: usize, end: usize): usize {
  escaped = false;
  for (let p = at; p < end; p += 16) {
    const block = v128.load(p);
    const hits = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
        i8x16.lt_u(block, i8x16.splat(0x20)),
      ),
    );
    if (!hits) continue;
    p += ctz(hits);
    if (p >= end) return 0;
    const byte = load<u8>(p);
    if (byte == 0x22) return p;
    if (byte != 0x5c) return 0;
    escaped = true;
    return escapedStringEnd(p, end);
  }
  return 0;
}

/** The same from the first backslash on. Backslashes are sorted out sixteen bytes at a time, since where there is one there are many. */
function escapedStringEnd(at: usize, end: usize): usize {
  let p = at;
  let carried: u32 = 0;
  while (p < end) {
    const block = v128.load(p);
    const slashes: u32 = i8x16.bitmask(i8x16.eq(block, i8x16.splat(0x5c)));
    const behind = behindBackslash(slashes, carried);
    const quotes: u32 = i8x16.bitmask(i8x16.eq(block, i8x16.splat(0x22))) & ~behind;
    const controls: u32 = i8x16.bitmask(i8x16.lt_u(block, i8x16.splat(0x20)));
    const others: u32 = behind ? behind & ~i8x16.bitmask(shortLetters(block)) : 0;
    const hits = quotes | controls | others;
    if (!hits) {
      carried = (slashes & ~behind) >> 15;
      p += 16;
      continue;
    }
    const bit = hits & -hits;
    p += ctz(hits);
    if (p >= end) return 0;
    if (quotes & bit) return p;
    // Behind a backslash a code may stand; anything else is a fault.
    p = others & bit ? escapeEnd(p, end) : 0;
    if (p == 0) return 0;
    carried = 0;
  }
  return 0;
}

/**
 * Of sixteen bytes, those that stand behind a backslash which is not itself behind one (as simdjson finds them: the carry of an addition
 * runs through each row of backslashes, and says whether its length is odd).
 *
 * @param carried 1 when the first byte stands behind such a backslash
 */
// @ts-ignore: decorator
@inline
export function behindBackslash(slashes: u32, carried: u32): u32 {
  const active = slashes & ~carried;
  const follows = (active << 1) | carried;
  const oddStarts = active & 0xaaaa & ~follows;
  return (0x5555 ^ ((oddStarts + active) << 1)) & follows & 0xffff;
}

/** Letters that are an escape of their own behind a backslash: all but the `u`. */
// @ts-ignore: decorator
@inline
function shortLetters(block: v128): v128 {
  const quoting = v128.or(
    v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
    v128.or(i8x16.eq(block, i8x16.splat(0x2f)), i8x16.eq(block, i8x16.splat(0x6e))),
  );
  const controls = v128.or(
    v128.or(i8x16.eq(block, i8x16.splat(0x74)), i8x16.eq(block, i8x16.splat(0x72))),
    v128.or(i8x16.eq(block, i8x16.splat(0x62)), i8x16.eq(block, i8x16.splat(0x66))),
  );
  return v128.or(quoting, controls);
}

/** Where the escape goes on whose backslash is before `at`, or 0. */
function escapeEnd(at: usize, end: usize): usize {
  if (at >= end) return 0;
  switch (load<u8>(at)) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 1;
    case 0x75:
      if (at + 5 > end) return 0;
      for (let i = 1; i <= 4; i++) if (!isHex(load<u8>(at + i))) return 0;
      return at + 5;
    default:
      return 0;
  }
}

function isHex(byte: u32): bool {
  return byte - 48 <= 9 || (byte | 32) - 97 <= 5;
}

/** Where the value at `at` ends, or 0. Sets `valueKind`. */
export function valueEndOf(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const byte = load<u8>(at);
  if (byte != 0x7b && byte != 0x5b) return scalarEnd(at, end);
  const p = nestedEnd(at, end);
  valueKind = NESTED;
  return p;
}

function scalarEnd(at: usize, end: usize): usize {
  switch (load<u8>(at)) {
    case 0x22: {
      const close = stringEnd(at + 1, end);
      valueKind = escaped ? ESCAPED_STRING : PLAIN_STRING;
      return close == 0 ? 0 : close + 1;
    }
    case 0x74:
      valueKind = TRUE;
      return at + 4 <= end && load<u32>(at) == 0x65_75_72_74 ? at + 4 : 0;
    case 0x66:
      valueKind = FALSE;
      return at + 5 <= end && load<u32>(at + 1) == 0x65_73_6c_61 ? at + 5 : 0;
    case 0x6e:
      valueKind = NULL;
      return at + 4 <= end && load<u32>(at) == 0x6c_6c_75_6e ? at + 4 : 0;
    default:
      valueKind = NUMBER;
      return numberEnd(at, end);
  }
}

/** 200 digits and an exponent of 99 are below the largest double, 1.8e308. */
const WHOLE_DIGITS_MAX: usize = 200;
const EXPONENT_DIGITS_MAX: usize = 2;

/** Where the number ends; 0 also for one that may be too large for a double, which decoders refuse. */
function numberEnd(at: usize, end: usize): usize {
  let p = load<u8>(at) == 0x2d ? at + 1 : at;
  let after = digitsEnd(p, end);
  if (after == p || (load<u8>(p) == 48 && after > p + 1) || after - p > WHOLE_DIGITS_MAX) return 0;
  p = after;
  if (p < end && load<u8>(p) == 0x2e) {
    after = digitsEnd(p + 1, end);
    if (after == p + 1) return 0;
    p = after;
  }
  if (p < end && (load<u8>(p) | 32) == 0x65) {
    p++;
    if (p < end && (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d)) p++;
    after = digitsEnd(p, end);
    if (after == p || after - p > EXPONENT_DIGITS_MAX) return 0;
    p = after;
  }
  return p;
}

function digitsEnd(at: usize, end: usize): usize {
  let p = at;
  while (p < end && <u32>load<u8>(p) - 48 <= 9) p++;
  return p;
}

/** Where the object or array at `at` ends, or 0. `kinds` is a stack of bits, one per open container: 1 for an object. */
function nestedEnd(at: usize, end: usize): usize {
  let kinds: u32 = 0;
  let depth = 1;
  let p = at;
  for (;;) {
    if (p >= end) return 0;
    const byte = load<u8>(p);
    if (byte == 0x7b || byte == 0x5b) {
      if (depth++ == DEPTH_MAX) return 0;
      const isObject = byte == 0x7b;
      kinds = (kinds << 1) | (isObject ? 1 : 0);
      p = skipSpace(p + 1, end);
      if (p >= end) return 0;
      if (load<u8>(p) != (isObject ? 0x7d : 0x5d)) {
        if (isObject) {
          p = memberValue(p, end);
          if (p == 0) return 0;
        }
        continue;
      }
      p++;
      kinds >>= 1;
      depth--;
    } else {
      p = scalarEnd(p, end);
      if (p == 0) return 0;
    }
    for (;;) {
      if (depth == 1) return p;
      p = skipSpace(p, end);
      if (p >= end) return 0;
      const isObject = (kinds & 1) == 1;
      const next = load<u8>(p);
      if (next == 0x2c) {
        p = skipSpace(p + 1, end);
        if (isObject) {
          p = memberValue(p, end);
          if (p == 0) return 0;
        }
        break;
      }
      if (next != (isObject ? 0x7d : 0x5d)) return 0;
      p++;
      kinds >>= 1;
      depth--;
    }
  }
  return 0;
}

/** Reads `"key" :` at `at`; where the value begins, or 0. */
function memberValue(at: usize, end: usize): usize {
  if (at >= end || load<u8>(at) != 0x22) return 0;
  const keyEnd = stringEnd(at + 1, end);
  if (keyEnd == 0) return 0;
  const colon = skipSpace(keyEnd + 1, end);
  if (colon >= end || load<u8>(colon) != 0x3a) return 0;
  return skipSpace(colon + 1, end);
}
