// Dictionary columns of JSON lines, as typescript/fields.ts describes it.

import { ABSENT, ESCAPED_STRING, clear, keyLengths } from "./json";
import { forgetShape, scanShaped } from "./shape";

const NULL: u8 = 6;
const NESTED: u8 = 7;
const TRIMMED_KEYS: i32 = 1;
const UNSURE: u8 = 255;
const VALUES_MAX: i32 = 250;
const VALUE_BYTES_MAX: u32 = 64;
/** Per key: numbers by hash, four times as many as there are values, and the tag of each number. */
const TABLE_BYTES: usize = 1024 + 256 * 8;
const TAGS_AT: usize = 1024;
/** No character of a value has it: tags with it are hashes, others are the value's bytes. */
const HASHED: u64 = 1 << 63;

/** What was found of up to 8 keys of one line. */
const kinds = memory.data(8, 16);
const starting = memory.data(32, 16);
const ending = memory.data(32, 16);

/** `tables` has 3 KiB per key. */
export function jsonFields(
  base: usize, ends: usize, count: i32, keys: usize, keyCount: i32, tables: usize,
  ids: usize, valueStart: usize, valueEnd: usize, counts: usize,
): void {
  memory.fill(tables, 0, <usize>keyCount * TABLE_BYTES);
  memory.fill(counts, 0, <usize>keyCount << 3);
  const lengths = keyLengths(keys, keyCount);
  forgetShape();
  let start: i32 = 0;
  for (let i = 0; i < count; i++) {
    const end = load<i32>(ends + (<usize>i << 2));
    clear(kinds, starting, ending, keyCount);
    const good = scanShaped(base, base + start, base + end, keys, keyCount, TRIMMED_KEYS, lengths, kinds, starting, ending, count - i);
    start = end + 1;
    for (let k = 0; k < keyCount; k++) {
      const id = good ? idOf(base, k, tables + <usize>k * TABLE_BYTES, valueStart, valueEnd, counts) : UNSURE;
      store<u8>(ids + k * count + i, id);
      if (id == UNSURE) store<i32>(counts + (k << 3) + 4, load<i32>(counts + (k << 3) + 4) + 1);
    }
  }
}

/** The id of what was found of key k. */
function idOf(base: usize, k: i32, table: usize, valueStart: usize, valueEnd: usize, counts: usize): u8 {
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
  let tag = byteCount == 0 ? 0 : wordAt(text, byteCount);
  let seen = tag;
  for (let p: u32 = 8; p < byteCount; p += 8) {
    const word = wordAt(text + p, byteCount - p);
    seen |= word;
    tag = (tag ^ (tag >> 29)) * 0x9e3779b97f4a7c15 + word;
  }
  if (seen & 0x8080808080808080) return UNSURE;
  if (byteCount > 8) tag |= HASHED;
  const starts = valueStart + <usize>((k * VALUES_MAX) << 2);
  let slot = <u32>((tag * 0x9e3779b97f4a7c15) >> 54);
  for (;;) {
    const id = load<u8>(table + slot);
    if (id == 0) break;
    if (load<u64>(table + TAGS_AT + (<usize>id << 3)) == tag && (byteCount <= 8 || isValue(base, k, id, text, byteCount, starts, valueEnd))) return id;
    slot = (slot + 1) & 1023;
  }
  if (known == VALUES_MAX) {
    store<i32>(counts + (k << 3), -1);
    return UNSURE;
  }
  store<i32>(starts + (<usize>known << 2), from);
  store<i32>(valueEnd + (<usize>(k * VALUES_MAX + known) << 2), to);
  store<i32>(counts + (k << 3), known + 1);
  store<u8>(table + slot, <u8>(known + 1));
  store<u64>(table + TAGS_AT + (<usize>(known + 1) << 3), tag);
  return <u8>(known + 1);
}

function isValue(base: usize, k: i32, id: u8, text: usize, byteCount: u32, starts: usize, valueEnd: usize): bool {
  const at = <usize>(id - 1) << 2;
  const first = load<i32>(starts + at);
  const past = load<i32>(valueEnd + (<usize>(k * VALUES_MAX) << 2) + at);
  return <u32>(past - first) == byteCount && sameText(base + first, text, byteCount);
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
