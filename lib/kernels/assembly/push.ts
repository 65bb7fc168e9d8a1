// Push requests, as typescript/push.ts describes them.

import { GROUPS_TOO_DEEP, ILLEGAL_TAG, LENGTH_PAST_END, NO_ROOM, TIME_OUT_OF_RANGE, TRUNCATED, VARINT_TOO_LONG, WRONG_WIRE_TYPE } from "./codes";
import { copyLiterals } from "./copy";

const SEC_MIN: i64 = -62_135_596_800;
const SEC_MAX: i64 = 253_402_300_799;
const GROUP_DEPTH_MAX: i32 = 32;

/**
 * Appends entries to out[at, capacity). Unless `tailIds` is 0, it has per entry the number of its tail, whose address and length are in `tails`.
 * Returns the new end, -1 when there is no room, -2 when a pick, its line or its tail is none.
 */
export function encodeEntries(
  base: usize, byteCount: i32, starts: usize, ends: usize, sec: usize, nanos: usize, count: i32, picks: usize, pickCount: i32, out: usize,
  capacity: usize, tailIds: usize, tails: usize, tailCount: i32,
): i32 {
  const outEnd = out + capacity;
  let o = out;
  for (let k = 0; k < pickCount; k++) {
    const pick = load<i32>(picks + (k << 2));
    if (<u32>pick >= <u32>count) return -2;
    const i = <usize>pick << 2;
    const start = load<i32>(starts + i);
    const end = load<i32>(ends + i);
    if (start < 0 || end < start || end > byteCount) return -2;
    const lineBytes = <u32>(end - start);
    const s = load<i32>(sec + i);
    const n = load<i32>(nanos + i);
    const secBytes: u32 = s < 0 ? 11 : s == 0 ? 0 : 1 + varintBytes(s);
    const nanosBytes: u32 = n < 0 ? 11 : n == 0 ? 0 : 1 + varintBytes(n);
    const timeBytes = secBytes + nanosBytes;
    let tail: usize = 0;
    let tailBytes: u32 = 0;
    if (tailIds != 0) {
      const id = load<i32>(tailIds + i);
      if (id >= tailCount) return -2;
      if (id >= 0) {
        tail = <usize>load<u32>(tails + (<usize>id << 3));
        tailBytes = load<u32>(tails + (<usize>id << 3) + 4);
      }
    }
    const entryBytes = 2 + timeBytes + (lineBytes == 0 ? 0 : 1 + varintBytes(lineBytes) + lineBytes) + tailBytes;
    if (1 + varintBytes(entryBytes) + entryBytes > <u32>(outEnd - o)) return -1;
    store<u8>(o++, 0x12);
    o = writeVarint(o, entryBytes);
    store<u8>(o, 0x0a);
    store<u8>(o + 1, <u8>timeBytes);
    o += 2;
    if (secBytes > 0) o = writeInt(o, 0x08, s);
    if (nanosBytes > 0) o = writeInt(o, 0x10, n);
    if (lineBytes > 0) {
      store<u8>(o++, 0x12);
      o = writeVarint(o, lineBytes);
      copyLiterals(o, base + start, lineBytes, outEnd);
      o += lineBytes;
    }
    if (tailBytes > 0) {
      copyLiterals(o, tail, tailBytes, outEnd);
      o += tailBytes;
    }
  }
  return <i32>(o - out);
}

/**
 * Appends the entries of each group, `sorted[groupEnds[g - 1], groupEnds[g])`, to its own place. Per group, `outs` holds address and room, and
 * `written` takes what `encodeEntries` returns less the address. False when a pick or its line is none.
 */
export function encodeGroups(
  base: usize, byteCount: i32, starts: usize, ends: usize, sec: usize, nanos: usize, count: i32, sorted: usize, groupEnds: usize,
  groupCount: i32, outs: usize, written: usize, tailIds: usize, tails: usize, tailCount: i32,
): bool {
  let from = 0;
  for (let group = 0; group < groupCount; group++) {
    const to = load<i32>(groupEnds + (<usize>group << 2));
    const out = outs + (<usize>group << 3);
    const picks = sorted + (<usize>from << 2);
    const bytes = encodeEntries(
      base, byteCount, starts, ends, sec, nanos, count, picks, to - from, <usize>load<u32>(out), <usize>load<u32>(out + 4),
      tailIds, tails, tailCount,
    );
    if (bytes == -2) return false;
    store<i32>(written + (<usize>group << 2), bytes);
    from = to;
  }
  return true;
}

