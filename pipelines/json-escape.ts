// The escapes of a JSON string as Go writes it, from bytes to bytes, without making a string. ASCII only: what is beyond has rules of its own.

const BACKSLASH = 0x5c;
/** Most bytes that one byte becomes. */
const ESCAPED_BYTES_MAX = 6;
/** Per ASCII byte: 0 when it stands for itself, the letter of its short escape, or 1 for `\u00XX`. */
const ESCAPE = new Uint8Array(128).fill(1, 0, 32);
for (const [char, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"]) ESCAPE[char!.charCodeAt(0)] = letter!.charCodeAt(0);
// Go's encoder takes care that its output is no HTML.
for (const char of "<>&") ESCAPE[char.charCodeAt(0)] = 1;
const HEX = new TextEncoder().encode("0123456789abcdef");

/**
 * Writes `bytes[start, end)` escaped, without quotes, to `out[at, limit)`, which has room for the text as it stands at least.
 *
 * @returns the end of what was written, or -1 when there is a byte that is not ASCII or too little room
 */
export function escapeAsciiJson(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number, limit: number): number {
  let to = at;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte >= 128) return -1;
    const letter = ESCAPE[byte]!;
    if (letter === 0) out[to++] = byte;
    else {
      if (to + ESCAPED_BYTES_MAX + (end - p) > limit) return -1;
      out[to++] = BACKSLASH;
      if (letter > 1) out[to++] = letter;
      else to = writeCode(byte, out, to);
    }
  }
  return to;
}

function writeCode(byte: number, out: Uint8Array, at: number): number {
  out[at] = 0x75;
  out[at + 1] = out[at + 2] = 0x30;
  out[at + 3] = HEX[byte >> 4]!;
  out[at + 4] = HEX[byte & 15]!;
  return at + 5;
}
