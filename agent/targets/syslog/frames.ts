// Where messages begin and end (RFC 6587), told for each message by its first byte:
//
//   83 <34>1 2003-…       a digit: the length in bytes, a space, the message ("octet counting")
//   <34>1 2003-…\n        `<`: the message goes to the next line feed ("non-transparent framing")
//
// What begins otherwise is no message: it is reported and stepped over up to the next line feed. Nothing longer than the bound is kept.

import { GrowingBytes } from "../growing-bytes.ts";
import { isDigit } from "./message.ts";

const LINE_FEED = 10;
const SPACE = 32;
const LESS = 60;
/** A length has at most this many digits. */
const DIGITS_MAX = 9;

export type FrameFault = "no_frame" | "too_long" | "half_frame";

export interface FrameHandler {
  /** A message without its framing. The bytes are valid during the call. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** Bytes that are no message. */
  fault(fault: FrameFault): void;
}

type State =
  | { readonly kind: "between" }
  | { readonly kind: "length"; digits: number; bytes: number }
  | { readonly kind: "counted"; remaining: number; readonly skipping: boolean }
  | { readonly kind: "line"; skipping: boolean };

const BETWEEN: State = { kind: "between" };

export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #messageBytesMax: number;
  #state: State = BETWEEN;
  /** The begun message as far as it came in chunks before. */
  #begun = new GrowingBytes();

  constructor(handler: FrameHandler, messageBytesMax: number) {
    this.#handler = handler;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#state.kind !== "between";
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      switch (this.#state.kind) {
        case "between":
          at = this.#begin(chunk, at);
          break;
        case "length":
          at = this.#readLength(this.#state, chunk, at);
          break;
        case "counted":
          at = this.#readCounted(this.#state, chunk, at);
          break;
        case "line":
          at = this.#readLine(this.#state, chunk, at);
          break;
      }
    }
  }

  /** The sender is done: a last line needs no line feed. */
  end(): void {
    const state = this.#state;
    if (state.kind === "line" && !state.skipping) this.#handler.message(this.#begun.bytes, 0, this.#begun.length);
    else if (state.kind === "length" || (state.kind === "counted" && !state.skipping)) this.#handler.fault("half_frame");
    this.#finish();
  }

  /** The sender is cut off in the middle. */
  abort(): void {
    const state = this.#state;
    if (state.kind === "length" || ((state.kind === "counted" || state.kind === "line") && !state.skipping))
      this.#handler.fault("half_frame");
    this.#finish();
  }

  #finish(): void {
    this.#state = BETWEEN;
    if (this.#begun.length > 0) this.#begun = new GrowingBytes();
  }

  #begin(chunk: Uint8Array, at: number): number {
    const byte = chunk[at]!;
    if (byte === LINE_FEED || byte === 13 || byte === SPACE || byte === 0) return at + 1;
    if (isDigit(byte)) this.#state = { kind: "length", digits: 0, bytes: 0 };
    else if (byte === LESS) this.#state = { kind: "line", skipping: false };
    else this.#skipLine("no_frame");
    return at;
  }

  #readLength(state: State & { kind: "length" }, chunk: Uint8Array, from: number): number {
    let at = from;
    for (; at < chunk.length && isDigit(chunk[at]!) && state.digits <= DIGITS_MAX; at++) {
      state.bytes = state.bytes * 10 + chunk[at]! - 48;
      state.digits++;
    }
    if (at === chunk.length && state.digits <= DIGITS_MAX) return at;
    if (chunk[at] !== SPACE || state.digits > DIGITS_MAX || state.bytes === 0) {
      this.#skipLine("no_frame");
      return at;
    }
    const skipping = state.bytes > this.#messageBytesMax;
    if (skipping) this.#handler.fault("too_long");
    this.#state = { kind: "counted", remaining: state.bytes, skipping };
    return at + 1;
  }

  #readCounted(state: State & { kind: "counted" }, chunk: Uint8Array, from: number): number {
    const to = Math.min(chunk.length, from + state.remaining);
    state.remaining -= to - from;
    if (state.remaining > 0) {
      if (!state.skipping) this.#begun.append(chunk.subarray(from, to));
      return to;
    }
    if (!state.skipping) this.#complete(chunk, from, to);
    this.#finish();
    return to;
  }

  #readLine(state: State & { kind: "line" }, chunk: Uint8Array, from: number): number {
    const feed = chunk.indexOf(LINE_FEED, from);
    const to = feed < 0 ? chunk.length : feed;
    if (!state.skipping && this.#begun.length + to - from > this.#messageBytesMax) this.#skipLine("too_long");
    if (feed < 0) {
      if (!this.#isSkipping) this.#begun.append(chunk.subarray(from, to));
      return to;
    }
    if (!this.#isSkipping) this.#complete(chunk, from, to);
    this.#finish();
    return feed + 1;
  }

  get #isSkipping(): boolean {
    return this.#state.kind === "line" && this.#state.skipping;
  }

  #skipLine(fault: FrameFault): void {
    this.#handler.fault(fault);
    this.#finish();
    this.#state = { kind: "line", skipping: true };
  }

  #complete(chunk: Uint8Array, from: number, to: number): void {
    if (this.#begun.length === 0) return this.#handler.message(chunk, from, to);
    this.#begun.append(chunk.subarray(from, to));
    this.#handler.message(this.#begun.bytes, 0, this.#begun.length);
  }
}

/**
 * The messages of a datagram: one (RFC 5426), which may have several lines; but some senders put several into one, each behind a line
 * feed or its length.
 */
export function readDatagram(bytes: Uint8Array, messageBytesMax: number, handler: FrameHandler): void {
  if (bytes.length > 0 && isDigit(bytes[0]!)) {
    const reader = new FrameReader(handler, messageBytesMax);
    reader.push(bytes);
    return reader.end();
  }
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(LINE_FEED, start);
    while (end >= 0 && end + 1 < bytes.length && bytes[end + 1] !== LESS) end = bytes.indexOf(LINE_FEED, end + 1);
    if (end < 0) end = bytes.length;
    if (bytes[start] !== LESS) handler.fault("no_frame");
    else if (end - start > messageBytesMax) handler.fault("too_long");
    else handler.message(bytes, start, end);
    start = end + 1;
  }
}
