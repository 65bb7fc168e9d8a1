// Snappy block format (google/snappy format_description.txt), in plain TypeScript. The compressor's choices are those of the
// WebAssembly kernel, so that both write the same bytes.
//
//   block   := varint(raw bytes) element*
//   literal := tag 00: length - 1 in the upper six bits, or 60..63 there and 1..4 bytes of it behind the tag; then the bytes
//   copy    := tag 01: length - 4 in bits 2..4, offset in bits 5..7 and the next byte
//              tag 10: length - 1 in the upper six bits, offset in 2 bytes;  tag 11: the same with 4 bytes

import {
  DECLARED_IMPOSSIBLE,
  DECLARED_TOO_LARGE,
  malformed,
  OFFSET_BEFORE_START,
  OUTPUT_OVERRUN,
  OUTPUT_SHORT,
  TRUNCATED,
  VARINT_TOO_LONG,
} from "../malformed.ts";

/** Copies reach back no further than the block they are in. */
const BLOCK_BYTES = 65_536;
const TABLE_BITS_MAX = 14;
const TABLE_BITS_MIN = 8;
/** Bytes at a block's end that no match begins in, so that four and eight bytes can be loaded at once. */
const MARGIN_BYTES = 15;
/** A search begins with steps of SKIP_START / 32 bytes, and takes longer ones the longer it finds nothing. */
const SKIP_START = 96;

const table = new Uint16Array(1 << TABLE_BITS_MAX);

/** Most bytes a block of `rawBytes` can take. */
export const snappyBytesMax = (rawBytes: number): number => 32 + rawBytes + Math.ceil(rawBytes / 6);

export function snappyCompress(source: Uint8Array): Uint8Array {
  const out = new Uint8Array(snappyBytesMax(source.length));
  let o = 0;
  let rest = source.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out[o++] = rest | 0x80;
  out[o++] = rest;
  for (let base = 0; base < source.length; base += BLOCK_BYTES) {
    o = compressBlock(source, base, Math.min(base + BLOCK_BYTES, source.length), out, o);
  }
  return out.subarray(0, o);
}

function compressBlock(source: Uint8Array, base: number, end: number, out: Uint8Array, at: number): number {
  let o = at;
  let literalFrom = base;
  let bits = TABLE_BITS_MIN;
  while (bits < TABLE_BITS_MAX && 1 << bits < end - base) bits++;
  table.fill(0, 0, 1 << bits);
  const shift = 32 - bits;
  const limit = end - MARGIN_BYTES;
  let p = base + 1;
  let skip = SKIP_START;
  while (p <= limit) {
    const word = load32(source, p);
    const slot = slotOf(source, p, shift);
    let candidate = base + table[slot]!;
    table[slot] = p - base;
    if (load32(source, candidate) !== word) {
      p += skip++ >>> 5;
      continue;
    }
    // The steps pass over the beginnings of matches.
    while (p > literalFrom && candidate > base && source[p - 1] === source[candidate - 1]) {
      p--;
      candidate--;
    }
    if (p > literalFrom) o = writeLiteral(source, literalFrom, p, out, o);
    for (;;) {
      const length = 4 + matchLength(source, candidate + 4, p + 4, end);
      o = writeCopy(out, o, p - candidate, length);
      p += length;
      if (p > limit) break;
      const next = load32(source, p);
      const nextSlot = slotOf(source, p, shift);
      candidate = base + table[nextSlot]!;
      table[nextSlot] = p - base;
      if (load32(source, candidate) !== next) break;
    }
    literalFrom = p;
    p++;
    skip = SKIP_START;
  }
  return literalFrom < end ? writeLiteral(source, literalFrom, end, out, o) : o;
}

/** Six bytes are hashed though four make a match: what agrees in four bytes only is rarely worth its copy. */
function slotOf(bytes: Uint8Array, at: number, shift: number): number {
  const upper = bytes[at + 4]! | (bytes[at + 5]! << 8);
  return (Math.imul(load32(bytes, at), 0x1e35_a7bd) + Math.imul(upper, 0x9e37_79b1)) >>> shift;
}

