// One line on its way through the ops: where it is, when it was, and its labels. One object is reused for a whole scan. The line is bytes
// as long as no op needs text, and text (made once) from then on.

import { isUtf8 } from "node:buffer";
import { textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { Page } from "../page.ts";
import { LineLabels } from "./line-labels.ts";

const encoder = new TextEncoder();

export class LineState {
  readonly labels = new LineLabels();
  /** The line is `bytes[start, end)`; call `asBytes()` before reading them, ops may have replaced the line by text. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  sec = 0;
  nanos = 0;
  /** Index of the line in its page. */
  index = 0;
  /** Ordinal of the line among the page's selected lines. */
  ordinal = 0;
  /** True while the line is still the page's own: only then may labels be spans of `bytes`. */
  original = true;
  #text: string | undefined;
  #bytesStale = false;

  /** Points at `bytes[start, end)`. Labels are reset by the caller, who knows the stream. */
  setLine(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.index = index;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.original = true;
    this.#text = undefined;
    this.#bytesStale = false;
  }

  /** Points at an entry of a page, with the labels it begins with. */
  setEntry(page: Page, index: number, base: LabelSet): void {
    this.setLine(index, page.bytes, lineStart(page.ends, index), page.ends[index]!);
    this.sec = page.sec[index]!;
    this.nanos = page.nanos[index]!;
    this.labels.reset(base, page.metadata?.[index], page.bytes);
  }

  /** The line as text; invalid UTF-8 becomes U+FFFD. */
  get text(): string {
    this.#text ??= goText(this.bytes, this.start, this.end);
    return this.#text;
  }

  replaceText(text: string): void {
    this.#text = text;
    this.#bytesStale = true;
    this.original = false;
  }

  /** Makes `bytes[start, end)` hold the line. */
  asBytes(): void {
    if (!this.#bytesStale) return;
    this.bytes = encoder.encode(this.#text);
    this.start = 0;
    this.end = this.bytes.length;
    this.#bytesStale = false;
  }

  get byteLength(): number {
    return this.#bytesStale ? Buffer.byteLength(this.#text!) : this.end - this.start;
  }

  get isEmpty(): boolean {
    return this.#bytesStale ? this.#text === "" : this.end === this.start;
  }
}

/** A line as Go shows it: each byte that is no part of valid UTF-8 is one U+FFFD, where JavaScript makes one of several. */
function goText(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start, end);
  if (!text.includes("\ufffd") || isUtf8(bytes.subarray(start, end))) return text;
  let out = "";
  for (let at = start; at < end; ) {
    let length = bytes[at]! < 0x80 ? 1 : Math.min(4, end - at);
    while (length > 1 && !isOneCharacter(bytes, at, length)) length--;
    out += length === 1 && bytes[at]! >= 0x80 ? "\ufffd" : textOf(bytes, at, at + length);
    at += length;
  }
  return out;
}

function isOneCharacter(bytes: Uint8Array, at: number, length: number): boolean {
  const lead = bytes[at]!;
  const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  return lead >= 0xc0 && length === wanted && isUtf8(bytes.subarray(at, at + length));
}

/** One compiled step of a pipeline. Changes the line in place; false drops it. */
export type LineOp = (line: LineState) => boolean;
