// Promtail's positions file: one YAML map of texts under `positions`, in the order and with the quotes of the YAML writer Promtail uses,
// so that either program can take over the other's file.

import { parseYaml } from "../lib/runtime/config-file.ts";
import { keepAsWritten, Plain } from "./config/written.ts";

/** @throws ConfigError or Error when the text is not a positions file */
export function parsePositions(text: string, file: string): Map<string, string> {
  return parseQuick(text) ?? parseAny(text, file);
}

const QUICK_LINE = /^ {2}([/A-Za-z][^"'#:?&*!|>%@`{}[\],\\\x00-\x20\x7f-\uffff]*): "(\d+)"$/;

/** Files as both programs write them nearly always: 20 000 lines in 10 ms, where a YAML parser needs a second. */
function parseQuick(text: string): Map<string, string> | undefined {
  const lines = text.split("\n");
  if (lines[0] !== "positions:" || lines.at(-1) !== "") return undefined;
  const positions = new Map<string, string>();
  for (let i = 1; i < lines.length - 1; i++) {
    const match = QUICK_LINE.exec(lines[i]!);
    if (match === null || positions.has(match[1]!)) return undefined;
    positions.set(match[1]!, match[2]!);
  }
  return positions;
}

function parseAny(text: string, file: string): Map<string, string> {
  const { value, where } = parseYaml(text, file, keepAsWritten);
  const positions = new Map<string, string>();
  if (value === null || value === undefined) return positions;
  if (!isMap(value)) throw new Error(`${file}: expected a map with the key "positions"`);
  for (const key of Object.keys(value)) {
    if (key !== "positions") throw new Error(`${where([key])}: unknown key ${key}; a positions file has only the key "positions"`);
  }
  const map = value.positions;
  if (map === null || map === undefined) return positions;
  if (!isMap(map)) throw new Error(`${where(["positions"])}: expected a map of paths to positions`);
  for (const [key, position] of Object.entries(map)) {
    const written = position === null ? "" : position instanceof Plain ? position.written : position;
    if (typeof written !== "string") {
      throw new Error(`${where(["positions", key])}: position of ${key} is ${JSON.stringify(position)}, expected a number or a text`);
    }
    positions.set(key, written);
  }
  return positions;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Plain);
}

export function printPositions(positions: ReadonlyMap<string, string>): string {
  if (positions.size === 0) return "positions: {}\n";
  let text = "positions:\n";
  for (const key of [...positions.keys()].sort(compareNaturally)) {
    const name = quoteYaml(key);
    const value = quoteYaml(positions.get(key)!);
    // Keys longer than this are no "simple keys" to the writer Promtail uses.
    text += Buffer.byteLength(name) > 128 ? `  ? ${name}\n  : ${value}\n` : `  ${name}: ${value}\n`;
  }
  return text;
}

/** Starts with no indicator character, has none of the pairs that end a plain text, only printable characters, no space at its ends. */
const PLAIN = /^(?![-?:](?: |$))(?![#,[\]{}&*!|>'"%@` ])(?!.*(?: #|:(?: |$)))[\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]*[^ ]$/;
const OTHER_TYPE =
  /^(?:[-+]?[0-9][0-9_]*|[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_.]*[eE][-+]?[0-9]+|0[xXbBo][0-9a-fA-F_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE|null|Null|NULL|~|<<|=|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\d{4}-\d\d?-\d\d?.*)$/;

/** Plain where YAML reads it back as the same text; double quotes where it would read another type; else as the text demands. */
function quoteYaml(text: string): string {
  if (text === "" || OTHER_TYPE.test(text)) return `"${text}"`;
  if (PLAIN.test(text)) return text;
  if (/^[\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]*$/.test(text)) return `'${text.replaceAll("'", "''")}'`;
  return JSON.stringify(text);
}

/** Order of keys: by character, digits before letters, runs of digits by their number (`f.2` before `f.10`). */
export function compareNaturally(a: string, b: string): number {
  const from = commonLength(a, b);
  if (from === a.length || from === b.length) return a.length - b.length;
  // Nearly all keys: a thousand of them are put in order each time that positions are written.
  if (a.charCodeAt(from) < 0x80 && b.charCodeAt(from) < 0x80) return compareAt(a, b, from);
  // Of what both begin with only the last character counts; one of two code units may stand before that.
  const x = [...a.slice(Math.max(0, from - 2))];
  const y = [...b.slice(Math.max(0, from - 2))];
  const at = x.findIndex((char, i) => char !== y[i]);
  return compareAt(x, y, at);
}

/** A text by its characters: of ASCII text that is the text itself. */
type Characters = string | readonly string[];

/** By the first characters that differ. */
function compareAt(x: Characters, y: Characters, at: number): number {
  const xLetter = isLetter(x[at]!);
  const yLetter = isLetter(y[at]!);
  if (xLetter && yLetter) return x[at]! < y[at]! ? -1 : 1;
  if (xLetter || yLetter) return yLetter ? -1 : 1;
  return compareNumbersAt(x, y, at);
}

const isLetter = (char: string): boolean => (char < "\x80" ? /[A-Za-z]/.test(char) : /\p{L}/u.test(char));

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

function compareNumbersAt(x: Characters, y: Characters, at: number): number {
  const xDigits = digitsAt(x, at);
  const yDigits = digitsAt(y, at);
  // A difference behind equal leading digits is one of the same number: the longer run is the larger.
  const inNumber = at > 0 && isDigit(x[at - 1]) && x[at - 1] !== "0";
  if (inNumber && xDigits.length !== yDigits.length) return xDigits.length - yDigits.length;
  const difference = Number(xDigits) - Number(yDigits);
  if (difference !== 0) return difference;
  if (xDigits.length !== yDigits.length) return xDigits.length - yDigits.length;
  return x[at]! < y[at]! ? -1 : 1;
}

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= "0" && char <= "9";

function digitsAt(text: Characters, at: number): string {
  let digits = "";
  for (let i = at; isDigit(text[i]); i++) digits += text[i]!;
  return digits;
}
