// The open blocks of a multiline stage, by source file and label set. A block's entry is its first line's: time, labels, metadata and
// extracted values. Lines of a block that stays open beyond its batch are copied, and hold the batch's tickets.

import type { EntryBatch, Ticket } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { addHeld, batchOfHeld, type HeldEntry, HeldTickets, holdEntry } from "./held-entry.ts";
import type { EntryTest } from "./line-test.ts";

/** Of one block; what would grow past it goes on as a block of its own, as at `max_lines`. */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024;
/** Label sets remembered; past it the one idle for longest is flushed and forgotten. */
const BLOCKS_MAX = 10_000;
const LINE_FEED = 10;
const NEW_LINE = Uint8Array.of(LINE_FEED);

export interface MultilineOptions {
  /** Does a line begin a block? */
  readonly begins: EntryTest;
  readonly linesMax: number;
  /** An open block that got no line for this long is complete. */
  readonly waitMs: number;
  readonly nowMs: () => number;
  /** Told of lines that are in no block: empty ones, where nothing else came. */
  readonly onEmpty: (lineCount: number) => void;
}

/** What is known of one label set of one source. Without lines, only where the next block's entry comes from. */
interface Block {
  readonly source: string;
  readonly labels: LabelSet;
  /** The first line's entry: its index while its batch is in hand, else a copy. */
  startIndex: number;
  start: HeldEntry | undefined;
  /** The first line's entry has been handed out: what follows needs an entry of its own. */
  startUsed: boolean;
  /** Lines copied from earlier batches. */
  lines: Uint8Array[];
  /** Start and end of each line in the batch in hand. */
  spans: number[];
  /** Since the last entry was made of the block. */
  lineCount: number;
  /** Of the lines that wait, with a line feed each. */
  bytes: number;
  tickets: HeldTickets;
  lastMs: number;
}

export class MultilineBlocks {
  readonly #options: MultilineOptions;
  /** By source, then by labels; the longest idle come first. */
  readonly #blocks = new Map<string, Map<LabelSet, Block>>();
  #blockCount = 0;

  constructor(options: MultilineOptions) {
    this.#options = options;
  }

