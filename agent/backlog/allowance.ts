/** The bytes that all tenants of a client may have on disk. */
export class Allowance {
  /** May change; 0: nothing more. */
  bytesMax: number;
  readonly #used: (() => number)[] = [];
  /** Of what is being written. */
  #takenBytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** @param used tells the bytes that are there */
  count(used: () => number): void {
    this.#used.push(used);
  }

  /** Whether so many bytes may be written; they count until they are given back. */
  take(bytes: number): boolean {
    const usedBytes = this.#used.reduce((sum, used) => sum + used(), this.#takenBytes);
    if (usedBytes + bytes > this.bytesMax) return false;
    this.#takenBytes += bytes;
    return true;
  }

  /** They are there by now, or never will be. */
  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
