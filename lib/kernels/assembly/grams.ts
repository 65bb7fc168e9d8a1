// Gram filters, as gram-filter.ts and typescript/grams.ts describe them. Minima over eight grams are made from minima over two and
// four, in registers: those of a block of four positions are ready when the hashes of the next three blocks are.

const GRAM_WINDOW_BYTES: i32 = 12;
const RECENT_BITS: u32 = 13;
const PROBES: i32 = 3;
const recent = memory.data(4 << 13, 16);
/** Per set of lanes: the swizzle that brings them to the front. */
const fronts = memory.data(256, 16);
let frontsReady: bool = false;

function prepareFronts(): void {
  if (frontsReady) return;
  for (let lanes: u32 = 0; lanes < 16; lanes++) {
    let to = fronts + (lanes << 4);
    for (let lane: u32 = 0; lane < 4; lane++) {
      if (!((lanes >> lane) & 1)) continue;
      store<u32>(to, 0x03020100 + lane * 0x04040404);
      to += 4;
    }
  }
  frontsReady = true;
}

/** Writes the mixed hashes of all windows' minima to `grams` (four bytes per byte of input, and 64), most repeats left out. */
export function sampleGrams(bytes: usize, byteCount: i32, grams: usize): i32 {
  prepareFronts();
  const windows = byteCount - GRAM_WINDOW_BYTES + 1;
  if (windows <= 0) return 0;
  const count = collectMinima(bytes, windows, grams);
  memory.fill(recent, 0, 4 << RECENT_BITS);
  store<u32>(recent, 0xffff_ffff);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const x = mix(load<u32>(grams + (i << 2)));
    const slot = recent + ((x >> (32 - RECENT_BITS)) << 2);
    const known = load<u32>(slot) == x;
    store<u32>(slot, x);
    store<u32>(grams + (kept << 2), x);
    kept += known ? 0 : 1;
  }
  return kept;
}

/** Minima of all windows, in order, without those that are the same as the one before. */
function collectMinima(bytes: usize, windows: i32, out: usize): i32 {
  const first = windowMinimum(bytes);
  store<u32>(out, first);
  let o = out + 4;
  let last = i32x4.splat(<i32>first);
  let at = 0;
  if (windows >= 4) {
    // Hashes of block 0, 1 and 2, and what they lead to.
    const hash0 = hashes(bytes);
    const hash1 = hashes(bytes + 4);
    let hash = hashes(bytes + 8);
    let pair = pairs(hash1, hash);
    let four = fours(pairs(hash0, hash1), pair);
    let nextPair: v128;
    let nextFour: v128;
    let minima: v128;
    let nextHash: v128;
    // Twelve positions from each register of text, then the last ones four by four.
    for (; at + 12 <= windows; at += 12) {
      const text = fold(v128.load(bytes + at + 12));
      const late = lateGrams(text);
      nextHash = hashes0(text, late);
      nextPair = pairs(hash, nextHash);
      nextFour = fours(pair, nextPair);
      minima = i32x4.min_u(four, nextFour);
      o = putChanged(minima, last, o);
      last = minima;
      hash = nextHash;
      pair = nextPair;
      four = nextFour;
      nextHash = hashes4(text, late);
      nextPair = pairs(hash, nextHash);
      nextFour = fours(pair, nextPair);
      minima = i32x4.min_u(four, nextFour);
      o = putChanged(minima, last, o);
      last = minima;
      hash = nextHash;
      pair = nextPair;
      four = nextFour;
      nextHash = hashes8(text, late);
      nextPair = pairs(hash, nextHash);
      nextFour = fours(pair, nextPair);
      minima = i32x4.min_u(four, nextFour);
      o = putChanged(minima, last, o);
      last = minima;
      hash = nextHash;
      pair = nextPair;
      four = nextFour;
    }
    for (; at + 4 <= windows; at += 4) {
      nextHash = hashes(bytes + at + 12);
      nextPair = pairs(hash, nextHash);
      nextFour = fours(pair, nextPair);
      minima = i32x4.min_u(four, nextFour);
      o = putChanged(minima, last, o);
      last = minima;
      hash = nextHash;
      pair = nextPair;
      four = nextFour;
    }
  }
  let before = <u32>i32x4.extract_lane(last, 3);
  for (; at < windows; at++) {
    const minimum = windowMinimum(bytes + at);
    if (minimum == before) continue;
    store<u32>(o, minimum);
    o += 4;
    before = minimum;
  }
  return <i32>((o - out) >> 2);
}

// @ts-ignore: decorator
@inline
function pairs(a: v128, b: v128): v128 {
  return i32x4.min_u(a, i32x4.shuffle(a, b, 1, 2, 3, 4));
}

// @ts-ignore: decorator
@inline
function fours(a: v128, b: v128): v128 {
  return i32x4.min_u(a, i32x4.shuffle(a, b, 2, 3, 4, 5));
}

