// sprig's functions over words: cases of identifiers, initials, wrapping, abbreviation, plural.

import { decodeGoUtf8 } from "../go-utf8.ts";
import { fn, type TemplateFunction } from "./function.ts";
import { joinLowerWords, pascalCase } from "./identifier-cases.ts";
import { lower, lowerChar, upper } from "./text-functions.ts";

export const WORD_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["untitle", fn(["text"], (text) => eachWordStart(text, lowerChar))],
  ["swapcase", fn(["text"], swapCase)],
  ["snakecase", fn(["text"], (text) => joinLowerWords(text, "_"))],
  ["kebabcase", fn(["text"], (text) => joinLowerWords(text, "-"))],
  ["camelcase", fn(["text"], pascalCase)],
  ["initials", fn(["text"], (text) => (text.match(/(?<=^|\s)\S/gu) ?? []).join(""))],
  ["nospace", fn(["text"], (text) => text.replace(/\s/g, ""))],
  ["wrap", fn(["int", "text"], (width, text) => inBytes(text, (bytes) => wrap(width, "\n", bytes, false)))],
  ["wrapWith", fn(["int", "text", "text"], (width, between, text) => inBytes(text, (bytes) => wrap(width, bytesOf(between), bytes, true)))],
  ["abbrev", fn(["int", "text"], (width, text) => inBytes(text, (bytes) => abbreviate(0, width, bytes)))],
  ["abbrevboth", fn(["int", "int", "text"], (offset, width, text) => inBytes(text, (bytes) => abbreviate(offset, width, bytes)))],
  ["plural", fn(["text", "text", "int"], (one, many, count) => (count === 1 ? one : many))],
];

/** sprig counts and cuts bytes: the change sees one character per byte. Half a character becomes U+FFFD. */
function inBytes(text: string, change: (bytes: string) => string): string {
  return /^[\x00-\x7f]*$/.test(text) ? change(text) : decodeGoUtf8(Buffer.from(change(bytesOf(text)), "latin1"));
}

const bytesOf = (text: string): string => Buffer.from(text).toString("latin1");

function eachWordStart(text: string, change: (char: string) => string): string {
  return text.replace(/(?<=^|\s)\S/gu, change);
}

/** Lower case becomes upper, upper becomes lower. */
function swapCase(text: string): string {
  return [...text].map((char) => (lower(char) !== char ? lower(char) : upper(char))).join("");
}

/** Breaks at blanks; a word longer than the width is broken only if asked for. */
function wrap(width: number, between: string, text: string, breaksWords: boolean): string {
  const most = Math.max(1, width);
  let out = "";
  let at = 0;
  while (text.length - at > most) {
    if (text[at] === " ") {
      at++;
      continue;
    }
    const blank = text.slice(at, at + most + 1).lastIndexOf(" ");
    if (blank >= 0) {
      out += text.slice(at, at + blank) + between;
      at += blank + 1;
    } else if (breaksWords) {
      out += text.slice(at, at + most) + between;
      at += most;
    } else {
      const next = text.indexOf(" ", at + most);
      if (next < 0) break;
      out += text.slice(at, next) + between;
      at = next + 1;
    }
  }
  return out + text.slice(at);
}

/** Cuts to `width` with `...` at the end, and in front when `offset` characters are to be skipped. */
function abbreviate(offset: number, width: number, text: string): string {
  if (width < 4 || (offset > 0 && width < 7) || text.length <= width) return text;
  const from = Math.min(offset, text.length, text.length - offset < width - 3 ? text.length - (width - 3) : offset);
  if (from <= 4) return `${text.slice(0, width - 3)}...`;
  return from + (width - 3) < text.length
    ? `...${abbreviate(0, width - 3, text.slice(from))}`
    : `...${text.slice(text.length - (width - 3))}`;
}
