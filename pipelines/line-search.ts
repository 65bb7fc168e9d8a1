// Finding a text in all lines of a batch at once, by a kernel.

import { kernels, prepareNeedle } from "../lib/kernels/index.ts";
import type { Needle } from "../lib/kernels/kernels.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";

/** Counts one text in the lines of batch after batch, as far as it matters. The array of counts is used again for each. */
export class LineSearch {
  readonly #needle: Needle;
  readonly #most: number;
  #counts: Uint8Array = new Uint8Array(0);

  /**
   * @param text not empty
   * @param most how far to count
   */
  constructor(text: Uint8Array, most = 1) {
    this.#needle = prepareNeedle(text, false);
    this.#most = most;
  }

  /** Per live entry, how often its line has the text. Valid until the next call. */
  count(batch: EntryBatch): Uint8Array {
    const { bytes, starts, ends, count, live, liveCount } = batch;
    if (count > this.#counts.length) this.#counts = new Uint8Array(Math.max(count, this.#counts.length * 2));
    kernels.countInSpans(bytes, starts, ends, count, live, liveCount, this.#needle, this.#most, this.#counts);
    return this.#counts;
  }
}
