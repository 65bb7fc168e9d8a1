import type { Clock } from "../../lib/runtime/clock.ts";

const PERIOD_MS = 60_000;

/** Says things that happen often at most once a minute per kind, with the count of all that was not said. */
export class Seldom {
  readonly #clock: Clock;
  readonly #told = new Map<string, { readonly atMs: number; unsaid: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  say(kind: string, count: number, say: (count: number) => void): void {
    const nowMs = this.#clock.nowMs();
    const told = this.#told.get(kind);
    if (told !== undefined && nowMs - told.atMs < PERIOD_MS) {
      told.unsaid += count;
      return;
    }
    this.#told.set(kind, { atMs: nowMs, unsaid: 0 });
    say(count + (told?.unsaid ?? 0));
  }
}
