// Files in other encodings than UTF-8. The stream is split into lines before it is decoded, at code unit borders, so that positions
// stay byte offsets of the raw file and a line feed inside a UTF-16 unit (U+0A0A, U+010A …) is not taken for one.

import { createRequire } from "node:module";
import type * as Iconv from "iconv-lite";

export interface TextEncoding {
  readonly name: string;
  /** Bytes of a code unit: a line feed is looked for at multiples of this. */
  readonly unitBytes: 1 | 2 | 4;
  /** Reads a byte order mark at the file's start; returns the encoding to go on with and the length of the mark. */
  resolve(head: Uint8Array): { readonly encoding: TextEncoding; readonly markBytes: number };
  /** Whether the unit at `at` is a line feed. */
  isLineFeed(bytes: Uint8Array, at: number): boolean;
  /** Whole code units to text; what is malformed becomes U+FFFD. */
  decode(bytes: Uint8Array): string;
}

/**
 * @param name an IANA name or alias in any case (`UTF-16LE`, `windows-1252`, `latin1`)
 * @returns undefined for UTF-8, which needs no decoding
 * @throws Error for a name that is not known
 */
export function openEncoding(name: string): TextEncoding | undefined {
  const known = knownNameOf(name);
  const plain = known.replace(/[^a-z0-9]/g, "");
  if (plain === "" || plain === "utf8") return undefined;
  if (plain === "utf16" || plain === "ucs2" || plain === "unicode") return unicode(name, 2, "be", true);
  if (plain === "utf16le" || plain === "utf16be") return unicode(name, 2, plain.endsWith("le") ? "le" : "be", false);
  if (plain === "utf32") return unicode(name, 4, "be", true);
  if (plain === "utf32le" || plain === "utf32be") return unicode(name, 4, plain.endsWith("le") ? "le" : "be", false);
  const decode = decoderOf(known);
  if (decode === undefined) {
    throw new Error(`encoding "${name}" is not known; use an IANA name such as UTF-16LE, windows-1252, gbk or shift_jis`);
  }
  const encoding: TextEncoding = {
    name,
    unitBytes: 1,
    resolve: () => ({ encoding, markBytes: 0 }),
    // No multi-byte encoding in use has 0x0a as a later byte of a character.
    isLineFeed: (bytes, at) => bytes[at] === 10,
    decode,
  };
  return encoding;
}

/** Registered names under which neither iconv-lite nor the platform knows an encoding, or not all of its characters (`cp936`). */
const REGISTERED: Readonly<Record<string, string>> = {
  cp936: "gbk",
  ms936: "gbk",
  "windows-936": "gbk",
  ccsid00858: "cp858",
  cp00858: "cp858",
  csibm00858: "cp858",
  ibm00858: "cp858",
  "pc-multilingual-850+euro": "cp858",
  cseucpkdfmtjapanese: "euc-jp",
  extended_unix_code_packed_format_for_japanese: "euc-jp",
  "iso_8859-6-e": "iso-8859-6",
  "iso_8859-6-i": "iso-8859-6",
};
/** For programs, the registry has a name without hyphens of each encoding. */
const REGISTERED_SHORT = /^cs(utf8|utf16(?:be|le)?|windows\d+|iso88591[3-6]|koi8u|gbk|gb18030)$/;

function knownNameOf(name: string): string {
  const lower = name.trim().toLowerCase();
  return REGISTERED[lower] ?? REGISTERED_SHORT.exec(lower)?.[1] ?? lower;
}

/** What iconv-lite calls encodings too, but what turns text into something else. */
const NO_TEXT = new Set(["base64", "binary", "hex"]);

/** The decoder of a name; the platform's own knows some that iconv-lite does not (`iso-2022-jp`). */
function decoderOf(name: string): TextEncoding["decode"] | undefined {
  if (NO_TEXT.has(name)) return undefined;
  const iconv = loadIconv();
  if (iconv.encodingExists(name)) {
    return (bytes) => iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), name, { stripBOM: false });
  }
  try {
    const decoder = new TextDecoder(name);
    return (bytes) => decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function unicode(name: string, unitBytes: 2 | 4, order: "le" | "be", markDecides: boolean): TextEncoding {
  const feedAt = order === "le" ? 0 : unitBytes - 1;
  const codec = `utf-${unitBytes * 8}${order}`;
  const encoding: TextEncoding = {
    name,
    unitBytes,
    resolve: (head) => {
      const found = byteOrder(head, unitBytes);
      if (found === undefined) return { encoding, markBytes: 0 };
      if (found === order) return { encoding, markBytes: unitBytes };
      // Where the order is part of the name, a mark of the other order is no mark.
      return markDecides ? { encoding: unicode(name, unitBytes, found, true), markBytes: unitBytes } : { encoding, markBytes: 0 };
    },
    isLineFeed: (bytes, at) => {
      for (let i = 0; i < unitBytes; i++) if (bytes[at + i] !== (i === feedAt ? 10 : 0)) return false;
      return true;
    },
    decode: (bytes) =>
      codec === "utf-16le"
        ? new TextDecoder("utf-16le", { ignoreBOM: true }).decode(bytes)
        : loadIconv().decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), codec, { stripBOM: false }),
  };
  return encoding;
}

function byteOrder(head: Uint8Array, unitBytes: 2 | 4): "le" | "be" | undefined {
  if (head.length < unitBytes) return undefined;
  const [a, b, c, d] = head;
  if (unitBytes === 2) return a === 0xff && b === 0xfe ? "le" : a === 0xfe && b === 0xff ? "be" : undefined;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return "le";
  return a === 0 && b === 0 && c === 0xfe && d === 0xff ? "be" : undefined;
}

let iconvModule: typeof Iconv | undefined;

/** Loaded when a configuration names an encoding: most do not. */
function loadIconv(): typeof Iconv {
  iconvModule ??= createRequire(import.meta.url)("iconv-lite") as typeof Iconv;
  return iconvModule;
}

/** Where the last whole line in `block[start, end)` ends, line feed included; -1 when there is none. `start` is at a code unit. */
export function lastLineEnd(block: Uint8Array, start: number, end: number, encoding: TextEncoding | undefined): number {
  const unit = encoding?.unitBytes ?? 1;
  if (encoding === undefined || unit === 1) {
    const at = block.subarray(start, end).lastIndexOf(10);
    return at < 0 ? -1 : start + at + 1;
  }
  for (let at = end - ((end - start) % unit) - unit; at >= start; at -= unit) if (encoding.isLineFeed(block, at)) return at + unit;
  return -1;
}

/** Where the first line feed in `block[0, end)` is, which begins at a code unit; -1 when there is none. */
export function firstLineFeed(block: Uint8Array, end: number, encoding: TextEncoding | undefined): number {
  const unit = encoding?.unitBytes ?? 1;
  if (encoding === undefined || unit === 1) return block.subarray(0, end).indexOf(10);
  for (let at = 0; at + unit <= end; at += unit) if (encoding.isLineFeed(block, at)) return at;
  return -1;
}
