// Snappy block format, as typescript/snappy.ts describes it.

import { DECLARED_IMPOSSIBLE, DECLARED_TOO_LARGE, OFFSET_BEFORE_START, OUTPUT_OVERRUN, OUTPUT_SHORT, TRUNCATED, VARINT_TOO_LONG } from "./codes";
import { copyLiterals, copyMatch, matchLength, preparePatterns } from "./copy";

const BLOCK_BYTES: usize = 65_536;
const TABLE_BITS_MAX: u32 = 14;
const TABLE_BITS_MIN: u32 = 8;
const MARGIN_BYTES: usize = 15;
/** A search begins with steps of SKIP_START / 32 bytes, and takes longer ones the longer it finds nothing. */
const SKIP_START: usize = 96;
const table = memory.data(1 << 15, 16);

/** `out` has room for 32 + n + n/6 bytes and 64 more. Returns the bytes written. */
export function snappyCompress(source: usize, sourceBytes: i32, out: usize): i32 {
  let o = out;
  let rest = <u32>sourceBytes;
  for (; rest >= 0x80; rest >>= 7) store<u8>(o++, <u8>(rest | 0x80));
  store<u8>(o++, <u8>rest);
  const end = source + sourceBytes;
  for (let base = source; base < end; base += BLOCK_BYTES) o = compressBlock(base, min(base + BLOCK_BYTES, end), o);
  return <i32>(o - out);
}

function compressBlock(base: usize, end: usize, out: usize): usize {
  let o = out;
  let literalFrom = base;
  let bits = TABLE_BITS_MIN;
  while (bits < TABLE_BITS_MAX && (<usize>1 << bits) < end - base) bits++;
  memory.fill(table, 0, <usize>2 << bits);
  const shift = 32 - bits;
  // Below the margin there may be no such address as end - 15.
  if (end - base <= MARGIN_BYTES) return literalFrom < end ? writeLiteral(literalFrom, end, o) : o;
  const limit = end - MARGIN_BYTES;
  let p = base + 1;
  let skip: usize = SKIP_START;
  while (p <= limit) {
    const word = load<u32>(p);
    const slot = slotOf(p, shift);
    let candidate = base + load<u16>(slot);
    store<u16>(slot, <u16>(p - base));
    if (load<u32>(candidate) != word) {
      p += skip++ >> 5;
      continue;
    }
    // The steps pass over the beginnings of matches.
    while (p > literalFrom && candidate > base && load<u8>(p - 1) == load<u8>(candidate - 1)) {
      p--;
      candidate--;
    }
    if (p > literalFrom) o = writeLiteral(literalFrom, p, o);
    for (;;) {
      // Most matches end within the first twelve bytes, which lie before the end as p is before the margin.
      const differ = load<u64>(candidate + 4) ^ load<u64>(p + 4);
      const length = differ ? 4 + (<u32>ctz(differ) >> 3) : 12 + matchLength(candidate + 12, p + 12, end);
      o = writeCopy(o, <u32>(p - candidate), length);
      p += length;
      if (p > limit) break;
      const next = load<u32>(p);
      const nextSlot = slotOf(p, shift);
      candidate = base + load<u16>(nextSlot);
      store<u16>(nextSlot, <u16>(p - base));
      if (load<u32>(candidate) != next) break;
    }
    literalFrom = p;
    p++;
    skip = SKIP_START;
  }
  return literalFrom < end ? writeLiteral(literalFrom, end, o) : o;
}

/** Six bytes are hashed though four make a match: what agrees in four bytes only is rarely worth its copy. */
// @ts-ignore: decorator
@inline
function slotOf(p: usize, shift: u32): usize {
  return table + (((load<u32>(p) * 0x1e35a7bd + <u32>load<u16>(p + 4) * 0x9e3779b1) >> shift) << 1);
}

// @ts-ignore: decorator
@inline
function writeLiteral(from: usize, to: usize, out: usize): usize {
  const less1 = <u32>(to - from) - 1;
  // Most are short: two registers are copied whatever the length.
  if (less1 < 32) {
    store<u8>(out, <u8>(less1 << 2));
    v128.store(out + 1, v128.load(from));
    v128.store(out + 17, v128.load(from + 16));
    return out + 2 + less1;
  }
  let o = out;
  if (less1 < 60) store<u8>(o++, <u8>(less1 << 2));
  else if (less1 < 256) {
    store<u8>(o, 60 << 2);
    store<u8>(o + 1, <u8>less1);
    o += 2;
  } else {
    store<u8>(o, 61 << 2);
    store<u16>(o + 1, <u16>less1);
    o += 3;
  }
  copyLiterals(o, from, to - from, usize.MAX_VALUE);
  return o + (to - from);
}

