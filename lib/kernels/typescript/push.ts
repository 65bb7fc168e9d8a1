// Push requests (reference agent-features §7.2), in plain TypeScript: entries are appended field by field, whole requests are decoded
// into columns. Strictness is that of the decoder Loki generates with gogo/protobuf: known fields must have their wire type, the
// last of repeated singular fields wins, unknown fields are skipped, a timestamp must lie in the years 1 to 9999.

import type { DecodedPush, EntryTails } from "../kernels.ts";
import {
  GROUPS_TOO_DEEP,
  ILLEGAL_TAG,
  LENGTH_PAST_END,
  malformed,
  TIME_OUT_OF_RANGE,
  TRUNCATED,
  VARINT_TOO_LONG,
  WRONG_WIRE_TYPE,
} from "../malformed.ts";

const SEC_MIN = -62_135_596_800;
const SEC_MAX = 253_402_300_799;
/** Go's zero time, which an entry without a timestamp field has. */
const SEC_OF_NO_TIME = SEC_MIN;
const GROUP_DEPTH_MAX = 32;
const NO_TAIL = new Uint8Array(0);

export function encodeEntries(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  sec: Int32Array,
  nanos: Int32Array,
  picks: Int32Array,
  pickCount: number,
  out: Uint8Array,
  at: number,
  tails?: EntryTails,
): number {
  let o = at;
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    const lineBytes = ends[i]! - starts[i]!;
    // A varint of a negative number is that of its 64-bit form, ten bytes; a zero or empty field is left out.
    const secBytes = sec[i]! < 0 ? 11 : sec[i] === 0 ? 0 : 1 + varintBytes(sec[i]!);
    const nanosBytes = nanos[i]! < 0 ? 11 : nanos[i] === 0 ? 0 : 1 + varintBytes(nanos[i]!);
    const timeBytes = secBytes + nanosBytes;
    const tail = tails?.texts[tails.ids[i]!] ?? NO_TAIL;
    const entryBytes = 2 + timeBytes + (lineBytes === 0 ? 0 : 1 + varintBytes(lineBytes) + lineBytes) + tail.length;
    if (o + 1 + varintBytes(entryBytes) + entryBytes > out.length) return -1;
    out[o++] = 0x12;
    o = writeVarint(out, o, entryBytes);
    out[o++] = 0x0a;
    out[o++] = timeBytes;
    if (secBytes > 0) o = writeInt(out, o, 0x08, sec[i]!);
    if (nanosBytes > 0) o = writeInt(out, o, 0x10, nanos[i]!);
    if (lineBytes > 0) {
      out[o++] = 0x12;
      o = writeVarint(out, o, lineBytes);
      out.set(bytes.subarray(starts[i]!, ends[i]!), o);
      o += lineBytes;
    }
    out.set(tail, o);
    o += tail.length;
  }
  return o;
}

export function encodeGroups(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  sec: Int32Array,
  nanos: Int32Array,
  sorted: Int32Array,
  groupEnds: Int32Array,
  outs: readonly Uint8Array[],
  ats: Int32Array,
  tails?: EntryTails,
): void {
  for (let group = 0, from = 0; group < outs.length; group++) {
    const to = groupEnds[group]!;
    ats[group] = encodeEntries(bytes, starts, ends, sec, nanos, sorted.subarray(from, to), to - from, outs[group]!, ats[group]!, tails);
    from = to;
  }
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

function writeInt(out: Uint8Array, at: number, tag: number, value: number): number {
  out[at] = tag;
  if (value >= 0) return writeVarint(out, at + 1, value);
  for (let i = 0; i < 4; i++) out[at + 1 + i] = ((value >> (7 * i)) & 0x7f) | 0x80;
  out[at + 5] = (value >> 28) | 0x80;
  for (let i = 6; i < 10; i++) out[at + i] = 0xff;
  out[at + 10] = 1;
  return at + 11;
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let o = at;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) out[o++] = rest | 0x80;
  out[o++] = rest;
  return o;
}

/** A column that grows. */
class Column {
  values = new Int32Array(1_024);
  length = 0;
  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Int32Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }
}

// Where the decoder stands, and the value of the varint read last: its lower and upper 32 bits.
let body: Uint8Array = new Uint8Array(0);
let pos = 0;
let low = 0;
let high = 0;
// The timestamp read last.
let timeSec = 0;
let timeNanos = 0;

const fail = (code: number): never => {
  throw malformed("push request", code, body.length);
};

