// Varints of seven bits a byte, low first, up to 2^53.

import { MalformedInput } from "../../lib/kernels/kernels.ts";

/** A growing buffer of varints and bytes. */
export class VarintWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #used = 0;

  varint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#used++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#used++] = rest;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#used++] = value;
  }

  /** Length and UTF-8 bytes. */
  text(text: string): void {
    this.textBytes(Buffer.from(text));
  }

  /** A text that is UTF-8 bytes already. */
  textBytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** A view of what was written, valid until the next write. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  reset(): void {
    this.#used = 0;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + bytes));
    this.#bytes.copy(wider, 0, 0, this.#used);
    this.#bytes = wider;
  }
}

/** Reads what a VarintWriter wrote. @throws MalformedInput at the end of the bytes */
export class VarintReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 128) {
      if (this.at >= this.#end) throw new MalformedInput("a varint ends behind its column");
      const byte = this.#bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new MalformedInput("a varint is longer than eight bytes");
  }

  byte(): number {
    if (this.at >= this.#end) throw new MalformedInput("a byte is missing");
    return this.#bytes[this.at++]!;
  }

  text(): string {
    const end = this.#textEnd();
    const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.at, end - this.at).toString("utf8");
    this.at = end;
    return text;
  }

  skipText(): void {
    this.at = this.#textEnd();
  }

  #textEnd(): number {
    const length = this.varint();
    if (this.at + length > this.#end) throw new MalformedInput("a text ends behind its column");
    return this.at + length;
  }
}
