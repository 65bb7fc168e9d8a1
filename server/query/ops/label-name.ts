// Names of parsed labels: what is not a letter, digit or underscore becomes an underscore, a leading digit gets one in front, white
// space around is cut (reference §2.5).

/** `""` for a key that is no name at all. */
export function toLabelName(key: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(key)) return key;
  const trimmed = key.trim();
  if (trimmed === "") return "";
  const clean = trimmed.replace(/[^a-zA-Z0-9_]/gu, "_");
  return /^[0-9]/.test(clean) ? `_${clean}` : clean;
}

/** Adds a key to the name of the object it was found in: `a` and `b.c` make `a_b_c`. */
export function joinLabelName(prefix: string, key: string): string {
  const trimmed = key.trim();
  if (trimmed === "") return prefix;
  const clean = trimmed.replace(/[^a-zA-Z0-9_]/gu, "_");
  if (prefix === "") return /^[0-9]/.test(clean) ? `_${clean}` : clean;
  return `${prefix}_${clean}`;
}

/**
 * Label names by the bytes of their keys, so that a key seen before costs a hash and a comparison and no string. Emptied when it has
 * grown past its bound, which costs time only.
 */
export class KeyNames {
  readonly #toName: (key: string) => string;
  #slots = new Int32Array(SLOTS).fill(-1);
  #names: string[] = [];
  #spans = new Int32Array(KEYS_MAX * 2);
  #bytes = new Uint8Array(KEY_BYTES_MAX);
  #used = 0;

  constructor(toName: (key: string) => string = toLabelName) {
    this.#toName = toName;
  }

  /** The label name of the key `bytes[start, end)`. */
  nameOf(bytes: Uint8Array, start: number, end: number): string {
    let hash = end - start;
    for (let p = start; p < end; p++) hash = Math.imul(hash ^ bytes[p]!, 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (;;) {
      const known = this.#slots[slot]!;
      if (known < 0) return this.#add(slot, bytes, start, end);
      if (this.#equals(known, bytes, start, end)) return this.#names[known]!;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  #equals(known: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#spans[known * 2]!;
    if (this.#spans[known * 2 + 1]! - from !== end - start) return false;
    for (let p = start, q = from; p < end; p++, q++) if (bytes[p] !== this.#bytes[q]) return false;
    return true;
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): string {
    const name = this.#toName(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"));
    const length = end - start;
    if (length > KEY_BYTES_MAX / 16) return name;
    if (this.#names.length === KEYS_MAX || this.#used + length > KEY_BYTES_MAX) {
      this.#slots.fill(-1);
      this.#names = [];
      this.#used = 0;
      return name;
    }
    const at = this.#names.push(name) - 1;
    this.#bytes.set(bytes.subarray(start, end), this.#used);
    this.#spans[at * 2] = this.#used;
    this.#spans[at * 2 + 1] = this.#used += length;
    this.#slots[slot] = at;
    return name;
  }
}

const SLOTS = 4_096;
/** Half of the slots, so that a probe ends soon. */
const KEYS_MAX = 2_048;
const KEY_BYTES_MAX = 64 * 1024;
