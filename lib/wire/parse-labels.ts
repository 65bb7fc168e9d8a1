// Label sets as text: `{a="b", c="d"}`, or a metric name before or instead of the braces, as Prometheus' parser takes them. Its
// error texts are kept, since push clients see them in Loki's answers (`1:7: parse error: …`, position in bytes from 1).

import { quoteGo } from "../text/go-quote.ts";
import { type LabelPair, LabelSet } from "./labels.ts";

/** Text that is not a label set; `message` is Prometheus' own. */
export class LabelsError extends Error {
  override readonly name = "LabelsError";
}

/** A name that stands twice in one set; the set cannot be built, its text is kept for the message. */
export class DuplicateLabel extends Error {
  override readonly name = "DuplicateLabel";
  readonly label: string;
  readonly pairs: readonly LabelPair[];
  constructor(label: string, pairs: readonly LabelPair[]) {
    super(`duplicate label name: '${label}'`);
    this.label = label;
    this.pairs = pairs;
  }
}

/** @throws LabelsError, DuplicateLabel */
export function parseLabels(text: string): LabelSet {
  return labelSetOf(parseLabelPairs(text));
}

/** @throws DuplicateLabel */
export function labelSetOf(pairs: readonly LabelPair[]): LabelSet {
  const seen = new Set<string>();
  for (const [name] of pairs) {
    if (seen.has(name)) throw new DuplicateLabel(name, pairs);
    seen.add(name);
  }
  return LabelSet.of(pairs);
}

