// Building gram filters (gram-filter.ts), in plain TypeScript.

import { filterBytesFor, GRAM_BYTES, GRAM_WINDOW_BYTES, gramHash, mix, nextProbe, PROBES, WINDOW_GRAMS } from "../gram-filter.ts";

/** Grams seen lately, by their upper bits: an exact count is not worth a set of them all. */
const RECENT_BITS = 13;
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
  for (let i = 0; i + GRAM_BYTES <= bytes.length; i++) {
    hashes[i % WINDOW_GRAMS] = gramHash(bytes, i);
    const window = i - WINDOW_GRAMS + 1;
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
