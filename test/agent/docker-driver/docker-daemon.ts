// Docker's side of a logging plugin: calls over the plugin's socket, and a pipe into which entries are written.

import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { request } from "node:http";

/** What Docker writes for one message (moby, daemon/logger/adapter.go). */
export interface TestEntry {
  readonly source?: string;
  readonly timeNano?: bigint;
  readonly line: string;
  readonly part?: { readonly id: string; readonly last: boolean; readonly ordinal: number };
}

export function call(socketPath: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: "POST" }, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode!, body: JSON.parse(text) }));
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A named pipe that is open for writing, as Docker has it before it calls StartLogging. */
export class LogPipe {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    execFileSync("mkfifo", [path]);
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  write(...entries: readonly TestEntry[]): void {
    this.writeBytes(Buffer.concat(entries.map(encode)));
  }

  writeBytes(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  /** Writes until the pipe is full. Returns how many bytes went in. */
  writeSome(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export function encode({ source = "stdout", timeNano = 1_700_000_000_123_456_789n, line, part }: TestEntry): Buffer {
  const metadata =
    part && Buffer.concat([...(part.last ? [varintField(1, 1n)] : []), bytesField(2, part.id), varintField(3, BigInt(part.ordinal))]);
  const message = Buffer.concat([
    bytesField(1, source),
    varintField(2, timeNano),
    bytesField(3, line),
    ...(metadata === undefined ? [] : [varintField(4, 1n), bytesField(5, metadata)]),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

function varintField(number: number, value: bigint): Buffer {
  return Buffer.concat([varint(BigInt(number << 3)), varint(value)]);
}

function bytesField(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(BigInt((number << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}
