// Keys of logfmt lines, as typescript/logfmt-strict.ts describes it: tokens end where a register finds a blank, an equals sign or a quote.

import { clear, keyLengths, sameBytes } from "./json";

const PLAIN: u8 = 1;

/** What `tokenEnd` read has bytes beyond ASCII. */
let wide: bool = false;

/** `keys` holds per key its address <4b> and its length <4b>. Reads up to 15 bytes past a line. */
export function scanStrictLogfmt(
  base: usize, starts: usize, ends: usize, count: i32, picks: usize, pickCount: i32, keys: usize, keyCount: i32,
  verdict: usize, kind: usize, valueStart: usize, valueEnd: usize,
): void {
  memory.fill(verdict, 0, count);
  clear(kind, valueStart, valueEnd, count * keyCount);
  const lengths = keyLengths(keys, keyCount);
  for (let k = 0; k < pickCount; k++) {
    const i = load<i32>(picks + (k << 2));
    const slot = <usize>(i * keyCount);
    const kinds = kind + slot;
    const starting = valueStart + (slot << 2);
    const ending = valueEnd + (slot << 2);
    const start = base + load<i32>(starts + (i << 2));
    const end = base + load<i32>(ends + (i << 2));
    if (scanPairs(base, start, end, keys, keyCount, lengths, kinds, starting, ending)) store<u8>(verdict + i, 1);
    else clear(kinds, starting, ending, keyCount);
  }
}

function scanPairs(
  base: usize, start: usize, end: usize, keys: usize, keyCount: i32, lengths: u64, kinds: usize, starting: usize, ending: usize,
): bool {
  let p = start;
  for (;;) {
    while (p < end && load<u8>(p) <= 32) p++;
    if (p >= end) return true;
    const keyStart = p;
    p = tokenEnd(p, end);
    if (wide) return false;
    const keyBytes = <u32>(p - keyStart);
    let from = p;
    let to = p;
    if (p < end && load<u8>(p) > 32) {
      if (keyBytes == 0 || load<u8>(p) != 0x3d) return false;
      from = p + 1;
      if (from < end && load<u8>(from) == 0x22) {
        from++;
        to = quotedEnd(from, end);
        if (to == 0) return false;
        p = to + 1;
      } else {
        p = to = tokenEnd(from, end);
        if (p < end && load<u8>(p) > 32) return false;
      }
    }
    if (!((lengths >> (keyBytes & 63)) & 1)) continue;
    for (let k = 0; k < keyCount; k++) {
      const key = keys + (k << 3);
      if (load<u32>(key + 4) != keyBytes || !sameBytes(keyStart, load<u32>(key), keyBytes)) continue;
      store<u8>(kinds + k, PLAIN);
      store<i32>(starting + (k << 2), <i32>(from - base));
      store<i32>(ending + (k << 2), <i32>(to - base));
    }
  }
  return false;
}

/** Where the next blank, equals sign or quote is, or the end. Sets `wide`. */
function tokenEnd(at: usize, end: usize): usize {
  wide = false;
  for (let p = at; p < end; p += 16) {
    const block = v128.load(p);
    const hits: u32 = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(block, i8x16.splat(0x3d)), i8x16.eq(block, i8x16.splat(0x22))),
        i8x16.lt_u(block, i8x16.splat(33)),
      ),
    );
    const length = min<usize>(hits ? <usize>ctz(hits) : 16, end - p);
    if (<u32>i8x16.bitmask(block) & ((1 << <u32>length) - 1)) wide = true;
    if (length < 16) return p + length;
  }
  return end;
}

/** The quote that ends the value, or 0 when there is none, or an escape or a line feed before it. */
function quotedEnd(at: usize, end: usize): usize {
  for (let p = at; p < end; p += 16) {
    const block = v128.load(p);
    const hits = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
        i8x16.eq(block, i8x16.splat(10)),
      ),
    );
    if (!hits) continue;
    const hit = p + ctz(hits);
    return hit < end && load<u8>(hit) == 0x22 ? hit : 0;
  }
  return 0;
}
