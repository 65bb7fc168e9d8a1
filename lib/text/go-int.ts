// Go's strconv.ParseInt and ParseUint with base 0: `0x1F`, `0o17`, `017`, `0b1`, underscores between digits.

const WHOLE = /^([+-]?)(0x(?:_?[\da-f])+|0b(?:_?[01])+|0o(?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/i;

/** The number; undefined for a text that is none, and for one of more than 64 bits. */
export function parseGoInt64(text: string): bigint | undefined {
  const value = whole(text);
  return value === undefined || BigInt.asIntN(64, value) !== value ? undefined : value;
}

/** As `parseGoInt64`, rounded to what a double holds. */
export function parseGoInt(text: string): number | undefined {
  const value = parseGoInt64(text);
  return value === undefined ? undefined : Number(value);
}

/** As `parseGoInt`, without a sign. */
export function parseGoUint(text: string): number | undefined {
  const value = /^[+-]/.test(text) ? undefined : whole(text);
  return value === undefined || BigInt.asUintN(64, value) !== value ? undefined : Number(value);
}

function whole(text: string): bigint | undefined {
  const [, sign, digits] = WHOLE.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const size = BigInt(digits.replaceAll("_", "").replace(/^0(?=\d)/, "0o"));
  return sign === "-" ? -size : size;
}
