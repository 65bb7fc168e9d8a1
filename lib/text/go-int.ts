// Go's strconv.ParseInt and ParseUint with base 0: `0x1F`, `0o17`, `017`, `0b1`, underscores between digits.

const WHOLE = /^([+-]?)(0x(?:_?[\da-f])+|0b(?:_?[01])+|0o(?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/i;

/** The number; undefined for a text that is none, and for one of more than 64 bits. */
export function parseGoInt(text: string): number | undefined {
  return whole(text, -(2n ** 63n), 2n ** 63n - 1n);
}

/** As `parseGoInt`, without a sign. */
export function parseGoUint(text: string): number | undefined {
  return /^[+-]/.test(text) ? undefined : whole(text, 0n, 2n ** 64n - 1n);
}

function whole(text: string, min: bigint, max: bigint): number | undefined {
  const [, sign, digits] = WHOLE.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const size = BigInt(digits.replaceAll("_", "").replace(/^0(?=\d)/, "0o"));
  const value = sign === "-" ? -size : size;
  return value < min || value > max ? undefined : Number(value);
}
