// Streams of the page codec (page-codec.ts), in plain TypeScript. The WebAssembly kernel takes the same choices.

import { BAD_CODE_TABLE, BAD_HEADER, STREAM_MISMATCH, TRUNCATED } from "../malformed.ts";
import { CODE_BITS_MAX, CODING_HUFFMAN, CODING_RAW, CODING_RUN } from "../page-codec.ts";

const counts = new Uint32Array(256);
const lengths = new Uint8Array(256);
const codes = new Uint16Array(256);
// The tree: leaves 0..n by ascending count, inner nodes behind them.
const order = new Uint16Array(256);
const weights = new Uint32Array(512);
const parents = new Uint16Array(512);
const depths = new Uint8Array(512);

/** Appends the stream of `values[0, count)` to `out`; returns where it ends. */
export function writeStream(values: Uint8Array, count: number, out: Uint8Array, at: number): number {
  counts.fill(0);
  for (let i = 0; i < count; i++) counts[values[i]!]!++;
  if (count > 0 && counts[values[0]!] === count) {
    const o = writeHeader(out, at, CODING_RUN, count);
    out[o] = values[0]!;
    return o + 1;
  }
  if (count >= 32) {
    const o = writeHeader(out, at, CODING_HUFFMAN, count);
    let bits = 0;
    const original = counts.slice();
    buildLengths();
    for (let value = 0; value < 256; value++) bits += original[value]! * lengths[value]!;
    const afterTable = writeLengths(out, o);
    if (afterTable - o + 16 + (bits >>> 3) < count) {
      assignCodes();
      return writeQuarters(values, count, out, afterTable);
    }
  }
  const o = writeHeader(out, at, CODING_RAW, count);
  out.set(values.subarray(0, count), o);
  return o + count;
}

function writeHeader(out: Uint8Array, at: number, coding: number, count: number): number {
  out[at] = coding;
  return write24(out, at + 1, count);
}

export function write24(out: Uint8Array, at: number, value: number): number {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  return at + 3;
}

export const read24 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);

/** Code lengths from `counts`, of which two or more are not 0. Counts are halved until no code is too long. */
function buildLengths(): void {
  for (;;) {
    let leaves = 0;
    for (let value = 0; value < 256; value++) {
      if (counts[value] === 0) continue;
      let k = leaves++;
      for (; k > 0 && counts[order[k - 1]!]! > counts[value]!; k--) order[k] = order[k - 1]!;
      order[k] = value;
    }
    for (let k = 0; k < leaves; k++) weights[k] = counts[order[k]!]!;
    // Two queues, both ascending: leaves not yet joined, and inner nodes not yet joined.
    let leaf = 0;
    let inner = leaves;
    const nodes = 2 * leaves - 1;
    for (let node = leaves; node < nodes; node++) {
      let weight = 0;
      for (let child = 0; child < 2; child++) {
        const takeLeaf = leaf < leaves && (inner === node || weights[leaf]! <= weights[inner]!);
        const taken = takeLeaf ? leaf++ : inner++;
        weight += weights[taken]!;
        parents[taken] = node;
      }
      weights[node] = weight;
    }
    depths[nodes - 1] = 0;
    let deepest = 0;
    for (let node = nodes - 2; node >= 0; node--) {
      const depth = depths[parents[node]!]! + 1;
      depths[node] = depth;
      if (depth > deepest) deepest = depth;
    }
    lengths.fill(0);
    for (let k = 0; k < leaves; k++) lengths[order[k]!] = depths[k]!;
    if (deepest <= CODE_BITS_MAX) return;
    for (let value = 0; value < 256; value++) if (counts[value]! > 0) counts[value] = (counts[value]! >>> 1) | 1;
  }
}

/** Canonical codes from `lengths`, their bits reversed. */
function assignCodes(): void {
  let code = 0;
  for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
    for (let value = 0; value < 256; value++) {
      if (lengths[value] !== bits) continue;
      let reversed = 0;
      for (let b = 0; b < bits; b++) reversed |= ((code >>> b) & 1) << (bits - 1 - b);
      codes[value] = reversed;
      code++;
    }
    code <<= 1;
  }
}

function writeLengths(out: Uint8Array, at: number): number {
  let o = at;
  let halves = 0;
  const put = (half: number): void => {
    if (halves++ % 2 === 0) out[o] = half;
    else out[o++]! |= half << 4;
  };
  for (let value = 0; value < 256; ) {
    const length = lengths[value]!;
    let run = 1;
    while (value + run < 256 && lengths[value + run] === length) run++;
    value += run;
    if (length === 0) {
      if (run === 1) put(0);
      else if (run < 18) {
        put(12);
        put(run - 2);
      } else {
        put(13);
        put((run - 18) & 15);
        put((run - 18) >>> 4);
      }
      continue;
    }
    put(length);
    for (let left = run - 1; left > 0; ) {
      if (left === 1) {
        put(length);
        break;
      }
      const times = Math.min(left, 17);
      put(14);
      put(times - 2);
      left -= times;
    }
  }
  return halves % 2 === 0 ? o : o + 1;
}