function load32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function matchLength(bytes: Uint8Array, earlier: number, later: number, end: number): number {
  let length = 0;
  while (later + length < end && bytes[earlier + length] === bytes[later + length]) length++;
  return length;
}

function writeLiteral(source: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const less1 = to - from - 1;
  let o = at;
  if (less1 < 60) out[o++] = less1 << 2;
  else if (less1 < 256) {
    out[o++] = 60 << 2;
    out[o++] = less1;
  } else {
    out[o++] = 61 << 2;
    out[o++] = less1;
    out[o++] = less1 >>> 8;
  }
  out.set(source.subarray(from, to), o);
  return o + to - from;
}

function writeCopy(out: Uint8Array, at: number, offset: number, length: number): number {
  let o = at;
  let rest = length;
  // Never leaves fewer than four bytes, the least that the short form holds.
  for (; rest >= 68; rest -= 64) o = writeLongCopy(out, o, offset, 64);
  if (rest > 64) {
    o = writeLongCopy(out, o, offset, 60);
    rest -= 60;
  }
  if (rest >= 12 || offset >= 2_048) return writeLongCopy(out, o, offset, rest);
  out[o] = 1 | ((rest - 4) << 2) | ((offset >>> 8) << 5);
  out[o + 1] = offset;
  return o + 2;
}

function writeLongCopy(out: Uint8Array, at: number, offset: number, length: number): number {
  out[at] = 2 | ((length - 1) << 2);
  out[at + 1] = offset;
  out[at + 2] = offset >>> 8;
  return at + 3;
}

const fail = (code: number, source: Uint8Array): never => {
  throw malformed("snappy block", code, source.length);
};

export function snappyDecompress(source: Uint8Array, maxBytes: number): Uint8Array {
  const [rawBytes, from] = readRawBytes(source, maxBytes);
  const out = new Uint8Array(rawBytes);
  let p = from;
  let o = 0;
  while (p < source.length) {
    const tag = source[p++]!;
    let length = (tag >>> 2) + 1;
    let offset = 0;
    const extra = (tag & 3) === 0 ? Math.max(0, length - 60) : (tag & 3) === 3 ? 4 : tag & 3;
    if (p + extra > source.length) fail(TRUNCATED, source);
    let value = 0;
    for (let i = 0, scale = 1; i < extra; i++, scale *= 256) value += source[p + i]! * scale;
    p += extra;
    if ((tag & 3) === 0) {
      if (extra > 0) length = value + 1;
      if (length > source.length - p) fail(TRUNCATED, source);
      if (length > rawBytes - o) fail(OUTPUT_OVERRUN, source);
      out.set(source.subarray(p, p + length), o);
      p += length;
      o += length;
      continue;
    }
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | value;
    } else offset = value;
    if (offset === 0 || offset > o) fail(OFFSET_BEFORE_START, source);
    if (length > rawBytes - o) fail(OUTPUT_OVERRUN, source);
    for (const end = o + length; o < end; o++) out[o] = out[o - offset]!;
  }
  if (o !== rawBytes) fail(OUTPUT_SHORT, source);
  return out;
}

/** The declared length, judged before anything of that size is allocated, and where the elements begin. */
export function readRawBytes(source: Uint8Array, maxBytes: number): [rawBytes: number, from: number] {
  let rawBytes = 0;
  let p = 0;
  for (let scale = 1; ; scale *= 128) {
    if (p === 5) fail(VARINT_TOO_LONG, source);
    if (p >= source.length) fail(TRUNCATED, source);
    const byte = source[p++]!;
    rawBytes += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (rawBytes > maxBytes) fail(DECLARED_TOO_LARGE, source);
  // The densest element is a copy of 64 bytes in three.
  if (rawBytes > source.length * 22) fail(DECLARED_IMPOSSIBLE, source);
  return [rawBytes, p];
}
