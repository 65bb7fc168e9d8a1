// One bound for the memory of everything that has been read and is not acknowledged, over all files. Who wants to read waits here
// when it is used up, so that a remote that is away stops the reading instead of filling the memory.

import type { TicketEvents } from "../tickets.ts";

export const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;

export class InFlightBudget {
  readonly limitBytes: number;
  /** For the ledgers of what is read: what is done with makes room. */
  readonly ledgerEvents: TicketEvents = { onDone: (bytes) => this.release(bytes) };
  #usedBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(limitBytes: number = IN_FLIGHT_BYTES_MAX) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get hasRoom(): boolean {
    return this.#usedBytes < this.limitBytes;
  }

  /** Counts bytes; may pass the limit by what one read brings, so that a line larger than the limit is read at all. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (!this.hasRoom || this.#waiting.length === 0) return;
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
  }

  /** Resolves when there is room, or when `signal` aborts. */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener("abort", done);
          resolve();
        };
        signal.addEventListener("abort", done, { once: true });
        this.#waiting.push(done);
      });
    }
  }
}
