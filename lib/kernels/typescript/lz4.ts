// LZ4 block format (lz4/doc/lz4_Block_format.md), in plain TypeScript. The compressor's choices are those of the WebAssembly kernel.
//
//   block    := sequence*   the last one ends after its literals
//   sequence := token [more literal length] literals offset<2b, little endian> [more match length]
//   token    := literal length in the upper four bits, match length - 4 in the lower; 15 goes on in bytes of 255 and a last one below

import { malformed, OFFSET_BEFORE_START, OUTPUT_OVERRUN, OUTPUT_SHORT, TRUNCATED } from "../malformed.ts";

/** The format asks for five literals at the end, and for no match to begin in the last twelve bytes. */
const LAST_LITERALS = 5;
const MATCH_MARGIN = 12;
const OFFSET_MAX = 65_535;
const TABLE_BITS = 14;

const table = new Uint32Array(1 << TABLE_BITS);

/** Most bytes a block of `rawBytes` can take. */
export const lz4BytesMax = (rawBytes: number): number => rawBytes + Math.floor(rawBytes / 255) + 16;

export function lz4Compress(source: Uint8Array): Uint8Array {
  const out = new Uint8Array(lz4BytesMax(source.length));
  const limit = source.length - MATCH_MARGIN;
  const matchEnd = source.length - LAST_LITERALS;
  let literalFrom = 0;
  let o = 0;
  table.fill(0);
  let p = 1;
  let skip = 64;
  while (p <= limit) {
    const word = load32(source, p);
    const slot = Math.imul(word, 0x9e37_79b1) >>> (32 - TABLE_BITS);
    let candidate = table[slot]!;
    table[slot] = p;
    if (p - candidate > OFFSET_MAX || load32(source, candidate) !== word) {
      p += skip++ >>> 6;
      continue;
    }
    while (p > literalFrom && candidate > 0 && source[p - 1] === source[candidate - 1]) {
      p--;
      candidate--;
    }
    let length = 4;
    while (p + length < matchEnd && source[candidate + length] === source[p + length]) length++;
    o = writeSequence(source, literalFrom, p, p - candidate, length, out, o);
    p += length;
    literalFrom = p;
    skip = 64;
    if (p - 2 <= limit) table[Math.imul(load32(source, p - 2), 0x9e37_79b1) >>> (32 - TABLE_BITS)] = p - 2;
  }
  return out.subarray(0, writeLiterals(source, literalFrom, source.length, 0, out, o));
}

function load32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeSequence(
  source: Uint8Array,
  literalFrom: number,
  literalTo: number,
  offset: number,
  length: number,
  out: Uint8Array,
  at: number,
): number {
  const code = length - 4;
  let o = writeLiterals(source, literalFrom, literalTo, Math.min(code, 15), out, at);
  out[o++] = offset;
  out[o++] = offset >>> 8;
  return code < 15 ? o : writeMore(out, o, code - 15);
}

function writeLiterals(source: Uint8Array, from: number, to: number, matchCode: number, out: Uint8Array, at: number): number {
  const length = to - from;
  out[at] = (Math.min(length, 15) << 4) | matchCode;
  const o = length < 15 ? at + 1 : writeMore(out, at + 1, length - 15);
  out.set(source.subarray(from, to), o);
  return o + length;
}

function writeMore(out: Uint8Array, at: number, value: number): number {
  let o = at;
  let rest = value;
  for (; rest >= 255; rest -= 255) out[o++] = 255;
  out[o++] = rest;
  return o;
}

const fail = (code: number, source: Uint8Array): never => {
  throw malformed("lz4 block", code, source.length);
};

export function lz4Decompress(source: Uint8Array, out: Uint8Array, rawBytes: number): void {
  if (rawBytes > out.length) fail(OUTPUT_OVERRUN, source);
  let p = 0;
  let o = 0;
  let length = 0;
  /** Adds the bytes behind the token to `length`. */
  const readMore = (): void => {
    let byte: number;
    do {
      if (p >= source.length) fail(TRUNCATED, source);
      byte = source[p++]!;
      length += byte;
    } while (byte === 255);
  };
  for (;;) {
    if (p >= source.length) fail(TRUNCATED, source);
    const token = source[p++]!;
    length = token >>> 4;
    if (length === 15) readMore();
    if (length > source.length - p) fail(TRUNCATED, source);
    if (length > rawBytes - o) fail(OUTPUT_OVERRUN, source);
    out.set(source.subarray(p, p + length), o);
    p += length;
    o += length;
    if (p === source.length) break;
    if (p + 2 > source.length) fail(TRUNCATED, source);
    const offset = source[p]! | (source[p + 1]! << 8);
    p += 2;
    length = token & 15;
    if (length === 15) readMore();
    length += 4;
    if (offset === 0 || offset > o) fail(OFFSET_BEFORE_START, source);
    if (length > rawBytes - o) fail(OUTPUT_OVERRUN, source);
    for (const end = o + length; o < end; o++) out[o] = out[o - offset]!;
  }
  if (o !== rawBytes) fail(OUTPUT_SHORT, source);
}
