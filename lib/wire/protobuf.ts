// Protobuf by hand: the few kinds of field that our messages have.

/** A field that has a length: a message, a text, bytes. */
export function protoField(number: number, parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

/** A whole number; proto3 leaves zero out. */
export function protoInteger(number: number, value: number): Buffer[] {
  return value === 0 ? [] : [varint(number << 3), varint(value)];
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
