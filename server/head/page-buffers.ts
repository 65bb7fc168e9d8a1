// Memory of open pages that is used again. Streams begin small and grow, and each flush begins all of them anew: without this, most of what
// an ingesting server allocates is room that pages have grown out of, and collecting it takes several percent of its processor time.

import { OPEN_PAGE_BYTES_MIN, PAGE_BYTES_TARGET } from "../limits.ts";

/** Room for the line that takes a page over the target. */
const LAST_LINE_BYTES = 1024;
const LARGEST_BYTES = PAGE_BYTES_TARGET + LAST_LINE_BYTES;

export class PageBuffers {
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  readonly #keptBytesMax: number;
  #keptBytes = 0;

  /** @param keptBytesMax what is given back beyond that is left to the collector */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** At least `bytes` long, content undefined. A power of two up to the size of a full page, which has a little more. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const size = sizeFor(bytes);
    const kept = this.#free.get(size)?.pop();
    if (kept === undefined) return new Uint8Array(size);
    this.#keptBytes -= size;
    return kept;
  }

  /** @param buffer nobody may look at it any more */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const size = buffer.length;
    if (size === 0 || size > LARGEST_BYTES || this.#keptBytes + size > this.#keptBytesMax) return;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [buffer]);
    else list.push(buffer);
    this.#keptBytes += size;
  }
}

function sizeFor(bytes: number): number {
  let size = OPEN_PAGE_BYTES_MIN;
  while (size < bytes && size < PAGE_BYTES_TARGET) size *= 2;
  // A page is cut soon after the target: doubling once more would only cost memory.
  return size < PAGE_BYTES_TARGET ? size : Math.max(LARGEST_BYTES, bytes + LAST_LINE_BYTES);
}
