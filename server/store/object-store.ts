// Flat names to immutable bytes: where blocks live. One interface, one conformance suite (test/server/store/object-store.test.ts).

export interface ObjectStore {
  /**
   * Stores an object under a new key; durable when it resolves.
   *
   * @throws StoreError `exists` when the key is taken, `io` with the cause otherwise; no part of the object is visible then
   */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>;
  /** Bytes `[offset, offset + bytes)`. @throws StoreError `missing`, `io` (also for a range past the end) */
  get(key: string, offset: number, bytes: number): Promise<Uint8Array>;
  /** Size in bytes. @throws StoreError `missing` */
  size(key: string): Promise<number>;
  /** Keys that begin with a prefix, sorted. */
  list(prefix: string): Promise<string[]>;
  /** Removes an object; one that is not there is no error. */
  delete(key: string): Promise<void>;
}

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: "exists" | "missing" | "io";
  constructor(code: "exists" | "missing" | "io", text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
  }
}

/** Keys are relative paths of plain segments: nothing that leaves the store's folder. */
export function isObjectKey(key: string): boolean {
  return key !== "" && key.split("/").every((segment) => /^[A-Za-z0-9%!_.*'()-]+$/.test(segment) && segment !== "." && segment !== "..");
}
