// The inside of JSON strings, written and read, as typescript/json-text.ts describes it.

import { copyLiterals } from "./copy";
import { behindBackslash } from "./json";

const BACKSLASH: u8 = 0x5c;
const LETTER_U: u8 = 0x75;

/** Per set of eight bytes that get a backslash: sixteen indexes that put them apart; index 8 is the backslash. */
const spread = memory.data(256 * 16, 16);
/** Per set of bytes that are left out of eight: the indexes of the others. */
const gather = memory.data(256 * 8, 16);
/** What the letter behind a backslash stands for; 0 for letters that stand for nothing. */
const short = memory.data(256, 16);
let tablesReady: bool = false;

function prepareTables(): void {
  if (tablesReady) return;
  for (let marks: u32 = 0; marks < 256; marks++) {
    let apart = spread + (<usize>marks << 4);
    let kept = gather + (<usize>marks << 3);
    for (let i: u32 = 0; i < 8; i++) {
      const marked = ((marks >> i) & 1) != 0;
      if (marked) store<u8>(apart++, 8);
      store<u8>(apart++, <u8>i);
      if (!marked) store<u8>(kept++, <u8>i);
    }
  }
  store<u8>(short + 0x22, 0x22);
  store<u8>(short + 0x5c, 0x5c);
  store<u8>(short + 0x2f, 0x2f);
  store<u8>(short + 0x62, 8);
  store<u8>(short + 0x66, 12);
  store<u8>(short + 0x6e, 10);
  store<u8>(short + 0x72, 13);
  store<u8>(short + 0x74, 9);
  tablesReady = true;
}

/** `prefixes` holds of each its address <4b> and its length <4b>. Writes up to 31 bytes past the end of what it returns. */
export function escapeJson(
  base: usize, starts: usize, ends: usize, count: i32, prefixes: usize, prefixOf: usize, suffix: usize, suffixBytes: i32,
  out: usize, outRoom: usize, textEnds: usize,
): i32 {
  prepareTables();
  const wildEnd = out + outRoom;
  let to = out;
  for (let i = 0; i < count; i++) {
    const column = <usize>i << 2;
    const prefix = prefixes + (<usize>load<i32>(prefixOf + column) << 3);
    const prefixBytes = load<u32>(prefix + 4);
    copyLiterals(to, load<u32>(prefix), prefixBytes, wildEnd);
    const past = escapeText(base + load<i32>(starts + column), base + load<i32>(ends + column), to + prefixBytes);
    if (past == 0) {
      store<i32>(textEnds + column, -1);
      continue;
    }
    copyLiterals(past, suffix, suffixBytes, wildEnd);
    to = past + suffixBytes;
    store<i32>(textEnds + column, <i32>(to - out));
  }
  return <i32>(to - out);
}

/** Where the escaped text ends that begins at `out`; 0 when there is a byte that is not ASCII. */
function escapeText(from: usize, end: usize, out: usize): usize {
  let to = out;
  for (let p = from; p < end; p += 16) {
    const block = v128.load(p);
    const left = <u32>min<usize>(end - p, 16);
    const within: u32 = (1 << left) - 1;
    const marked = v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c)));
    // Below 0x20 as signed bytes are control characters and all beyond ASCII.
    const coded = v128.or(
      v128.or(i8x16.lt_s(block, i8x16.splat(0x20)), i8x16.eq(block, i8x16.splat(0x26))),
      v128.or(i8x16.eq(block, i8x16.splat(0x3c)), i8x16.eq(block, i8x16.splat(0x3e))),
    );
    if (i8x16.bitmask(coded) & within) {
      to = escapeBytes(p, p + left, to);
      if (to == 0) return 0;
      continue;
    }
    const marks = i8x16.bitmask(marked) & within;
    if (!marks) {
      v128.store(to, block);
      to += left;
      continue;
    }
    const low = marks & 0xff;
    v128.store(to, i8x16.swizzle(i8x16.replace_lane(block, 8, BACKSLASH), v128.load(spread + (<usize>low << 4))));
    to += min<u32>(left, 8) + popcnt(low);
    if (left <= 8) continue;
    const high = marks >> 8;
    const upper = i8x16.shuffle(block, i8x16.splat(BACKSLASH), 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16);
    v128.store(to, i8x16.swizzle(upper, v128.load(spread + (<usize>high << 4))));
    to += left - 8 + popcnt(high);
  }
  return to;
}

function escapeBytes(from: usize, end: usize, out: usize): usize {
  let to = out;
  for (let p = from; p < end; p++) {
    const byte: u32 = load<u8>(p);
    if (byte >= 128) return 0;
    const letter = letterOf(byte);
    if (letter == 0) {
      store<u8>(to++, <u8>byte);
      continue;
    }
    store<u8>(to, BACKSLASH);
    store<u8>(to + 1, letter);
    to += 2;
    if (letter != LETTER_U) continue;
    store<u16>(to, 0x3030);
    store<u8>(to + 2, hexDigit(byte >> 4));
    store<u8>(to + 3, hexDigit(byte & 15));
    to += 4;
  }
  return to;
}

