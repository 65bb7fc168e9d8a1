// Kubernetes' container log form, as typescript/cri.ts describes it.

import { parsedNanos, parsedSec, parseTime } from "./rfc3339";

/** Little endian words of " stdout " and " stderr ". */
const STDOUT: u64 = 0x20_74_75_6f_64_74_73_20;
const STDERR: u64 = 0x20_72_72_65_64_74_73_20;

/**
 * Returns how many lines are irregular: not of that form, partial, or with a time that `parseTime` does not read; -1 when one is not
 * within `byteCount` bytes.
 */
export function parseCri(
  base: usize, byteCount: i32, starts: usize, ends: usize, count: i32, okOut: usize, contentStart: usize, timeEndOut: usize, timeOkOut: usize,
  secOut: usize, nanosOut: usize, streamOut: usize, streamStartOut: usize, streamEndOut: usize, flagsStartOut: usize, flagsEndOut: usize,
  partialOut: usize,
): i32 {
  let irregularCount = 0;
  for (let i = 0; i < count; i++) {
    const from = load<i32>(starts + (i << 2));
    const to = load<i32>(ends + (i << 2));
    if (from < 0 || to < from || to > byteCount) return -1;
    const start = base + from;
    const end = base + to;
    const timeEnd = endOfWord(start, end);
    const flagsStart = timeEnd + 8;
    let ok = false;
    let flagsEnd = end;
    let stream: u32 = 0;
    if (flagsStart <= end && timeEnd > start) {
      const word = load<u64>(timeEnd);
      stream = word == STDERR ? 1 : 0;
      if (word == STDOUT || word == STDERR) {
        flagsEnd = endOfWord(flagsStart, end);
        ok = flagsEnd != flagsStart && flagsEnd < end && load<u8>(flagsEnd) == 0x20;
      }
    }
    const timeOk = ok && parseTime(start, timeEnd);
    const partial = ok && flagsEnd - flagsStart == 1 && load<u8>(flagsStart) == 0x50;
    if (!timeOk || partial) irregularCount++;
    const at = i << 2;
    store<u8>(okOut + i, ok ? 1 : 0);
    store<u8>(timeOkOut + i, timeOk ? 1 : 0);
    store<u8>(streamOut + i, ok ? <u8>stream : 0);
    store<u8>(partialOut + i, partial ? 1 : 0);
    store<i32>(contentStart + at, ok ? <i32>(flagsEnd + 1 - base) : 0);
    store<i32>(timeEndOut + at, ok ? <i32>(timeEnd - base) : 0);
    store<i32>(streamStartOut + at, ok ? <i32>(timeEnd + 1 - base) : 0);
    store<i32>(streamEndOut + at, ok ? <i32>(timeEnd + 7 - base) : 0);
    store<i32>(flagsStartOut + at, ok ? <i32>(flagsStart - base) : 0);
    store<i32>(flagsEndOut + at, ok ? <i32>(flagsEnd - base) : 0);
    store<i32>(secOut + at, timeOk ? parsedSec : 0);
    store<i32>(nanosOut + at, timeOk ? parsedNanos : 0);
  }
  return irregularCount;
}

/** First of space, tab, line feed, form feed, carriage return in [at, end), else `end`. Reads up to 15 bytes past it. */
function endOfWord(at: usize, end: usize): usize {
  for (let p = at; p < end; p += 16) {
    const block = v128.load(p);
    const controls = v128.andnot(
      i8x16.lt_u(i8x16.sub(block, i8x16.splat(9)), i8x16.splat(5)),
      i8x16.eq(block, i8x16.splat(11)),
    );
    const hits = i8x16.bitmask(v128.or(i8x16.eq(block, i8x16.splat(32)), controls));
    if (hits) return min(end, p + ctz(hits));
  }
  return end;
}
