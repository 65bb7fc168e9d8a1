// Memory that patterns may take, as estimated by those who take it: a tenant's is a part of everybody's.

export class Budget {
  readonly #maxBytes: number;
  readonly #whole: Budget | undefined;
  #usedBytes = 0;

  constructor(maxBytes: number, whole?: Budget) {
    this.#maxBytes = maxBytes;
    this.#whole = whole;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  hasRoom(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#maxBytes && (this.#whole?.hasRoom(bytes) ?? true);
  }

  /** @param bytes negative when memory is given back */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    this.#whole?.take(bytes);
  }
}