/** The pairs as written, in order, duplicates and empty values included. @throws LabelsError */
export function parseLabelPairs(text: string): LabelPair[] {
  const scan = new Scanner(text);
  const pairs: LabelPair[] = [];
  scan.skipSpace();
  if (scan.done()) return pairs;
  const metricName = scan.identifier(true);
  if (metricName !== "") pairs.push(["__name__", metricName]);
  scan.skipSpace();
  if (scan.done()) return pairs;
  if (scan.peek() !== "{") scan.fail(`unexpected ${scan.outsideToken()}`);
  scan.take();
  for (;;) {
    scan.skipSpace();
    if (scan.peek() === "}") break;
    const name = scan.identifier(false);
    if (name === "") scan.fail(`unexpected ${scan.insideToken()} in label set, expected identifier or "}"`);
    scan.skipSpace();
    if (scan.peek() !== "=" || scan.peek(1) === "~") scan.fail(`unexpected ${scan.insideToken()} in label set, expected "="`);
    scan.take();
    scan.skipSpace();
    if (!/["'`]/.test(scan.peek())) scan.fail(`unexpected ${scan.insideToken()} in label set, expected string`);
    pairs.push([name, scan.string()]);
    scan.skipSpace();
    if (scan.peek() === ",") scan.take();
    else if (scan.peek() !== "}") scan.fail(`unexpected ${scan.insideToken()} in label set, expected "," or "}"`);
  }
  scan.take();
  scan.skipSpace();
  if (!scan.done()) scan.fail(`unexpected ${scan.outsideToken()}`);
  return pairs;
}

const encoder = new TextEncoder();
const SPACE = /(?:[ \t\r\n]|#[^\n]*)*/y;
/** Strings and numbers are cut to this in messages. */
const SHOWN_CHARS_MAX = 10;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  done(): boolean {
    return this.#at >= this.#text.length;
  }

  peek(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? "";
  }

  take(): string {
    return this.#text[this.#at++] ?? "";
  }

  /** Blanks, and comments to the end of their line. */
  skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)![0].length;
  }

  identifier(colons: boolean): string {
    const match = colons ? /[a-zA-Z_:][a-zA-Z0-9_:]*/y : /[a-zA-Z_][a-zA-Z0-9_]*/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** A quoted string with Go's escapes; back quotes are raw. */
  string(): string {
    const opened = this.#at;
    const quote = this.take();
    let out = "";
    for (;;) {
      if (this.done() || (quote !== "`" && this.peek() === "\n")) this.fail("unterminated quoted string", opened);
      const char = this.take();
      if (char === quote) return out;
      out += char === "\\" && quote !== "`" ? this.#escape(quote, opened) : char;
    }
  }

  #escape(quote: string, opened: number): string {
    const char = this.take();
    const simple: Readonly<Record<string, string>> = {
      a: "\x07",
      b: "\b",
      f: "\f",
      n: "\n",
      r: "\r",
      t: "\t",
      v: "\v",
      "\\": "\\",
      [quote]: quote,
    };
    if (simple[char] !== undefined) return simple[char]!;
    const digits = { x: 2, u: 4, U: 8 }[char];
    if (digits !== undefined) return this.#codePoint(this.#digits(digits, 16, opened), 0x10ffff, opened);
    if (/[0-7]/.test(char)) {
      this.#at--;
      return this.#codePoint(this.#digits(3, 8, opened), 0xff, opened);
    }
    if (char === "") this.fail("escape sequence not terminated", opened);
    this.#at--;
    return this.fail(`unknown escape sequence ${this.#unicode()}`, opened);
  }

  #digits(count: number, base: number, opened: number): number {
    const allowed = base === 16 ? /[0-9a-fA-F]/ : /[0-7]/;
    for (let i = 0; i < count; i++) {
      if (this.#at + i >= this.#text.length) this.fail("escape sequence not terminated", opened);
      if (allowed.test(this.peek(i))) continue;
      this.#at += i;
      this.fail(`illegal character ${this.#unicode()} in escape sequence`, opened);
    }
    this.#at += count;
    return Number.parseInt(this.#text.slice(this.#at - count, this.#at), base);
  }

  #codePoint(code: number, most: number, opened: number): string {
    if (code > most || (code >= 0xd800 && code <= 0xdfff)) this.fail("escape sequence is an invalid Unicode code point", opened);
    return String.fromCodePoint(code);
  }

  /** The character at hand, as Go prints `%#U`. */
  #unicode(): string {
    const code = this.#text.codePointAt(this.#at)!;
    return `U+${code.toString(16).toUpperCase().padStart(4, "0")} '${String.fromCodePoint(code)}'`;
  }

  /** The token at hand, as Prometheus names it inside braces. */
  insideToken(): string {
    if (this.done()) return this.fail("unexpected end of input inside braces");
    const rest = this.#text.slice(this.#at);
    const identifier = /^[a-zA-Z_][a-zA-Z0-9_]*/.exec(rest)?.[0];
    if (identifier !== undefined) return `identifier "${identifier}"`;
    const operator = /^(=~|!~|!=)/.exec(rest)?.[0];
    if (operator !== undefined) return `<op:${operator}>`;
    if (/^[=,}]/.test(rest)) return `"${rest[0]}"`;
    if (/^["'`]/.test(rest)) return this.#stringToken();
    if (rest[0] === "{") return this.fail("unexpected left brace '{'");
    const second = rest.codePointAt(1);
    if (rest[0] === "!" && second !== undefined)
      return this.fail(`unexpected character after '!' inside braces: '${String.fromCodePoint(second)}'`);
    return this.fail(`unexpected character inside braces: '${String.fromCodePoint(rest.codePointAt(0)!)}'`);
  }

  #stringToken(): string {
    const opened = this.#at;
    this.string();
    const raw = this.#text.slice(opened, this.#at);
    this.#at = opened;
    return `string ${shown(raw)}`;
  }

  /** The same outside of them, where keywords and operators are known as such. */
  outsideToken(): string {
    const rest = this.#text.slice(this.#at);
    const identifier = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(rest)?.[0];
    if (identifier !== undefined) return KEYWORDS.get(identifier.toLowerCase())?.(identifier) ?? identifierToken(identifier);
    const number = /^\.?[0-9][0-9a-zA-Z.]*/.exec(rest)?.[0];
    if (number !== undefined) return `${/^(\d+(ms|[smhdwy]))+$/.test(number) ? "duration" : "number"} ${shown(number)}`;
    const operator = /^(!=|==|<=|>=|[-+*/%^<>@])/.exec(rest)?.[0];
    if (operator !== undefined) return `<op:${operator}>`;
    if (/^["'`]/.test(rest)) return this.#stringToken();
    if (rest[0] === "]") return this.fail("unexpected right bracket ']'");
    if (rest[0] === ")") return this.fail("unexpected right parenthesis ')'");
    if (/^[=,{([]/.test(rest)) return `"${rest[0]}"`;
    return `character: '${String.fromCodePoint(rest.codePointAt(0)!)}'`;
  }

  fail(what: string, at = this.#at): never {
    const bytes = encoder.encode(this.#text.slice(0, at)).length;
    throw new LabelsError(`1:${bytes + 1}: parse error: ${what}`);
  }
}

function identifierToken(text: string): string {
  return `${text.includes(":") ? "metric identifier" : "identifier"} "${text}"`;
}

function shown(text: string): string {
  const chars = [...text];
  return chars.length > SHOWN_CHARS_MAX ? `${quoteGo(chars.slice(0, SHOWN_CHARS_MAX).join(""))}...` : quoteGo(text);
}

/** How Prometheus names the words that its query language keeps for itself. */
const KEYWORDS: ReadonlyMap<string, (word: string) => string> = new Map(
  [
    { words: "and or unless atan2", print: (word: string) => `<op:${word}>` },
    {
      words: "sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio",
      print: (word: string) => `<aggr:${word}>`,
    },
    { words: "offset by without on ignoring group_left group_right bool", print: (word: string) => `<${word}>` },
    { words: "inf nan", print: (word: string) => `number "${word}"` },
  ].flatMap(({ words, print }) => words.split(" ").map((word) => [word, print] as const)),
);
