// LogQL text to tokens. The rules are those of Go's text/scanner with what Loki puts on top: durations and sizes are numbers with
// letters behind them, a function's name is one only in front of a parenthesis, `[…]` is a single token.

import { once } from "../runtime/once.ts";
import { parseHumanBytes } from "../text/byte-size.ts";
import { parseGoDurationNs, parsePrometheusDurationMs } from "../text/duration.ts";
import { LogqlError } from "./errors.ts";
import { scanGoNumber } from "./go-number.ts";
import { unquoteGo } from "./go-string.ts";
import { FUNCTIONS, type Token } from "./tokens.ts";

const NS_PER_MS = 1e6;

const TWO_CHARACTER_OPERATORS: ReadonlySet<string> = new Set(["!=", "=~", "!~", "|=", "|~", "|>", "!>", "==", ">=", "<="]);
const ONE_CHARACTER_OPERATORS: ReadonlySet<string> = new Set("{}(),.]=|<>+-*/%^");
const PARSER_FLAGS: readonly string[] = ["--strict", "--keep-empty"];

const SPACES = /[ \t\n\r]*/y;
const IDENTIFIER = once(() => /[\p{L}_][\p{L}\p{Nd}_]*/uy);
const DURATION_TAIL = once(() => /[\p{N}numshdwy\u00b5\u03bc.]+/uy);
const BYTES_TAIL = once(() => /[\p{N}BikKMGTP.]+/uy);
const CALL_AHEAD = /\s*(?:\(|(?:by|without)\s*\()/iy;

export class Lexer {
  readonly #text: string;
  readonly #keywords: ReadonlySet<string>;
  #at = 0;

  /** @param keywords words that are no label names */
  constructor(text: string, keywords: ReadonlySet<string>) {
    this.#text = text;
    this.#keywords = keywords;
    if (text.startsWith("\ufeff")) this.#at = 1;
  }

  /** The next token; `$end` at the end, again and again. @throws LogqlError */
  next(): Token {
    this.#skipSpace();
    const text = this.#text;
    const start = this.#at;
    const c = text[start];
    if (c === undefined) return this.#token("$end", start, start);
    if (isDigit(c) || (c === "." && isDigit(text[start + 1] ?? ""))) return this.#number(start);
    if (c === '"' || c === "`") return this.#string(start);
    if (c === "'") return this.#character(start);
    if (c === "[") return this.#range(start);
    if (c === "-") {
      const flag = PARSER_FLAGS.find((name) => text.slice(start, start + name.length).toLowerCase() === name);
      if (flag !== undefined) return this.#token("FUNCTION_FLAG", start, start + flag.length, false);
      const duration = this.#duration(start, start + 1);
      if (duration !== undefined) return duration;
    }
    if (c === "\0") throw this.error("invalid character NUL", start);
    const word = this.#match(IDENTIFIER(), start);
    if (word !== "") return this.#word(start, word);
    if (TWO_CHARACTER_OPERATORS.has(text.slice(start, start + 2)))
      return this.#token(text.slice(start, start + 2), start, start + 2, false);
    if (ONE_CHARACTER_OPERATORS.has(c)) return this.#token(c, start, start + 1);
    return this.#token("IDENTIFIER", start, start + String.fromCodePoint(text.codePointAt(start)!).length);
  }

  /** An error at a place of the text. */
  error(detail: string, at: number, lineKnown = true): LogqlError {
    // In an empty text Loki's scanner never gets to line 1.
    if (this.#text === "") return LogqlError.at(detail, 0, 0);
    const before = this.#text.slice(0, at);
    const lineStart = before.lastIndexOf("\n") + 1;
    const line = lineKnown ? before.split("\n").length : 0;
    return LogqlError.at(detail, line, [...before.slice(lineStart)].length + 1);
  }

  #token(kind: string, start: number, end: number, lineKnown = true, value = 0): Token {
    this.#at = end;
    return { kind, text: this.#text.slice(start, end), start, lineKnown, value };
  }

  #match(pattern: RegExp, at: number): string {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }

  /** White space, `#` comments, and the comments of Go, which Loki's scanner skips too. */
  #skipSpace(): void {
    const text = this.#text;
    for (;;) {
      this.#at += this.#match(SPACES, this.#at).length;
      if (text[this.#at] === "#" || text.startsWith("//", this.#at)) {
        const end = text.indexOf("\n", this.#at);
        this.#at = end < 0 ? text.length : end;
      } else if (text.startsWith("/*", this.#at)) {
        const end = text.indexOf("*/", this.#at + 2);
        if (end < 0) throw this.error("comment not terminated", this.#at);
        this.#at = end + 2;
      } else return;
    }
  }

  #number(start: number): Token {
    const { end, error } = scanGoNumber(this.#text, start);
    if (error !== null) throw this.error(error, start);
    return this.#duration(start, end) ?? this.#bytes(start, end) ?? this.#token("NUMBER", start, end);
  }

  /** A number or sign up to `end` that goes on as a duration: Prometheus' form first, then Go's. */
  #duration(start: number, end: number): Token | undefined {
    const tail = this.#match(DURATION_TAIL(), end);
    if (tail === "") return undefined;
    const ns = durationNs(this.#text.slice(start, end + tail.length));
    return ns === undefined ? undefined : this.#token("DURATION", start, end + tail.length, false, ns);
  }

  #bytes(start: number, end: number): Token | undefined {
    const tail = this.#match(BYTES_TAIL(), end);
    if (tail === "") return undefined;
    const bytes = attempt(() => parseHumanBytes(this.#text.slice(start, end + tail.length)));
    return bytes === undefined ? undefined : this.#token("BYTES", start, end + tail.length, false, bytes);
  }

  #string(start: number): Token {
    const { end, value, error } = unquoteGo(this.#text, start);
    if (error !== null) throw this.error(error, start);
    this.#at = end;
    return { kind: "STRING", text: value, start, lineKnown: true, value: 0 };
  }

  /** Go's 'x': no string of LogQL, but a token all the same. */
  #character(start: number): Token {
    const { end, value, error } = unquoteGo(this.#text, start);
    if (error !== null) throw this.error(error, start);
    if ([...value].length !== 1) throw this.error("invalid char literal", start);
    return this.#token("IDENTIFIER", start, end);
  }

  #range(start: number): Token {
    const end = this.#text.indexOf("]", start);
    if (end < 0) throw this.error("missing closing ']' in duration", start, false);
    const inner = this.#text.slice(start + 1, end);
    let rangeMs: number;
    try {
      rangeMs = parsePrometheusDurationMs(inner);
    } catch (cause) {
      throw this.error((cause as Error).message, start, false);
    }
    this.#at = end + 1;
    return { kind: "RANGE", text: inner, start, lineKnown: false, value: rangeMs };
  }

  #word(start: number, word: string): Token {
    const end = start + word.length;
    const lower = word.toLowerCase();
    if (this.#keywords.has(lower)) return this.#token(lower, start, end);
    const fn = FUNCTIONS.get(lower);
    const isCall = fn !== undefined && this.#match(CALL_AHEAD, end) !== "";
    return this.#token(isCall ? fn : "IDENTIFIER", start, end);
  }
}

function durationNs(text: string): number | undefined {
  const ms = attempt(() => parsePrometheusDurationMs(text));
  return ms === undefined ? attempt(() => parseGoDurationNs(text)) : ms * NS_PER_MS;
}

function attempt(parse: () => number): number | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

const isDigit = (c: string): boolean => c >= "0" && c <= "9";
