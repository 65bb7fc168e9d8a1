// Numbers as Go writes them: the scanner of number tokens (text/scanner), strconv.ParseFloat, and fmt's way to print a float.

/** A number token: its end in the text, and what is wrong with it in the words of Go's scanner. */
export interface ScannedNumber {
  readonly end: number;
  readonly error: string | null;
}

const LITERAL_NAMES: Readonly<Record<string, string>> = {
  x: "hexadecimal literal",
  o: "octal literal",
  "0": "octal literal",
  b: "binary literal",
  "": "decimal literal",
};

/** Scans the number that begins at `from`: a digit, or a point with a digit behind it. */
export function scanGoNumber(text: string, from: number): ScannedNumber {
  let at = from;
  let error: string | null = null;
  const fail = (message: string): void => {
    error ??= message;
  };
  let prefix = "";
  let isFloat = text[at] === ".";
  let digitCount = 0;
  let invalidDigit = "";
  const digits = (base: number): void => {
    for (; ; at++) {
      const c = text[at] ?? "";
      if (c === "_") continue;
      if (!(base === 16 ? /^[0-9a-fA-F]$/ : /^[0-9]$/).test(c)) return;
      if (base < 10 && Number(c) >= base && invalidDigit === "") invalidDigit = c;
      digitCount++;
    }
  };

  let base = 10;
  if (!isFloat && text[at] === "0") {
    at++;
    prefix = /^[xXoObB]$/.test(text[at] ?? "") ? text[at]!.toLowerCase() : "0";
    base = prefix === "x" ? 16 : prefix === "b" ? 2 : 8;
    if (prefix === "0") digitCount = 1;
    else at++;
  }
  if (!isFloat) digits(base);
  if (text[at] === ".") {
    isFloat = true;
    if (prefix === "o" || prefix === "b") fail(`invalid radix point in ${LITERAL_NAMES[prefix]}`);
    at++;
    digits(base);
  }
  if (digitCount === 0) fail(`${LITERAL_NAMES[prefix]} has no digits`);

  const exponent = (text[at] ?? "").toLowerCase();
  if (exponent === "e" || exponent === "p") {
    if (exponent === "e" && prefix !== "" && prefix !== "0") fail(`'${text[at]}' exponent requires decimal mantissa`);
    if (exponent === "p" && prefix !== "x") fail(`'${text[at]}' exponent requires hexadecimal mantissa`);
    isFloat = true;
    at++;
    if (text[at] === "+" || text[at] === "-") at++;
    digitCount = 0;
    digits(10);
    if (digitCount === 0) fail("exponent has no digits");
  } else if (prefix === "x" && isFloat) fail("hexadecimal mantissa requires a 'p' exponent");
  if (!isFloat && invalidDigit !== "") fail(`invalid digit '${invalidDigit}' in ${LITERAL_NAMES[prefix]}`);
  if (!underscoresSeparateDigits(text.slice(from, at))) fail("'_' must separate successive digits");
  return { end: at, error };
}

function underscoresSeparateDigits(token: string): boolean {
  const digits = /^0[xXoObB]/.test(token) ? `0${token.slice(2)}` : token;
  return !/_(?![0-9a-fA-F])|(?<![0-9a-fA-F])_/.test(digits);
}

/** strconv.ParseFloat of an unsigned number token. `error` is Go's text, null when it is well; the value is then finite. */
export function parseGoFloat(token: string): { readonly value: number; readonly error: string | null } {
  const plain = token.replaceAll("_", "");
  const invalid = `strconv.ParseFloat: parsing ${JSON.stringify(token)}: invalid syntax`;
  const hexadecimal = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/.exec(plain);
  let value: number;
  if (hexadecimal !== null) {
    const [, whole, fraction, power] = hexadecimal;
    value = Number(BigInt(`0x0${whole}${fraction}`)) * 2 ** (Number(power) - 4 * fraction!.length);
  } else if (/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain)) value = Number(plain);
  else return { value: 0, error: invalid };
  if (!Number.isFinite(value)) return { value, error: `strconv.ParseFloat: parsing ${JSON.stringify(token)}: value out of range` };
  return { value, error: null };
}

/** A float as Go's `%v` prints it: shortest, with an exponent of two digits below 1e-4 and from 1e21. */
export function printGoFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  const text = size !== 0 && size < 1e-4 ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** A float without an exponent, as Go's `FormatFloat(value, 'f', -1, 64)` prints it. */
export function printGoFloatPlain(value: number): string {
  if (!Number.isFinite(value)) return printGoFloat(value);
  const shortest = String(value);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(shortest);
  if (parts === null) return shortest;
  const [, sign, first, fraction = "", exponent] = parts;
  const digits = first! + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, "0")}`;
}
