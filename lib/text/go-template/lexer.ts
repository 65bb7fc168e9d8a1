// A Go template cut into tokens: text, `{{ … }}` with its trim marks, comments. Rules and error texts: Go's text/template/parse.

import { once } from "../../runtime/once.ts";
import { unquoteGo } from "../go-quote.ts";

export type TokenKind =
  | "text"
  | "leftDelim"
  | "rightDelim"
  | "space"
  | "identifier"
  | "field"
  | "variable"
  | "string"
  | "char"
  | "number"
  | "bool"
  | "nil"
  | "dot"
  | "pipe"
  | "declare"
  | "assign"
  | "comma"
  | "leftParen"
  | "rightParen"
  | "keyword"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; of text, what is left after trimming. */
  readonly text: string;
  readonly at: number;
}

/** What the template says wrong and where. */
export class TemplateSyntax extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const KEYWORDS = new Set(["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]);
const BLANK = " \t\r\n";

const TOKENS = once((): readonly (readonly [TokenKind, RegExp])[] => [
  ["space", /[ \t\r\n]+/y],
  ["declare", /:=/y],
  ["assign", /=/y],
  ["pipe", /\|/y],
  ["comma", /,/y],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ["char", /'(?:[^'\\\n]|\\[^\n])*'/y],
  ["variable", /\$[\p{L}\p{N}_]*/uy],
  [
    "number",
    /[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?\d+)?|0[bB][01_]+|0[oO][0-7_]+|\.?\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d[\d_]*)?)i?/y,
  ],
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ["dot", /\./y],
  ["leftParen", /\(/y],
  ["rightParen", /\)/y],
  ["identifier", /[\p{L}_][\p{L}\p{N}_]*/uy],
]);

/** Kinds behind which a word may not run on. */
const WORDS = new Set<TokenKind>(["identifier", "field", "variable", "number", "char", "string"]);
const TERMINATOR = /^(?:$|[ \t\r\n.,|:)(]|-?\}\})/;

/** All tokens of a template, the last one `end`. @throws TemplateSyntax */
export function lexTemplate(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    if (open < 0) {
      if (text !== "") tokens.push({ kind: "text", text, at });
      tokens.push({ kind: "end", text: "EOF", at: source.length });
      return tokens;
    }
    const trimsLeft = source[open + 2] === "-" && open + 3 < source.length && BLANK.includes(source[open + 3]!);
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") tokens.push({ kind: "text", text, at });
    const inside = open + (trimsLeft ? 4 : 2);
    const end = source.startsWith("/*", inside) ? lexComment(source, inside) : lexAction(source, open, inside, tokens);
    at = end.at;
    trimNext = end.trim;
  }
}

interface ActionEnd {
  readonly at: number;
  readonly trim: boolean;
}

function lexComment(source: string, from: number): ActionEnd {
  const close = source.indexOf("*/", from);
  if (close < 0) throw new TemplateSyntax("unclosed comment", from);
  const end = rightDelim(source, close + 2);
  if (end === null) throw new TemplateSyntax("comment ends before closing delimiter", from);
  return end;
}

/** `}}` or ` -}}` at a place. */
function rightDelim(source: string, at: number): ActionEnd | null {
  if (source.startsWith("}}", at)) return { at: at + 2, trim: false };
  const trimmed = /[ \t\r\n]-\}\}/y;
  trimmed.lastIndex = at;
  return trimmed.test(source) ? { at: at + 4, trim: true } : null;
}

function lexAction(source: string, open: number, inside: number, tokens: Token[]): ActionEnd {
  tokens.push({ kind: "leftDelim", text: "{{", at: open });
  let parens = 0;
  for (let at = inside; ; ) {
    const end = rightDelim(source, at);
    if (end !== null) {
      if (parens > 0) throw new TemplateSyntax("unclosed left paren", at);
      tokens.push({ kind: "rightDelim", text: "}}", at });
      return end;
    }
    if (at >= source.length) throw new TemplateSyntax("unclosed action", open);
    const token = lexToken(source, at);
    if (token.kind === "leftParen") parens++;
    if (token.kind === "rightParen" && --parens < 0) throw new TemplateSyntax("unexpected right paren", at);
    tokens.push(token);
    at += token.kind === "space" ? spaceBefore(source, at, token.text.length) : token.text.length;
  }
}

/** A run of blanks must leave the one that belongs to ` -}}`. */
function spaceBefore(source: string, at: number, length: number): number {
  return length > 1 && source.startsWith("-}}", at + length) ? length - 1 : length;
}

function lexToken(source: string, at: number): Token {
  for (const [kind, pattern] of TOKENS()) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) continue;
    const after = source.slice(at + text.length, at + text.length + 3);
    if (WORDS.has(kind) && !TERMINATOR.test(after)) {
      if (kind === "number") throw new TemplateSyntax(`bad number syntax: ${JSON.stringify(text + after[0])}`, at);
      if (kind !== "string" && kind !== "char" && !(after[0] === "=" && kind === "variable"))
        throw new TemplateSyntax(`bad character ${codePoint(after)}`, at);
    }
    return { kind: kind === "identifier" ? wordKind(text) : kind, text, at };
  }
  const char = source[at]!;
  if (char === '"') throw new TemplateSyntax("unterminated quoted string", at);
  if (char === "`") throw new TemplateSyntax("unterminated raw quoted string", at);
  if (char === "'") throw new TemplateSyntax("unterminated character constant", at);
  if (char === ":") throw new TemplateSyntax("expected :=", at);
  throw new TemplateSyntax(`unrecognized character in action: ${codePoint(source.slice(at))}`, at);
}

function wordKind(word: string): TokenKind {
  if (KEYWORDS.has(word)) return "keyword";
  return word === "true" || word === "false" ? "bool" : word === "nil" ? "nil" : "identifier";
}

/** Go's %#U: `U+0040 '@'`. */
function codePoint(text: string): string {
  const char = String.fromCodePoint(text.codePointAt(0)!);
  return `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")} '${char}'`;
}

/** The constant a number or character token stands for: int as bigint, float64 as number. @throws TemplateSyntax */
export function numberConstant(token: Token): bigint | number {
  const bad = (): TemplateSyntax => new TemplateSyntax(`bad number syntax: ${JSON.stringify(token.text)}`, token.at);
  if (token.kind === "char") {
    const char = unquoteGo(token.text);
    if (char === null || [...char].length !== 1) throw new TemplateSyntax(`malformed character constant: ${token.text}`, token.at);
    return BigInt(char.codePointAt(0)!);
  }
  const text = token.text.replaceAll("_", "");
  if (text.endsWith("i")) throw new TemplateSyntax(`complex numbers are not supported: ${token.text}`, token.at);
  const minus = text.startsWith("-");
  const size = text.replace(/^[+-]/, "");
  try {
    if (/^0[xX][0-9a-fA-F]*[.pP]/.test(size)) throw bad();
    if (/^0[xXbBoO]/.test(size)) return minus ? -BigInt(size) : BigInt(size);
    if (/^0[0-7]+$/.test(size)) return minus ? -BigInt(`0o${size.slice(1)}`) : BigInt(`0o${size.slice(1)}`);
    if (/^\d+$/.test(size)) return checkInt(minus ? -BigInt(size) : BigInt(size), token);
  } catch (error) {
    throw error instanceof TemplateSyntax ? error : bad();
  }
  const float = Number(size);
  if (Number.isNaN(float)) throw bad();
  return minus ? -float : float;
}

function checkInt(value: bigint, token: Token): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new TemplateSyntax(`integer overflow: ${JSON.stringify(token.text)}`, token.at);
  return value;
}