export function decodePush(request: Uint8Array): DecodedPush {
  body = request;
  pos = 0;
  // Each line field costs at least its two bytes of tag and length, so lines with their line feeds take no more than the body.
  const out = { bytes: new Uint8Array(request.length), used: 0 };
  const ends = new Column();
  const sec = new Column();
  const nanos = new Column();
  const streams = new Column();
  const metadata = new Column();
  while (pos < body.length) {
    const tag = readTag(body.length);
    if (tag >>> 3 !== 1) skipField(tag & 7, body.length, 0);
    else decodeStream(lengthOf(tag, body.length));
  }
  return {
    bytes: out.bytes.subarray(0, out.used),
    entryCount: ends.length,
    ends: ends.values.subarray(0, ends.length),
    sec: sec.values.subarray(0, ends.length),
    nanos: nanos.values.subarray(0, ends.length),
    streamCount: streams.length / 4,
    streams: streams.values.subarray(0, streams.length),
    metadataCount: metadata.length / 5,
    metadata: metadata.values.subarray(0, metadata.length),
  };

  function decodeStream(end: number): void {
    const first = ends.length;
    let labelsStart = 0;
    let labelsEnd = 0;
    while (pos < end) {
      const tag = readTag(end);
      const field = tag >>> 3;
      if (field === 1) {
        labelsEnd = lengthOf(tag, end);
        labelsStart = pos;
        pos = labelsEnd;
      } else if (field === 2) decodeEntry(lengthOf(tag, end));
      else if (field === 3 && (tag & 7) !== 0) fail(WRONG_WIRE_TYPE);
      else skipField(tag & 7, end, 0);
    }
    streams.push(labelsStart);
    streams.push(labelsEnd);
    streams.push(first);
    streams.push(ends.length);
  }

  function decodeEntry(end: number): void {
    let lineStart = 0;
    let lineEnd = 0;
    timeSec = SEC_OF_NO_TIME;
    timeNanos = 0;
    while (pos < end) {
      const tag = readTag(end);
      const field = tag >>> 3;
      if (field === 1) decodeTime(lengthOf(tag, end));
      else if (field === 2) {
        lineEnd = lengthOf(tag, end);
        lineStart = pos;
        pos = lineEnd;
      } else if (field === 3) decodePair(lengthOf(tag, end));
      else skipField(tag & 7, end, 0);
    }
    out.bytes.set(body.subarray(lineStart, lineEnd), out.used);
    out.used += lineEnd - lineStart;
    ends.push(out.used);
    out.bytes[out.used++] = 10;
    // A column of 32 bits holds 1901 to 2038; a time outside is far from acceptable and stays so at the edge.
    sec.push(Math.max(-0x8000_0000, Math.min(0x7fff_ffff, timeSec)));
    nanos.push(timeNanos);
  }

  function decodePair(end: number): void {
    let nameStart = 0;
    let nameEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    while (pos < end) {
      const tag = readTag(end);
      const field = tag >>> 3;
      if (field === 1) {
        nameEnd = lengthOf(tag, end);
        nameStart = pos;
        pos = nameEnd;
      } else if (field === 2) {
        valueEnd = lengthOf(tag, end);
        valueStart = pos;
        pos = valueEnd;
      } else skipField(tag & 7, end, 0);
    }
    metadata.push(ends.length);
    metadata.push(nameStart);
    metadata.push(nameEnd);
    metadata.push(valueStart);
    metadata.push(valueEnd);
  }
}

function decodeTime(end: number): void {
  timeSec = 0;
  timeNanos = 0;
  while (pos < end) {
    const tag = readTag(end);
    const field = tag >>> 3;
    if (field > 2) {
      skipField(tag & 7, end, 0);
      continue;
    }
    if ((tag & 7) !== 0) fail(WRONG_WIRE_TYPE);
    readVarint(end);
    if (field === 1) timeSec = high * 0x1_0000_0000 + (low >>> 0);
    else timeNanos = low;
  }
  if (timeSec < SEC_MIN || timeSec > SEC_MAX || timeNanos < 0 || timeNanos > 999_999_999) fail(TIME_OUT_OF_RANGE);
}

/** Reads the length of a field that must be length-delimited; returns where the field ends. */
function lengthOf(tag: number, end: number): number {
  if ((tag & 7) !== 2) fail(WRONG_WIRE_TYPE);
  readVarint(end);
  if (high !== 0 || low >>> 0 > end - pos) fail(LENGTH_PAST_END);
  return pos + low;
}

function readTag(end: number): number {
  readVarint(end);
  if (high !== 0 || low >>> 3 === 0) fail(ILLEGAL_TAG);
  return low >>> 0;
}

/** Bits past the 64th are lost, as in Go. */
function readVarint(end: number): void {
  if (pos >= end) fail(TRUNCATED);
  low = body[pos++]!;
  high = 0;
  if (low < 0x80) return;
  low &= 0x7f;
  for (let shift = 7; shift < 70; shift += 7) {
    if (pos >= end) fail(TRUNCATED);
    const byte = body[pos++]!;
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift > 28) high |= bits << (shift - 32);
    else if (shift === 28) high |= bits >> 4;
    if (byte < 0x80) return;
  }
  fail(VARINT_TOO_LONG);
}

function skipField(wireType: number, end: number, depth: number): void {
  if (wireType === 0) readVarint(end);
  else if (wireType === 1) skipBytes(8, end);
  else if (wireType === 2) {
    readVarint(end);
    if (high !== 0) fail(LENGTH_PAST_END);
    skipBytes(low >>> 0, end);
  } else if (wireType === 3) skipGroup(end, depth);
  else if (wireType === 5) skipBytes(4, end);
  else fail(ILLEGAL_TAG);
}

function skipGroup(end: number, depth: number): void {
  if (depth === GROUP_DEPTH_MAX) fail(GROUPS_TOO_DEEP);
  for (;;) {
    const tag = readTag(end);
    if ((tag & 7) === 4) return;
    skipField(tag & 7, end, depth + 1);
  }
}

function skipBytes(count: number, end: number): void {
  if (count > end - pos) fail(LENGTH_PAST_END);
  pos += count;
}
