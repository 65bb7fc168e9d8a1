// LogQL's patterns: literal text with captures in angle brackets. As a parser, `<ip> - <_> [<ts>]` takes labels out of a line; as a line
// filter, `|> "<_> error <_>"`, it says yes or no. Text in brackets that is no name is literal text.

/** A pattern that is refused; the text is the one Loki shows. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

export interface CompiledPattern {
  /** Names of the captures in order, without `_`. */
  readonly names: readonly string[];
  /**
   * The captured texts, in the order of `names`; fewer of them when the line ends early, none when it does not start with the pattern's
   * literal text. A capture whose following literal is missing takes the rest of the line.
   */
  match(line: string): string[];
}

export interface CompiledPatternFilter {
  /** Literals in order, from start to end of the line; a capture stands for one character or more. An empty pattern: an empty line. */
  test(line: string): boolean;
  /** Literals every matching line contains, in order. */
  readonly literals: readonly string[];
}

type Part = { readonly kind: "literal"; readonly text: string } | { readonly kind: "capture"; readonly name: string };

/** Compiles the pattern of `| pattern`. @throws PatternError */
export function compilePattern(text: string): CompiledPattern {
  if (text === "") throw new PatternError("parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
  const parts = parse(text);
  const names = parts.flatMap((part) => (part.kind === "capture" && part.name !== "_" ? [part.name] : []));
  if (names.length === 0) throw new PatternError("at least one capture is required");
  refuseNeighbours(parts);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new PatternError(`duplicate capture name (${repeated}): invalid expression`);
  return { names, match: (line) => captures(parts, line) };
}

/** Compiles the pattern of `|>` and `!>`. @throws PatternError */
export function compilePatternFilter(text: string): CompiledPatternFilter {
  const parts = parse(text);
  const named = parts.find((part) => part.kind === "capture" && part.name !== "_");
  if (named?.kind === "capture") throw new PatternError(`named captures are not allowed: found '<${named.name}>'`);
  refuseNeighbours(parts);
  return {
    literals: parts.flatMap((part) => (part.kind === "literal" ? [part.text] : [])),
    test: (line) => matchesWhole(parts, line),
  };
}

function parse(text: string): Part[] {
  const parts: Part[] = [];
  let literalStart = 0;
  for (const capture of text.matchAll(/<([a-zA-Z_][a-zA-Z0-9_]*)>/g)) {
    if (capture.index > literalStart) parts.push({ kind: "literal", text: text.slice(literalStart, capture.index) });
    parts.push({ kind: "capture", name: capture[1]! });
    literalStart = capture.index + capture[0].length;
  }
  if (literalStart < text.length) parts.push({ kind: "literal", text: text.slice(literalStart) });
  return parts;
}

function refuseNeighbours(parts: readonly Part[]): void {
  for (let i = 1; i < parts.length; i++) {
    const [left, right] = [parts[i - 1]!, parts[i]!];
    if (left.kind !== "capture" || right.kind !== "capture") continue;
    throw new PatternError(`found consecutive capture '<${left.name}><${right.name}>': invalid expression`);
  }
}

function captures(parts: readonly Part[], line: string): string[] {
  const found: string[] = [];
  if (line === "") return found;
  let at = 0;
  let i = 0;
  const first = parts[0]!;
  if (first.kind === "literal") {
    if (!line.startsWith(first.text)) return found;
    at = first.text.length;
    i = 1;
  }
  for (; i < parts.length; i += 2) {
    const capture = parts[i]!;
    const literal = parts[i + 1];
    const end = literal?.kind === "literal" ? line.indexOf(literal.text, at) : -1;
    if (capture.kind === "capture" && capture.name !== "_") found.push(end < 0 ? line.slice(at) : line.slice(at, end));
    if (end < 0 || literal?.kind !== "literal") return found;
    at = end + literal.text.length;
  }
  return found;
}

function matchesWhole(parts: readonly Part[], line: string): boolean {
  if (line === "" || parts.length === 0) return line === "" && parts.length === 0;
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part.kind === "capture") continue;
    if (i === 0 && !line.startsWith(part.text)) return false;
    const found = i === 0 ? 0 : line.indexOf(part.text, at);
    if (found < 0 || (i > 0 && found === at)) return false;
    at = found + part.text.length;
  }
  return (parts.at(-1)!.kind === "capture") === at < line.length;
}
