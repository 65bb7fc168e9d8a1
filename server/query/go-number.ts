// Numbers as Go reads and writes them.

import { printGoFloatPlain } from "../../lib/logql/go-number.ts";
import { quoteGo } from "../../lib/text/go-quote.ts";

/** Thrown with Go's text: `strconv.ParseFloat: parsing "abc": invalid syntax`. */
export class NumberSyntaxError extends Error {
  override readonly name = "NumberSyntaxError";
}

const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d+)$/;

/** strconv.ParseFloat(text, 64); underscores between digits are passed over. @throws NumberSyntaxError */
export function parseGoFloat(text: string): number {
  if (DECIMAL.test(text)) {
    const value = Number(text.replaceAll("_", ""));
    if (!Number.isFinite(value)) throw new NumberSyntaxError(`strconv.ParseFloat: parsing ${quoteGo(text)}: value out of range`);
    return value;
  }
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (word !== null) return /nan/i.test(text) ? (word[1] === "" ? Number.NaN : refuse(text)) : word[1] === "-" ? -Infinity : Infinity;
  const hex = HEXADECIMAL.exec(text);
  if (hex === null) return refuse(text);
  const [, sign, whole = "", fraction = "", exponent = "0"] = hex;
  if (whole === "" && fraction === "") return refuse(text);
  const mantissa = Number.parseInt(`0${whole}${fraction}`, 16);
  return (sign === "-" ? -1 : 1) * mantissa * 2 ** (Number(exponent) - 4 * fraction.length);
}

function refuse(text: string): never {
  throw new NumberSyntaxError(`strconv.ParseFloat: parsing ${quoteGo(text)}: invalid syntax`);
}

/** strconv.FormatFloat(value, 'f', -1, 64): the shortest digits that read back the same, never an exponent. */
export function formatGoFloat(value: number): string {
  return Object.is(value, -0) ? "-0" : printGoFloatPlain(value);
}
