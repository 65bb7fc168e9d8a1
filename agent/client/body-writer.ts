// Protobuf of a push request, piece by piece.

export const TAG_STREAM = 0x0a;
export const TAG_LABELS = 0x0a;
export const TAG_ENTRY = 0x12;
export const TAG_TIMESTAMP = 0x0a;
export const TAG_LINE = 0x12;
export const TAG_METADATA = 0x1a;
export const TAG_NAME = 0x0a;
export const TAG_VALUE = 0x12;

/** Writes protobuf into a buffer that is large enough. */
export class BodyWriter {
  readonly out: Buffer;
  at: number;

  constructor(out: Buffer, at = 0) {
    this.out = out;
    this.at = at;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.out[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.out[this.at++] = rest;
  }

  /** A negative int64 is ten bytes of two's complement. */
  int64(value: number): void {
    if (value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      this.out[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.out[this.at++] = Number(rest);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.out[this.at++] = tag;
    this.varint(value.length);
    this.out.set(value, this.at);
    this.at += value.length;
  }
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Of a negative number as of a positive one. */
export function int64Bytes(value: number): number {
  return value < 0 ? 10 : varintBytes(value);
}
