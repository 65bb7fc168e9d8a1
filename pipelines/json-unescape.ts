// Undoing the escapes of a JSON string from bytes to bytes, without making a string.

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** What the letter behind a backslash stands for; 0 for letters that stand for nothing. */
const SHORT = new Uint8Array(128);
for (const [letter, char] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) SHORT[letter!.charCodeAt(0)] = char!.charCodeAt(0);

/**
 * Writes the text of the escaped string `bytes[start, end)` (without its quotes) to `out` at `at`, which needs `end - start` bytes of
 * room and may be the same array. Halves of surrogate pairs become U+FFFD.
 *
 * @returns the end of what was written, or -1 for an escape that JSON does not have
 */
export function unescapeJson(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let to = at;
  let p = start;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte !== BACKSLASH) {
      out[to++] = byte;
      p++;
      continue;
    }
    if (p + 1 >= end) return -1;
    const letter = bytes[p + 1]!;
    if (letter !== LETTER_U) {
      const char = letter < 128 ? SHORT[letter]! : 0;
      if (char === 0) return -1;
      out[to++] = char;
      p += 2;
      continue;
    }
    let code = fourHexDigits(bytes, p + 2, end);
    if (code < 0) return -1;
    p += 6;
    if (code >= 0xd800 && code <= 0xdfff) {
      const low =
        code <= 0xdbff && p + 1 < end && bytes[p] === BACKSLASH && bytes[p + 1] === LETTER_U ? fourHexDigits(bytes, p + 2, end) : -1;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
        p += 6;
      } else code = 0xfffd;
    }
    to = writeUtf8(code, out, to);
  }
  return to;
}

function writeUtf8(code: number, out: Uint8Array, at: number): number {
  let to = at;
  if (code < 0x80) out[to++] = code;
  else if (code < 0x800) {
    out[to++] = 0xc0 | (code >> 6);
    out[to++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) out[to++] = 0xe0 | (code >> 12);
    else {
      out[to++] = 0xf0 | (code >> 18);
      out[to++] = 0x80 | ((code >> 12) & 0x3f);
    }
    out[to++] = 0x80 | ((code >> 6) & 0x3f);
    out[to++] = 0x80 | (code & 0x3f);
  }
  return to;
}

function fourHexDigits(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let code = 0;
  for (let p = at; p < at + 4; p++) {
    const byte = bytes[p]!;
    const digit = byte >= 48 && byte <= 57 ? byte - 48 : (byte | 32) >= 97 && (byte | 32) <= 102 ? (byte | 32) - 87 : -1;
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}
