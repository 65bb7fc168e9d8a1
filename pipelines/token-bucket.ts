// Token buckets, as golang.org/x/time/rate has them: `burst` tokens to begin with, `rate` more each second, never above `burst`.

export class TokenBucket {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  #tokens: number;
  #lastMs: number | undefined;

  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes one token; false when there is none. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes tokens, also such as are not there yet. */
  owe(count: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= count;
  }

  /** How long until nothing is owed any more. */
  debtMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#ratePerSecond) * 1000;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - (this.#lastMs ?? nowMs));
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#ratePerSecond);
    this.#lastMs = Math.max(nowMs, this.#lastMs ?? nowMs);
  }
}

/** A bucket for each key. Keys are remembered in two generations: a key not used while `keysMax` others were is forgotten. */
export class TokenBuckets {
  readonly #make: () => TokenBucket;
  readonly #keysMax: number;
  #recent = new Map<string, TokenBucket>();
  #older = new Map<string, TokenBucket>();

  constructor(ratePerSecond: number, burst: number, keysMax: number) {
    this.#make = () => new TokenBucket(ratePerSecond, burst);
    this.#keysMax = keysMax;
  }

  take(key: string, nowMs: number): boolean {
    let bucket = this.#recent.get(key);
    if (bucket === undefined) {
      bucket = this.#older.get(key) ?? this.#make();
      if (this.#recent.size >= this.#keysMax) {
        this.#older = this.#recent;
        this.#recent = new Map();
      }
      this.#recent.set(key, bucket);
    }
    return bucket.take(nowMs);
  }
}
