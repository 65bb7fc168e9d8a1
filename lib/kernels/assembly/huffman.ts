// Streams of the page codec, as typescript/huffman.ts describes them (format: page-codec.ts).

import { BAD_CODE_TABLE, BAD_HEADER, STREAM_MISMATCH, TRUNCATED } from "./codes";

const CODE_BITS_MAX: u32 = 11;
const CODING_RAW: u8 = 0;
const CODING_RUN: u8 = 1;
const CODING_HUFFMAN: u8 = 2;

const counts = memory.data(256 * 4, 16);
const original = memory.data(256 * 4, 16);
const lengths = memory.data(256, 16);
/** Per value: its code, bits reversed, and above 16 bits its length. */
const codes = memory.data(256 * 4, 16);
/** Per length of code: the next one of it. */
const nextCode = memory.data(16 * 4, 16);
const order = memory.data(256, 16);
const weights = memory.data(512 * 4, 16);
const parents = memory.data(512 * 2, 16);
const depths = memory.data(512, 16);
const table = memory.data(2 << 11, 16);

/** Appends the stream of `count` values to `out`; returns where it ends. Writes up to 8 bytes past that. */
export function writeStream(values: usize, count: u32, out: usize): usize {
  memory.fill(counts, 0, 1024);
  for (let i: u32 = 0; i < count; i++) {
    const slot = counts + (<usize>load<u8>(values + i) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  if (count > 0 && load<u32>(counts + (<usize>load<u8>(values) << 2)) == count) {
    const o = writeHeader(out, CODING_RUN, count);
    store<u8>(o, load<u8>(values));
    return o + 1;
  }
  if (count >= 32) {
    const o = writeHeader(out, CODING_HUFFMAN, count);
    memory.copy(original, counts, 1024);
    buildLengths();
    let bits: u32 = 0;
    for (let value: usize = 0; value < 256; value++) bits += load<u32>(original + (value << 2)) * load<u8>(lengths + value);
    const afterTable = writeLengths(o);
    if (<u32>(afterTable - o) + 16 + (bits >> 3) < count) {
      assignCodes();
      return writeQuarters(values, count, afterTable);
    }
  }
  const o = writeHeader(out, CODING_RAW, count);
  memory.copy(o, values, count);
  return o + count;
}

// @ts-ignore: decorator
@inline
function writeHeader(out: usize, coding: u8, count: u32): usize {
  store<u8>(out, coding);
  return write24(out + 1, count);
}

// @ts-ignore: decorator
@inline
export function write24(out: usize, value: u32): usize {
  store<u16>(out, <u16>value);
  store<u8>(out + 2, <u8>(value >> 16));
  return out + 3;
}

// @ts-ignore: decorator
@inline
export function read24(at: usize): u32 {
  return <u32>load<u16>(at) | (<u32>load<u8>(at + 2) << 16);
}

function buildLengths(): void {
  for (;;) {
    let leaves: u32 = 0;
    for (let value: u32 = 0; value < 256; value++) {
      const count = load<u32>(counts + (value << 2));
      if (count == 0) continue;
      let k = leaves++;
      for (; k > 0 && load<u32>(counts + (<usize>load<u8>(order + k - 1) << 2)) > count; k--) store<u8>(order + k, load<u8>(order + k - 1));
      store<u8>(order + k, <u8>value);
    }
    for (let k: u32 = 0; k < leaves; k++) store<u32>(weights + (k << 2), load<u32>(counts + (<usize>load<u8>(order + k) << 2)));
    let leaf: u32 = 0;
    let inner = leaves;
    const nodes = leaves * 2 - 1;
    for (let node = leaves; node < nodes; node++) {
      let weight: u32 = 0;
      for (let child = 0; child < 2; child++) {
        const takeLeaf = leaf < leaves && (inner == node || load<u32>(weights + (leaf << 2)) <= load<u32>(weights + (inner << 2)));
        const taken = takeLeaf ? leaf++ : inner++;
        weight += load<u32>(weights + (taken << 2));
        store<u16>(parents + (taken << 1), <u16>node);
      }
      store<u32>(weights + (node << 2), weight);
    }
    store<u8>(depths + nodes - 1, 0);
    let deepest: u32 = 0;
    for (let node = <i32>nodes - 2; node >= 0; node--) {
      const depth = <u32>load<u8>(depths + load<u16>(parents + (node << 1))) + 1;
      store<u8>(depths + node, <u8>depth);
      if (depth > deepest) deepest = depth;
    }
    memory.fill(lengths, 0, 256);
    for (let k: u32 = 0; k < leaves; k++) store<u8>(lengths + load<u8>(order + k), load<u8>(depths + k));
    if (deepest <= CODE_BITS_MAX) return;
    for (let value: usize = 0; value < 256; value++) {
      const slot = counts + (value << 2);
      if (load<u32>(slot) > 0) store<u32>(slot, (load<u32>(slot) >> 1) | 1);
    }
  }
}

function assignCodes(): void {
  memory.fill(nextCode, 0, 64);
  for (let value: usize = 0; value < 256; value++) {
    const slot = nextCode + (<usize>load<u8>(lengths + value) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  let code: u32 = 0;
  for (let bits: usize = 1; bits <= CODE_BITS_MAX; bits++) {
    const slot = nextCode + (bits << 2);
    const count = load<u32>(slot);
    store<u32>(slot, code);
    code = (code + count) << 1;
  }
  for (let value: usize = 0; value < 256; value++) {
    const bits: u32 = load<u8>(lengths + value);
    if (bits == 0) continue;
    const slot = nextCode + (<usize>bits << 2);
    const next = load<u32>(slot);
    store<u32>(slot, next + 1);
    store<u32>(codes + (value << 2), (reverse16(next) >> (16 - bits)) | (bits << 16));
  }
}

/** The low 16 bits in the other order. */
// @ts-ignore: decorator
@inline
function reverse16(bits: u32): u32 {
  let x = ((bits >> 1) & 0x5555) | ((bits & 0x5555) << 1);
  x = ((x >> 2) & 0x3333) | ((x & 0x3333) << 2);
  x = ((x >> 4) & 0x0f0f) | ((x & 0x0f0f) << 4);
  return ((x >> 8) & 0xff) | ((x & 0xff) << 8);
}

// Half bytes written, or read, so far.
let halves: u32 = 0;
let halvesAt: usize = 0;

function putHalf(half: u32): void {
  if (halves++ & 1) {
    store<u8>(halvesAt, <u8>(load<u8>(halvesAt) | (half << 4)));
    halvesAt++;
  } else store<u8>(halvesAt, <u8>half);
}

function writeLengths(out: usize): usize {
  halves = 0;
  halvesAt = out;
  for (let value: u32 = 0; value < 256; ) {
    const length: u32 = load<u8>(lengths + value);
    let run: u32 = 1;
    while (value + run < 256 && load<u8>(lengths + value + run) == length) run++;
    value += run;
    if (length == 0) {
      if (run == 1) putHalf(0);
      else if (run < 18) {
        putHalf(12);
        putHalf(run - 2);
      } else {
        putHalf(13);
        putHalf((run - 18) & 15);
        putHalf((run - 18) >> 4);
      }
      continue;
    }
    putHalf(length);
    for (let left = run - 1; left > 0; ) {
      if (left == 1) {
        putHalf(length);
        break;
      }
      const times = min<u32>(left, 17);
      putHalf(14);
      putHalf(times - 2);
      left -= times;
    }
  }
  return halves & 1 ? halvesAt + 1 : halvesAt;
}

function writeQuarters(values: usize, count: u32, out: usize): usize {
  const quarter = count >> 2;
  let o = out + 12;
  for (let q: u32 = 0; q < 4; q++) {
    const from = o;
    let pending: u64 = 0;
    let pendingBits: u64 = 0;
    let p = values + q * quarter;
    const end = q == 3 ? values + count : p + quarter;
    for (; p < end; p++) {
      const code = load<u32>(codes + (<usize>load<u8>(p) << 2));
      pending |= <u64>(code & 0xffff) << pendingBits;
      pendingBits += code >> 16;
      if (pendingBits >= 32) {
        store<u32>(o, <u32>pending);
        o += 4;
        pending >>= 32;
        pendingBits -= 32;
      }
    }
    store<u64>(o, pending);
    o += (<usize>pendingBits + 7) >> 3;
    write24(out + 3 * q, <u32>(o - from));
  }
  return o;
}

/** Address and number of the values of the stream read last, and where it ended. */
export let streamValues: usize = 0;
export let streamCount: u32 = 0;
export let streamEnd: usize = 0;

/** Reads the stream at `at`, which may hold `countMax` values and be decoded to `room`. Returns 0 or a negative code. */
export function readStream(at: usize, end: usize, countMax: u32, room: usize): i32 {
  if (<i32>(end - at) < 4) return TRUNCATED;
  const coding = load<u8>(at);
  const count = read24(at + 1);
  const from = at + 4;
  streamCount = count;
  if (count > countMax) return STREAM_MISMATCH;
  if (coding == CODING_RAW) {
    if (<u32>(end - from) < count) return TRUNCATED;
    streamValues = from;
    streamEnd = from + count;
    return 0;
  }
  streamValues = room;
  if (coding == CODING_RUN) {
    if (from == end) return TRUNCATED;
    memory.fill(room, load<u8>(from), count);
    streamEnd = from + 1;
    return 0;
  }
  if (coding != CODING_HUFFMAN) return BAD_HEADER;
  const fault = readLengths(from, end);
  if (fault < 0) return fault;
  const bits = fillTable();
  if (bits < 0) return bits;
  return readQuarters(halvesAt, end, count, bits, room);
}

// @ts-ignore: decorator
@inline
function nextHalf(): u32 {
  const byte: u32 = load<u8>(halvesAt);
  if (halves++ & 1) {
    halvesAt++;
    return byte >> 4;
  }
  return byte & 15;
}

/** Leaves where the table ends in `halvesAt`. */
function readLengths(at: usize, end: usize): i32 {
  halves = 0;
  halvesAt = at;
  const limit = <u32>(end - at) << 1;
  for (let value: u32 = 0; value < 256; ) {
    if (halves >= limit) return TRUNCATED;
    const half = nextHalf();
    if (half <= CODE_BITS_MAX) {
      store<u8>(lengths + value++, <u8>half);
      continue;
    }
    if (half == 15 || (half == 14 && value == 0)) return BAD_CODE_TABLE;
    if (halves + (half == 13 ? 2 : 1) > limit) return TRUNCATED;
    let run = nextHalf();
    if (half == 13) run += 18 + 16 * nextHalf();
    else run += 2;
    if (run > 256 - value) return BAD_CODE_TABLE;
    memory.fill(lengths + value, half == 14 ? load<u8>(lengths + value - 1) : 0, run);
    value += run;
  }
  if (halves & 1) halvesAt++;
  return 0;
}

function fillTable(): i32 {
  let used: u32 = 0;
  let longest: u32 = 0;
  for (let value: usize = 0; value < 256; value++) {
    const length: u32 = load<u8>(lengths + value);
    if (length > 0) used += 1 << (CODE_BITS_MAX - length);
    if (length > longest) longest = length;
  }
  if (used != 1 << CODE_BITS_MAX) return BAD_CODE_TABLE;
  assignCodes();
  for (let value: u32 = 0; value < 256; value++) {
    const length: u32 = load<u8>(lengths + value);
    if (length == 0) continue;
    const entry = <u16>(value | (length << 8));
    for (let slot = load<u32>(codes + (value << 2)) & 0xffff; slot < <u32>1 << longest; slot += <u32>1 << length) {
      store<u16>(table + (slot << 1), entry);
    }
  }
  return <i32>longest;
}

/** Four streams in step. A word is loaded for each, of which five codes of eleven bits fit into the 57 bits that are sure. */
function readQuarters(at: usize, end: usize, count: u32, bits: u32, room: usize): i32 {
  if (<i32>(end - at) < 12) return TRUNCATED;
  const bytes0 = read24(at);
  const bytes1 = read24(at + 3);
  const bytes2 = read24(at + 6);
  const bytes3 = read24(at + 9);
  if (<u32>(end - at) - 12 < bytes0 + bytes1 + bytes2 + bytes3) return TRUNCATED;
  const end0 = at + 12 + bytes0;
  const end1 = end0 + bytes1;
  const end2 = end1 + bytes2;
  const end3 = end2 + bytes3;
  let p0 = at + 12;
  let p1 = end0;
  let p2 = end1;
  let p3 = end2;
  // Bits of the byte at p that are used up: 0..7.
  let used0: u64 = 0;
  let used1: u64 = 0;
  let used2: u64 = 0;
  let used3: u64 = 0;
  const mask = (<u64>1 << bits) - 1;
  const quarter = count >> 2;
  let o0 = room;
  let o1 = room + quarter;
  let o2 = o1 + quarter;
  let o3 = o2 + quarter;
  const stop = room + quarter;
  for (; o0 + 5 <= stop; o0 += 5, o1 += 5, o2 += 5, o3 += 5) {
    // Once past its end a stream is wrong, and stays so near it that all reads are within the memory.
    if (p0 > end0 || p1 > end1 || p2 > end2 || p3 > end3) return STREAM_MISMATCH;
    let word0 = load<u64>(p0) >> used0;
    let word1 = load<u64>(p1) >> used1;
    let word2 = load<u64>(p2) >> used2;
    let word3 = load<u64>(p3) >> used3;
    for (let k: usize = 0; k < 5; k++) {
      const entry0 = <u64>load<u16>(table + (<usize>(word0 & mask) << 1));
      const entry1 = <u64>load<u16>(table + (<usize>(word1 & mask) << 1));
      const entry2 = <u64>load<u16>(table + (<usize>(word2 & mask) << 1));
      const entry3 = <u64>load<u16>(table + (<usize>(word3 & mask) << 1));
      store<u8>(o0 + k, <u8>entry0);
      store<u8>(o1 + k, <u8>entry1);
      store<u8>(o2 + k, <u8>entry2);
      store<u8>(o3 + k, <u8>entry3);
      word0 >>= entry0 >> 8;
      word1 >>= entry1 >> 8;
      word2 >>= entry2 >> 8;
      word3 >>= entry3 >> 8;
      used0 += entry0 >> 8;
      used1 += entry1 >> 8;
      used2 += entry2 >> 8;
      used3 += entry3 >> 8;
    }
    p0 += <usize>(used0 >> 3);
    p1 += <usize>(used1 >> 3);
    p2 += <usize>(used2 >> 3);
    p3 += <usize>(used3 >> 3);
    used0 &= 7;
    used1 &= 7;
    used2 &= 7;
    used3 &= 7;
  }
  const left = <u32>(stop - o0);
  if (!finish(p0, used0, o0, left, end0, mask) || !finish(p1, used1, o1, left, end1, mask)) return STREAM_MISMATCH;
  if (!finish(p2, used2, o2, left, end2, mask)) return STREAM_MISMATCH;
  if (!finish(p3, used3, o3, left + (count & 3), end3, mask)) return STREAM_MISMATCH;
  streamEnd = end3;
  return 0;
}

/** Decodes the last values of a stream one by one. True when that uses the stream to its last byte and no further. */
function finish(at: usize, usedBefore: u64, out: usize, count: u32, end: usize, mask: u64): bool {
  let p = at;
  let used = usedBefore;
  for (let k: u32 = 0; k < count; k++) {
    if (p > end) return false;
    const entry: u32 = load<u16>(table + (<usize>((<u64>load<u32>(p) >> used) & mask) << 1));
    store<u8>(out + k, <u8>entry);
    used += entry >> 8;
    p += <usize>(used >> 3);
    used &= 7;
  }
  return p + (used > 0 ? 1 : 0) == end;
}
