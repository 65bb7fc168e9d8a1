// Substring search, in plain TypeScript. Exact search rides on Node's own; search without case steps by the rarest byte.

import type { Needle } from "../kernels.ts";

export function find(bytes: Uint8Array, from: number, to: number, needle: Needle): number {
  const length = needle.bytes.length;
  if (from < 0 || to > bytes.length || length > to - from) return -1;
  if (length === 0) return from;
  if (needle.ignoreCase) return findFolded(bytes, from, to, needle);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
  const at = view.indexOf(needle.bytes);
  return at < 0 ? -1 : from + at;
}

function findFolded(bytes: Uint8Array, from: number, to: number, needle: Needle): number {
  const folded = needle.bytes;
  const last = to - folded.length;
  const probe = needle.probeA;
  const wanted = folded[probe]!;
  for (let at = from; at <= last; at++) {
    if (fold(bytes[at + probe]!) !== wanted) continue;
    let i = 0;
    while (i < folded.length && fold(bytes[at + i]!) === folded[i]) i++;
    if (i === folded.length) return at;
  }
  return -1;
}

const fold = (byte: number): number => (byte >= 65 && byte <= 90 ? byte | 32 : byte);

export function findLines(bytes: Uint8Array, ends: Int32Array, count: number, needle: Needle, hits: Int32Array): number {
  let found = 0;
  if (needle.bytes.length === 0) {
    for (; found < count && found < hits.length; found++) hits[found] = found;
    return found;
  }
  const to = count === 0 ? 0 : Math.min(ends[count - 1]!, bytes.length);
  let line = 0;
  let from = 0;
  while (found < hits.length) {
    const at = find(bytes, from, to, needle);
    if (at < 0) break;
    while (line < count && ends[line]! <= at) line++;
    if (line === count) break;
    const lineStart = line === 0 ? 0 : ends[line - 1]! + 1;
    if (at < lineStart) from = lineStart;
    else if (at + needle.bytes.length > ends[line]!) from = at + 1;
    else {
      hits[found++] = line;
      from = ends[line]! + 1;
    }
  }
  return found;
}

export function countInSpans(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  picks: Int32Array,
  pickCount: number,
  needle: Needle,
  most: number,
  counts: Uint8Array,
): void {
  counts.fill(0, 0, count);
  const length = needle.bytes.length;
  // `hit` is the first occurrence at or behind `from`; past the end when there is none. Most often it says the same of several spans.
  let from = Number.POSITIVE_INFINITY;
  let hit = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    let found = 0;
    for (let at = starts[i]!; found < most; found++) {
      if (at < from || hit < at) {
        from = at;
        const next = find(bytes, at, bytes.length, needle);
        hit = next < 0 ? bytes.length : next;
      }
      if (hit + length > ends[i]!) break;
      at = hit + 1;
    }
    counts[i] = found;
  }
}
