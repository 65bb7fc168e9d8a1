// Numbers of texts, as typescript/numbers.ts describes them.

import { sameBytes } from "./json";

const PLAIN_STRING: u8 = 1;
const NUMBER: u8 = 3;
const TRUE: u8 = 4;
const FALSE: u8 = 5;
const NULL: u8 = 6;
const NOTHING: i32 = -1;
const ODD: i32 = -2;
const TEXT_BYTES_MAX: u32 = 64;
const EXACT_DIGITS: u32 = 15;
/** Twice as many as there are numbers at most. */
const SLOTS_BITS: u32 = 9;
const SLOTS: usize = 1 << SLOTS_BITS;
/** By slot: 1 + the number of the text there, or 0. */
const table = memory.data(1 << 10, 16);

/**
 * Numbers the texts of the entries `picks[0, pickCount)`, at most `most` (256) different ones. Two words at `out` take how many there are,
 * and how many entries are odd. False when a pick or a span is none.
 */
export function numberTexts(
  base: usize, byteCount: i32, kinds: usize, starts: usize, ends: usize, stride: i32, offset: i32, count: i32, picks: usize, pickCount: i32,
  numbers: usize, firsts: usize, most: i32, out: usize,
): bool {
  memory.fill(table, 0, SLOTS << 1);
  let textCount = 0;
  let oddCount = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = load<i32>(picks + (<usize>k << 2));
    if (<u32>i >= <u32>count) return false;
    const slot = <usize>(i * stride + offset);
    const kind = load<u8>(kinds + slot);
    let number = ODD;
    if (kind == NULL) number = NOTHING;
    else if (kind == PLAIN_STRING || (kind >= NUMBER && kind <= FALSE)) {
      const from = load<i32>(starts + (slot << 2));
      const to = load<i32>(ends + (slot << 2));
      if (from < 0 || to < from || to > byteCount) return false;
      const start = base + from;
      const length = <u32>(to - from);
      if (length <= TEXT_BYTES_MAX && (kind != NUMBER || isWhole(start, length))) {
        let at = hashOf(start, length);
        for (;;) {
          const known = <i32>load<u16>(table + (at << 1)) - 1;
          if (known < 0) {
            if (textCount == most) break;
            number = textCount++;
            store<i32>(firsts + (<usize>number << 2), i);
            store<u16>(table + (at << 1), <u16>textCount);
            break;
          }
          const first = (<usize>load<i32>(firsts + (<usize>known << 2)) * stride + offset) << 2;
          const knownFrom = load<i32>(starts + first);
          if (<u32>(load<i32>(ends + first) - knownFrom) == length && sameBytes(base + knownFrom, start, length)) {
            number = known;
            break;
          }
          at = (at + 1) & (SLOTS - 1);
        }
      }
    }
    if (number == ODD) oddCount++;
    store<i32>(numbers + (<usize>i << 2), number);
  }
  store<i32>(out, textCount);
  store<i32>(out + 4, oddCount);
  return true;
}

/** Reads up to seven bytes past the text. */
// @ts-ignore: decorator
@inline
function hashOf(start: usize, length: u32): usize {
  const head = length >= 8 ? load<u64>(start) : length == 0 ? 0 : load<u64>(start) << (64 - (length << 3));
  const tail = length > 8 ? load<u64>(start + length - 8) : 0;
  return <usize>(((head * 0x9e3779b97f4a7c15) ^ ((tail + length) * 0xc2b2ae3d27d4eb4f)) >> (64 - SLOTS_BITS));
}

function isWhole(start: usize, length: u32): bool {
  if (length > EXACT_DIGITS) return false;
  for (let p = start; p < start + length; p++) if (<u32>load<u8>(p) - 48 > 9) return false;
  return true;
}
