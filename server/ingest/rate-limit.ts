// Token buckets: so many bytes per second, so many at once.

/** Refilled continuously; a take that does not fit takes nothing. */
export class TokenBucket {
  #tokens: number;
  #refilledMs: number;
  #perSecond: number;
  #burst: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#refilledMs = nowMs;
  }

  take(amount: number, nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, nowMs - this.#refilledMs) * this.#perSecond) / 1000);
    this.#refilledMs = nowMs;
    if (amount > this.#tokens) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Limits may change while the server runs. */
  resize(perSecond: number, burst: number): void {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }
}