/** Appends the lanes of `minima` that differ from the one before, the first from the last of `last`. */
// @ts-ignore: decorator
@inline
function putChanged(minima: v128, last: v128, out: usize): usize {
  const changed = i32x4.bitmask(i32x4.ne(minima, i32x4.shuffle(last, minima, 3, 4, 5, 6)));
  v128.store(out, i8x16.swizzle(minima, v128.load(fronts + (changed << 4))));
  return out + (<usize>popcnt(changed) << 2);
}

/** Hashes of the four grams at `p` to p + 3. Reads sixteen bytes. */
// @ts-ignore: decorator
@inline
function hashes(p: usize): v128 {
  const text = fold(v128.load(p));
  return hashes0(text, lateGrams(text));
}

// @ts-ignore: decorator
@inline
function fold(raw: v128): v128 {
  const upper = i8x16.le_u(i8x16.sub(raw, i8x16.splat(65)), i8x16.splat(25));
  return v128.or(raw, v128.and(upper, i8x16.splat(32)));
}

/** -1 for each of the positions 0..11 whose gram is to be sampled late, for its hexadecimal digits. */
// @ts-ignore: decorator
@inline
function lateGrams(text: v128): v128 {
  const digits = i8x16.le_u(i8x16.sub(text, i8x16.splat(48)), i8x16.splat(9));
  const letters = i8x16.le_u(i8x16.sub(text, i8x16.splat(97)), i8x16.splat(5));
  // -1 for each digit, summed over the five bytes of each gram.
  const hex = v128.or(digits, letters);
  const two = i8x16.add(hex, i8x16.shuffle(hex, hex, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0));
  const four = i8x16.add(two, i8x16.shuffle(two, two, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1));
  const five = i8x16.add(four, i8x16.shuffle(hex, hex, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3));
  return i8x16.gt_s(i8x16.splat(-2), five);
}

// Hashes of the four grams that begin at byte 0, 4 or 8 of a register of folded text.

// @ts-ignore: decorator
@inline
function hashes0(text: v128, late: v128): v128 {
  return hashLanes(
    i8x16.shuffle(text, text, 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6),
    i8x16.shuffle(text, i32x4.splat(0), 4, 16, 16, 16, 5, 16, 16, 16, 6, 16, 16, 16, 7, 16, 16, 16),
    i8x16.shuffle(late, late, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
  );
}

// @ts-ignore: decorator
@inline
function hashes4(text: v128, late: v128): v128 {
  return hashLanes(
    i8x16.shuffle(text, text, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10),
    i8x16.shuffle(text, i32x4.splat(0), 8, 16, 16, 16, 9, 16, 16, 16, 10, 16, 16, 16, 11, 16, 16, 16),
    i8x16.shuffle(late, late, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7),
  );
}

// @ts-ignore: decorator
@inline
function hashes8(text: v128, late: v128): v128 {
  return hashLanes(
    i8x16.shuffle(text, text, 8, 9, 10, 11, 9, 10, 11, 12, 10, 11, 12, 13, 11, 12, 13, 14),
    i8x16.shuffle(text, i32x4.splat(0), 12, 16, 16, 16, 13, 16, 16, 16, 14, 16, 16, 16, 15, 16, 16, 16),
    i8x16.shuffle(late, late, 8, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11),
  );
}

// @ts-ignore: decorator
@inline
function hashLanes(low: v128, high: v128, late: v128): v128 {
  const hash = i32x4.add(i32x4.mul(low, i32x4.splat(0x9e3779b1)), i32x4.mul(high, i32x4.splat(0x85ebca6b)));
  return v128.or(i32x4.shr_u(hash, 1), v128.and(late, i32x4.splat(i32.MIN_VALUE)));
}

function windowMinimum(p: usize): u32 {
  const eight = i32x4.min_u(hashes(p), hashes(p + 4));
  const four = i32x4.min_u(eight, i32x4.shuffle(eight, eight, 2, 3, 0, 1));
  return <u32>i32x4.extract_lane(i32x4.min_u(four, i32x4.shuffle(four, four, 1, 0, 3, 2)), 0);
}

// @ts-ignore: decorator
@inline
function mix(hash: u32): u32 {
  let x = hash;
  x = (x ^ (x >> 16)) * 0x85ebca6b;
  x = (x ^ (x >> 13)) * 0xc2b2ae35;
  return x ^ (x >> 16);
}

/** Sets the bits of `count` grams in a filter of `filterBytes` bytes, which this clears first. */
export function setGrams(grams: usize, count: i32, filter: usize, filterBytes: u32): void {
  memory.fill(filter, 0, filterBytes);
  const bits = <u64>filterBytes << 3;
  for (let i = 0; i < count; i++) {
    let x = load<u32>(grams + (i << 2));
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = <u32>((<u64>x * bits) >> 32);
      const at = filter + (bit >> 3);
      store<u8>(at, <u8>(<u32>load<u8>(at) | (1 << (bit & 7))));
      x *= 0x9e3779b1;
      x ^= x >> 15;
    }
  }
}
