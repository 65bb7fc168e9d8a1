// Finding a text in all lines of a batch at once: one search runs over the block, and says of each hit which line it is in.

import type { EntryBatch } from "../lib/wire/entry-batch.ts";

/** Searches for several texts; a line with one of them is marked. The array of marks serves batch after batch. */
export class LineSearch {
  readonly #needles: readonly Uint8Array[];
  #marks: Uint8Array = new Uint8Array(0);

  /** @param needles none of them empty */
  constructor(needles: readonly Uint8Array[]) {
    this.#needles = needles;
  }

  /** 1 for each live entry whose line contains one of the texts. Valid until the next call. */
  mark(batch: EntryBatch): Uint8Array {
    if (batch.count > this.#marks.length) this.#marks = new Uint8Array(Math.max(batch.count, this.#marks.length * 2));
    else this.#marks.fill(0, 0, batch.count);
    const block = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytesUsed);
    for (const needle of this.#needles) markLines(block, batch, needle, this.#marks);
    return this.#marks;
  }
}

function markLines(block: Buffer, batch: EntryBatch, needle: Uint8Array, marks: Uint8Array): void {
  const { live, starts, ends } = batch;
  // `hit` is the first occurrence at or behind `from`; past the block's end when there is none.
  let from = Number.POSITIVE_INFINITY;
  let hit = 0;
  for (let k = 0; k < batch.liveCount; k++) {
    const i = live[k]!;
    const start = starts[i]!;
    const end = ends[i]!;
    // The first line, or one that stands before the one just seen (a stage put that one elsewhere).
    if (start < from || hit < start) {
      from = start;
      const at = block.indexOf(needle, start);
      hit = at < 0 ? block.length : at;
    }
    if (hit + needle.length <= end) marks[i] = 1;
  }
}
