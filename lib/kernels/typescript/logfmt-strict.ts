// Keys of logfmt lines, in plain TypeScript, as go-logfmt reads them. Only lines without anything out of the ordinary are read: an escaped
// value, a key beyond ASCII and any fault (which ends the reading of a line, but not what was read before) are left to a full scanner.

import { LOGFMT_LINE_READ, LOGFMT_PLAIN } from "../kernels.ts";
import { clearSlots } from "./json.ts";

const LINE_FEED = 10;
const SPACE = 32;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

export function scanStrictLogfmt(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  picks: Int32Array,
  pickCount: number,
  keys: readonly Uint8Array[],
  verdict: Uint8Array,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): void {
  const width = keys.length;
  verdict.fill(0, 0, count);
  clearSlots(0, count * width, kind, valueStart, valueEnd);
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    const slot = i * width;
    if (scanPairs(bytes, starts[i]!, ends[i]!, keys, slot, kind, valueStart, valueEnd)) verdict[i] = LOGFMT_LINE_READ;
    else clearSlots(slot, slot + width, kind, valueStart, valueEnd);
  }
}

function scanPairs(
  bytes: Uint8Array,
  start: number,
  end: number,
  keys: readonly Uint8Array[],
  slot: number,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): boolean {
  let p = start;
  for (;;) {
    while (p < end && bytes[p]! <= SPACE) p++;
    if (p >= end) return true;
    const keyStart = p;
    p = tokenEnd(bytes, p, end);
    const keyEnd = p;
    for (let q = keyStart; q < keyEnd; q++) if (bytes[q]! >= 128) return false;
    let from = p;
    let to = p;
    if (p < end && bytes[p]! > SPACE) {
      if (keyEnd === keyStart || bytes[p] !== EQUALS) return false;
      from = p + 1;
      if (from < end && bytes[from] === QUOTE) {
        to = quotedEnd(bytes, ++from, end);
        if (to < 0) return false;
        p = to + 1;
      } else {
        p = to = tokenEnd(bytes, from, end);
        if (p < end && bytes[p]! > SPACE) return false;
      }
    }
    for (let k = 0; k < keys.length; k++) {
      if (!sameBytes(bytes, keyStart, keyEnd, keys[k]!)) continue;
      kind[slot + k] = LOGFMT_PLAIN;
      valueStart[slot + k] = from;
      valueEnd[slot + k] = to;
    }
  }
}

/** Where the next blank, equals sign or quote is, or the end. */
function tokenEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p]! > SPACE && bytes[p] !== EQUALS && bytes[p] !== QUOTE) p++;
  return p;
}

/** The quote that ends the value, or -1 when there is none, or an escape or a line feed before it. */
function quotedEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let p = at; p < end; p++) {
    if (bytes[p] === QUOTE) return p;
    if (bytes[p] === BACKSLASH || bytes[p] === LINE_FEED) return -1;
  }
  return -1;
}

function sameBytes(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (end - start !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
  return true;
}
