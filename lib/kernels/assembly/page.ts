// Page codec, as typescript/page.ts describes it (format: page-codec.ts).

import { BAD_HEADER, OFFSET_BEFORE_START, OUTPUT_OVERRUN, OUTPUT_SHORT, STREAM_MISMATCH, TRAILING_BYTES, TRUNCATED } from "./codes";
import { copyLiterals, copyMatch, matchLength, preparePatterns } from "./copy";
import { read24, readStream, streamCount, streamEnd, streamValues, write24, writeStream } from "./huffman";

const TABLE_BITS_MAX: u32 = 14;
const TABLE_BITS_MIN: u32 = 10;
const MARGIN_BYTES: usize = 12;
const GOOD_BYTES: u32 = 64;
const MATCH_MIN: u32 = 4;
const TOKEN_LITERALS_MAX: u32 = 7;
const TOKEN_MATCH_MAX: u32 = 31;
const KIND_PACKED: u8 = 1;
const PAD: u32 = 64;

const table = memory.data(4 << 14, 16);

// Where the streams of the page being packed go on.
let literalAt: usize = 0;
let tokenAt: usize = 0;
let offsetCodeAt: usize = 0;
let moreAt: usize = 0;
let bitAt: usize = 0;
let pending: u64 = 0;
let pendingBits: u64 = 0;

/** `work` and `out` have the room that page-codec.ts says. Returns the bytes written, kind byte included. */
export function packPage(source: usize, sourceBytes: i32, work: usize, out: usize): i32 {
  const rawBytes = <usize>sourceBytes;
  const literals = work;
  const tokens = literals + rawBytes + PAD;
  const offsetCodes = tokens + (rawBytes >> 2) + PAD;
  const more = offsetCodes + (rawBytes >> 2) + PAD;
  const bits = more + (rawBytes >> 2) + PAD;
  literalAt = literals;
  tokenAt = tokens;
  offsetCodeAt = offsetCodes;
  moreAt = more;
  bitAt = bits;
  pending = pendingBits = 0;
  findSequences(source, rawBytes);
  store<u64>(bitAt, pending);
  bitAt += <usize>((pendingBits + 7) >> 3);

  store<u8>(out, KIND_PACKED);
  let o = writeStream(literals, <u32>(literalAt - literals), out + 1);
  o = writeStream(tokens, <u32>(tokenAt - tokens), o);
  o = writeStream(offsetCodes, <u32>(offsetCodeAt - offsetCodes), o);
  o = writeStream(more, <u32>(moreAt - more), o);
  o = write24(o, <u32>(bitAt - bits));
  memory.copy(o, bits, bitAt - bits);
  return <i32>(o + (bitAt - bits) - out);
}

function findSequences(source: usize, rawBytes: usize): void {
  const sourceEnd = source + rawBytes;
  let literalFrom = source;
  if (rawBytes > MARGIN_BYTES) {
    let bits = TABLE_BITS_MIN;
    while (bits < TABLE_BITS_MAX && <usize>1 << bits < rawBytes) bits++;
    const shift = 32 - bits;
    memory.fill(table, 0, <usize>4 << bits);
    const limit = sourceEnd - MARGIN_BYTES;
    let lastOffset: usize = 1;
    let p = source + 1;
    while (p < limit) {
      let length: u32 = 0;
      let offset = lastOffset;
      let at = p;
      const word = load<u64>(p);
      if (load<u32>(p - lastOffset) == <u32>word) length = 4 + matchLength(p - lastOffset + 4, p + 4, sourceEnd);
      else if (load<u32>(p + 1 - lastOffset) == <u32>(word >> 8)) {
        at = p + 1;
        length = 4 + matchLength(at - lastOffset + 4, at + 4, sourceEnd);
      }
      const slot = slotOf(word, shift);
      const candidate = source + load<u32>(slot);
      store<u32>(slot, <u32>(p - source));
      if (length < GOOD_BYTES && candidate > source && load<u32>(candidate) == <u32>word) {
        const found = matchLength(candidate + 4, p + 4, sourceEnd) + 4;
        if (length == 0 || found > length + 4) {
          length = found;
          offset = p - candidate;
          at = p;
        }
      }
      if (length == 0) {
        p += 2 + ((p - literalFrom) >> 6);
        continue;
      }
      while (at > literalFrom && at - source > offset && load<u8>(at - 1) == load<u8>(at - 1 - offset)) {
        at--;
        length++;
      }
      writeSequence(literalFrom, at, offset, length, lastOffset);
      lastOffset = offset;
      const end = at + length;
      if (at + 2 < limit) store<u32>(slotOf(load<u64>(at + 2), shift), <u32>(at + 2 - source));
      if (end - 1 < limit) store<u32>(slotOf(load<u64>(end - 1), shift), <u32>(end - 1 - source));
      p = literalFrom = end;
    }
  }
  copyLiterals(literalAt, literalFrom, sourceEnd - literalFrom, usize.MAX_VALUE);
  literalAt += sourceEnd - literalFrom;
}

