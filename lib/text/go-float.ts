// Go's strconv.ParseFloat: decimal and hexadecimal numbers, underscores between digits, and the words for infinity and no number.

const DIGITS = "\\d+(?:_\\d+)*";
const HEX_DIGITS = "[\\da-f]+(?:_[\\da-f]+)*";
const DECIMAL = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, "i");
const HEXADECIMAL = new RegExp(`^([+-]?)0x_?(?=\\.?[\\da-f])((?:${HEX_DIGITS})?)\\.?((?:${HEX_DIGITS})?)p([+-]?${DIGITS})$`, "i");
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** The number; undefined for a text that is none, and for a number too large for a double, as Go has it. */
export function parseGoFloat(text: string): number | undefined {
  if (DECIMAL.test(text)) return finite(Number(text.includes("_") ? text.replaceAll("_", "") : text));
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  const hexadecimal = HEXADECIMAL.exec(text);
  return hexadecimal === null ? undefined : finite(hexNumber(hexadecimal));
}

function hexNumber([, sign, whole = "", fraction = "", exponent = "0"]: RegExpExecArray): number {
  const [integer, places, power] = [whole, fraction, exponent].map((digits) => digits.replaceAll("_", ""));
  const size = Number(BigInt(`0x${integer}${places}`)) * 2 ** (Number(power) - 4 * places!.length);
  return sign === "-" ? -size : size;
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);
