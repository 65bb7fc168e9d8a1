// LZ4 block format, as typescript/lz4.ts describes it.

import { OFFSET_BEFORE_START, OUTPUT_OVERRUN, OUTPUT_SHORT, TRUNCATED } from "./codes";
import { copyLiterals, copyMatch, matchLength, preparePatterns } from "./copy";

const LAST_LITERALS: usize = 5;
const MATCH_MARGIN: usize = 12;
const OFFSET_MAX: usize = 65_535;
const TABLE_BITS: u32 = 14;
const table = memory.data(1 << 16, 16);

/** `out` has room for n + n/255 + 16 bytes and 64 more. Returns the bytes written. */
export function lz4Compress(source: usize, sourceBytes: i32, out: usize): i32 {
  const end = source + sourceBytes;
  let literalFrom = source;
  let o = out;
  if (<usize>sourceBytes > MATCH_MARGIN) {
    const limit = end - MATCH_MARGIN;
    const matchEnd = end - LAST_LITERALS;
    memory.fill(table, 0, 4 << TABLE_BITS);
    let p = source + 1;
    let skip: usize = 64;
    while (p <= limit) {
      const word = load<u32>(p);
      const slot = slotOf(word);
      let candidate = source + load<u32>(slot);
      store<u32>(slot, <u32>(p - source));
      if (p - candidate > OFFSET_MAX || load<u32>(candidate) != word) {
        p += skip++ >> 6;
        continue;
      }
      while (p > literalFrom && candidate > source && load<u8>(p - 1) == load<u8>(candidate - 1)) {
        p--;
        candidate--;
      }
      const length = 4 + matchLength(candidate + 4, p + 4, matchEnd);
      const code = length - 4;
      o = writeLiterals(literalFrom, p, min<u32>(code, 15), o);
      store<u16>(o, <u16>(p - candidate));
      o += 2;
      if (code >= 15) o = writeMore(o, code - 15);
      p += length;
      literalFrom = p;
      skip = 64;
      if (p - 2 <= limit) store<u32>(slotOf(load<u32>(p - 2)), <u32>(p - 2 - source));
    }
  }
  return <i32>(writeLiterals(literalFrom, end, 0, o) - out);
}

// @ts-ignore: decorator
@inline
function slotOf(word: u32): usize {
  return table + (((word * 0x9e3779b1) >> (32 - TABLE_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function writeLiterals(from: usize, to: usize, matchCode: u32, out: usize): usize {
  const length = <u32>(to - from);
  store<u8>(out, <u8>((min<u32>(length, 15) << 4) | matchCode));
  const o = length < 15 ? out + 1 : writeMore(out + 1, length - 15);
  copyLiterals(o, from, length, usize.MAX_VALUE);
  return o + length;
}

function writeMore(out: usize, value: u32): usize {
  let o = out;
  let rest = value;
  for (; rest >= 255; rest -= 255) store<u8>(o++, 255);
  store<u8>(o++, <u8>rest);
  return o;
}

/** Decodes exactly `rawBytes` into `out`, writing nothing past them. Returns `rawBytes` or a negative code. */
export function lz4Decompress(source: usize, sourceBytes: i32, out: usize, rawBytes: i32): i32 {
  preparePatterns();
  const end = source + sourceBytes;
  const outEnd = out + rawBytes;
  let p = source;
  let o = out;
  for (;;) {
    if (p >= end) return TRUNCATED;
    const token: u32 = load<u8>(p++);
    let length: usize = token >> 4;
    if (length == 15) {
      let byte: u32;
      do {
        if (p >= end) return TRUNCATED;
        byte = load<u8>(p++);
        length += byte;
      } while (byte == 255);
    }
    if (length > end - p) return TRUNCATED;
    if (length > outEnd - o) return OUTPUT_OVERRUN;
    copyLiterals(o, p, length, outEnd);
    p += length;
    o += length;
    if (p == end) break;
    if (end - p < 2) return TRUNCATED;
    const offset: usize = load<u16>(p);
    p += 2;
    length = token & 15;
    if (length == 15) {
      let byte: u32;
      do {
        if (p >= end) return TRUNCATED;
        byte = load<u8>(p++);
        length += byte;
      } while (byte == 255);
    }
    length += 4;
    if (offset == 0 || offset > o - out) return OFFSET_BEFORE_START;
    if (length > outEnd - o) return OUTPUT_OVERRUN;
    copyMatch(o, offset, length, outEnd);
    o += length;
  }
  return o == outEnd ? rawBytes : OUTPUT_SHORT;
}
