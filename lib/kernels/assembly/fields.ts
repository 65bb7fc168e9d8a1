// Dictionary columns of JSON lines, as typescript/fields.ts describes it.

import { clear, keyLengths, scanLine } from "./json";

const NULL: u8 = 6;
const NESTED: u8 = 7;
const ESCAPED_STRING: u8 = 2;
const ABSENT: u8 = 0;
const TRIMMED_KEYS: i32 = 1;
const UNSURE: u8 = 255;
const VALUES_MAX: i32 = 250;
const VALUE_BYTES_MAX: u32 = 64;
/** A table of numbers per key, four times as large as there are values. */
const TABLE_SHIFT: u32 = 10;
const TABLE_MASK: u32 = (1 << TABLE_SHIFT) - 1;

/** What `scanLine` found of up to 8 keys of one line. */
const kinds = memory.data(8, 16);
const starting = memory.data(32, 16);
const ending = memory.data(32, 16);

/** `tables` has 1 KiB per key. */
export function jsonFields(
  base: usize, ends: usize, count: i32, keys: usize, keyCount: i32, tables: usize,
  ids: usize, valueStart: usize, valueEnd: usize, counts: usize,
): void {
  memory.fill(tables, 0, <usize>keyCount << TABLE_SHIFT);
  memory.fill(counts, 0, <usize>keyCount << 3);
  const lengths = keyLengths(keys, keyCount);
  let start: i32 = 0;
  for (let i = 0; i < count; i++) {
    const end = load<i32>(ends + (<usize>i << 2));
    clear(kinds, starting, ending, keyCount);
    const good = scanLine(base, base + start, base + end, keys, keyCount, TRIMMED_KEYS, lengths, kinds, starting, ending);
    start = end + 1;
    for (let k = 0; k < keyCount; k++) {
      const id = good ? idOf(base, k, tables, valueStart, valueEnd, counts) : UNSURE;
      store<u8>(ids + k * count + i, id);
      if (id == UNSURE) store<i32>(counts + (k << 3) + 4, load<i32>(counts + (k << 3) + 4) + 1);
    }
  }
}

/** The id of what `scanLine` found of key k. */
function idOf(base: usize, k: i32, tables: usize, valueStart: usize, valueEnd: usize, counts: usize): u8 {
  const known = load<i32>(counts + (k << 3));
  if (known < 0) return UNSURE;
  const kind = load<u8>(kinds + k);
  if (kind == ABSENT || kind == NULL) return ABSENT;
  if (kind == NESTED || kind == ESCAPED_STRING) return UNSURE;
  const from = load<i32>(starting + (k << 2));
  const to = load<i32>(ending + (k << 2));
  const byteCount = <u32>(to - from);
  if (byteCount > VALUE_BYTES_MAX) return UNSURE;
  const text = base + from;
  let hash: u64 = byteCount;
  let seen: u64 = 0;
  for (let p: u32 = 0; p < byteCount; p += 8) {
    const word = wordAt(text + p, byteCount - p);
    seen |= word;
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  if (seen & 0x8080808080808080) return UNSURE;
  const table = tables + (<usize>k << TABLE_SHIFT);
  const starts = valueStart + <usize>(k * VALUES_MAX << 2);
  const stops = valueEnd + <usize>(k * VALUES_MAX << 2);
  let slot = <u32>hash & TABLE_MASK;
  for (;;) {
    const id = load<u8>(table + slot);
    if (id == 0) break;
    const at = <usize>(id - 1) << 2;
    const first = load<i32>(starts + at);
    if (<u32>(load<i32>(stops + at) - first) == byteCount && sameText(base + first, text, byteCount)) return id;
    slot = (slot + 1) & TABLE_MASK;
  }
  if (known == VALUES_MAX) {
    store<i32>(counts + (k << 3), -1);
    return UNSURE;
  }
  store<i32>(starts + (<usize>known << 2), from);
  store<i32>(stops + (<usize>known << 2), to);
  store<i32>(counts + (k << 3), known + 1);
  store<u8>(table + slot, <u8>(known + 1));
  return <u8>(known + 1);
}

/** The next 8 bytes, those behind the `left` ones as 0. Reads up to 7 bytes past the text. */
// @ts-ignore: decorator
@inline
function wordAt(at: usize, left: u32): u64 {
  const word = load<u64>(at);
  return left >= 8 ? word : word & (((<u64>1) << (<u64>left << 3)) - 1);
}

function sameText(a: usize, b: usize, byteCount: u32): bool {
  for (let p: u32 = 0; p < byteCount; p += 8) if (wordAt(a + p, byteCount - p) != wordAt(b + p, byteCount - p)) return false;
  return true;
}
