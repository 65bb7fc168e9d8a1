// Reads protobuf field by field: `while (reader.next()) if (reader.is(1, "bytes")) …`. A field whose value is not asked for is skipped.
// Every length is checked against the message that holds it: bodies come from the network.

import { OtlpError } from "./otlp-tree.ts";

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ProtoReader {
  readonly #buffer: Buffer;
  #at: number;
  readonly #end: number;
  #field = 0;
  #wire = 0;
  #taken = true;

  constructor(buffer: Buffer, from = 0, to = buffer.length) {
    this.#buffer = buffer;
    this.#at = from;
    this.#end = to;
  }

  /** Goes to the next field; false at the end of the message. @throws OtlpError when the message is cut off */
  next(): boolean {
    if (!this.#taken) this.#skip();
    if (this.#at >= this.#end) return false;
    const tag = this.#number();
    this.#field = Math.floor(tag / 8);
    this.#wire = tag % 8;
    if (this.#field === 0) throw new OtlpError("proto: illegal tag 0");
    this.#taken = false;
    return true;
  }

  is(field: number, wire: keyof typeof WIRE): boolean {
    return this.#field === field && this.#wire === WIRE[wire];
  }

  message(): ProtoReader {
    const [from, to] = this.#span();
    return new ProtoReader(this.#buffer, from, to);
  }

  /** A view into the body. */
  bytes(): Buffer {
    const [from, to] = this.#span();
    return this.#buffer.subarray(from, to);
  }

  text(): string {
    const [from, to] = this.#span();
    return this.#buffer.toString("utf8", from, to);
  }

  varint(): bigint {
    this.#taken = true;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw cut();
      const byte = this.#buffer[this.#at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new OtlpError("proto: integer overflow");
  }

  uint32(): number {
    return Number(BigInt.asUintN(32, this.varint()));
  }

  int32(): number {
    return Number(BigInt.asIntN(32, this.varint()));
  }

  fixed32(): number {
    return this.#buffer.readUInt32LE(this.#fixed(4));
  }

  fixed64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#fixed(8));
  }

  double(): number {
    return this.#buffer.readDoubleLE(this.#fixed(8));
  }

  #fixed(size: number): number {
    this.#taken = true;
    const at = this.#at;
    if (at + size > this.#end) throw cut();
    this.#at += size;
    return at;
  }

  #span(): [from: number, to: number] {
    this.#taken = true;
    const length = this.#number();
    const from = this.#at;
    if (length > this.#end - from) throw cut();
    this.#at = from + length;
    return [from, this.#at];
  }

  /** A length or a tag: below 2^32, so no bigint. */
  #number(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      if (this.#at >= this.#end) throw cut();
      const byte = this.#buffer[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new OtlpError("proto: integer overflow");
  }

  #skip(): void {
    if (this.#wire === WIRE.varint) this.varint();
    else if (this.#wire === WIRE.fixed64) this.#fixed(8);
    else if (this.#wire === WIRE.bytes) this.#span();
    else if (this.#wire === WIRE.fixed32) this.#fixed(4);
    else throw new OtlpError(`proto: illegal wireType ${this.#wire}`);
  }
}

function cut(): OtlpError {
  return new OtlpError("unexpected EOF");
}
