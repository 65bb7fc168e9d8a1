// Messages of GELF that do not fit into a datagram come in up to 128 chunks, in any order:
//
//   1e 0f | 8 bytes message id | number of the chunk | count of chunks | part of the message
//
// A message whose chunks are not all there five seconds after the first is given up (docs.graylog.org, "GELF via UDP").

import type { Clock } from "../../../lib/runtime/clock.ts";

const HEADER_BYTES = 12;
const CHUNKS_MAX = 128;
const LIFE_MS = 5_000;
/** Messages that wait for chunks, and their bytes, of all senders. */
const MESSAGES_MAX = 2_048;
const BYTES_MAX = 16 * 1024 * 1024;
/** What a kept chunk costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 128;

export type ChunkFault = "malformed_chunk" | "message_too_long" | "incomplete";

interface Waiting {
  readonly startedMs: number;
  readonly count: number;
  /** Undefined when the message is complete, or given up: chunks that still come are nothing new. */
  parts: (Uint8Array | undefined)[] | undefined;
  arrived: number;
  bytes: number;
}

export function isChunk(datagram: Uint8Array): boolean {
  return datagram.length >= 2 && datagram[0] === 0x1e && datagram[1] === 0x0f;
}

export class ChunkAssembler {
  readonly #clock: Clock;
  readonly #messageBytesMax: number;
  readonly #onFault: (fault: ChunkFault) => void;
  /** In order of their first chunk. */
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;

  /** @param onFault called once for each message that is given up, and for each chunk that belongs to none */
  constructor(clock: Clock, messageBytesMax: number, onFault: (fault: ChunkFault) => void) {
    this.#clock = clock;
    this.#messageBytesMax = messageBytesMax;
    this.#onFault = onFault;
  }

  /** Messages of which chunks are missing. */
  get waitingCount(): number {
    return [...this.#waiting.values()].filter(({ parts }) => parts !== undefined).length;
  }

  /** Takes a chunk, whose bytes are copied. @param sender tells senders' ids apart. @returns the message when it is complete */
  take(chunk: Uint8Array, sender: string): Uint8Array | undefined {
    this.expire();
    const number = chunk[10] ?? 0;
    const count = chunk[11] ?? 0;
    if (chunk.length <= HEADER_BYTES || count === 0 || count > CHUNKS_MAX || number >= count) return this.#fault("malformed_chunk");
    if (count === 1) return chunk.slice(HEADER_BYTES);
    const key = `${sender} ${Buffer.from(chunk.subarray(2, 10)).toString("latin1")}`;
    const message = this.#waiting.get(key) ?? this.#begin(key, count);
    if (message.parts === undefined || message.parts[number] !== undefined) return undefined;
    if (message.count !== count) return this.#fault("malformed_chunk");
    const part = chunk.slice(HEADER_BYTES);
    if (message.bytes + part.length > this.#messageBytesMax) {
      this.#release(message);
      return this.#fault("message_too_long");
    }
    message.parts[number] = part;
    message.bytes += part.length;
    message.arrived++;
    this.#bytes += part.length + CHUNK_OVERHEAD_BYTES;
    if (message.arrived < count) {
      this.#makeRoom();
      return undefined;
    }
    const whole = Buffer.concat(message.parts as Uint8Array[]);
    this.#release(message);
    return whole;
  }

  /** Gives up what has waited too long. */
  expire(): void {
    const oldestMs = this.#clock.nowMs() - LIFE_MS;
    for (const [key, message] of this.#waiting) {
      if (message.startedMs > oldestMs) return;
      this.#giveUp(key, message);
    }
  }

  /** Gives up everything. */
  clear(): void {
    for (const [key, message] of this.#waiting) this.#giveUp(key, message);
  }

  #begin(key: string, count: number): Waiting {
    const message = { startedMs: this.#clock.nowMs(), count, parts: new Array<Uint8Array | undefined>(count), arrived: 0, bytes: 0 };
    this.#waiting.set(key, message);
    this.#makeRoom();
    return message;
  }

  /** The oldest go first. */
  #makeRoom(): void {
    for (const [key, message] of this.#waiting) {
      if (this.#waiting.size <= MESSAGES_MAX && this.#bytes <= BYTES_MAX) return;
      this.#giveUp(key, message);
    }
  }

  #giveUp(key: string, message: Waiting): void {
    this.#waiting.delete(key);
    if (message.parts === undefined) return;
    this.#release(message);
    this.#fault("incomplete");
  }

  #release(message: Waiting): void {
    this.#bytes -= message.bytes + message.arrived * CHUNK_OVERHEAD_BYTES;
    message.parts = undefined;
  }

  #fault(fault: ChunkFault): undefined {
    this.#onFault(fault);
  }
}
