// What is dear to make and may be made again: kept while there is room, what was used longest ago goes first.

export class BoundedCache<Value> {
  /** What was used last at the end. */
  readonly #values = new Map<string, Value>();
  readonly #sizeMax: number;
  readonly #sizeOf: (value: Value, key: string) => number;
  readonly #onDrop: (value: Value) => void;
  #size = 0;

  /**
   * @param sizeMax of all values together; one alone may be larger
   * @param sizeOf must say the same of a value each time
   * @param onDrop called for each value that is no longer kept
   */
  constructor(sizeMax: number, sizeOf: (value: Value, key: string) => number, onDrop: (value: Value) => void = () => {}) {
    this.#sizeMax = sizeMax;
    this.#sizeOf = sizeOf;
    this.#onDrop = onDrop;
  }

  /** The value of the key, made if there is none. @throws what `make` throws; nothing is kept then */
  get(key: string, make: () => Value): Value {
    const known = this.#values.get(key);
    if (known !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, known);
      return known;
    }
    const made = make();
    this.#values.set(key, made);
    this.#size += this.#sizeOf(made, key);
    for (const oldest of this.#values.keys()) {
      if (this.#size <= this.#sizeMax || oldest === key) break;
      this.delete(oldest);
    }
    return made;
  }

  delete(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#size -= this.#sizeOf(value, key);
    this.#onDrop(value);
  }

  clear(): void {
    for (const key of [...this.#values.keys()]) this.delete(key);
  }
}
