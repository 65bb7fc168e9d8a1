// Byte buffers of power-of-two sizes that are used again: allocating 128 KiB or more per request costs page clearing each time.

const SMALLEST_BITS = 10;
const LARGEST_BITS = 22;
/** Kept per size, in bytes: what a few requests have in hand. */
const KEPT_BYTES_PER_SIZE = 4 * 1024 * 1024;

export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: LARGEST_BITS + 1 }, () => []);

  /** At least `bytes` long; content is whatever was there. */
  take(bytes: number): Buffer {
    const bits = Math.max(SMALLEST_BITS, 32 - Math.clz32(Math.max(1, bytes) - 1));
    if (bits > LARGEST_BITS) return Buffer.allocUnsafeSlow(bytes);
    return this.#free[bits]!.pop() ?? Buffer.allocUnsafeSlow(2 ** bits);
  }

  /** Nobody may look at it any more. */
  give(buffer: Buffer): void {
    const bits = 31 - Math.clz32(buffer.length);
    if (bits < SMALLEST_BITS || bits > LARGEST_BITS || buffer.length !== 2 ** bits) return;
    const free = this.#free[bits]!;
    if ((free.length + 1) * buffer.length <= Math.max(buffer.length, KEPT_BYTES_PER_SIZE)) free.push(buffer);
  }
}
