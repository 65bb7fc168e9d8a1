// Buffers that are used again: a fresh one of a megabyte costs more than filling it.

const ROUND_BYTES = 256 * 1024;
const KEPT_MAX = 16;
const KEPT_BYTES_MAX = 8 * 1024 * 1024;

export class BufferPool {
  readonly #free: Buffer[] = [];

  /** At least `bytes` long, content undefined. */
  take(bytes: number): Buffer {
    const at = this.#free.findIndex((buffer) => buffer.length >= bytes);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / ROUND_BYTES) * ROUND_BYTES);
  }

  /** @param part the buffer, or a view of it */
  give(part: Buffer): void {
    if (this.#free.length >= KEPT_MAX || part.buffer.byteLength > KEPT_BYTES_MAX) return;
    this.#free.push(Buffer.from(part.buffer));
  }
}
