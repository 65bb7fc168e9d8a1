// Keys of logfmt lines, in plain TypeScript. Pairs are read as lib/text/logfmt.ts reads them when it is lenient: what is no pair is passed
// over up to the next blank. What takes more than one look (a key beyond ASCII, which must be UTF-8; an escape in a value that is
// asked for, or with something right behind its quote) is left to that: LOGFMT_LINE_UNSURE.

import { LOGFMT_ABSENT, LOGFMT_LINE_READ, LOGFMT_LINE_UNSURE, LOGFMT_PLAIN } from "../kernels.ts";
import { clearSlots } from "./json.ts";

const SPACE = 32;
const QUOTE = 34;
const EQUALS = 61;
const BACKSLASH = 92;

export function scanLogfmt(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  keys: readonly Uint8Array[],
  needed: number,
  verdict: Uint8Array,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): void {
  for (let i = 0; i < count; i++) {
    const slot = i * keys.length;
    clearSlots(slot, slot + keys.length, kind, valueStart, valueEnd);
    const isRead = scanPairs(bytes, starts[i]!, ends[i]!, keys, needed, slot, kind, valueStart, valueEnd);
    verdict[i] = isRead ? LOGFMT_LINE_READ : LOGFMT_LINE_UNSURE;
    if (!isRead) clearSlots(slot, slot + keys.length, kind, valueStart, valueEnd);
  }
}

function scanPairs(
  bytes: Uint8Array,
  start: number,
  end: number,
  keys: readonly Uint8Array[],
  needed: number,
  slot: number,
  kind: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
): boolean {
  let missing = needed;
  for (let p = start; ; ) {
    while (p < end && bytes[p]! <= SPACE) p++;
    if (p >= end) return true;
    const keyStart = p;
    let high = 0;
    while (p < end && isPlain(bytes[p]!)) high |= bytes[p++]!;
    if ((high & 0x80) !== 0) return false;
    if (p === end || bytes[p]! <= SPACE) continue;
    if (bytes[p] === QUOTE || p === keyStart) {
      p = blankFrom(bytes, p, end);
      continue;
    }
    const keyEnd = p;
    let from = ++p;
    let to = 0;
    if (p < end && bytes[p] === QUOTE) {
      from = ++p;
      let escaped = false;
      while (p < end && bytes[p] !== QUOTE) {
        if (bytes[p] === BACKSLASH) {
          escaped = true;
          p++;
        }
        p++;
      }
      if (p >= end) return true;
      to = p++;
      if (escaped && ((p < end && bytes[p]! > SPACE) || keyAt(bytes, keyStart, keyEnd, keys) >= 0)) return false;
    } else {
      while (p < end && isPlain(bytes[p]!)) p++;
      if (p < end && bytes[p]! > SPACE) {
        p = blankFrom(bytes, p, end);
        continue;
      }
      to = p;
    }
    if (to === from) continue;
    const k = keyAt(bytes, keyStart, keyEnd, keys);
    if (k < 0 || kind[slot + k] !== LOGFMT_ABSENT) continue;
    kind[slot + k] = LOGFMT_PLAIN;
    valueStart[slot + k] = from;
    valueEnd[slot + k] = to;
    if (k < needed && --missing === 0) return true;
  }
}

const isPlain = (byte: number): boolean => byte > SPACE && byte !== EQUALS && byte !== QUOTE;

function blankFrom(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p]! > SPACE) p++;
  return p;
}

/** Which of the keys this is, or -1. */
function keyAt(bytes: Uint8Array, start: number, end: number, keys: readonly Uint8Array[]): number {
  return keys.findIndex((key) => key.length === end - start && key.every((byte, i) => byte === bytes[start + i]));
}
