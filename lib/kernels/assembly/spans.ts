// What many spans come to, as typescript/spans.ts describes it.

/**
 * Of the spans `picks[0, pickCount)` (all of 0..count when `picks` is 0): where the first begins and the last ends, their bytes in all, and,
 * unless `base` is 0, at how many of them a UTF-8 character is cut; to four words at `out`. False when one is not within
 * `byteCount` bytes, or they are too many bytes for a word.
 */
export function surveySpans(
  base: usize, byteCount: i32, starts: usize, ends: usize, count: i32, picks: usize, pickCount: i32, out: usize,
): bool {
  let low = byteCount;
  let high = 0;
  let sum: i64 = 0;
  let cutCount = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks == 0 ? k : load<i32>(picks + (<usize>k << 2));
    if (<u32>i >= <u32>count) return false;
    const start = load<i32>(starts + (<usize>i << 2));
    const end = load<i32>(ends + (<usize>i << 2));
    if (start < 0 || end < start || end > byteCount) return false;
    low = min(low, start);
    high = max(high, end);
    sum += end - start;
    if (base == 0) continue;
    if ((start < byteCount && isContinuation(base + start)) || (end < byteCount && isContinuation(base + end))) cutCount++;
  }
  if (sum > <i64>i32.MAX_VALUE) return false;
  store<i32>(out, min(low, high));
  store<i32>(out + 4, high);
  store<i32>(out + 8, <i32>sum);
  store<i32>(out + 12, cutCount);
  return true;
}

/** How many of the first spans of `picks[0, pickCount)` come to no more than `bytesMax`, and at `out` what they come to. */
export function fitSpans(starts: usize, ends: usize, count: i32, picks: usize, pickCount: i32, bytesMax: i32, out: usize): i32 {
  let sum = 0;
  let k = 0;
  for (; k < pickCount; k++) {
    const i = load<i32>(picks + (<usize>k << 2));
    if (<u32>i >= <u32>count) return -1;
    const bytes = load<i32>(ends + (<usize>i << 2)) - load<i32>(starts + (<usize>i << 2));
    if (bytes > bytesMax - sum) break;
    sum += bytes;
  }
  store<i32>(out, sum);
  return k;
}

// @ts-ignore: decorator
@inline
function isContinuation(at: usize): bool {
  return (load<u8>(at) & 0xc0) == 0x80;
}

/** Sorts `picks` by their group, order kept within each. False when an index or a group is none. */
export function groupPicks(
  picks: usize, pickCount: i32, groups: usize, count: i32, groupCount: i32, sorted: usize, groupEnds: usize,
): bool {
  memory.fill(groupEnds, 0, <usize>groupCount << 2);
  for (let k = 0; k < pickCount; k++) {
    const i = load<i32>(picks + (<usize>k << 2));
    if (<u32>i >= <u32>count) return false;
    const group = load<i32>(groups + (<usize>i << 2));
    if (<u32>group >= <u32>groupCount) return false;
    const at = groupEnds + (<usize>group << 2);
    store<i32>(at, load<i32>(at) + 1);
  }
  let sum = 0;
  for (let group = 0; group < groupCount; group++) {
    const at = groupEnds + (<usize>group << 2);
    const size = load<i32>(at);
    store<i32>(at, sum);
    sum += size;
  }
  for (let k = 0; k < pickCount; k++) {
    const i = load<i32>(picks + (<usize>k << 2));
    const at = groupEnds + (<usize>load<i32>(groups + (<usize>i << 2)) << 2);
    const to = load<i32>(at);
    store<i32>(sorted + (<usize>to << 2), i);
    store<i32>(at, to + 1);
  }
  return true;
}
