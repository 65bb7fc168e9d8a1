// Strings for byte spans, made once: values of label columns repeat, and finding a known string is cheaper than making one.

import { textOf } from "../lib/wire/entry-batch.ts";

/** Slots, a power of two; a collision throws the older string out. 1 024 strings of at most 64 bytes: below 200 KiB. */
const SLOTS = 1_024;
/** Longer values hardly repeat, and hashing them costs more than it saves. */
const BYTES_MAX = 64;

export class InternTable {
  readonly #texts: (string | undefined)[] = new Array<string | undefined>(SLOTS);
  readonly #bytes: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(SLOTS);

  /** The text of `bytes[start, end)`. */
  text(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > BYTES_MAX) return textOf(bytes, start, end);
    let hash = length;
    for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + bytes[p]!) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#bytes[slot];
    if (known !== undefined && sameBytes(known, bytes, start, length)) return this.#texts[slot]!;
    const text = textOf(bytes, start, end);
    this.#bytes[slot] = bytes.slice(start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let p = 0; p < length; p++) if (known[p] !== bytes[start + p]) return false;
  return true;
}