  /** Takes the lines of open blocks out of the batch, and puts every complete block in its place. */
  join(batch: EntryBatch): void {
    const kept: number[] = [];
    const touched = new Set<Block>();
    const tickets = batch.tickets.slice();
    const nowMs = this.#options.nowMs();
    const { begins } = this.#options;
    begins.start?.(batch);
    const live = batch.live.slice(0, batch.liveCount);
    let labels: LabelSet | undefined;
    let block: Block | undefined;
    for (const i of live) {
      if (batch.labels.get(i) !== labels) {
        labels = batch.labels.get(i)!;
        block = this.#blocks.get(batch.source)?.get(labels);
      }
      if (begins.holds(batch, i)) {
        if (block === undefined) block = this.#open(batch, labels!, kept);
        else if (lineCountOf(block) > 0) this.#emit(batch, block, kept);
        block.startIndex = i;
        block.start = undefined;
        block.startUsed = false;
      } else if (block === undefined) {
        kept.push(i);
        continue;
      }
      touched.add(block);
      block.lastMs = nowMs;
      block.spans.push(batch.starts[i]!, batch.ends[i]!);
      block.lineCount++;
      block.bytes += batch.lineLength(i) + 1;
      if (block.lineCount === this.#options.linesMax || block.bytes >= BLOCK_BYTES_MAX) this.#emit(batch, block, kept);
    }
    batch.setLive(kept);
    for (const one of touched) this.#keep(batch, one, tickets);
  }

  /** Blocks that are complete because nothing came for a while; all of them at `closing`. */
  flush(nowMs: number, closing: boolean): EntryBatch | undefined {
    let batch: EntryBatch | undefined;
    for (const byLabels of this.#blocks.values()) {
      for (const block of byLabels.values()) {
        if (lineCountOf(block) === 0 || (!closing && nowMs - block.lastMs < this.#options.waitMs)) continue;
        batch ??= batchOfHeld();
        this.#emit(batch, block, []);
      }
    }
    if (closing) {
      this.#blocks.clear();
      this.#blockCount = 0;
    }
    return batch;
  }

  #open(batch: EntryBatch, labels: LabelSet, kept: number[]): Block {
    if (this.#blockCount >= BLOCKS_MAX) this.#forgetOldest(batch, kept);
    const { source } = batch;
    const block: Block = {
      source,
      labels,
      startIndex: -1,
      start: undefined,
      startUsed: false,
      lines: [],
      spans: [],
      lineCount: 0,
      bytes: 0,
      tickets: new HeldTickets(),
      lastMs: 0,
    };
    let byLabels = this.#blocks.get(source);
    if (byLabels === undefined) this.#blocks.set(source, (byLabels = new Map()));
    byLabels.set(labels, block);
    this.#blockCount++;
    return block;
  }

  #forgetOldest(batch: EntryBatch, kept: number[]): void {
    let oldest: Block | undefined;
    for (const byLabels of this.#blocks.values()) {
      for (const block of byLabels.values()) if (oldest === undefined || block.lastMs < oldest.lastMs) oldest = block;
    }
    if (oldest === undefined) return;
    if (lineCountOf(oldest) > 0) this.#emit(batch, oldest, kept);
    const byLabels = this.#blocks.get(oldest.source)!;
    byLabels.delete(oldest.labels);
    if (byLabels.size === 0) this.#blocks.delete(oldest.source);
    this.#blockCount--;
  }

  /**
   * Makes the block's lines an entry of the batch, whose index is added to `kept`, and the block empty. As in Promtail, lines that are all
   * empty make no entry and leave the count of lines as it is.
   */
  #emit(batch: EntryBatch, block: Block, kept: number[]): void {
    const lineCount = lineCountOf(block);
    if (block.bytes === lineCount) this.#options.onEmpty(lineCount);
    else {
      kept.push(this.#entryOf(batch, block));
      block.startUsed = true;
      block.lineCount = 0;
    }
    block.tickets.handTo(batch);
    block.lines = [];
    block.spans = [];
    block.bytes = 0;
  }

  #entryOf(batch: EntryBatch, block: Block): number {
    const { startIndex, spans } = block;
    if (startIndex >= 0 && !block.startUsed) {
      // Fast path: the lines stand one after the other in the batch's bytes, so the entry only ends later.
      if (spans[1]! > spans[0]! && areAdjacent(batch.bytes, spans)) batch.ends[startIndex] = spans[spans.length - 1]!;
      else batch.setLine(startIndex, joinLines(batch.bytes, block));
      return startIndex;
    }
    block.start ??= holdEntry(batch, startIndex);
    return addHeld(batch, block.start, joinLines(batch.bytes, block));
  }

  /** At the end of a batch: what is needed of it later is copied out. */
  #keep(batch: EntryBatch, block: Block, tickets: readonly Ticket[]): void {
    if (block.startIndex >= 0) {
      block.start ??= holdEntry(batch, block.startIndex);
      block.startIndex = -1;
      // The batch's entry belongs to the batch from here on.
      block.startUsed = true;
    }
    if (lineCountOf(block) === 0) return;
    for (let s = 0; s < block.spans.length; s += 2) block.lines.push(batch.bytes.slice(block.spans[s], block.spans[s + 1]));
    block.spans = [];
    block.tickets.hold(tickets);
  }
}

/** Lines that wait to be handed on. */
const lineCountOf = ({ lines, spans }: Block): number => lines.length + spans.length / 2;

function areAdjacent(bytes: Uint8Array, spans: readonly number[]): boolean {
  for (let s = 2; s < spans.length; s += 2) {
    if (spans[s] !== spans[s - 1]! + 1 || bytes[spans[s - 1]!] !== LINE_FEED) return false;
  }
  return true;
}

/** All lines of the block with line feeds between. As in Promtail, empty lines at the start leave no line feed. */
function joinLines(bytes: Uint8Array, block: Block): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (line: Uint8Array): void => {
    if (length > 0) parts.push(NEW_LINE);
    parts.push(line);
    length += line.length + (parts.length > 1 ? 1 : 0);
  };
  for (const line of block.lines) add(line);
  for (let s = 0; s < block.spans.length; s += 2) add(bytes.subarray(block.spans[s], block.spans[s + 1]));
  return Buffer.concat(parts);
}
