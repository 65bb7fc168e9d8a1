// Bytes as the text that Go would show: each byte that is not part of a character becomes one U+FFFD, where JavaScript's decoders make
// one of several.

/** Decodes UTF-8; malformed bytes become U+FFFD one by one. */
export function decodeGoUtf8(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd")) return text;
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterBytes(bytes, at);
    out += length === 0 ? "\ufffd" : bytes.toString("utf8", at, at + length);
    at += Math.max(length, 1);
  }
  return out;
}

/** Bytes of the character that begins at `at`; 0 when none does. */
function characterBytes(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (length === 0 || first >= 0xf5 || at + length > bytes.length) return 0;
  return bytes.toString("utf8", at, at + length).includes("\ufffd") && !isReplacement(bytes, at) ? 0 : length;
}

/** U+FFFD itself may stand in the text. */
function isReplacement(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd;
}

/** The text with U+FFFD in place of halves of surrogate pairs, which UTF-8 cannot say. */
export function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? text.replace(/\p{Surrogate}/gu, "\ufffd") : text;
}
