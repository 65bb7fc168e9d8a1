// Building gram filters (gram-filter.ts), in plain TypeScript.

import { filterBytesFor, GRAM_BYTES, GRAM_WINDOW_BYTES, HEX_MIN, mix, nextProbe, PROBES, WINDOW_GRAMS } from "../gram-filter.ts";

/** Grams seen lately, by their upper bits: an exact count is not worth a set of them all. */
const RECENT_BITS = 13;
// Per byte: its lower case, and whether that is a hexadecimal digit. Per five such bits: whether they are HEX_MIN or more.
const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte | 32 : byte));
const IS_HEX = Uint8Array.from({ length: 256 }, (_, byte) => ((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102) ? 1 : 0));
const IS_LATE = Uint8Array.from({ length: 32 }, (_, bits) => (bits.toString(2).replaceAll("0", "").length >= HEX_MIN ? 1 : 0));
const recent = new Uint32Array(1 << RECENT_BITS);

export function buildGramFilter(bytes: Uint8Array): Uint8Array {
  const grams = new Uint32Array(Math.max(0, bytes.length - GRAM_WINDOW_BYTES + 1));
  const count = sampleGrams(bytes, grams);
  const filter = new Uint8Array(filterBytesFor(count, bytes.length));
  const bits = filter.length * 8;
  for (let i = 0; i < count; i++) {
    let x = grams[i]!;
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = Math.floor((x * bits) / 0x1_0000_0000);
      filter[bit >>> 3]! |= 1 << (bit & 7);
      x = nextProbe(x);
    }
  }
  return filter;
}

/** Writes the mixed hashes of all windows' minima to `grams`, most repeats left out; returns how many. */
function sampleGrams(bytes: Uint8Array, grams: Uint32Array): number {
  // No gram falls into a slot whose number it has not in its upper bits, so these stand for nothing.
  recent.fill(0);
  recent[0] = 0xffff_ffff;
  const windows = bytes.length - GRAM_WINDOW_BYTES + 1;
  const hashes = new Uint32Array(WINDOW_GRAMS);
  let last = -1;
  let count = 0;
  // The last four bytes, the lowest is the oldest, and as bits which of the last bytes were hexadecimal digits.
  let word = 0;
  let hexBits = 0;
  for (let end = 0; end < bytes.length; end++) {
    const byte = FOLDED[bytes[end]!]!;
    const hash = (Math.imul(word, 0x9e37_79b1) + Math.imul(byte, 0x85eb_ca6b)) >>> 1;
    word = (word >>> 8) | (byte << 24);
    hexBits = (hexBits << 1) | IS_HEX[byte]!;
    const gram = end - GRAM_BYTES + 1;
    if (gram < 0) continue;
    hashes[gram % WINDOW_GRAMS] = IS_LATE[hexBits & 31] === 1 ? (hash | 0x8000_0000) >>> 0 : hash;
    const window = gram - WINDOW_GRAMS + 1;
    if (window < 0 || window >= windows) continue;
    let least = 0xffff_ffff;
    for (let k = 0; k < WINDOW_GRAMS; k++) if (hashes[k]! < least) least = hashes[k]!;
    if (least === last) continue;
    last = least;
    const x = mix(least);
    const slot = x >>> (32 - RECENT_BITS);
    if (recent[slot] === x) continue;
    recent[slot] = x;
    grams[count++] = x;
  }
  return count;
}
