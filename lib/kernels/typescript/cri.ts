// Kubernetes' container log form, in plain TypeScript: Promtail's ^(?s)(?P<time>\S+?) (?P<stream>stdout|stderr) (?P<flags>\S+?)
// (?P<content>.*)$ (reference agent-features §2.7).

import type { CriColumns } from "../kernels.ts";
import { parsedNanos, parsedSec, parseTime } from "./rfc3339.ts";

export function parseCri(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, out: CriColumns): number {
  let irregularCount = 0;
  for (let i = 0; i < count; i++) {
    parseLine(bytes, starts[i]!, ends[i]!, i, out);
    if (out.timeOk[i] === 0 || out.partial[i] === 1) irregularCount++;
  }
  return irregularCount;
}

function parseLine(bytes: Uint8Array, start: number, end: number, i: number, out: CriColumns): void {
  const timeEnd = endOfWord(bytes, start, end);
  const flagsStart = timeEnd + 8;
  const stream = flagsStart <= end && timeEnd > start ? streamAt(bytes, timeEnd) : -1;
  const flagsEnd = stream < 0 ? end : endOfWord(bytes, flagsStart, end);
  if (stream < 0 || flagsEnd === flagsStart || flagsEnd === end || bytes[flagsEnd] !== 0x20) {
    out.ok[i] = out.timeOk[i] = out.stream[i] = out.partial[i] = 0;
    out.contentStart[i] = out.timeEnd[i] = out.sec[i] = out.nanos[i] = out.flagsStart[i] = out.flagsEnd[i] = 0;
    out.streamStart[i] = out.streamEnd[i] = 0;
    return;
  }
  const timeOk = parseTime(bytes, start, timeEnd);
  out.ok[i] = 1;
  out.timeEnd[i] = timeEnd;
  out.timeOk[i] = timeOk ? 1 : 0;
  out.sec[i] = timeOk ? parsedSec : 0;
  out.nanos[i] = timeOk ? parsedNanos : 0;
  out.stream[i] = stream;
  out.streamStart[i] = timeEnd + 1;
  out.streamEnd[i] = timeEnd + 7;
  out.flagsStart[i] = flagsStart;
  out.flagsEnd[i] = flagsEnd;
  out.partial[i] = flagsEnd - flagsStart === 1 && bytes[flagsStart] === 0x50 ? 1 : 0;
  out.contentStart[i] = flagsEnd + 1;
}

/** First byte of `bytes[at, end)` that RE2's `\s` matches: space, tab, line feed, form feed, carriage return; `end` if there is none. */
function endOfWord(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte <= 32 && (byte === 32 || (byte >= 9 && byte <= 13 && byte !== 11))) break;
    p++;
  }
  return p;
}

/** 0 when ` stdout ` is at `at`, 1 when ` stderr ` is, else -1. Eight bytes are there. */
function streamAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 0x20 || bytes[at + 1] !== 0x73 || bytes[at + 2] !== 0x74 || bytes[at + 3] !== 0x64 || bytes[at + 7] !== 0x20) return -1;
  if (bytes[at + 4] === 0x6f && bytes[at + 5] === 0x75 && bytes[at + 6] === 0x74) return 0;
  return bytes[at + 4] === 0x65 && bytes[at + 5] === 0x72 && bytes[at + 6] === 0x72 ? 1 : -1;
}