// @ts-ignore: decorator
@inline
function writeCopy(out: usize, offset: u32, length: u32): usize {
  let o = out;
  let rest = length;
  for (; rest >= 68; rest -= 64) o = writeLongCopy(o, offset, 64);
  if (rest > 64) {
    o = writeLongCopy(o, offset, 60);
    rest -= 60;
  }
  // Which form it takes is as good as random, so there is no branch. Four bytes are written, two or three count.
  const isLong = rest >= 12 || offset >= 2_048;
  const short: u32 = 1 | ((rest - 4) << 2) | ((offset >> 8) << 5) | ((offset & 0xff) << 8);
  store<u32>(o, select<u32>(2 | ((rest - 1) << 2) | (offset << 8), short, isLong));
  return o + 2 + <usize>isLong;
}

// @ts-ignore: decorator
@inline
function writeLongCopy(out: usize, offset: u32, length: u32): usize {
  store<u8>(out, <u8>(2 | ((length - 1) << 2)));
  store<u16>(out + 1, <u16>offset);
  return out + 3;
}

/** The declared length, or a negative code. */
export function snappyRawBytes(source: usize, sourceBytes: i32, maxBytes: f64): i32 {
  let rawBytes: u64 = 0;
  for (let i = 0; ; i++) {
    if (i == 5) return VARINT_TOO_LONG;
    if (i >= sourceBytes) return TRUNCATED;
    const byte = <u64>load<u8>(source + i);
    rawBytes |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) break;
  }
  if (<f64>rawBytes > maxBytes) return DECLARED_TOO_LARGE;
  if (rawBytes > <u64>sourceBytes * 22) return DECLARED_IMPOSSIBLE;
  return rawBytes > 0x7fff_ffff ? DECLARED_TOO_LARGE : <i32>rawBytes;
}

/** Decodes into `out`, which has room for `rawBytes` and 64 more. Returns `rawBytes` or a negative code. */
export function snappyDecompress(source: usize, sourceBytes: i32, out: usize, rawBytes: i32): i32 {
  preparePatterns();
  const end = source + sourceBytes;
  const outEnd = out + rawBytes;
  const wildEnd = outEnd + 32;
  let p = source;
  while (p < end && load<u8>(p) >= 0x80) p++;
  p++;
  let o = out;
  while (p < end) {
    const tag: u32 = load<u8>(p++);
    let length: u32 = (tag >> 2) + 1;
    if ((tag & 3) == 0) {
      if (length > 60) {
        const extra = length - 60;
        if (extra > <u32>(end - p)) return TRUNCATED;
        // The four bytes may reach past the end; those that do are masked off.
        const value = load<u32>(p) & (<u32>0xffff_ffff >> (32 - (extra << 3)));
        p += extra;
        length = value + 1;
        if (length == 0) return TRUNCATED;
      }
      if (length > <u32>(end - p)) return TRUNCATED;
      if (length > <u32>(outEnd - o)) return OUTPUT_OVERRUN;
      copyLiterals(o, p, length, wildEnd);
      p += length;
      o += length;
      continue;
    }
    let offset: u32 = 0;
    if ((tag & 3) == 1) {
      if (p >= end) return TRUNCATED;
      length = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | load<u8>(p++);
    } else if ((tag & 3) == 2) {
      if (<u32>(end - p) < 2) return TRUNCATED;
      offset = load<u16>(p);
      p += 2;
    } else {
      if (<u32>(end - p) < 4) return TRUNCATED;
      offset = load<u32>(p);
      p += 4;
    }
    if (offset == 0 || offset > <u32>(o - out)) return OFFSET_BEFORE_START;
    if (length > <u32>(outEnd - o)) return OUTPUT_OVERRUN;
    copyMatch(o, offset, length, wildEnd);
    o += length;
  }
  return o == outEnd ? rawBytes : OUTPUT_SHORT;
}
