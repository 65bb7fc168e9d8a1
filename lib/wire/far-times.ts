// Times that 32-bit seconds cannot hold (before 1901-12-13, after 2038-01-19). Columns have the nearest second that they can; what an entry
// really said is kept beside them, for whoever refuses it by name.

export const SEC_MIN = -(2 ** 31);
export const SEC_MAX = 2 ** 31 - 1;

/** Seconds since 1970 by entry. */
export type FarSeconds = ReadonlyMap<number, number>;

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * @param request a PushRequest that has been decoded without a fault
 * @param sec its seconds as the decoder left them
 * @returns undefined when all of them are what was said, which costs a look at the column
 */
export function farSecondsOf(request: Uint8Array, sec: Int32Array, entryCount: number): FarSeconds | undefined {
  const column = sec.subarray(0, entryCount);
  if (!column.includes(SEC_MAX) && !column.includes(SEC_MIN)) return undefined;
  const far = new Map<number, number>();
  let entry = 0;
  eachField(request, 0, request.length, 1, (from, to) =>
    eachField(request, from, to, 2, (entryFrom, entryTo) => {
      const seconds = secondsOf(request, entryFrom, entryTo);
      if (seconds > SEC_MAX || seconds < SEC_MIN) far.set(entry, seconds);
      entry++;
    }),
  );
  return far.size === 0 ? undefined : far;
}

/** PushRequest.streams = 1, Stream.entries = 2: messages of one number in another. */
function eachField(bytes: Uint8Array, from: number, to: number, wanted: number, take: (from: number, to: number) => void): void {
  for (let at = from; at < to; ) {
    const field = readField(bytes, at);
    if (field.number === wanted && field.wire === WIRE.bytes) take(field.from, field.to);
    at = field.to;
  }
}

/** Entry.timestamp = 1, Timestamp.seconds = 1; 0 when it is not there. */
function secondsOf(bytes: Uint8Array, from: number, to: number): number {
  let seconds = 0n;
  eachField(bytes, from, to, 1, (timeFrom, timeTo) => {
    seconds = 0n;
    for (let at = timeFrom; at < timeTo; ) {
      const field = readField(bytes, at);
      if (field.number === 1 && field.wire === WIRE.varint) seconds = BigInt.asIntN(64, readVarint(bytes, field.from).value);
      at = field.to;
    }
  });
  return Number(seconds);
}

function readField(bytes: Uint8Array, at: number): { number: number; wire: number; from: number; to: number } {
  const tag = readVarint(bytes, at);
  const wire = Number(tag.value & 7n);
  const number = Number(tag.value >> 3n);
  if (wire === WIRE.bytes) {
    const length = readVarint(bytes, tag.to);
    return { number, wire, from: length.to, to: length.to + Number(length.value) };
  }
  const to = wire === WIRE.varint ? readVarint(bytes, tag.to).to : tag.to + (wire === WIRE.fixed64 ? 8 : 4);
  return { number, wire, from: tag.to, to };
}

function readVarint(bytes: Uint8Array, from: number): { value: bigint; to: number } {
  let value = 0n;
  let at = from;
  for (let shift = 0n; at < bytes.length; shift += 7n) {
    const byte = bytes[at++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { value, to: at };
}
