// What the lines of a batch come to, in plain TypeScript.

import type { LineSurvey } from "../kernels.ts";

export function surveyLines(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, picks: Int32Array, pickCount: number): LineSurvey {
  let from = bytes.length;
  let to = 0;
  let lineBytes = 0;
  let cutCount = 0;
  for (let k = 0; k < pickCount; k++) {
    const start = starts[picks[k]!]!;
    const end = ends[picks[k]!]!;
    from = Math.min(from, start);
    to = Math.max(to, end);
    lineBytes += end - start;
    if (isContinuation(bytes[start]!) || isContinuation(bytes[end]!)) cutCount++;
  }
  return { from: Math.min(from, to), to, lineBytes, cutCount };
}

/** Whether a byte continues a UTF-8 character; no byte does not. */
function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

export function fitLines(
  starts: Int32Array,
  ends: Int32Array,
  picks: Int32Array,
  pickCount: number,
  bytesMax: number,
): { readonly count: number; readonly bytes: number } {
  let bytes = 0;
  let count = 0;
  for (; count < pickCount; count++) {
    const lineBytes = ends[picks[count]!]! - starts[picks[count]!]!;
    if (lineBytes > bytesMax - bytes) break;
    bytes += lineBytes;
  }
  return { count, bytes };
}

/** A counting sort. */
export function groupPicks(
  picks: Int32Array,
  pickCount: number,
  groups: Int32Array,
  groupCount: number,
  sorted: Int32Array,
  groupEnds: Int32Array,
): void {
  groupEnds.fill(0, 0, groupCount);
  for (let k = 0; k < pickCount; k++) groupEnds[groups[picks[k]!]!]!++;
  for (let group = 0, sum = 0; group < groupCount; group++) {
    const size = groupEnds[group]!;
    groupEnds[group] = sum;
    sum += size;
  }
  for (let k = 0; k < pickCount; k++) sorted[groupEnds[groups[picks[k]!]!]!++] = picks[k]!;
}
