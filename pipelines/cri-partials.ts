// CRI partial lines: a runtime splits what a container writes at 16 KiB; the pieces are flagged `P`, the last one `F`. They are joined
// by source file and label set (which has the stream), without anything between.
//
// Pieces that wait hold their batches' tickets, so that a source's position does not pass them. They are not handed out when the
// pipeline closes: nothing is lost, for the source reads them again. A piece whose rest does not come within a minute is handed out as
// it is, so that one broken container cannot hold a file's position back for ever.

import type { CriColumns } from "../lib/kernels/kernels.ts";
import type { EntryBatch, Ticket } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { addHeld, batchOfHeld, type HeldEntry, HeldTickets, holdEntry } from "./held-entry.ts";

const IDLE_MS_MAX = 60_000;
/** Of one joined line. More than any runtime's line; what would grow past it is handed out in pieces of this size. */
const JOINED_BYTES_MAX = 16 * 1024 * 1024;

export interface CriPartialsOptions {
  /** Streams whose pieces wait at once; one more and all are handed out as they are. */
  readonly streamsMax: number;
  /** Joined text is cut to this many bytes; undefined keeps all. */
  readonly truncateBytes: number | undefined;
  readonly nowMs: () => number;
}

/** Pieces of one line. */
interface Partial {
  pieces: Uint8Array[];
  bytes: number;
  /** The last piece's entry: index in the current batch, or a copy when it came in an earlier one. */
  index: number;
  held: HeldEntry | undefined;
  readonly tickets: HeldTickets;
  lastMs: number;
}

export class CriPartials {
  readonly #options: CriPartialsOptions;
  /** By source, then by labels. */
  readonly #open = new Map<string, Map<LabelSet, Partial>>();
  #openCount = 0;

  constructor(options: CriPartialsOptions) {
    this.#options = options;
  }

  /** Do pieces wait? */
  get isOpen(): boolean {
    return this.#openCount > 0;
  }

  /** Takes partial lines out of the batch, and puts what waited before the line that ends it. `columns` are those of the batch. */
  join(batch: EntryBatch, columns: Pick<CriColumns, "ok" | "partial">): void {
    const kept: number[] = [];
    const tickets = batch.tickets.slice();
    const live = batch.live.slice(0, batch.liveCount);
    for (const i of live) {
      if (columns.ok[i] === 0) kept.push(i);
      else if (columns.partial[i] === 1) this.#take(batch, i, kept);
      else {
        this.#complete(batch, i);
        kept.push(i);
      }
    }
    batch.setLive(kept);
    this.#holdOpen(batch, tickets);
  }

  /** What has waited too long. */
  flush(nowMs: number, closing: boolean): EntryBatch | undefined {
    if (closing || this.#openCount === 0) return undefined;
    let batch: EntryBatch | undefined;
    for (const [source, byLabels] of this.#open) {
      for (const [labels, partial] of byLabels) {
        if (nowMs - partial.lastMs < IDLE_MS_MAX) continue;
        batch ??= batchOfHeld();
        this.#remove(source, labels);
        this.#emit(batch, partial);
      }
    }
    return batch;
  }

  #take(batch: EntryBatch, i: number, kept: number[]): void {
    if (this.#openCount >= this.#options.streamsMax) this.#emitAll(batch, kept);
    const labels = batch.labels.get(i)!;
    let byLabels = this.#open.get(batch.source);
    if (byLabels === undefined) this.#open.set(batch.source, (byLabels = new Map()));
    let partial = byLabels.get(labels);
    if (partial !== undefined && partial.bytes + batch.lineLength(i) > JOINED_BYTES_MAX) {
      kept.push(this.#emit(batch, partial));
      this.#remove(batch.source, labels);
      partial = undefined;
    }
    if (partial === undefined) {
      partial = { pieces: [], bytes: 0, index: i, held: undefined, tickets: new HeldTickets(), lastMs: 0 };
      byLabels.set(labels, partial);
      this.#open.set(batch.source, byLabels);
      this.#openCount++;
    }
    partial.index = i;
    partial.held = undefined;
    partial.lastMs = this.#options.nowMs();
    this.#append(partial, batch.lineBytes(i).slice());
  }

  /** Line i ends a joined line, if one waits. */
  #complete(batch: EntryBatch, i: number): void {
    const labels = batch.labels.get(i)!;
    const partial = this.#open.get(batch.source)?.get(labels);
    if (partial === undefined) return;
    this.#remove(batch.source, labels);
    this.#append(partial, batch.lineBytes(i).slice());
    batch.setLine(i, Buffer.concat(partial.pieces));
    partial.tickets.handTo(batch);
  }

  #append(partial: Partial, piece: Uint8Array): void {
    const max = this.#options.truncateBytes;
    const room = max === undefined ? piece.length : Math.max(0, max - partial.bytes);
    const taken = piece.length <= room ? piece : piece.subarray(0, characterStart(piece, room));
    partial.pieces.push(taken);
    partial.bytes = piece.length <= room ? partial.bytes + piece.length : max!;
  }

  #emitAll(batch: EntryBatch, kept: number[]): void {
    for (const byLabels of this.#open.values()) {
      for (const partial of byLabels.values()) kept.push(this.#emit(batch, partial));
    }
    this.#open.clear();
    this.#openCount = 0;
  }

  /** Puts the pieces into the batch as they are, as an entry like the last of them. Returns its index. */
  #emit(batch: EntryBatch, partial: Partial): number {
    const line = Buffer.concat(partial.pieces);
    partial.tickets.handTo(batch);
    if (partial.held !== undefined) return addHeld(batch, partial.held, line);
    batch.setLine(partial.index, line);
    return partial.index;
  }

  #remove(source: string, labels: LabelSet): void {
    const byLabels = this.#open.get(source);
    if (byLabels?.delete(labels) !== true) return;
    this.#openCount--;
    if (byLabels.size === 0) this.#open.delete(source);
  }

  /** What still waits at the end of the batch is copied out of it. Only pieces of its own source can be from this batch. */
  #holdOpen(batch: EntryBatch, tickets: readonly Ticket[]): void {
    for (const partial of this.#open.get(batch.source)?.values() ?? []) {
      if (partial.held !== undefined) continue;
      partial.held = holdEntry(batch, partial.index);
      partial.tickets.hold(tickets);
    }
  }
}

/** Where the character that `at` is inside of begins, so that a cut leaves valid UTF-8. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && start > at - 3 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start--;
  return start;
}
