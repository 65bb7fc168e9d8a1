// Substring search by the two rarest bytes of the needle, sixteen positions at a time.

// @ts-ignore: decorator
@inline
function fold(byte: u32): u32 {
  return byte - 65 < 26 ? byte | 32 : byte;
}

/** 0x20 for a lower-case letter, which its upper case has not. */
// @ts-ignore: decorator
@inline
function caseBit(byte: u32): u32 {
  return byte - 97 < 26 ? 0x20 : 0;
}

/** Position of the needle in base[from, to), or -1. `ignoreCase`: the needle is folded. */
export function find(base: usize, from: i32, to: i32, needle: usize, needleBytes: i32, probeA: i32, probeB: i32, ignoreCase: bool): i32 {
  return ignoreCase
    ? findFolded(base, from, to, needle, needleBytes, probeA, probeB)
    : findExact(base, from, to, needle, needleBytes, probeA, probeB);
}

/** Reads up to 47 bytes past `to`, where the memory goes on. */
function findExact(base: usize, from: i32, to: i32, needle: usize, needleBytes: i32, probeA: i32, probeB: i32): i32 {
  const a = i8x16.splat(load<i8>(needle + probeA));
  const b = i8x16.splat(load<i8>(needle + probeB));
  const last = to - needleBytes;
  for (let at = from; at <= last; at += 32) {
    const p = base + at;
    const first = v128.and(i8x16.eq(v128.load(p + probeA), a), i8x16.eq(v128.load(p + probeB), b));
    const second = v128.and(i8x16.eq(v128.load(p + probeA + 16), a), i8x16.eq(v128.load(p + probeB + 16), b));
    if (!v128.any_true(v128.or(first, second))) continue;
    let hits: u32 = i8x16.bitmask(first) | (i8x16.bitmask(second) << 16);
    for (; hits; hits &= hits - 1) {
      const hit = at + ctz(hits);
      if (hit > last) return -1;
      if (sameExact(base + hit, needle, needleBytes)) return hit;
    }
  }
  return -1;
}

function sameExact(p: usize, needle: usize, needleBytes: i32): bool {
  let i = 0;
  for (; i + 8 <= needleBytes; i += 8) if (load<u64>(p + i) != load<u64>(needle + i)) return false;
  for (; i < needleBytes; i++) if (load<u8>(p + i) != load<u8>(needle + i)) return false;
  return true;
}

function findFolded(base: usize, from: i32, to: i32, needle: usize, needleBytes: i32, probeA: i32, probeB: i32): i32 {
  const wantedA: u32 = load<u8>(needle + probeA);
  const wantedB: u32 = load<u8>(needle + probeB);
  const a = i8x16.splat(<i8>wantedA);
  const b = i8x16.splat(<i8>wantedB);
  const maskA = i8x16.splat(<i8>caseBit(wantedA));
  const maskB = i8x16.splat(<i8>caseBit(wantedB));
  const last = to - needleBytes;
  let at = from;
  for (; at + 15 <= last; at += 16) {
    const p = base + at;
    let hits = i8x16.bitmask(
      v128.and(
        i8x16.eq(v128.or(v128.load(p + probeA), maskA), a),
        i8x16.eq(v128.or(v128.load(p + probeB), maskB), b),
      ),
    );
    for (; hits; hits &= hits - 1) {
      const hit = at + ctz(hits);
      if (sameFolded(base + hit, needle, needleBytes)) return hit;
    }
  }
  for (; at <= last; at++) if (sameFolded(base + at, needle, needleBytes)) return at;
  return -1;
}

function sameFolded(p: usize, needle: usize, needleBytes: i32): bool {
  for (let i = 0; i < needleBytes; i++) if (fold(load<u8>(p + i)) != load<u8>(needle + i)) return false;
  return true;
}

/** How often the needle is in each of the spans `picks[0, pickCount)`, counted no further than `most`. */
export function countInSpans(
  base: usize, starts: usize, ends: usize, count: i32, picks: usize, pickCount: i32, needle: usize, needleBytes: i32, probeA: i32, probeB: i32,
  ignoreCase: bool, most: i32, counts: usize,
): void {
  memory.fill(counts, 0, count);
  for (let k = 0; k < pickCount; k++) {
    const i = <usize>load<i32>(picks + (k << 2));
    const to = load<i32>(ends + (i << 2));
    let at = load<i32>(starts + (i << 2));
    let found = 0;
    while (found < most) {
      const hit = find(base, at, to, needle, needleBytes, probeA, probeB, ignoreCase);
      if (hit < 0) break;
      at = hit + 1;
      found++;
    }
    store<u8>(counts + i, <u8>found);
  }
}

/** Indexes of the lines that contain the needle, which is not empty. At most `most`. */
export function findLines(
  base: usize, baseBytes: i32, ends: usize, count: i32, needle: usize, needleBytes: i32, probeA: i32, probeB: i32, ignoreCase: bool,
  hits: usize, most: i32,
): i32 {
  if (count == 0) return 0;
  const to = min(load<i32>(ends + ((count - 1) << 2)), baseBytes);
  let found = 0;
  let line = 0;
  let from = 0;
  while (found < most) {
    const at = find(base, from, to, needle, needleBytes, probeA, probeB, ignoreCase);
    if (at < 0) break;
    while (line < count && load<i32>(ends + (line << 2)) <= at) line++;
    if (line == count) break;
    const lineStart = line == 0 ? 0 : load<i32>(ends + ((line - 1) << 2)) + 1;
    const lineEnd = load<i32>(ends + (line << 2));
    if (at < lineStart) from = lineStart;
    else if (at + needleBytes > lineEnd) from = at + 1;
    else {
      store<i32>(hits + (found++ << 2), line);
      from = lineEnd + 1;
    }
  }
  return found;
}
