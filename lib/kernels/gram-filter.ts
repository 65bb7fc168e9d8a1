// Gram filters: which pages can hold a literal, also when it is a part of a larger word.
//
// A Bloom filter of words cannot answer `|= "4a1f9c"` when that is the middle of a trace id, and one of all byte grams would be as
// large as the page. So grams are sampled, in a way that the needle and every text around it agree on (winnowing, minimizers):
//
//   gram      GRAM_BYTES bytes, ASCII letters folded to lower case, as a 32-bit hash. Grams with HEX_MIN or more of 0-9 a-f get the
//             highest bit set, the others have it clear.
//   window    WINDOW_GRAMS grams in a row, so GRAM_WINDOW_BYTES bytes. Each window samples its gram of the smallest hash.
//   filter    a Bloom filter of the sampled grams of all windows of the page. Nothing else is stored: bits <8b> n, at least 64 bytes.
//   probes    x = mix(hash); bit floor(x * bits / 2^32); then x *= PROBE_FACTOR, x ^= x >>> 15 for the next one
//
// What a window samples depends on its bytes alone. A needle of GRAM_WINDOW_BYTES or more has full windows; whatever contains the
// needle contains these windows too, and has sampled the same grams. So a page whose filter lacks one of them does not contain the
// needle. Line feeds are bytes like others: a needle within a line has none, one across lines has them where the page has.
//
// Why hexadecimal grams come last: ids are most of what differs from line to line. Where a window holds both, sampling the other gram
// saves one that would occur once; a needle of hexadecimal digits alone is still sampled as before. On logs this takes a quarter
// off the distinct grams, and makes those of words more telling.
//
// Size: BITS_PER_GRAM for each distinct gram, less when that is more than a bit per RAW_BYTES_PER_BIT of the page, never less than BITS_PER_GRAM_MIN.
// Measured on pages of 256 KiB: size as a share of the raw bytes, and the share of pages that are read in vain for a random id of 32
// hexadecimal digits, for 19 of them, and on average for a dozen texts of 12 to 22 bytes that are in no page (`deadlock detected`,
// `nosuchneedle_zq` …; a text of 15 bytes has one or two grams, which may well occur elsewhere).
//
//                size     32 digits   19 digits   texts
//   access log   1.3 %    0.00 %      0.2 %       4.5 %
//   JSON         2.5 %    0.01 %      1.8 %       5.2 %      (two ids, 48 digits of 250 bytes)
//   logfmt       2.4 %    0.00 %      0.5 %       1.6 %
//   Java         1.0 %    0.00 %      0.3 %       1.9 %
//
// Built at 700 MB/s per core (bench/micro/kernels.ts).
//
// Pages of 512 KiB save a tenth to a fifth of the size where the limit of a bit per RAW_BYTES_PER_BIT is not reached, and nothing on JSON. A filter of
// whole words besides would cost as much again (8 KiB a page) and help only words shorter than a window, which are seldom selective.

export const GRAM_BYTES = 5;
export const WINDOW_GRAMS = 8;
/** Shortest literal that says anything. */
export const GRAM_WINDOW_BYTES = GRAM_BYTES + WINDOW_GRAMS - 1;
export const HEX_MIN = 3;
export const PROBES = 3;
export const PROBE_FACTOR = 0x9e37_79b1;
export const BITS_PER_GRAM = 6;
export const BITS_PER_GRAM_MIN = 3;
/** Raw bytes per bit of filter: a fifth of a bit for each byte is 2.5 %. */
export const RAW_BYTES_PER_BIT = 5;
export const FILTER_BYTES_MIN = 64;

/** Size of the filter of a page with about so many distinct sampled grams. */
export function filterBytesFor(gramCount: number, rawBytes: number): number {
  const wanted = Math.min(BITS_PER_GRAM * gramCount, Math.floor(rawBytes / RAW_BYTES_PER_BIT));
  const bits = Math.max(BITS_PER_GRAM_MIN * gramCount, wanted);
  return Math.max(FILTER_BYTES_MIN, 8 * Math.ceil(bits / 64));
}

/**
 * What to ask filters about a literal (bytes; ASCII case does not matter): the grams that each text containing it has sampled.
 * null when the literal is shorter than GRAM_WINDOW_BYTES and so says nothing.
 */
export function gramsOf(literal: Uint8Array): Uint32Array | null {
  if (literal.length < GRAM_WINDOW_BYTES) return null;
  const found = new Set<number>();
  for (let at = 0; at + GRAM_WINDOW_BYTES <= literal.length; at++) found.add(mix(windowMinimum(literal, at)));
  return Uint32Array.from(found);
}

/** False only when no text with these grams is in the page of this filter. An empty filter says nothing. */
export function filterMayContain(filter: Uint8Array, grams: Uint32Array): boolean {
  const bits = filter.length * 8;
  if (bits === 0) return true;
  for (let i = 0; i < grams.length; i++) {
    let x = grams[i]!;
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = Math.floor((x * bits) / 0x1_0000_0000);
      if ((filter[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
      x = nextProbe(x);
    }
  }
  return true;
}

export function nextProbe(x: number): number {
  const next = Math.imul(x, PROBE_FACTOR) >>> 0;
  return (next ^ (next >>> 15)) >>> 0;
}

/** Spreads a gram's hash, which is a minimum and so mostly small, over all 32 bits, one to one. */
export function mix(hash: number): number {
  let x = hash;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The smallest hash of the window at `at`, whose GRAM_WINDOW_BYTES bytes are there. */
export function windowMinimum(bytes: Uint8Array, at: number): number {
  let least = 0xffff_ffff;
  for (let i = 0; i < WINDOW_GRAMS; i++) least = Math.min(least, gramHash(bytes, at + i));
  return least;
}

export function gramHash(bytes: Uint8Array, at: number): number {
  let low = 0;
  let hexes = 0;
  for (let i = 0; i < GRAM_BYTES; i++) {
    const byte = fold(bytes[at + i]!);
    if ((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102)) hexes++;
    if (i < 4) low |= byte << (8 * i);
  }
  const high = fold(bytes[at + 4]!);
  const hash = (Math.imul(low, 0x9e37_79b1) + Math.imul(high, 0x85eb_ca6b)) >>> 1;
  return hexes >= HEX_MIN ? (hash | 0x8000_0000) >>> 0 : hash;
}

const fold = (byte: number): number => (byte >= 65 && byte <= 90 ? byte | 32 : byte);
