// Blocks that files are read into. Allocating 1 MiB for each read costs more in page clearing than reading it (DESIGN.md, "Speed"),
// so blocks are used again once nothing of a batch is kept by its pipeline.

import { allocateWords, kernels } from "../../lib/kernels/index.ts";
import { makeColumns, type NumberColumns } from "../../lib/wire/entry-batch.ts";
import { BATCH_LINES_MAX } from "./batch-lines.ts";
import { MARK_BYTES_MAX } from "./file-identity.ts";

export const BLOCK_BYTES = 1024 * 1024;
/** Room before the block for the mark that is read along, and behind it for text that stages append. */
export const BLOCK_SLACK_BYTES = 4 * 1024;

/**
 * Room of a block for a whole read: texts that stages append (`docker`, `json` and `output` undo escapes) go behind what was read, in the
 * kernels' memory as well. It is no memory until somebody writes there.
 */
export const BLOCK_ROOM_BYTES = 2 * BLOCK_BYTES + BLOCK_SLACK_BYTES;

/** Blocks in the kernels' own memory, which is never freed: what one loop of reading has in hand, and a few that wait for room. */
const KERNEL_BLOCKS_MAX = 8;
const SMALL_BYTES = 16 * 1024;

export class ReadBlocks {
  readonly #free: Uint8Array[] = [];
  readonly #freeSmall: Uint8Array[] = [];
  #madeCount = 0;
  readonly #freeColumns: NumberColumns[] = [];
  #madeColumnsCount = 0;

  /** A block with room for `bytes` bytes of file, mark and all, and the slack. Larger ones than a read takes are made for the purpose. */
  take(bytes: number): Uint8Array {
    if (bytes + BLOCK_SLACK_BYTES <= SMALL_BYTES) return this.#freeSmall.pop() ?? new Uint8Array(SMALL_BYTES);
    if (bytes > BLOCK_BYTES + MARK_BYTES_MAX) return new Uint8Array(bytes + BLOCK_SLACK_BYTES);
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return this.#madeCount++ < KERNEL_BLOCKS_MAX ? kernels.allocate(BLOCK_ROOM_BYTES) : new Uint8Array(BLOCK_ROOM_BYTES);
  }

  /** Columns for BATCH_LINES_MAX lines, in the kernels' memory; undefined when all there are are in use. */
  takeColumns(): NumberColumns | undefined {
    const free = this.#freeColumns.pop();
    if (free !== undefined || this.#madeColumnsCount === KERNEL_BLOCKS_MAX) return free;
    this.#madeColumnsCount++;
    return makeColumns(BATCH_LINES_MAX, allocateWords);
  }

  giveColumns(columns: NumberColumns | undefined): void {
    if (columns !== undefined) this.#freeColumns.push(columns);
  }

  /** Takes a block back; nobody may look at it any more. */
  give(block: Uint8Array): void {
    if (block.length === SMALL_BYTES && this.#freeSmall.length < 64) this.#freeSmall.push(block);
    else if (block.length === BLOCK_ROOM_BYTES && this.#free.length < KERNEL_BLOCKS_MAX) this.#free.push(block);
  }
}
