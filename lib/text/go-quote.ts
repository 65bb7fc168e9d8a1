// Go's string literals: strconv.Quote, strconv.Unquote, and the order in which Go sorts strings.

import { once } from "../runtime/once.ts";

/** The usual text, which nothing in it keeps from standing as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** Go's rules for what needs no escape: letters, marks, numbers, punctuation, symbols, and the ASCII space. */
const PRINTABLE = once(() => /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u);
const SHORT: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/**
 * A string in quotes as strconv.Quote writes it.
 * @param quote the quotation mark, escaped inside
 * @param asciiOnly as strconv.QuoteToASCII
 */
export function quoteGo(text: string, quote = '"', asciiOnly = false): string {
  if (quote === '"' && PLAIN.test(text)) return `"${text}"`;
  let out = quote;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === quote) out += `\\${char}`;
    else if (SHORT[char] !== undefined) out += SHORT[char];
    else if (asciiOnly ? code >= 0x20 && code < 0x7f : PRINTABLE().test(char)) out += char;
    else if (code < 0x80) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else out += code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return out + quote;
}

/**
 * The string that a Go literal stands for (`"…"`, `` `…` `` or `'…'` with its marks), null when it is malformed. Bytes given as `\xHH` or
 * octal are taken together as UTF-8.
 */
export function unquoteGo(literal: string): string | null {
  const quote = literal[0];
  if (literal.length < 2 || literal.at(-1) !== quote) return null;
  const raw = literal.slice(1, -1);
  if (quote === "`") return raw.includes("`") ? null : raw.replaceAll("\r", "");
  if ((quote !== '"' && quote !== "'") || raw.includes("\n")) return null;
  if (!raw.includes("\\")) return raw.includes(quote) ? null : raw;
  const pieces: Buffer[] = [];
  const piece = /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\]+)/y;
  while (piece.lastIndex < raw.length) {
    const match = piece.exec(raw);
    if (match === null) return null;
    const [, letter, hex, octal, short, long, plain] = match;
    if (plain !== undefined) {
      if (plain.includes(quote)) return null;
      pieces.push(Buffer.from(plain));
    } else if (letter !== undefined) {
      if ((letter === "'" || letter === '"') && letter !== quote) return null;
      pieces.push(Buffer.from(ESCAPES[letter] ?? letter));
    } else if (hex !== undefined || octal !== undefined) {
      const byte = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(octal!, 8);
      if (byte > 255) return null;
      pieces.push(Buffer.of(byte));
    } else {
      const code = Number.parseInt((short ?? long)!, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
      pieces.push(Buffer.from(String.fromCodePoint(code)));
    }
  }
  return Buffer.concat(pieces).toString("utf8");
}

const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** Compares as Go does, by bytes of the UTF-8 form, which is by code point (JavaScript's `<` is by UTF-16 unit). */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xHalf = x >= 0xd800 && x <= 0xdfff;
    const yHalf = y >= 0xd800 && y <= 0xdfff;
    return xHalf === yHalf ? x - y : xHalf ? 1 : -1;
  }
  return a.length - b.length;
}
