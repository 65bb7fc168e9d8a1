// The inside of JSON strings, written as Go writes it and read, in plain TypeScript: from bytes to bytes, without making a string.

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** Most bytes that one byte becomes: `\u00XX`. */
export const ESCAPED_BYTES_MAX = 6;
/** Per ASCII byte: 0 when it stands for itself, else the letter behind the backslash. */
const ESCAPE = new Uint8Array(128).fill(LETTER_U, 0, 32);
/** What the letter behind a backslash stands for; 0 for letters that stand for nothing. */
const SHORT = new Uint8Array(256);
for (const [char, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"]) {
  ESCAPE[char!.charCodeAt(0)] = letter!.charCodeAt(0);
  SHORT[letter!.charCodeAt(0)] = char!.charCodeAt(0);
}
SHORT["/".charCodeAt(0)] = "/".charCodeAt(0);
// Go's encoder takes care that its output is no HTML.
for (const char of "<>&") ESCAPE[char.charCodeAt(0)] = LETTER_U;
// json-iterator, with which lines are packed, writes these two by their numbers.
for (const char of "\b\f") ESCAPE[char.charCodeAt(0)] = LETTER_U;
const HEX = new TextEncoder().encode("0123456789abcdef");

export function escapeJson(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  prefixes: readonly Uint8Array[],
  prefixOf: Int32Array,
  suffix: Uint8Array,
  textEnds: Int32Array,
): Uint8Array {
  let roomBytes = 0;
  for (let i = 0; i < count; i++) roomBytes += prefixes[prefixOf[i]!]!.length + escapedBytes(bytes, starts[i]!, ends[i]!) + suffix.length;
  const out = new Uint8Array(roomBytes);
  let to = 0;
  for (let i = 0; i < count; i++) {
    const prefix = prefixes[prefixOf[i]!]!;
    const past = escapeText(bytes, starts[i]!, ends[i]!, out, to + prefix.length);
    textEnds[i] = past < 0 ? -1 : past + suffix.length;
    if (past < 0) continue;
    out.set(prefix, to);
    out.set(suffix, past);
    to = past + suffix.length;
  }
  return out.subarray(0, to);
}

/** What the text takes escaped, were it all ASCII. */
function escapedBytes(bytes: Uint8Array, start: number, end: number): number {
  let sum = end - start;
  for (let p = start; p < end; p++) {
    const letter = ESCAPE[bytes[p]! & 127]!;
    if (letter !== 0) sum += letter === LETTER_U ? ESCAPED_BYTES_MAX - 1 : 1;
  }
  return sum;
}

/** The end of what was written at `at`, or -1 when there is a byte that is not ASCII. */
function escapeText(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let to = at;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte >= 128) return -1;
    const letter = ESCAPE[byte]!;
    if (letter === 0) out[to++] = byte;
    else {
      out[to++] = BACKSLASH;
      out[to++] = letter;
      if (letter === LETTER_U) {
        out[to++] = out[to++] = 0x30;
        out[to++] = HEX[byte >> 4]!;
        out[to++] = HEX[byte & 15]!;
      }
    }
  }
  return to;
}

export function unescapeJson(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, textEnds: Int32Array): Uint8Array {
  let roomBytes = 0;
  for (let i = 0; i < count; i++) roomBytes += ends[i]! - starts[i]!;
  const out = new Uint8Array(roomBytes);
  let to = 0;
  for (let i = 0; i < count; i++) {
    const past = unescapeText(bytes, starts[i]!, ends[i]!, out, to);
    textEnds[i] = past;
    if (past >= 0) to = past;
  }
  return out.subarray(0, to);
}

/** The end of what was written at `at`, or -1 for an escape that JSON does not have. */
function unescapeText(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
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
      const char = SHORT[letter]!;
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
