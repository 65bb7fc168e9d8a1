// One timer that calls many, instead of one for each of hundreds of targets.

export interface Ticking {
  tick(): void;
}

export class Ticker {
  readonly #periodMs: number;
  readonly #called = new Set<Ticking>();
  #timer: NodeJS.Timeout | undefined;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  add(ticking: Ticking): void {
    this.#called.add(ticking);
    this.#timer ??= setInterval(() => {
      for (const one of this.#called) one.tick();
    }, this.#periodMs);
  }

  remove(ticking: Ticking): void {
    if (!this.#called.delete(ticking) || this.#called.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