/** Of the six low bytes. */
// @ts-ignore: decorator
@inline
function slotOf(word: u64, shift: u32): usize {
  return table + (((<u32>word * 0x9e3779b1 + (<u32>(word >> 32) & 0xffff) * 0x85ebca6b) >> shift) << 2);
}

// @ts-ignore: decorator
@inline
function writeSequence(from: usize, at: usize, offset: usize, matchBytes: u32, lastOffset: usize): void {
  const run = <u32>(at - from);
  const match = matchBytes - MATCH_MIN;
  copyLiterals(literalAt, from, run, usize.MAX_VALUE);
  literalAt += run;
  store<u8>(tokenAt++, <u8>((min(run, TOKEN_LITERALS_MAX) << 5) | min(match, TOKEN_MATCH_MAX)));
  if (run >= TOKEN_LITERALS_MAX) writeMore(run - TOKEN_LITERALS_MAX);
  if (match >= TOKEN_MATCH_MAX) writeMore(match - TOKEN_MATCH_MAX);
  if (offset == lastOffset) {
    store<u8>(offsetCodeAt++, 0);
    return;
  }
  const log = 31 - clz(<u32>offset);
  const half = log > 0 ? (<u32>offset >> (log - 1)) & 1 : 0;
  store<u8>(offsetCodeAt++, <u8>(1 + 2 * log + half));
  if (log > 1) {
    pending |= <u64>(<u32>offset & ((1 << (log - 1)) - 1)) << pendingBits;
    pendingBits += log - 1;
    if (pendingBits >= 32) {
      store<u32>(bitAt, <u32>pending);
      bitAt += 4;
      pending >>= 32;
      pendingBits -= 32;
    }
  }
}

function writeMore(value: u32): void {
  if (value < 254) {
    store<u8>(moreAt++, <u8>value);
    return;
  }
  const wide = value > 0xffff;
  store<u8>(moreAt, wide ? 255 : 254);
  store<u16>(moreAt + 1, <u16>value);
  moreAt += 3;
  if (wide) store<u8>(moreAt++, <u8>(value >> 16));
}

