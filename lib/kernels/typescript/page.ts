// Page codec (page-codec.ts), in plain TypeScript. The WebAssembly kernel takes the same choices, so that both write the same bytes.

import {
  BAD_HEADER,
  malformed,
  OFFSET_BEFORE_START,
  OUTPUT_OVERRUN,
  OUTPUT_SHORT,
  STREAM_MISMATCH,
  TRAILING_BYTES,
  TRUNCATED,
} from "../malformed.ts";
import {
  KIND_PACKED,
  KIND_STORED,
  MATCH_MIN,
  PACKED_BYTES_MAX,
  packedRoomBytes,
  TOKEN_LITERALS_MAX,
  TOKEN_MATCH_MAX,
} from "../page-codec.ts";
import { read24, readStream, streamCount, streamEnd, streamValues, write24, writeStream } from "./huffman.ts";

const TABLE_BITS_MAX = 14;
const TABLE_BITS_MIN = 10;
/** Bytes at the end that no match begins in, so that whole words can be loaded. */
const MARGIN_BYTES = 12;
/** From this length on a match is taken without looking for a better one. */
const GOOD_BYTES = 64;

const table = new Int32Array(1 << TABLE_BITS_MAX);

export function packPage(source: Uint8Array): Uint8Array {
  if (source.length <= PACKED_BYTES_MAX) {
    const packed = pack(source);
    if (packed.length <= source.length) return packed;
  }
  const out = new Uint8Array(1 + source.length);
  out[0] = KIND_STORED;
  out.set(source, 1);
  return out;
}

// The streams of the page being packed.
let literals = new Uint8Array(0);
let literalCount = 0;
let tokens = new Uint8Array(0);
let offsetCodes = new Uint8Array(0);
let sequenceCount = 0;
let moreLengths = new Uint8Array(0);
let moreCount = 0;
let offsetBits = new Uint8Array(0);
let offsetBytes = 0;
let pending = 0;
let pendingBits = 0;

function pack(source: Uint8Array): Uint8Array {
  const rawBytes = source.length;
  literals = new Uint8Array(rawBytes);
  tokens = new Uint8Array(rawBytes / 4);
  offsetCodes = new Uint8Array(rawBytes / 4);
  moreLengths = new Uint8Array(rawBytes / 4 + 16);
  offsetBits = new Uint8Array(rawBytes + 16);
  literalCount = sequenceCount = moreCount = offsetBytes = pending = pendingBits = 0;
  findSequences(source);
  if (pendingBits > 0) offsetBits[offsetBytes++] = pending;

  const out = new Uint8Array(packedRoomBytes(rawBytes));
  out[0] = KIND_PACKED;
  let o = writeStream(literals, literalCount, out, 1);
  o = writeStream(tokens, sequenceCount, out, o);
  o = writeStream(offsetCodes, sequenceCount, out, o);
  o = writeStream(moreLengths, moreCount, out, o);
  o = write24(out, o, offsetBytes);
  out.set(offsetBits.subarray(0, offsetBytes), o);
  return out.subarray(0, o + offsetBytes);
}

/**
 * Greedy, at every second position and fewer where nothing repeats: the last offset is tried, there and one byte on, and the latest
 * position looked at whose next six bytes have the same hash. A match grows backwards too, so that those begun in between are found.
 */
