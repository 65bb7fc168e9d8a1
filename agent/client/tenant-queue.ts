// One tenant's entries on their way through one client: a batch being filled, sealed ones waiting, some in flight.
//
// Several batches may be in flight, but never two with entries of one stream, so that each stream arrives in order. What waits longer
// than there is room for makes `add` return a promise: whoever reads sources waits for it.

import { kernels } from "../../lib/kernels/index.ts";
import type { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { encodeMetadata } from "./metadata-bytes.ts";
import { OpenBatch, type SealedBatch } from "./open-batch.ts";
import type { ResolvedStream } from "./stream-labels.ts";

export interface QueueSettings {
  readonly batchBytes: number;
  readonly batchWaitMs: number;
  /** Distinct streams per batch; 0: no bound. */
  readonly streamsMax: number;
  /** Bytes that may wait before `add` asks to be waited for. */
  readonly roomBytes: number;
  readonly lanes: number;
  /** Nobody waits for this queue: it holds no tickets, and what it has no room for is dropped. Its room is shared by its client's queues. */
  readonly optional?: Backlog | undefined;
}

/** Bytes waiting in all queues of an optional client. */
export interface Backlog {
  bytes: number;
}

/** What a queue had when it was stopped. */
export interface Abandoned {
  readonly entryCount: number;
  readonly lineBytes: number;
}

/** What happened to a batch on its way: delivered or dropped (both end it), or put back because the client is stopping. */
export type Outcome = "done" | "failed" | "kept";

export interface QueueHooks {
  /** Sends a batch, however long that takes. */
  readonly deliver: (batch: SealedBatch, onTrouble: () => void) => Promise<Outcome>;
  readonly onDropped: (reason: "stream_limited" | "queue_full", entryCount: number, bytes: number) => void;
  readonly nowMs: () => number;
}

export class TenantQueue {
  readonly #settings: QueueSettings;
  readonly #hooks: QueueHooks;
  readonly #pool: BufferPool;
  #open: OpenBatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the open batch need not wait any longer. */
  #due = false;
  #draining = false;
  #stopped = false;
  readonly #sealed: SealedBatch[] = [];
  readonly #inFlight = new Set<SealedBatch>();
  readonly #locked = new Set<ResolvedStream>();
  /** Batches in flight at most, lowered while the remote is in trouble. */
  #width: number;
  #pendingBytes = 0;
  #room: (() => void)[] = [];
  #idle: (() => void)[] = [];

  constructor(settings: QueueSettings, hooks: QueueHooks, pool: BufferPool) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#pool = pool;
    this.#width = settings.lanes;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isIdle(): boolean {
    return this.#open === undefined && this.#sealed.length === 0 && this.#inFlight.size === 0;
  }

  /** Takes the entries `picks[0, count)`; resolves when there is room for more. */
  add(batch: EntryBatch, picks: Int32Array, count: number, slots: Int32Array, streams: readonly ResolvedStream[]): Promise<void> | void {
    const { batchBytes, optional } = this.#settings;
    if (optional !== undefined && (this.#stopped || optional.bytes >= this.#settings.roomBytes)) return this.#dropAll(batch, picks, count);
    if (this.#stopped) return holdForever(batch);
    for (let from = 0; from < count; ) {
      const open = this.#opened();
      const allowed = this.#settings.streamsMax === 0 ? undefined : this.#limitStreams(open, picks, from, count, slots, streams);
      const isAllowed = allowed === undefined ? undefined : { slots, allowed };
      const { to, bytes } = fitting(batch, picks, from, count, open.entryCount === 0, batchBytes - open.lineBytes, isAllowed);
      if (to > from) {
        this.#addPending(bytes);
        open.append({ batch, picks, from, to, slots, streams }, bytes);
      }
      if (to < count && allowed !== undefined && allowed[slots[picks[to]!]!] === 0) {
        this.#hooks.onDropped("stream_limited", 1, batch.lineLength(picks[to]!));
        from = to + 1;
        continue;
      }
      if (to < count) this.#seal();
      from = to;
    }
    if (this.#open?.entryCount === 0) this.#discardOpen();
    if (this.#draining) this.#pump();
    if (optional !== undefined || this.#pendingBytes <= this.#settings.roomBytes) return;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  #addPending(bytes: number): void {
    this.#pendingBytes += bytes;
    if (this.#settings.optional !== undefined) this.#settings.optional.bytes += bytes;
  }

  #dropAll(batch: EntryBatch, picks: Int32Array, count: number): void {
    let bytes = 0;
    for (let k = 0; k < count; k++) bytes += batch.lineLength(picks[k]!);
    this.#hooks.onDropped("queue_full", count, bytes);
  }

  /** Which streams may enter the open batch, by slot: those in it, and new ones up to the bound, in order of arrival. */
  #limitStreams(
    open: OpenBatch,
    picks: Int32Array,
    from: number,
    count: number,
    slots: Int32Array,
    streams: readonly ResolvedStream[],
  ): Uint8Array {
    const allowed = new Uint8Array(streams.length);
    let room = this.#settings.streamsMax - open.streamCount;
    const seen = new Set<ResolvedStream>();
    for (let k = from; k < count; k++) {
      const slot = slots[picks[k]!]!;
      const stream = streams[slot]!;
      if (allowed[slot] === 1) continue;
      if (open.has(stream) || seen.has(stream)) allowed[slot] = 1;
      else if (room > 0) {
        room--;
        seen.add(stream);
        allowed[slot] = 1;
      }
    }
    return allowed;
  }

  /** Sends everything without waiting for batches to fill; resolves when all is dealt with. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#pump();
    return this.idle();
  }

  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes nothing more and sends nothing more; what was not acknowledged keeps its tickets. Returns what that is. */
  stop(): Abandoned {
    const batches = this.#stopped ? [] : [...(this.#open === undefined ? [] : [this.#open]), ...this.#sealed, ...this.#inFlight];
    if (!this.#stopped) this.#open?.giveBuffers();
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const wake of this.#room.splice(0)) wake();
    for (const wake of this.#idle.splice(0)) wake();
    for (const { tickets } of batches) for (const ticket of tickets) ticket.abandon?.();
    return {
      entryCount: batches.reduce((sum, batch) => sum + batch.entryCount, 0),
      lineBytes: batches.reduce((sum, batch) => sum + batch.lineBytes, 0),
    };
  }

  #opened(): OpenBatch {
    if (this.#open === undefined) {
      this.#open = new OpenBatch(this.#pool, this.#hooks.nowMs(), this.#settings.optional === undefined);
      this.#due = false;
      this.#timer = setTimeout(
        () => {
          this.#due = true;
          this.#pump();
        },
        Math.min(this.#settings.batchWaitMs, TIMER_MS_MAX),
      );
    }
    return this.#open;
  }

  #discardOpen(): void {
    clearTimeout(this.#timer);
    this.#open = undefined;
  }

  #seal(): void {
    const open = this.#open;
    if (open === undefined || open.entryCount === 0) return;
    this.#discardOpen();
    this.#sealed.push(open.seal());
    this.#pump();
  }

  #pump(): void {
    if (this.#stopped) return;
    while (this.#inFlight.size < this.#width) {
      const next = this.#takeUnlocked();
      if (next !== undefined) void this.#send(next);
      else if (this.#sealed.length === 0 && this.#isOpenReady()) this.#seal();
      else return;
    }
  }

  /** An open batch that would have to wait anyway goes on filling instead. */
  #isOpenReady(): boolean {
    const open = this.#open;
    if (open === undefined || open.entryCount === 0 || !(this.#due || this.#draining)) return false;
    for (const stream of open.streams) if (this.#locked.has(stream)) return false;
    return true;
  }

  /** The first sealed batch none of whose streams is in flight or in a batch before it. */
  #takeUnlocked(): SealedBatch | undefined {
    const before = new Set<ResolvedStream>();
    for (let k = 0; k < this.#sealed.length; k++) {
      const { streams } = this.#sealed[k]!;
      if (!streams.some((stream) => this.#locked.has(stream) || before.has(stream))) return this.#sealed.splice(k, 1)[0];
      for (const stream of streams) before.add(stream);
    }
    return undefined;
  }

  async #send(batch: SealedBatch): Promise<void> {
    this.#inFlight.add(batch);
    for (const stream of batch.streams) this.#locked.add(stream);
    const outcome = await this.#hooks.deliver(batch, () => {
      // While the remote refuses, one batch at a time asks whether it is back.
      this.#width = 1;
    });
    this.#inFlight.delete(batch);
    if (outcome === "kept") return;
    if (outcome === "done") this.#width = Math.min(this.#settings.lanes, this.#width + 1);
    for (const stream of batch.streams) this.#locked.delete(stream);
    this.#pool.give(batch.buffer);
    this.#addPending(-batch.lineBytes);
    for (const ticket of batch.tickets) ticket.release();
    this.#pump();
    if (this.#pendingBytes <= this.#settings.roomBytes) for (const wake of this.#room.splice(0)) wake();
    if (this.isIdle) for (const wake of this.#idle.splice(0)) wake();
  }
}

/** What comes after the stop is not sent, so it must never count as dealt with. */
function holdForever(batch: EntryBatch): void {
  for (const ticket of batch.tickets) {
    ticket.hold();
    ticket.abandon?.();
  }
}

/**
 * How many entries from `from` on an open batch takes: up to the first whose stream is not allowed, or that is beyond `bytesMax` (the
 * first of an empty batch never is). A function of its own, small enough to be compiled once: within `add`, each batch that was sent
 * for the first time made the engine compile all that `add` calls anew.
 */
function fitting(
  batch: EntryBatch,
  picks: Int32Array,
  from: number,
  count: number,
  isEmpty: boolean,
  bytesMax: number,
  bound: { readonly slots: Int32Array; readonly allowed: Uint8Array } | undefined,
): { readonly to: number; readonly bytes: number } {
  if (bound === undefined && batch.metadata === undefined) {
    const fit = kernels.fitLines(batch.starts, batch.ends, picks.subarray(from, count), count - from, bytesMax);
    return fit.count === 0 && isEmpty
      ? { to: from + 1, bytes: batch.lineLength(picks[from]!) }
      : { to: from + fit.count, bytes: fit.bytes };
  }
  let bytes = 0;
  let to = from;
  for (; to < count; to++) {
    if (bound !== undefined && bound.allowed[bound.slots[picks[to]!]!] === 0) break;
    const entryBytes = sizeOf(batch, picks[to]!);
    if (bytes + entryBytes > bytesMax && !(isEmpty && to === from)) break;
    bytes += entryBytes;
  }
  return { to, bytes };
}

function sizeOf(batch: EntryBatch, i: number): number {
  const bytes = batch.ends[i]! - batch.starts[i]!;
  return batch.metadata === undefined ? bytes : bytes + encodeMetadata(batch.metadata[i]).counted;
}