/** Decodes a packed page (its kind byte included) to exactly `rawBytes` at `out`. Returns 0 or a negative code. */
export function unpackPage(source: usize, sourceBytes: i32, work: usize, out: usize, rawBytes: u32): i32 {
  const sourceEnd = source + sourceBytes;
  if (load<u8>(source) != KIND_PACKED) return BAD_HEADER;
  let room = work;
  let fault = readStream(source + 1, sourceEnd, rawBytes, room);
  if (fault < 0) return fault;
  const literals = streamValues;
  const literalCount = streamCount;
  room += rawBytes + PAD;
  fault = readStream(streamEnd, sourceEnd, rawBytes >> 2, room);
  if (fault < 0) return fault;
  const tokens = streamValues;
  const sequenceCount = streamCount;
  room += (rawBytes >> 2) + PAD;
  fault = readStream(streamEnd, sourceEnd, rawBytes >> 2, room);
  if (fault < 0) return fault;
  const offsetCodes = streamValues;
  if (streamCount != sequenceCount) return STREAM_MISMATCH;
  room += (rawBytes >> 2) + PAD;
  fault = readStream(streamEnd, sourceEnd, (rawBytes >> 2) + 16, room);
  if (fault < 0) return fault;
  const more = streamValues;
  const moreCount = streamCount;
  if (<i32>(sourceEnd - streamEnd) < 3) return TRUNCATED;
  const bitBytes = read24(streamEnd);
  const bits = streamEnd + 3;
  if (<u32>(sourceEnd - bits) < bitBytes) return TRUNCATED;
  if (<u32>(sourceEnd - bits) > bitBytes) return TRAILING_BYTES;
  preparePatterns();
  return runSequences(literals, literalCount, tokens, offsetCodes, sequenceCount, more, more + moreCount, bits, sourceEnd, out, rawBytes);
}

function runSequences(
  literals: usize, literalCount: u32, tokens: usize, offsetCodes: usize, sequenceCount: u32, more: usize, moreEnd: usize,
  bits: usize, bitsEnd: usize, out: usize, rawBytes: u32,
): i32 {
  const outEnd = out + rawBytes;
  const literalEnd = literals + literalCount;
  let o = out;
  let literal = literals;
  let offset: usize = 1;
  // Bits of the byte at `bitPos` that are used up: 0..7.
  let bitPos = bits;
  let bitsUsed: u32 = 0;
  moreAt = more;
  for (let i: u32 = 0; i < sequenceCount; i++) {
    const token: u32 = load<u8>(tokens + i);
    let run: usize = token >> 5;
    let match: usize = token & 31;
    if (run == TOKEN_LITERALS_MAX) run += readMore(moreEnd);
    if (match == TOKEN_MATCH_MAX) match += readMore(moreEnd);
    if (moreAt > moreEnd) return STREAM_MISMATCH;
    match += MATCH_MIN;
    const offsetCode: u32 = load<u8>(offsetCodes + i);
    if (offsetCode > 0) {
      if (offsetCode > 48) return STREAM_MISMATCH;
      const log = (offsetCode - 1) >> 1;
      if (log > 1) {
        const value = (load<u32>(bitPos) >> bitsUsed) & ((1 << (log - 1)) - 1);
        offset = (<u32>(2 | ((offsetCode - 1) & 1)) << (log - 1)) | value;
        bitsUsed += log - 1;
        bitPos += bitsUsed >> 3;
        bitsUsed &= 7;
        if (bitPos + (bitsUsed > 0 ? 1 : 0) > bitsEnd) return STREAM_MISMATCH;
      } else offset = log == 0 ? 1 : 2 | ((offsetCode - 1) & 1);
    }
    if (run > literalEnd - literal) return STREAM_MISMATCH;
    if (run + match > outEnd - o) return OUTPUT_OVERRUN;
    copyLiterals(o, literal, run, outEnd);
    literal += run;
    o += run;
    if (offset > o - out) return OFFSET_BEFORE_START;
    copyMatch(o, offset, match, outEnd);
    o += match;
  }
  if (moreAt != moreEnd || bitPos + (bitsUsed > 0 ? 1 : 0) != bitsEnd) return STREAM_MISMATCH;
  const left = literalEnd - literal;
  if (left > outEnd - o) return OUTPUT_OVERRUN;
  if (left < outEnd - o) return OUTPUT_SHORT;
  memory.copy(o, literal, left);
  return 0;
}

function readMore(moreEnd: usize): usize {
  if (moreAt >= moreEnd) {
    moreAt = moreEnd + 1;
    return 0;
  }
  const first: usize = load<u8>(moreAt++);
  if (first < 254) return first;
  const at = moreAt;
  moreAt += first - 252;
  if (moreAt > moreEnd) return 0;
  return <usize>load<u16>(at) | (first == 254 ? 0 : <usize>load<u8>(at + 2) << 16);
}
