// JSON lines of a shape. Most lines of a source have the members of the line before, in its order, and the same text between their values:
// then that text is compared instead of read, and only values are. What differs is read on by `scanMembers` from where it begins to.

import { ABSENT, ESCAPED_STRING, PLAIN_STRING, escaped, scanLine, scanMembers, setValueKind, skipSpace, stringEnd, valueEndOf, valueKind } from "./json";

const MEMBERS_MAX: i32 = 64;

/** The members of the line learned last, each: address and bytes of what stands before its value, and which wanted key it is, or -1. */
const shape = memory.data(64 * 12, 16);
let members: i32 = 0;
/** What stands behind the last value. */
let tailAt: usize = 0;
let tailBytes: u32 = 0;
/** Lines since `forgetShape` that had another shape. */
let others: u32 = 0;

/** Comes before the first line of a call. */
export function forgetShape(): void {
  members = 0;
  others = 0;
}

/** Finds what `scanLine` finds. `linesLeft` counts this line, too. */
export function scanShaped(
  base: usize, start: usize, end: usize, keys: usize, keyCount: i32, rules: i32, lengths: u64, kinds: usize, starting: usize, ending: usize,
  linesLeft: i32,
): bool {
  let good: bool;
  if (members == 0) good = scanLine(base, start, end, keys, keyCount, rules, lengths, kinds, starting, ending);
  else {
    const p = readAlike(base, start, end, kinds, starting, ending);
    if (p == end + 1) return true;
    // Behind a value, or at the start of the line.
    good =
      p != 0 &&
      (p == start
        ? scanLine(base, start, end, keys, keyCount, rules, lengths, kinds, starting, ending)
        : scanMembers(base, p, end, true, keys, keyCount, rules, lengths, kinds, starting, ending));
  }
  // Few lines are not worth learning, nor are many shapes one by one.
  if (good && linesLeft > 4 && (others < 3 || (others & 15) == 0)) learn(base, start, end, keyCount, kinds, starting, ending);
  others++;
  return good;
}

/** Reads the line as far as it has the learned shape: to where the text between values differs, or `end + 1`. 0 for a value that is none. */
function readAlike(base: usize, start: usize, end: usize, kinds: usize, starting: usize, ending: usize): usize {
  let p = start;
  for (let m = 0; m < members; m++) {
    const member = shape + <usize>(m * 12);
    const textBytes = load<u32>(member + 4);
    if (p + textBytes >= end || !sameText(p, load<u32>(member), textBytes)) return p;
    const from = p + textBytes;
    // More blanks than in the learned line.
    if (load<u8>(from) <= 32) return p;
    p = commonValueEnd(from, end);
    if (p == 0) return 0;
    const k = load<i32>(member + 8);
    if (k < 0) continue;
    const quoted: usize = valueKind <= ESCAPED_STRING ? 1 : 0;
    store<u8>(kinds + k, valueKind);
    store<i32>(starting + (k << 2), <i32>(from + quoted - base));
    store<i32>(ending + (k << 2), <i32>(p - quoted - base));
  }
  return <u32>(end - p) == tailBytes && sameText(p, tailAt, tailBytes) ? end + 1 : p;
}

/** `valueEndOf`, with strings first. */
// @ts-ignore: decorator
@inline
function commonValueEnd(at: usize, end: usize): usize {
  if (load<u8>(at) != 0x22) return valueEndOf(at, end);
  const close = stringEnd(at + 1, end);
  setValueKind(escaped ? ESCAPED_STRING : PLAIN_STRING);
  return close == 0 ? 0 : close + 1;
}

/** Takes the shape of a line that is a good object; none when it has very many members, or one that two keys want. */
function learn(base: usize, start: usize, end: usize, keyCount: i32, kinds: usize, starting: usize, ending: usize): void {
  members = 0;
  let wanted = 0;
  for (let k = 0; k < keyCount; k++) if (load<u8>(kinds + k) != ABSENT) wanted++;
  let text = start;
  let p = skipSpace(start, end) + 1;
  for (let m = 0; m < MEMBERS_MAX; m++) {
    p = skipSpace(p, end);
    if (p >= end || load<u8>(p) != 0x22) return;
    const keyEnd = stringEnd(p + 1, end);
    const colon = keyEnd == 0 ? end : skipSpace(keyEnd + 1, end);
    const from = skipSpace(colon + 1, end);
    const to = valueEndOf(from, end);
    if (to == 0) return;
    const member = shape + <usize>(m * 12);
    const k = slotOf(<i32>(from - base), <i32>(to - base), keyCount, kinds, starting, ending);
    store<u32>(member, <u32>text);
    store<u32>(member + 4, <u32>(from - text));
    store<i32>(member + 8, k);
    if (k >= 0) wanted--;
    text = to;
    p = skipSpace(to, end);
    if (p < end && load<u8>(p) == 0x7d) {
      tailAt = to;
      tailBytes = <u32>(end - to);
      if (wanted == 0) members = m + 1;
      return;
    }
    p++;
  }
}

/** The wanted key whose value was found there, or -1. */
function slotOf(from: i32, to: i32, keyCount: i32, kinds: usize, starting: usize, ending: usize): i32 {
  for (let k = 0; k < keyCount; k++) {
    const kind = load<u8>(kinds + k);
    if (kind == ABSENT) continue;
    const quoted = kind <= ESCAPED_STRING ? 1 : 0;
    if (load<i32>(starting + (k << 2)) - quoted == from && load<i32>(ending + (k << 2)) + quoted == to) return k;
  }
  return -1;
}

/** Reads up to 15 bytes past the texts. */
// @ts-ignore: decorator
@inline
function sameText(a: usize, b: usize, byteCount: u32): bool {
  for (let p: u32 = 0; p < byteCount; p += 16) {
    const left = byteCount - p;
    const wanted: u32 = left >= 16 ? 0xffff : (1 << left) - 1;
    if ((<u32>i8x16.bitmask(i8x16.eq(v128.load(a + p), v128.load(b + p))) & wanted) != wanted) return false;
  }
  return true;
}
