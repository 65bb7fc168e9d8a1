/** No bytes at all. */
export const EMPTY_BYTES = new Uint8Array(0);

/** Bytes gathered piece by piece. */
export class GrowingBytes {
  /** The first `length` of these count. */
  bytes: Uint8Array = EMPTY_BYTES;
  length = 0;

  append(piece: Uint8Array): void {
    const needed = this.length + piece.length;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2, 256));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(piece, this.length);
    this.length = needed;
  }
}
