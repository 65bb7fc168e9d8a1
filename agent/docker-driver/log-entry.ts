// What Docker writes into a logging plugin's pipe: messages of protobuf, each behind its length in four bytes, big-endian.
// https://github.com/moby/moby/blob/master/daemon/logger/plugin.go and api/types/plugins/logdriver/entry.proto
//
//   LogEntry { source = 1 string, time_nano = 2 int64, line = 3 bytes, partial = 4 bool, partial_log_metadata = 5 { last = 1 bool, id = 2 string, ordinal = 3 int32 } }

export interface LogEntry {
  /** `stdout` or `stderr`. */
  readonly source: string;
  readonly sec: number;
  readonly nanos: number;
  readonly line: Buffer;
  /** Another part of the line follows. */
  readonly partial: boolean;
  /** Of a line of several parts, that line's own id; else `""`. */
  readonly partialId: string;
}

const LENGTH_BYTES = 4;
/** Docker's parts have 16 KiB; a length above this is none. */
const ENTRY_BYTES_MAX = 4 * 1024 * 1024;

/** Takes a pipe's bytes apart as they come. */
export class LogEntryReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The entries that are complete, to be taken to the last. @throws Error where what comes is no entry */
  *push(chunk: Buffer): Iterable<LogEntry> {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > ENTRY_BYTES_MAX) throw new Error(`an entry of ${length} bytes: the pipe does not carry log entries`);
      if (bytes.length - at - LENGTH_BYTES < length) break;
      yield decodeEntry(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

type Field = readonly [number: number, value: bigint | Buffer];

/** @throws Error when it is malformed */
export function decodeEntry(message: Buffer): LogEntry {
  let source = "";
  let timeNano = 0n;
  let line: Buffer = Buffer.alloc(0);
  let partial = false;
  let partialId = "";
  let isLast = false;
  for (const [number, value] of fieldsOf(message)) {
    if (number === 1 && typeof value !== "bigint") source = value.toString("utf8");
    else if (number === 2 && typeof value === "bigint") timeNano = BigInt.asIntN(64, value);
    else if (number === 3 && typeof value !== "bigint") line = value;
    else if (number === 4 && typeof value === "bigint") partial = value !== 0n;
    else if (number === 5 && typeof value !== "bigint") {
      const metadata = new Map(fieldsOf(value));
      partialId = metadata.get(2)?.toString() ?? "";
      isLast = metadata.get(1) === 1n;
    }
  }
  const nanos = Number(((timeNano % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  const sec = Number((timeNano - BigInt(nanos)) / 1_000_000_000n);
  // The last part says that it is one, and is marked as partial all the same.
  return { source, sec, nanos, line, partial: partial && !isLast, partialId };
}

function* fieldsOf(message: Buffer): Iterable<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("a log entry ends in the middle of a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a log entry has a number of more than ten bytes");
  };
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw new Error("a log entry ends in the middle of a field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const key = Number(varint());
    const kind = key & 7;
    const number = key >>> 3;
    if (kind === VARINT) yield [number, varint()];
    else if (kind === BYTES) yield [number, take(Number(varint()))];
    else if (kind === FIXED64) take(8);
    else if (kind === FIXED32) take(4);
    else throw new Error(`a log entry has a field of the unknown kind ${kind}`);
  }
}
