// A push endpoint that remembers which numbered lines have arrived, how often and in which order, and that can be slow or away.
//
//   w07 n=0000000123 …        line 123 of writer 7, counted from 1

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { lineStart, type PushColumns } from "../../lib/wire/push-columns.ts";
import { decodePushProtobuf } from "../../lib/wire/push-protobuf.ts";
import { sleep } from "./processes.ts";

export type RemoteState = "up" | "slow" | "down";

const SLOW_MS = 150;
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
const NUMBER_AT = 6;
const NUMBER_DIGITS = 10;

export function numberedLine(writer: number, n: number, rest: string): string {
  return `w${String(writer).padStart(2, "0")} n=${String(n).padStart(NUMBER_DIGITS, "0")} ${rest}\n`;
}

/** Lines of one writer. */
class Arrived {
  seen = new Uint8Array(1024);
  count = 0;
  repeatedCount = 0;
  disorderCount = 0;
  #last = 0;

  add(n: number): void {
    if (n >= this.seen.length) {
      const wider = new Uint8Array(Math.max(n + 1, this.seen.length * 2));
      wider.set(this.seen);
      this.seen = wider;
    }
    if (this.seen[n] === 1) {
      this.repeatedCount++;
      return;
    }
    this.seen[n] = 1;
    this.count++;
    if (n < this.#last) this.disorderCount++;
    this.#last = n;
  }
}

export class Arrivals {
  state: RemoteState = "up";
  /** All lines taken, repeated ones too. */
  lineCount = 0;
  strangeLines: string[] = [];
  readonly #writers = new Map<number, Arrived>();
  /** Lines taken up to a time, for the last minutes. */
  readonly #history: { readonly ms: number; readonly lineCount: number }[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#take(request, response).catch(() => response.destroy()));
  }

  static async open(): Promise<Arrivals> {
    const arrivals = new Arrivals();
    await new Promise<void>((resolve) => arrivals.#server.listen(0, "127.0.0.1", resolve));
    return arrivals;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/loki/api/v1/push`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get repeatedCount(): number {
    return [...this.#writers.values()].reduce((sum, { repeatedCount }) => sum + repeatedCount, 0);
  }

  countOf(writer: number): number {
    return this.#writers.get(writer)?.count ?? 0;
  }

  disorderOf(writer: number): number {
    return this.#writers.get(writer)?.disorderCount ?? 0;
  }

  has(writer: number, n: number): boolean {
    return this.#writers.get(writer)?.seen[n] === 1;
  }

  /** Lines taken since a time, at least: the history is a little coarse. */
  takenSince(ms: number): number {
    const before = this.#history.findLast((moment) => moment.ms < ms);
    return this.lineCount - (before?.lineCount ?? 0);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.state === "down") {
      request.socket.destroy();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    if (this.state === "slow") await sleep(SLOW_MS);
    this.#note(decodePushProtobuf(Buffer.concat(parts), REQUEST_BYTES_MAX));
    response.writeHead(204).end();
  }

  #note({ bytes, ends, entryCount }: PushColumns): void {
    for (let i = 0; i < entryCount; i++) {
      const start = lineStart(ends, i);
      if (bytes[start] !== 0x77 || ends[i]! - start < NUMBER_AT + NUMBER_DIGITS) {
        if (this.strangeLines.length < 20) this.strangeLines.push(Buffer.from(bytes.subarray(start, ends[i])).toString("utf8", 0, 200));
        continue;
      }
      const writer = (bytes[start + 1]! - 48) * 10 + bytes[start + 2]! - 48;
      let n = 0;
      for (let at = start + NUMBER_AT; at < start + NUMBER_AT + NUMBER_DIGITS; at++) n = n * 10 + bytes[at]! - 48;
      let arrived = this.#writers.get(writer);
      if (arrived === undefined) this.#writers.set(writer, (arrived = new Arrived()));
      arrived.add(n);
    }
    this.lineCount += entryCount;
    const nowMs = Date.now();
    this.#history.push({ ms: nowMs, lineCount: this.lineCount });
    if (this.#history.length > 10_000) this.#history.splice(0, 5_000);
  }
}
