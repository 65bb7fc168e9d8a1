// Generations of a path that were read to their end. What packs them later may make a new file with a new time (kubelet does), which looks
// like one that nobody has seen: it is known again by its head and its size, after a restart too.

import type { FileRecord } from "../file-records.ts";
import type { FileTail } from "./file-tail.ts";

/** Remembered while the agent runs. */
const REMEMBERED_MAX = 8;
/** Noted on disk: rotation leaves at most the last two unpacked, and a path costs as little as without them. */
const NOTED_MAX = 2;

export class DoneGenerations implements Iterable<FileRecord> {
  #records: readonly FileRecord[] = [];

  [Symbol.iterator](): Iterator<FileRecord> {
    return this.#records[Symbol.iterator]();
  }

  /** A file that nothing more will be read of. */
  add(tail: FileTail): void {
    const end = { offset: tail.offset, sizeBytes: tail.offset, markDigest: tail.trace.markDigest() };
    if (tail.head.headBytes > 0) this.#remember([{ ...tail.record(), ...end, rotated: true, done: true }]);
  }

  /** Keeps what an earlier run has noted of such files. Returns the other records. */
  resume(records: readonly FileRecord[]): FileRecord[] {
    this.#remember(records.filter(({ done }) => done === true));
    return records.filter(({ done }) => done !== true);
  }

  /** What is worth noting on disk. */
  noted(nowMs: number): FileRecord[] {
    return this.#records.slice(-NOTED_MAX).map((record) => ({ ...record, seenMs: nowMs }));
  }

  /** The same, for another target to go on with. */
  leave(nowMs: number): FileRecord[] {
    const left = this.noted(nowMs);
    this.#records = [];
    return left;
  }

  #remember(records: readonly FileRecord[]): void {
    this.#records = [...this.#records, ...records].slice(-REMEMBERED_MAX);
  }
}