function writeQuarters(values: Uint8Array, count: number, out: Uint8Array, at: number): number {
  const quarter = count >>> 2;
  let o = at + 12;
  for (let q = 0; q < 4; q++) {
    const from = o;
    let pending = 0;
    let pendingBits = 0;
    for (let i = q * quarter, to = q === 3 ? count : i + quarter; i < to; i++) {
      const value = values[i]!;
      pending |= codes[value]! << pendingBits;
      pendingBits += lengths[value]!;
      for (; pendingBits >= 8; pendingBits -= 8) {
        out[o++] = pending;
        pending >>>= 8;
      }
    }
    if (pendingBits > 0) out[o++] = pending;
    write24(out, at + 3 * q, o - from);
  }
  return o;
}

/** The values of the stream read last, and where it ended. */
export let streamValues: Uint8Array = new Uint8Array(0);
export let streamCount = 0;
export let streamEnd = 0;

const table = new Uint16Array(1 << CODE_BITS_MAX);

/** Reads the stream at `at` into `streamValues`; it may hold `countMax` values. Returns 0 or a code of malformed.ts. */
export function readStream(source: Uint8Array, at: number, countMax: number): number {
  if (source.length - at < 4) return TRUNCATED;
  const coding = source[at]!;
  const count = read24(source, at + 1);
  const from = at + 4;
  streamCount = count;
  if (count > countMax) return STREAM_MISMATCH;
  if (coding === CODING_RAW) {
    if (source.length - from < count) return TRUNCATED;
    streamValues = source.subarray(from, from + count);
    streamEnd = from + count;
    return 0;
  }
  if (coding === CODING_RUN) {
    if (from === source.length) return TRUNCATED;
    streamValues = new Uint8Array(count).fill(source[from]!);
    streamEnd = from + 1;
    return 0;
  }
  if (coding !== CODING_HUFFMAN) return BAD_HEADER;
  const afterTable = readLengths(source, from);
  if (afterTable < 0) return afterTable;
  const bits = fillTable();
  if (bits < 0) return bits;
  return readQuarters(source, afterTable, count, bits);
}

function readLengths(source: Uint8Array, at: number): number {
  let halves = 2 * at;
  const limit = 2 * source.length;
  const next = (): number => {
    const byte = source[halves >>> 1]!;
    return halves++ % 2 === 0 ? byte & 15 : byte >>> 4;
  };
  for (let value = 0; value < 256; ) {
    if (halves >= limit) return TRUNCATED;
    const half = next();
    if (half <= CODE_BITS_MAX) {
      lengths[value++] = half;
      continue;
    }
    if (half === 15 || (half === 14 && value === 0)) return BAD_CODE_TABLE;
    if (halves + (half === 13 ? 2 : 1) > limit) return TRUNCATED;
    let run = next();
    if (half === 13) run += 18 + 16 * next();
    else run += 2;
    if (run > 256 - value) return BAD_CODE_TABLE;
    lengths.fill(half === 14 ? lengths[value - 1]! : 0, value, value + run);
    value += run;
  }
  return (halves + 1) >>> 1;
}

/** Fills the table that has, for the next bits of a stream, the value in the low byte and its code's length above. Returns the bits. */
function fillTable(): number {
  let used = 0;
  let longest = 0;
  for (let value = 0; value < 256; value++) {
    const length = lengths[value]!;
    if (length > 0) used += 1 << (CODE_BITS_MAX - length);
    if (length > longest) longest = length;
  }
  if (used !== 1 << CODE_BITS_MAX) return BAD_CODE_TABLE;
  assignCodes();
  for (let value = 0; value < 256; value++) {
    const length = lengths[value]!;
    if (length === 0) continue;
    for (let slot = codes[value]!; slot < 1 << longest; slot += 1 << length) table[slot] = value | (length << 8);
  }
  return longest;
}

function readQuarters(source: Uint8Array, at: number, count: number, bits: number): number {
  if (source.length - at < 12) return TRUNCATED;
  const values = new Uint8Array(count);
  const quarter = count >>> 2;
  const mask = (1 << bits) - 1;
  let total = 0;
  for (let q = 0; q < 4; q++) total += read24(source, at + 3 * q);
  if (source.length - at - 12 < total) return TRUNCATED;
  let from = at + 12;
  for (let q = 0; q < 4; q++) {
    const end = from + read24(source, at + 3 * q);
    let p = from;
    let pending = 0;
    let pendingBits = 0;
    let used = 0;
    for (let i = q * quarter, to = q === 3 ? count : i + quarter; i < to; i++) {
      while (pendingBits < bits) {
        // Past the end there is nothing but zeros; that they were used shows below.
        if (p < end) pending |= source[p]! << pendingBits;
        p++;
        pendingBits += 8;
      }
      const entry = table[pending & mask]!;
      values[i] = entry;
      pending >>>= entry >>> 8;
      pendingBits -= entry >>> 8;
      used += entry >>> 8;
    }
    if (Math.ceil(used / 8) !== end - from) return STREAM_MISMATCH;
    from = end;
  }
  streamValues = values;
  streamEnd = from;
  return 0;
}