function findSequences(source: Uint8Array): void {
  let bits = TABLE_BITS_MIN;
  while (bits < TABLE_BITS_MAX && 1 << bits < source.length) bits++;
  const shift = 32 - bits;
  table.fill(0, 0, 1 << bits);
  const limit = source.length - MARGIN_BYTES;
  let lastOffset = 1;
  let literalFrom = 0;
  let p = 1;
  while (p < limit) {
    let length = 0;
    let offset = lastOffset;
    let at = p;
    if (same4(source, p - lastOffset, p)) length = matchLength(source, p - lastOffset, p);
    else if (same4(source, p + 1 - lastOffset, p + 1)) {
      at = p + 1;
      length = matchLength(source, at - lastOffset, at);
    }
    const slot = slotOf(source, p, shift);
    const candidate = table[slot]!;
    table[slot] = p;
    if (length < GOOD_BYTES && candidate > 0 && same4(source, candidate, p)) {
      const found = matchLength(source, candidate, p);
      if (length === 0 || found > length + 4) {
        length = found;
        offset = p - candidate;
        at = p;
      }
    }
    if (length === 0) {
      p += 2 + ((p - literalFrom) >>> 6);
      continue;
    }
    while (at > literalFrom && at > offset && source[at - 1] === source[at - 1 - offset]) {
      at--;
      length++;
    }
    writeSequence(source, literalFrom, at, offset, length, lastOffset);
    lastOffset = offset;
    const end = at + length;
    if (at + 2 < limit) table[slotOf(source, at + 2, shift)] = at + 2;
    if (end - 1 < limit) table[slotOf(source, end - 1, shift)] = end - 1;
    p = literalFrom = end;
  }
  literals.set(source.subarray(literalFrom), literalCount);
  literalCount += source.length - literalFrom;
}

function slotOf(bytes: Uint8Array, at: number, shift: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const high = bytes[at + 4]! | (bytes[at + 5]! << 8);
  return (Math.imul(low, 0x9e37_79b1) + Math.imul(high, 0x85eb_ca6b)) >>> shift;
}

function same4(bytes: Uint8Array, a: number, b: number): boolean {
  return bytes[a] === bytes[b] && bytes[a + 1] === bytes[b + 1] && bytes[a + 2] === bytes[b + 2] && bytes[a + 3] === bytes[b + 3];
}

function matchLength(bytes: Uint8Array, earlier: number, later: number): number {
  let length = 0;
  while (later + length < bytes.length && bytes[earlier + length] === bytes[later + length]) length++;
  return length;
}

function writeSequence(source: Uint8Array, from: number, at: number, offset: number, matchBytes: number, lastOffset: number): void {
  const run = at - from;
  const match = matchBytes - MATCH_MIN;
  literals.set(source.subarray(from, at), literalCount);
  literalCount += run;
  tokens[sequenceCount] = (Math.min(run, TOKEN_LITERALS_MAX) << 5) | Math.min(match, TOKEN_MATCH_MAX);
  if (run >= TOKEN_LITERALS_MAX) writeMore(run - TOKEN_LITERALS_MAX);
  if (match >= TOKEN_MATCH_MAX) writeMore(match - TOKEN_MATCH_MAX);
  if (offset === lastOffset) offsetCodes[sequenceCount++] = 0;
  else {
    const log = 31 - Math.clz32(offset);
    const half = log > 0 ? (offset >>> (log - 1)) & 1 : 0;
    offsetCodes[sequenceCount++] = 1 + 2 * log + half;
    if (log > 1) writeBits(offset & ((1 << (log - 1)) - 1), log - 1);
  }
}

function writeMore(value: number): void {
  if (value < 254) moreLengths[moreCount++] = value;
  else {
    const wide = value > 0xffff;
    moreLengths[moreCount++] = wide ? 255 : 254;
    moreLengths[moreCount++] = value;
    moreLengths[moreCount++] = value >>> 8;
    if (wide) moreLengths[moreCount++] = value >>> 16;
  }
}

function writeBits(value: number, bits: number): void {
  pending |= value << pendingBits;
  pendingBits += bits;
  for (; pendingBits >= 8; pendingBits -= 8) {
    offsetBits[offsetBytes++] = pending;
    pending >>>= 8;
  }
}

export function unpackPage(source: Uint8Array, out: Uint8Array, rawBytes: number): void {
  const code =
    rawBytes > out.length ? OUTPUT_OVERRUN : source[0] === KIND_STORED ? unstore(source, out, rawBytes) : unpack(source, out, rawBytes);
  if (code < 0) throw malformed("page", code, source.length);
}

function unstore(source: Uint8Array, out: Uint8Array, rawBytes: number): number {
  if (source.length - 1 < rawBytes) return OUTPUT_SHORT;
  if (source.length - 1 > rawBytes) return OUTPUT_OVERRUN;
  out.set(source.subarray(1), 0);
  return 0;
}

