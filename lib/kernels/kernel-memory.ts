// The module's memory, shared out: who may write where, and how arguments get in and results out.
//
//   0            the module's own tables
//   NEEDLE_AT    the needle searched for last                                  4 KiB
//   SCRATCH_AT   arguments and results of one call; the next call overwrites   to 96 MiB
//   ARENA_AT     what `allocate` gave away, for good                           to 192 MiB less 64 KiB
//
// The memory never grows, so views of it never detach; what is not touched costs no memory. Registers are read up to 64 bytes past
// an argument's end, which is why each thing is followed by that much room.

export type Column = Uint8Array | Int32Array;

export const PAD_BYTES = 64;
export const NEEDLE_BYTES_MAX = 4_096;
const SCRATCH_END = 96 * 1024 * 1024;

export class KernelMemory {
  readonly #buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly needleAt: number;
  readonly #scratchAt: number;
  readonly #arenaEnd: number;
  #arenaNext = SCRATCH_END;
  /** Next free byte of the scratch space, and where this call's share of it ends. */
  #next = 0;
  #end = 0;
  // Results that go to the caller's own arrays when the call is over.
  readonly #outViews: Column[] = [];
  readonly #outAddresses: number[] = [];
  readonly #outCounts: number[] = [];

  /** @param dataEnd first address that the module's tables leave free */
  constructor(buffer: ArrayBuffer, dataEnd: number) {
    this.#buffer = buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.needleAt = aligned(dataEnd);
    this.#scratchAt = aligned(this.needleAt + NEEDLE_BYTES_MAX + PAD_BYTES);
    this.#arenaEnd = buffer.byteLength - 65_536;
  }

  allocate(byteCount: number): Uint8Array {
    const at = this.#arenaNext;
    if (at + byteCount + PAD_BYTES > this.#arenaEnd) return new Uint8Array(byteCount);
    this.#arenaNext = aligned(at + byteCount + PAD_BYTES);
    return new Uint8Array(this.#buffer, at, byteCount);
  }

  isResident(view: Column): boolean {
    return view.buffer === this.#buffer;
  }

  /**
   * Begins a call that takes at most `needBytes` of scratch space, in `takes` pieces. Views of the scratch space among its arguments
   * are results of the call before: they are kept out of the way. False when there is no such room.
   */
  enter(needBytes: number, takes: number, ...args: readonly Column[]): boolean {
    this.#outViews.length = this.#outAddresses.length = this.#outCounts.length = 0;
    let low = SCRATCH_END;
    let high = this.#scratchAt;
    for (const view of args) {
      if (view.buffer !== this.#buffer || view.byteOffset >= SCRATCH_END) continue;
      low = Math.min(low, view.byteOffset);
      high = Math.max(high, view.byteOffset + view.byteLength);
    }
    const roomBytes = needBytes + takes * (PAD_BYTES * 2);
    high = aligned(high + PAD_BYTES);
    if (SCRATCH_END - high >= roomBytes) {
      this.#next = high;
      this.#end = SCRATCH_END;
    } else {
      this.#next = this.#scratchAt;
      this.#end = low;
    }
    return this.#end - this.#next >= roomBytes;
  }

  /** Scratch space for this call, aligned to 64 bytes. */
  take(byteCount: number): number {
    const at = this.#next;
    this.#next = aligned(at + byteCount + PAD_BYTES);
    if (this.#next > this.#end) throw new RangeError(`BUG: a kernel call asked for ${byteCount} bytes of scratch space it did not reserve`);
    return at;
  }

  /** Address of `view[from]`, once `view[from, to)` is in the memory. */
  placeBytes(view: Uint8Array, from: number, to: number): number {
    if (view.buffer === this.#buffer) return view.byteOffset + from;
    const at = this.take(to - from);
    this.bytes.set(from === 0 && to === view.length ? view : view.subarray(from, to), at);
    return at;
  }

  /** Address of `view[0]`, once `view[0, count)` is in the memory. */
  placeWords(view: Int32Array, count: number): number {
    this.#check(view, count);
    if (view.buffer === this.#buffer) return view.byteOffset;
    const at = this.take(count * 4);
    this.words.set(count === view.length ? view : view.subarray(0, count), at >> 2);
    return at;
  }

  /** Where a kernel writes `count` values of `view`; `leave` brings them there if the view is not in the memory. */
  result(view: Column, count: number): number {
    this.#check(view, count);
    if (view.buffer === this.#buffer) return view.byteOffset;
    const at = this.take(count * view.BYTES_PER_ELEMENT);
    this.#outViews.push(view);
    this.#outAddresses.push(at);
    this.#outCounts.push(count);
    return at;
  }

  /** Ends a call: copies results to the caller's arrays. @param most of each, only the first so many values */
  leave(most = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < this.#outViews.length; i++) {
      const view = this.#outViews[i]!;
      const at = this.#outAddresses[i]!;
      const count = Math.min(this.#outCounts[i]!, most);
      if (view.BYTES_PER_ELEMENT === 4) view.set(this.words.subarray(at >> 2, (at >> 2) + count));
      else view.set(this.bytes.subarray(at, at + count));
    }
    this.#outViews.length = this.#outAddresses.length = this.#outCounts.length = 0;
  }

  #check(view: Column, count: number): void {
    if (count > view.length) throw new RangeError(`BUG: a kernel call of ${count} items was given a column of ${view.length}`);
  }

  /** A view of the memory, valid until the next call. */
  byteView(at: number, count: number): Uint8Array {
    return new Uint8Array(this.#buffer, at, count);
  }

  wordView(at: number, count: number): Int32Array {
    return new Int32Array(this.#buffer, at, count);
  }
}

const aligned = (at: number): number => Math.ceil(at / 64) * 64;
