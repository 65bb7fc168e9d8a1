// Copies for the codecs. Every address that is read or written has been checked by the caller; what this file adds are whole
// registers at once, which may read up to 15 bytes past the end (memory goes on there) and write so only below `wildEnd`.

/** Per offset 1..15: sixteen indexes i mod offset, and how far one such register gets. */
const patterns = memory.data(256, 16);
const strides = memory.data(16);
let patternsReady: bool = false;

export function preparePatterns(): void {
  if (patternsReady) return;
  for (let offset: u32 = 1; offset < 16; offset++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(patterns + (offset << 4) + i, <u8>(i % offset));
    store<u8>(strides + offset, <u8>(16 - (16 % offset)));
  }
  patternsReady = true;
}

/** Copies `count` bytes that do not overlap. */
// @ts-ignore: decorator
@inline
export function copyLiterals(to: usize, from: usize, count: usize, wildEnd: usize): void {
  if (to + count + 16 <= wildEnd) {
    const end = to + count;
    let p = to;
    let q = from;
    do {
      v128.store(p, v128.load(q));
      p += 16;
      q += 16;
    } while (p < end);
  } else memory.copy(to, from, count);
}

/** Copies `count` bytes from `offset` before `to`, where what is written may be read again. */
// @ts-ignore: decorator
@inline
export function copyMatch(to: usize, offset: usize, count: usize, wildEnd: usize): void {
  const end = to + count;
  if (end + 16 <= wildEnd) {
    let p = to;
    if (offset >= 16) {
      do {
        v128.store(p, v128.load(p - offset));
        p += 16;
      } while (p < end);
    } else {
      const pattern = i8x16.swizzle(v128.load(to - offset), v128.load(patterns + (offset << 4)));
      const stride: usize = load<u8>(strides + offset);
      do {
        v128.store(p, pattern);
        p += stride;
      } while (p < end);
    }
  } else for (let p = to; p < end; p++) store<u8>(p, load<u8>(p - offset));
}

/** How many bytes at `earlier` and `later` are the same, up to `end` for the later ones. */
// @ts-ignore: decorator
@inline
export function matchLength(earlier: usize, later: usize, end: usize): u32 {
  const from = later;
  let a = earlier;
  let b = later;
  while (b + 8 <= end) {
    const differ = load<u64>(a) ^ load<u64>(b);
    if (differ) return <u32>(b - from) + (<u32>ctz(differ) >> 3);
    a += 8;
    b += 8;
  }
  while (b < end && load<u8>(a) == load<u8>(b)) {
    a++;
    b++;
  }
  return <u32>(b - from);
}