function unpack(source: Uint8Array, out: Uint8Array, rawBytes: number): number {
  if (source.length === 0) return TRUNCATED;
  if (source[0] !== KIND_PACKED || rawBytes > PACKED_BYTES_MAX) return BAD_HEADER;
  let code = readStream(source, 1, rawBytes);
  if (code < 0) return code;
  const literals = streamValues;
  code = readStream(source, streamEnd, rawBytes >>> 2);
  if (code < 0) return code;
  const tokens = streamValues;
  code = readStream(source, streamEnd, rawBytes >>> 2);
  if (code < 0) return code;
  const offsetCodes = streamValues;
  if (streamCount !== tokens.length) return STREAM_MISMATCH;
  code = readStream(source, streamEnd, (rawBytes >>> 2) + 16);
  if (code < 0) return code;
  const lengths = streamValues;
  if (source.length - streamEnd < 3) return TRUNCATED;
  const bitBytes = read24(source, streamEnd);
  const bits = source.subarray(streamEnd + 3);
  if (bits.length < bitBytes) return TRUNCATED;
  if (bits.length > bitBytes) return TRAILING_BYTES;
  return runSequences(literals, tokens, offsetCodes, lengths, bits, out, rawBytes);
}

// Where `readMore` stands.
let moreAt = 0;

function runSequences(
  literals: Uint8Array,
  tokens: Uint8Array,
  offsetCodes: Uint8Array,
  lengths: Uint8Array,
  bits: Uint8Array,
  out: Uint8Array,
  rawBytes: number,
): number {
  let o = 0;
  let literal = 0;
  let offset = 1;
  let bitAt = 0;
  moreAt = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    let run = token >>> 5;
    let match = token & 31;
    if (run === TOKEN_LITERALS_MAX) run += readMore(lengths);
    if (match === TOKEN_MATCH_MAX) match += readMore(lengths);
    if (moreAt > lengths.length) return STREAM_MISMATCH;
    match += MATCH_MIN;
    const offsetCode = offsetCodes[i]!;
    if (offsetCode > 48) return STREAM_MISMATCH;
    if (offsetCode > 0) {
      const log = (offsetCode - 1) >>> 1;
      const extra = Math.max(0, log - 1);
      offset = (1 << log) | (log > 0 ? ((offsetCode - 1) & 1) << (log - 1) : 0) | readBits(bits, bitAt, extra);
      bitAt += extra;
      if (bitAt > 8 * bits.length) return STREAM_MISMATCH;
    }
    if (run > literals.length - literal) return STREAM_MISMATCH;
    if (run + match > rawBytes - o) return OUTPUT_OVERRUN;
    out.set(literals.subarray(literal, literal + run), o);
    literal += run;
    o += run;
    if (offset > o) return OFFSET_BEFORE_START;
    for (const end = o + match; o < end; o++) out[o] = out[o - offset]!;
  }
  if (moreAt !== lengths.length || (bitAt + 7) >>> 3 !== bits.length) return STREAM_MISMATCH;
  const left = literals.length - literal;
  if (left > rawBytes - o) return OUTPUT_OVERRUN;
  if (left < rawBytes - o) return OUTPUT_SHORT;
  out.set(literals.subarray(literal), o);
  return 0;
}

/** The next value of the lengths; past their end `moreAt` shows that it is none. */
function readMore(lengths: Uint8Array): number {
  const first = lengths[moreAt++] ?? 0;
  if (first < 254) return first;
  const at = moreAt;
  moreAt += first === 254 ? 2 : 3;
  if (moreAt > lengths.length) return 0;
  return lengths[at]! | (lengths[at + 1]! << 8) | (first === 254 ? 0 : lengths[at + 2]! << 16);
}

function readBits(bits: Uint8Array, at: number, count: number): number {
  const p = at >>> 3;
  const word = (bits[p] ?? 0) | ((bits[p + 1] ?? 0) << 8) | ((bits[p + 2] ?? 0) << 16) | ((bits[p + 3] ?? 0) << 24);
  return (word >>> (at & 7)) & ((1 << count) - 1);
}
