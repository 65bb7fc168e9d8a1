/** The bytes that all tenants of a client may have on disk. */
export class Allowance {
  readonly #bytesMax: number;
  readonly #used: (() => number)[] = [];
  /** Of what is being written. */
  #takenBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @param used tells the bytes that are there */
  count(used: () => number): void {
    this.#used.push(used);
  }

  /** Whether so many bytes more would stay within it. */
  fits(bytes: number): boolean {
    return this.#used.reduce((sum, used) => sum + used(), this.#takenBytes) + bytes <= this.#bytesMax;
  }

  /** Whether so many bytes may be written; they count until they are given back. */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.#takenBytes += bytes;
    return true;
  }

  /** They are there by now, or never will be. */
  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
