// A line as tokens, and tokens back as a pattern in the syntax of `|>`: `<_>` stands for what varies.

export const ANY = "<_>";
const LINE_UNITS_MAX = 3_000;
const TOKENS_MIN = 4;
const TOKENS_MAX = 80;

export interface Tokenized {
  readonly tokens: readonly string[];
  /** Puts tokens of the same number together as the line had them. */
  readonly join: (tokens: readonly string[]) => string;
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
  const spaceAfter = new Set<number>();
  for (const [piece] of line.matchAll(PIECE)) {
    if (piece.trim() === "") spaceAfter.add(tokens.length - 1);
    else tokens.push(piece);
  }
  return {
    tokens,
    join: (parts) => oneAny(parts.map((part, i) => (spaceAfter.has(i) && i < parts.length - 1 ? `${part} ` : part)).join("")),
  };
}

/** Names and values of logfmt in turn, quotes taken off. */
function byPairs(line: string): Tokenized {
  const tokens: string[] = [];
  for (const [, name = "", quoted, plain = ""] of line.matchAll(/([^\s=]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S*)))?/g))
    tokens.push(name, quoted ?? plain);
  return { tokens, join: (parts) => oneAny(pairsText(parts)) };
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
