// logfmt as go-logfmt reads it: pairs `key`, `key=`, `key=value`, `key="quoted \"value\""`, set apart by anything up to a space.
//
// The scanner works on bytes and hands out offsets; text is made only where a caller asks for it. Faulty tokens: the caller decides.
// go-logfmt and `| logfmt --strict` stop at the first (`error`), `| logfmt` skips to the next blank and goes on (`lenient`).

import { unescapeJsonString } from "./json-escape.ts";

export interface LogfmtOptions {
  /** Skip a faulty token and go on; `error` stays null. */
  readonly lenient?: boolean;
  /** A line feed ends a record, as in go-logfmt: a quoted value cannot go past it. */
  readonly records?: boolean;
}

/** What was wrong, and where: a byte position from the start of the line (or record), from 1. */
export interface LogfmtError {
  readonly detail: string;
  readonly position: number;
  /** Record, from 1; stays 1 without `records`. */
  readonly record: number;
}

const LINE_FEED = 10;
const SPACE = 32;
const QUOTE = 34;
const EQUALS = 61;
const BACKSLASH = 92;

const NOTHING_LEFT = 0;
const PAIR = 1;
const FAULT = 2;

export class LogfmtScanner {
  /** The pair last found. The value's span is empty when there is none. A quoted value's span excludes its quotes. */
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The value was quoted and has escapes in it; `value()` undoes them. */
  escaped = false;
  error: LogfmtError | null = null;

  #bytes: Uint8Array;
  #at: number;
  #end: number;
  #recordStart: number;
  #record = 1;
  #lenient: boolean;
  #records: boolean;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, options: LogfmtOptions = {}) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#recordStart = start;
    this.#lenient = options.lenient === true;
    this.#records = options.records === true;
  }

  /** Starts over with another line, so that one scanner serves many. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#recordStart = start;
    this.#record = 1;
    this.error = null;
  }

  /** Goes to the next pair; false at the end, and at a fault unless lenient. */
  next(): boolean {
    if (this.error !== null) return false;
    for (;;) {
      const found = this.#scan();
      if (found === PAIR) return true;
      if (found === NOTHING_LEFT || this.error !== null) return false;
      while (this.#at < this.#end && this.#bytes[this.#at]! > SPACE) this.#at++;
    }
  }

  key(): string {
    return text(this.#bytes, this.keyStart, this.keyEnd);
  }

  /** The value as text, escapes undone. */
  value(): string {
    const raw = text(this.#bytes, this.valueStart, this.valueEnd);
    return this.escaped ? unescapeJsonString(raw)! : raw;
  }

  /** Is the key this text? Compares bytes, makes no string. */
  keyIs(name: Uint8Array): boolean {
    if (this.keyEnd - this.keyStart !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.#bytes[this.keyStart + i] !== name[i]) return false;
    return true;
  }

  #scan(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    while (at < end && bytes[at]! <= SPACE) {
      if (bytes[at] === LINE_FEED && this.#records) {
        this.#record++;
        this.#recordStart = at + 1;
      }
      at++;
    }
    this.keyStart = at;
    let multibyte = false;
    let byte = 0;
    while (at < end && (byte = bytes[at]!) > SPACE && byte !== EQUALS && byte !== QUOTE) {
      multibyte ||= byte >= 0x80;
      at++;
    }
    this.#at = at;
    this.keyEnd = this.valueStart = this.valueEnd = at;
    this.escaped = false;
    if (at === end || byte <= SPACE) {
      if (at === this.keyStart) return NOTHING_LEFT;
      return this.#checkKey(multibyte);
    }
    if (byte === QUOTE || at === this.keyStart) return this.#unexpected(byte);
    if (this.#checkKey(multibyte) === FAULT) return FAULT;
    this.#at = ++at;
    if (at < end && bytes[at] === QUOTE) return this.#quoted();
    this.valueStart = at;
    while (at < end && (byte = bytes[at]!) > SPACE) {
      if (byte === EQUALS || byte === QUOTE) {
        this.#at = at;
        return this.#unexpected(byte);
      }
      at++;
    }
    this.#at = this.valueEnd = at;
    return PAIR;
  }

  #quoted(): number {
    const bytes = this.#bytes;
    this.valueStart = this.#at + 1;
    let at = this.valueStart;
    for (; at < this.#end && bytes[at] !== QUOTE; at++) {
      if (bytes[at] === LINE_FEED && this.#records) break;
      if (bytes[at] !== BACKSLASH) continue;
      this.escaped = true;
      at++;
    }
    if (at >= this.#end || bytes[at] !== QUOTE) {
      this.#at = Math.min(at, this.#end);
      return this.#fault("unterminated quoted value");
    }
    this.valueEnd = at;
    this.#at = at + 1;
    if (this.escaped && unescapeJsonString(text(bytes, this.valueStart, this.valueEnd)) === null)
      return this.#fault("invalid quoted value");
    return PAIR;
  }

  /** A key must be valid UTF-8. */
  #checkKey(multibyte: boolean): number {
    return multibyte && this.key().includes("\ufffd") ? this.#fault("invalid key") : PAIR;
  }

  #unexpected(byte: number): number {
    return this.#fault(`unexpected '${String.fromCharCode(byte)}'`);
  }

  #fault(detail: string): number {
    if (!this.#lenient) this.error = { detail, position: this.#at - this.#recordStart + 1, record: this.#record };
    return FAULT;
  }
}

/** A scanner over the pairs of `bytes[start, end)`: `while (scanner.next()) … scanner.key() … scanner.value()`, then `scanner.error`. */
export function scanLogfmt(bytes: Uint8Array, start = 0, end = bytes.length, options: LogfmtOptions = {}): LogfmtScanner {
  return new LogfmtScanner(bytes, start, end, options);
}

/** All pairs of a line as text, and the fault that ended the reading, if any. */
export function parseLogfmt(
  line: string | Uint8Array,
  options: LogfmtOptions = {},
): { pairs: [key: string, value: string][]; error: LogfmtError | null } {
  const bytes = typeof line === "string" ? Buffer.from(line) : line;
  const scanner = scanLogfmt(bytes, 0, bytes.length, options);
  const pairs: [string, string][] = [];
  while (scanner.next()) pairs.push([scanner.key(), scanner.value()]);
  return { pairs, error: scanner.error };
}

/** Loki's text of `__error_details__`. */
export function printLogfmtError(error: LogfmtError): string {
  return `logfmt syntax error at pos ${error.position} : ${error.detail}`;
}

/** go-logfmt's text. */
export function printGoLogfmtError(error: LogfmtError): string {
  return `logfmt syntax error at pos ${error.position} on line ${error.record}: ${error.detail}`;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 32) return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
  let out = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x80) return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
    out += String.fromCharCode(byte);
  }
  return out;
}
