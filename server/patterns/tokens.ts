// A line as tokens, and tokens back as a pattern in the syntax of `|>`: `<_>` stands for what varies.

export const ANY = "<_>";
const LINE_UNITS_MAX = 3_000;
const TOKENS_MIN = 4;
const TOKENS_MAX = 80;

/** How a line's tokens stood together: as logfmt's names and values in turn, or with a space after these. */
export type Layout = "pairs" | readonly number[];

export interface Tokenized {
  readonly tokens: readonly string[];
  readonly layout: Layout;
}

/** Undefined for lines patterns say nothing about: JSON, and those with too few or too many tokens. */
export function tokenize(line: string): Tokenized | undefined {
  if (line.length > LINE_UNITS_MAX || (line.startsWith("{") && line.endsWith("}"))) return undefined;
  const tokenized = /^[^\s="]+=/.test(line) ? byPairs(line) : byPunctuation(line);
  const count = tokenized.tokens.length;
  return count < TOKENS_MIN || count > TOKENS_MAX ? undefined : tokenized;
}

/** Runs of what is neither space nor a delimiter, and each delimiter by itself. `_ / . - :` hold words together. */
const PIECE = /\s+|(?:[_/.\-:]|[^\s=\p{P}])+|[=\p{P}]/gu;

function byPunctuation(line: string): Tokenized {
  const tokens: string[] = [];
  const spaceAfter: number[] = [];
  for (const [piece] of line.matchAll(PIECE)) {
    if (piece.trim() === "") spaceAfter.push(tokens.length - 1);
    else tokens.push(piece);
  }
  return { tokens, layout: spaceAfter };
}

/** Names and values of logfmt in turn, quotes taken off. */
function byPairs(line: string): Tokenized {
  const tokens: string[] = [];
  for (const [, name = "", quoted, plain = ""] of line.matchAll(/([^\s=]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S*)))?/g))
    tokens.push(name, quoted ?? plain);
  return { tokens, layout: "pairs" };
}

/** Puts tokens together as the line had them that they, or as many others, are from. */
export function joinTokens(tokens: readonly string[], layout: Layout): string {
  if (layout === "pairs") return oneAny(pairsText(tokens));
  const spaceAfter = new Set(layout);
  return oneAny(tokens.map((token, i) => (spaceAfter.has(i) && i < tokens.length - 1 ? `${token} ` : token)).join(""));
}

function pairsText(parts: readonly string[]): string {
  const pairs: string[] = [];
  for (let i = 0; i < parts.length; i += 2) pairs.push(`${parts[i]}=${parts[i + 1] ?? ""}`);
  return pairs.join(" ");
}

/** Several `<_>` side by side match what one does. */
function oneAny(pattern: string): string {
  return pattern.replace(/(?:<_>){2,}/g, ANY);
}
