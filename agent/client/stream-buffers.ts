// Buffers that entries are encoded into, by stream, until a batch is sealed. They are in the kernels' memory as far as it is set aside
// for them: what a kernel writes there need not be copied out.

import { kernels } from "../../lib/kernels/index.ts";
import { BufferPool } from "../../lib/runtime/buffer-pool.ts";

const KERNEL_BYTES_MAX = 24 * 1024 * 1024;
/** Of these, for buffers of less than `LARGE_BITS`, which may be many. */
const KERNEL_SMALL_BYTES_MAX = 8 * 1024 * 1024;
const LARGE_BITS = 18;
const KERNEL_BUFFER_BITS_MIN = 12;
const KERNEL_BUFFER_BITS_MAX = 22;

class StreamBuffers {
  readonly #others = new BufferPool();
  readonly #free: Buffer[][] = Array.from({ length: KERNEL_BUFFER_BITS_MAX + 1 }, () => []);
  readonly #own = new WeakSet<Buffer>();
  #madeBytes = 0;
  #madeSmallBytes = 0;

  /** At least `bytes` long; content is whatever was there. */
  take(bytes: number): Buffer {
    const bits = 32 - Math.clz32(Math.max(1, bytes) - 1);
    if (bits < KERNEL_BUFFER_BITS_MIN || bits > KERNEL_BUFFER_BITS_MAX) return this.#others.take(bytes);
    return this.#free[bits]!.pop() ?? this.#make(bits) ?? this.#others.take(bytes);
  }

  /** Nobody may look at it any more. */
  give(buffer: Buffer): void {
    if (this.#own.has(buffer)) this.#free[31 - Math.clz32(buffer.length)]!.push(buffer);
    else this.#others.give(buffer);
  }

  #make(bits: number): Buffer | undefined {
    const size = 2 ** bits;
    if (this.#madeBytes + size > KERNEL_BYTES_MAX) return undefined;
    if (bits < LARGE_BITS) {
      if (this.#madeSmallBytes + size > KERNEL_SMALL_BYTES_MAX) return undefined;
      this.#madeSmallBytes += size;
    }
    this.#madeBytes += size;
    const bytes = kernels.allocate(size);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, size);
    this.#own.add(buffer);
    return buffer;
  }
}

/** For all clients, whichever configuration they are of: the kernels' memory is never given back. */
export const streamBuffers = new StreamBuffers();