/** What stands behind the backslash for this byte: a letter of its own, `u`, or 0 when there is none. */
function letterOf(byte: u32): u8 {
  switch (byte) {
    case 0x22:
    case 0x5c:
      return <u8>byte;
    case 9:
      return 0x74;
    case 10:
      return 0x6e;
    case 13:
      return 0x72;
    case 0x26:
    case 0x3c:
    case 0x3e:
      return LETTER_U;
    default:
      return byte < 0x20 ? LETTER_U : 0;
  }
}

function hexDigit(value: u32): u8 {
  return <u8>(value < 10 ? 48 + value : 87 + value);
}

/** Writes up to 15 bytes past the end of each text. */
export function unescapeJson(base: usize, starts: usize, ends: usize, count: i32, out: usize, textEnds: usize): i32 {
  prepareTables();
  let to = out;
  for (let i = 0; i < count; i++) {
    const column = <usize>i << 2;
    const past = unescapeText(base + load<i32>(starts + column), base + load<i32>(ends + column), to);
    if (past != 0) to = past;
    store<i32>(textEnds + column, past == 0 ? -1 : <i32>(to - out));
  }
  return <i32>(to - out);
}

/** Where the text ends that begins at `out`; 0 for an escape that JSON does not have. */
function unescapeText(from: usize, end: usize, out: usize): usize {
  let p = from;
  let to = out;
  let carried: u32 = 0;
  while (p < end) {
    const block = v128.load(p);
    const left = <u32>min<usize>(end - p, 16);
    const within: u32 = (1 << left) - 1;
    const slashes: u32 = i8x16.bitmask(i8x16.eq(block, i8x16.splat(BACKSLASH))) & within;
    if (!(slashes | carried)) {
      v128.store(to, block);
      p += left;
      to += left;
      continue;
    }
    const behind = behindBackslash(slashes, carried) & within;
    const lost = slashes & ~behind;
    const plain = v128.or(
      v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(BACKSLASH))),
      i8x16.eq(block, i8x16.splat(0x2f)),
    );
    const others = behind & ~i8x16.bitmask(plain);
    // Up to the first letter that stands for something else, backslashes need only be left out.
    const sure = others ? ctz(others) : left;
    to = without(block, lost, sure, to);
    if (!others) {
      carried = lost >> 15;
      p += left;
      if (p >= end && (lost >> (left - 1)) != 0) return 0;
      continue;
    }
    p += sure;
    carried = 0;
    const letter = load<u8>(p);
    const char = load<u8>(short + letter);
    if (char != 0) {
      store<u8>(to++, char);
      p++;
      continue;
    }
    if (letter != LETTER_U) return 0;
    let code = fourHexDigits(p + 1, end);
    if (code < 0) return 0;
    p += 5;
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = code <= 0xdbff && p + 1 < end && load<u16>(p) == 0x755c ? fourHexDigits(p + 2, end) : -1;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
      } else code = 0xfffd;
    }
    to = writeUtf8(code, to);
  }
  return to;
}

/** Writes the first `count` bytes of the block but those of `lost`. */
// @ts-ignore: decorator
@inline
function without(block: v128, lost: u32, count: u32, out: usize): usize {
  const low = lost & ((1 << min<u32>(count, 8)) - 1) & 0xff;
  v128.store(out, i8x16.swizzle(block, v128.load64_zero(gather + (<usize>low << 3))));
  let to = out + min<u32>(count, 8) - popcnt(low);
  if (count <= 8) return to;
  const high = (lost & ((1 << count) - 1)) >> 8;
  v128.store(to, i8x16.swizzle(block, i8x16.add(v128.load64_zero(gather + (<usize>high << 3)), i8x16.splat(8))));
  return to + count - 8 - popcnt(high);
}

function fourHexDigits(at: usize, end: usize): i32 {
  if (at + 4 > end) return -1;
  let code = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte: u32 = load<u8>(at + i);
    const letter = (byte | 32) - 97;
    if (byte - 48 > 9 && letter > 5) return -1;
    code = (code << 4) | <i32>(byte - 48 <= 9 ? byte - 48 : letter + 10);
  }
  return code;
}

function writeUtf8(code: u32, at: usize): usize {
  if (code < 0x80) {
    store<u8>(at, <u8>code);
    return at + 1;
  }
  let to = at;
  if (code < 0x800) store<u8>(to++, <u8>(0xc0 | (code >> 6)));
  else {
    if (code < 0x10000) store<u8>(to++, <u8>(0xe0 | (code >> 12)));
    else {
      store<u8>(to++, <u8>(0xf0 | (code >> 18)));
      store<u8>(to++, <u8>(0x80 | ((code >> 12) & 0x3f)));
    }
    store<u8>(to++, <u8>(0x80 | ((code >> 6) & 0x3f)));
  }
  store<u8>(to, <u8>(0x80 | (code & 0x3f)));
  return to + 1;
}