// @ts-ignore: decorator
@inline
function varintBytes(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

// @ts-ignore: decorator
@inline
function writeVarint(out: usize, value: u32): usize {
  let o = out;
  let rest = value;
  for (; rest >= 0x80; rest >>= 7) store<u8>(o++, <u8>(rest | 0x80));
  store<u8>(o++, <u8>rest);
  return o;
}

// @ts-ignore: decorator
@inline
function writeInt(out: usize, tag: u8, value: i32): usize {
  store<u8>(out, tag);
  if (value >= 0) return writeVarint(out + 1, <u32>value);
  let rest = <u64>(<i64>value);
  for (let i: usize = 1; i < 10; i++) {
    store<u8>(out + i, <u8>(rest | 0x80));
    rest >>= 7;
  }
  store<u8>(out + 10, <u8>rest);
  return out + 11;
}

// Where the decoder stands, and what went wrong (0: nothing yet). After a fault every reader stops at once.
let pos: usize = 0;
let fault: i32 = 0;
// The request's first byte, where the columns are, and how much they hold.
let body: usize = 0;
let lineOut: usize = 0;
let lineAt: usize = 0;
let lineOutEnd: usize = 0;
let endsOut: usize = 0;
let secOut: usize = 0;
let nanosOut: usize = 0;
let entryCount: u32 = 0;
let entriesMax: u32 = 0;
let pairsOut: usize = 0;
let pairCount: u32 = 0;
let pairsMax: u32 = 0;
// The timestamp read last.
let timeSec: i64 = 0;
let timeNanos: i32 = 0;

/**
 * Decodes into columns with room for `entriesMax` entries, `streamsMax` streams, `pairsMax` pairs; `lines` has room for the body's
 * length and 64 bytes more. `counts` takes entries, streams, pairs and line bytes. Returns 0 or a negative code.
 */
export function decodePush(
  request: usize, requestBytes: i32, lines: usize, endsAt: usize, secAt: usize, nanosAt: usize, entryRoom: u32,
  streams: usize, streamRoom: u32, pairs: usize, pairRoom: u32, counts: usize,
): i32 {
  const end = request + requestBytes;
  body = request;
  pos = request;
  fault = 0;
  lineOut = lineAt = lines;
  lineOutEnd = lines + requestBytes + 64;
  endsOut = endsAt;
  secOut = secAt;
  nanosOut = nanosAt;
  entriesMax = entryRoom;
  pairsOut = pairs;
  pairsMax = pairRoom;
  entryCount = pairCount = 0;
  let streamCount: u32 = 0;
  while (pos < end) {
    const tag = readTag(end);
    if (fault) return fault;
    if (tag >> 3 != 1) {
      skipField(tag & 7, end, 0);
      if (fault) return fault;
      continue;
    }
    const streamEnd = lengthOf(tag, end);
    if (fault) return fault;
    if (streamCount == streamRoom) return NO_ROOM;
    decodeStream(streamEnd, streams + (streamCount++ << 4));
    if (fault) return fault;
  }
  store<u32>(counts, entryCount);
  store<u32>(counts + 4, streamCount);
  store<u32>(counts + 8, pairCount);
  store<u32>(counts + 12, <u32>(lineAt - lineOut));
  return 0;
}

function decodeStream(end: usize, out: usize): void {
  const first = entryCount;
  let labelsStart: u32 = 0;
  let labelsEnd: u32 = 0;
  while (pos < end) {
    const tag = readTag(end);
    if (fault) return;
    const field = tag >> 3;
    if (field == 2) {
      const entryEnd = lengthOf(tag, end);
      if (fault) return;
      decodeEntry(entryEnd);
    } else if (field == 1) {
      const labels = lengthOf(tag, end);
      if (fault) return;
      labelsStart = <u32>(pos - body);
      labelsEnd = <u32>(labels - body);
      pos = labels;
    } else if (field == 3 && (tag & 7) != 0) fault = WRONG_WIRE_TYPE;
    else skipField(tag & 7, end, 0);
    if (fault) return;
  }
  store<u32>(out, labelsStart);
  store<u32>(out + 4, labelsEnd);
  store<u32>(out + 8, first);
  store<u32>(out + 12, entryCount);
}

function decodeEntry(end: usize): void {
  let lineStart: usize = 0;
  let lineEnd: usize = 0;
  timeSec = SEC_MIN;
  timeNanos = 0;
  while (pos < end) {
    const tag = readTag(end);
    if (fault) return;
    const field = tag >> 3;
    if (field > 3) {
      skipField(tag & 7, end, 0);
      if (fault) return;
      continue;
    }
    const fieldEnd = lengthOf(tag, end);
    if (fault) return;
    if (field == 2) {
      lineStart = pos;
      lineEnd = pos = fieldEnd;
    } else if (field == 1) decodeTime(fieldEnd);
    else decodePair(fieldEnd);
    if (fault) return;
  }
  if (entryCount == entriesMax) {
    fault = NO_ROOM;
    return;
  }
  const lineBytes = lineEnd - lineStart;
  copyLiterals(lineAt, lineStart, lineBytes, lineOutEnd);
  lineAt += lineBytes;
  const at = <usize>entryCount << 2;
  entryCount++;
  store<u32>(endsOut + at, <u32>(lineAt - lineOut));
  store<u8>(lineAt++, 10);
  store<i32>(secOut + at, <i32>max<i64>(i32.MIN_VALUE, min<i64>(i32.MAX_VALUE, timeSec)));
  store<i32>(nanosOut + at, timeNanos);
}

function decodeTime(end: usize): void {
  timeSec = 0;
  timeNanos = 0;
  while (pos < end) {
    const tag = readTag(end);
    if (fault) return;
    const field = tag >> 3;
    if (field > 2) {
      skipField(tag & 7, end, 0);
      if (fault) return;
      continue;
    }
    if ((tag & 7) != 0) {
      fault = WRONG_WIRE_TYPE;
      return;
    }
    const value = readVarint(end);
    if (fault) return;
    if (field == 1) timeSec = <i64>value;
    else timeNanos = <i32>value;
  }
  if (timeSec < SEC_MIN || timeSec > SEC_MAX || <u32>timeNanos > 999_999_999) fault = TIME_OUT_OF_RANGE;
}

function decodePair(end: usize): void {
  let nameStart: u32 = 0;
  let nameEnd: u32 = 0;
  let valueStart: u32 = 0;
  let valueEnd: u32 = 0;
  while (pos < end) {
    const tag = readTag(end);
    if (fault) return;
    const field = tag >> 3;
    if (field > 2) {
      skipField(tag & 7, end, 0);
      if (fault) return;
      continue;
    }
    const fieldEnd = lengthOf(tag, end);
    if (fault) return;
    if (field == 1) {
      nameStart = <u32>(pos - body);
      nameEnd = <u32>(fieldEnd - body);
    } else {
      valueStart = <u32>(pos - body);
      valueEnd = <u32>(fieldEnd - body);
    }
    pos = fieldEnd;
  }
  if (pairCount == pairsMax) {
    fault = NO_ROOM;
    return;
  }
  const out = pairsOut + pairCount++ * 20;
  store<u32>(out, entryCount);
  store<u32>(out + 4, nameStart);
  store<u32>(out + 8, nameEnd);
  store<u32>(out + 12, valueStart);
  store<u32>(out + 16, valueEnd);
}

/** Reads the length of a field that must be length-delimited; returns where the field ends. */
// @ts-ignore: decorator
@inline
function lengthOf(tag: u32, end: usize): usize {
  if ((tag & 7) != 2) {
    fault = WRONG_WIRE_TYPE;
    return 0;
  }
  const length = readVarint(end);
  if (fault) return 0;
  if (length > <u64>(end - pos)) {
    fault = LENGTH_PAST_END;
    return 0;
  }
  return pos + <usize>length;
}

// @ts-ignore: decorator
@inline
function readTag(end: usize): u32 {
  const tag = readVarint(end);
  if (!fault && (tag > 0xffff_ffff || tag < 8)) fault = ILLEGAL_TAG;
  return <u32>tag;
}

// @ts-ignore: decorator
@inline
function readVarint(end: usize): u64 {
  if (pos < end) {
    const byte = <u64>load<u8>(pos);
    if (byte < 0x80) {
      pos++;
      return byte;
    }
  }
  return readLongVarint(end);
}

function readLongVarint(end: usize): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (pos >= end) {
      fault = TRUNCATED;
      return 0;
    }
    const byte = <u64>load<u8>(pos++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fault = VARINT_TOO_LONG;
  return 0;
}

function skipField(wireType: u32, end: usize, depth: i32): void {
  if (wireType == 0) readVarint(end);
  else if (wireType == 1) skipBytes(8, end);
  else if (wireType == 2) {
    const length = readVarint(end);
    if (!fault) skipBytes(length, end);
  } else if (wireType == 3) {
    if (depth == GROUP_DEPTH_MAX) {
      fault = GROUPS_TOO_DEEP;
      return;
    }
    for (;;) {
      const tag = readTag(end);
      if (fault || (tag & 7) == 4) return;
      skipField(tag & 7, end, depth + 1);
      if (fault) return;
    }
  } else if (wireType == 5) skipBytes(4, end);
  else fault = ILLEGAL_TAG;
}

function skipBytes(count: u64, end: usize): void {
  if (count > <u64>(end - pos)) fault = LENGTH_PAST_END;
  else pos += <usize>count;
}
