// Line ends, sixteen bytes at a time.

/** Lines of base[from, to): writes start and end of each that ends with a line feed, at most `most`. */
export function splitLines(base: usize, from: i32, to: i32, starts: usize, ends: usize, most: i32): i32 {
  const lf = i8x16.splat(10);
  let count = 0;
  let start = from;
  let p = from;
  for (; p + 16 <= to; p += 16) {
    let hits = i8x16.bitmask(i8x16.eq(v128.load(base + p), lf));
    while (hits) {
      if (count == most) return count;
      const end = p + ctz(hits);
      store<i32>(starts + (count << 2), start);
      store<i32>(ends + (count << 2), end);
      count++;
      start = end + 1;
      hits &= hits - 1;
    }
  }
  for (; p < to && count < most; p++) {
    if (load<u8>(base + p) != 10) continue;
    store<i32>(starts + (count << 2), start);
    store<i32>(ends + (count << 2), p);
    count++;
    start = p + 1;
  }
  return count;
}
