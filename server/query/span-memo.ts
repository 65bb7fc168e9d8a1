// What was made of a text, by the text's bytes: a span seen before costs a hash and a comparison, and no string.

const SLOTS = 4_096;
/** Half of the slots, so that a probe ends soon. */
const SPANS_MAX = 2_048;
const BYTES_MAX = 64 * 1024;
/** Longer texts are made anew each time. */
const SPAN_BYTES_MAX = BYTES_MAX / 16;

/** Emptied when it has grown past its bound, which costs time only. */
export class SpanMemo<T> {
  readonly #make: (text: string) => T;
  readonly #slots = new Int32Array(SLOTS).fill(-1);
  #made: T[] = [];
  readonly #spans = new Int32Array(SPANS_MAX * 2);
  readonly #bytes = new Uint8Array(BYTES_MAX);
  #used = 0;

  /** @param make must answer the same for the same text */
  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  /** What is made of the text `bytes[start, end)`, UTF-8. */
  of(bytes: Uint8Array, start: number, end: number): T {
    let hash = end - start;
    for (let p = start; p < end; p++) hash = Math.imul(hash ^ bytes[p]!, 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (;;) {
      const known = this.#slots[slot]!;
      if (known < 0) return this.#add(slot, bytes, start, end);
      if (this.#equals(known, bytes, start, end)) return this.#made[known]!;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  #equals(known: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#spans[known * 2]!;
    if (this.#spans[known * 2 + 1]! - from !== end - start) return false;
    for (let p = start, q = from; p < end; p++, q++) if (bytes[p] !== this.#bytes[q]) return false;
    return true;
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): T {
    const made = this.#make(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"));
    const length = end - start;
    if (length > SPAN_BYTES_MAX) return made;
    if (this.#made.length === SPANS_MAX || this.#used + length > BYTES_MAX) {
      this.#slots.fill(-1);
      this.#made = [];
      this.#used = 0;
      return made;
    }
    const at = this.#made.push(made) - 1;
    this.#bytes.set(bytes.subarray(start, end), this.#used);
    this.#spans[at * 2] = this.#used;
    this.#spans[at * 2 + 1] = this.#used += length;
    this.#slots[slot] = at;
    return made;
  }
}
