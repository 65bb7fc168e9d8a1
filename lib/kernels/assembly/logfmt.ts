// Keys of logfmt lines, as typescript/logfmt.ts describes it.

import { clear, keyLengths, sameBytes } from "./json";

const PLAIN: u8 = 1;
const SPACE: u32 = 32;
const QUOTE: u32 = 34;
const EQUALS: u32 = 61;
const BACKSLASH: u32 = 92;

/** `keys` holds per key its address <4b> and its length <4b>. */
export function scanLogfmt(
  base: usize, starts: usize, ends: usize, count: i32, keys: usize, keyCount: i32, needed: i32,
  verdict: usize, kind: usize, valueStart: usize, valueEnd: usize,
): void {
  const lengths = keyLengths(keys, keyCount);
  for (let i = 0; i < count; i++) {
    const slot = i * keyCount;
    const kinds = kind + slot;
    const starting = valueStart + (slot << 2);
    const ending = valueEnd + (slot << 2);
    clear(kinds, starting, ending, keyCount);
    const good = scanPairs(base, base + load<i32>(starts + (i << 2)), base + load<i32>(ends + (i << 2)), keys, keyCount, needed, lengths, kinds, starting, ending);
    store<u8>(verdict + i, good ? 1 : 0);
    if (!good) clear(kinds, starting, ending, keyCount);
  }
}

function scanPairs(
  base: usize, start: usize, end: usize, keys: usize, keyCount: i32, needed: i32, lengths: u64, kinds: usize, starting: usize, ending: usize,
): bool {
  let missing = needed;
  let p = start;
  for (;;) {
    while (p < end && <u32>load<u8>(p) <= SPACE) p++;
    if (p >= end) return true;
    const keyStart = p;
    let byte: u32 = 0;
    let high: u32 = 0;
    while (p < end && (byte = load<u8>(p)) > SPACE && byte != EQUALS && byte != QUOTE) {
      high |= byte;
      p++;
    }
    if (high & 0x80) return false;
    if (p == end || byte <= SPACE) continue;
    if (byte == QUOTE || p == keyStart) {
      p = blankFrom(p, end);
      continue;
    }
    const keyBytes = <u32>(p - keyStart);
    let from = ++p;
    let to: usize = 0;
    if (p < end && <u32>load<u8>(p) == QUOTE) {
      from = ++p;
      let escaped = false;
      while (p < end && (byte = load<u8>(p)) != QUOTE) {
        if (byte == BACKSLASH) {
          escaped = true;
          p++;
        }
        p++;
      }
      if (p >= end) return true;
      to = p++;
      // What an escape is worth, and whether the pair is one, is for others to say.
      if (escaped && ((p < end && <u32>load<u8>(p) > SPACE) || keyAt(keyStart, keyBytes, keys, keyCount, lengths) >= 0)) return false;
    } else {
      while (p < end && (byte = load<u8>(p)) > SPACE && byte != EQUALS && byte != QUOTE) p++;
      if (p < end && byte > SPACE) {
        p = blankFrom(p, end);
        continue;
      }
      to = p;
    }
    if (to == from) continue;
    const k = keyAt(keyStart, keyBytes, keys, keyCount, lengths);
    if (k < 0 || load<u8>(kinds + k) != 0) continue;
    store<u8>(kinds + k, PLAIN);
    store<i32>(starting + (k << 2), <i32>(from - base));
    store<i32>(ending + (k << 2), <i32>(to - base));
    if (k < needed && --missing == 0) return true;
  }
  return true;
}

function blankFrom(at: usize, end: usize): usize {
  let p = at;
  while (p < end && <u32>load<u8>(p) > SPACE) p++;
  return p;
}

/** Which of the keys this is, or -1. */
// @ts-ignore: decorator
@inline
function keyAt(start: usize, bytes: u32, keys: usize, keyCount: i32, lengths: u64): i32 {
  if (!((lengths >> (bytes & 63)) & 1)) return -1;
  for (let k = 0; k < keyCount; k++) {
    const key = keys + (k << 3);
    if (load<u32>(key + 4) == bytes && sameBytes(start, load<u32>(key), bytes)) return k;
  }
  return -1;
}
