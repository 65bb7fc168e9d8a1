// One timer for all targets, instead of one that each of hundreds sets anew several times a second.

import { steadyMs } from "../../lib/runtime/clock.ts";

export interface Sleeper {
  wake(): void;
}

export class Alarms {
  /** When each is to be woken, by the clock of `steadyMs()`; infinite when it is not. */
  readonly #dueMs = new Map<Sleeper, number>();
  #timer: NodeJS.Timeout | undefined;
  #ringsAtMs = Number.POSITIVE_INFINITY;

  /** Wakes a sleeper once; another time that it was to be woken at no longer counts. @param delayMs at most TIMER_MS_MAX */
  wakeIn(sleeper: Sleeper, delayMs: number): void {
    const dueMs = steadyMs() + delayMs;
    this.#dueMs.set(sleeper, dueMs);
    if (dueMs < this.#ringsAtMs) this.#ringAt(dueMs);
  }

  cancel(sleeper: Sleeper): void {
    if (this.#dueMs.delete(sleeper) && this.#dueMs.size === 0) this.#ringAt(Number.POSITIVE_INFINITY);
  }

  #ringAt(ms: number): void {
    clearTimeout(this.#timer);
    this.#ringsAtMs = ms;
    if (ms < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#ring(), ms - steadyMs());
  }

  #ring(): void {
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
    // Timers count in whole milliseconds.
    const nowMs = steadyMs() + 1;
    this.#dueMs.forEach((dueMs, sleeper) => {
      if (dueMs > nowMs) return;
      this.#dueMs.set(sleeper, Number.POSITIVE_INFINITY);
      sleeper.wake();
    });
    let nextMs = Number.POSITIVE_INFINITY;
    this.#dueMs.forEach((dueMs) => {
      nextMs = Math.min(nextMs, dueMs);
    });
    this.#ringAt(nextMs);
  }
}
