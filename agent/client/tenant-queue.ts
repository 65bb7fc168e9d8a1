// One tenant's entries on their way through one client: a batch being filled, sealed ones waiting, some in flight.
//
// Several batches may be in flight, but never two with entries of one stream, so that each stream arrives in order. What waits longer
// than there is room for makes `add` return a promise: whoever reads sources waits for it.
//
// A queue with a disk may fall behind. Then what waits is put on disk, where nobody waits for it, and is read from there when its turn
// comes; what is on disk is always older than what is in memory. When all of it has been sent, batches go directly again.

import type { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { DiskQueue, Receipt } from "./disk-queue.ts";
import { allowedStreams, fitting } from "./filling.ts";
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
  readonly optional?: SharedRoom | undefined;
  readonly disk?: DiskQueue | undefined;
}

/** Bytes waiting in all queues of an optional client. */
export interface SharedRoom {
  bytes: number;
}

/** What a queue had when it was stopped. */
export interface Abandoned {
  readonly entryCount: number;
  readonly lineBytes: number;
}

/** What happened to a batch on its way: delivered, refused or given up (all end it), or put back because the client is stopping. */
export type Outcome = "done" | "failed" | "given up" | "kept";

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
  /** Labels of streams in flight, as they are sent. */
  readonly #locked = new Set<string>();
  /** Batches in flight at most, lowered while the remote is in trouble. */
  #width: number;
  #inTrouble = false;
  #pendingBytes = 0;
  #room: (() => void)[] = [];
  /** To be called at each step, for who waits for a state. */
  #watchers: (() => void)[] = [];
  #isBehind: boolean;
  /** Read from disk, to be sent next. */
  readonly #loaded: SealedBatch[] = [];
  #loading = false;
  #parking = false;
  /** The disk has no room, or fails: what waits stays in memory until the next look. */
  #diskRefuses = false;
  /** Of batches in memory that are on disk too. No source waits for them. */
  readonly #receipts = new Map<SealedBatch, Receipt>();

  constructor(settings: QueueSettings, hooks: QueueHooks, pool: BufferPool) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#pool = pool;
    this.#width = settings.lanes;
    this.#isBehind = settings.disk?.hasUnread ?? false;
    this.#pump();
  }

  /** Of lines that sources wait for. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether no source waits for anything. */
  get isIdle(): boolean {
    if (this.#open !== undefined || this.#sealed.length > 0 || this.#parking) return false;
    for (const batch of this.#inFlight) if (!this.#receipts.has(batch)) return false;
    return true;
  }

  /** Whether what waits goes through the disk. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Whether the remote gives no answer that counts, and has not since. */
  get inTrouble(): boolean {
    return this.#inTrouble;
  }

  /** Whether sources are waiting for room. */
  get isFull(): boolean {
    return this.#room.length > 0;
  }

  /** Takes the entries `picks[0, count)`; resolves when there is room for more. */
  add(batch: EntryBatch, picks: Int32Array, count: number, slots: Int32Array, streams: readonly ResolvedStream[]): Promise<void> | void {
    const { batchBytes, optional, streamsMax } = this.#settings;
    if (optional !== undefined && (this.#stopped || optional.bytes >= this.#settings.roomBytes)) return this.#dropAll(batch, picks, count);
    if (this.#stopped) return holdForever(batch);
    for (let from = 0; from < count; ) {
      const open = this.#opened();
      const allowed = streamsMax === 0 ? undefined : allowedStreams(open, streamsMax, picks.subarray(from, count), slots, streams);
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

  /** Puts what waits on disk, from now on until all has been sent. Without a disk it goes on as before. */
  fallBehind(): void {
    if (this.#settings.disk === undefined || this.#isBehind || this.#stopped) return;
    this.#isBehind = true;
    this.look();
  }

  /** To be called from time to time: the disk may take again what it has refused. */
  look(): void {
    this.#diskRefuses = false;
    if (this.#isBehind) this.#pump();
  }

  /** Sends everything without waiting for batches to fill; resolves when all is dealt with. What is on disk by then stays there. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#pump();
    await this.#until(() => this.isIdle && (this.#inFlight.size === 0 || this.#inTrouble));
  }

  idle(): Promise<void> {
    return this.#until(() => this.isIdle);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#stopped) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #stepped(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }

  /** Takes nothing more and sends nothing more; what was not acknowledged keeps its tickets. Returns what that is. */
  stop(): Abandoned {
    if (this.#stopped) return { entryCount: 0, lineBytes: 0 };
    const inMemory = [...this.#inFlight].filter((batch) => !this.#receipts.has(batch));
    const batches = [...(this.#open === undefined ? [] : [this.#open]), ...this.#sealed, ...inMemory];
    this.#open?.giveBuffers();
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#settings.disk?.end();
    for (const wake of this.#room.splice(0)) wake();
    this.#stepped();
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
    const { disk } = this.#settings;
    if (this.#isBehind && disk !== undefined) this.#throughDisk(disk);
    while (this.#inFlight.size < this.#width) {
      const next = this.#takeUnlocked(this.#isDiskFirst ? this.#loaded : this.#sealed);
      if (next !== undefined) void this.#send(next);
      else if (this.#sealed.length === 0 && !this.#isDiskFirst && this.#isOpenReady()) this.#seal();
      else return;
    }
  }

  /** Whether what is in memory has to wait for what is on disk, or on its way there. */
  get #isDiskFirst(): boolean {
    return this.#isBehind && (this.#parking || this.#loading || this.#loaded.length > 0 || this.#settings.disk!.hasUnread);
  }

  #throughDisk(disk: DiskQueue): void {
    if ((this.#due || this.#draining) && this.#open !== undefined && this.#open.entryCount > 0) {
      const open = this.#open;
      this.#discardOpen();
      this.#sealed.push(open.seal());
    }
    if (!this.#parking && !this.#diskRefuses) this.#park(disk);
    if (!this.#loading && !this.#draining && disk.hasUnread && this.#loaded.length < this.#width) void this.#load(disk);
    if (!this.#isDiskFirst && !this.#inTrouble) this.#isBehind = false;
  }

  /** Puts on disk what sources wait for, and lets go of them. */
  #park(disk: DiskQueue): void {
    const inFlight = [...this.#inFlight].filter((batch) => !this.#receipts.has(batch));
    const sealed = [...this.#sealed];
    if (inFlight.length + sealed.length > 0) void this.#parkAll(disk, inFlight, sealed);
  }

  async #parkAll(disk: DiskQueue, inFlight: readonly SealedBatch[], sealed: readonly SealedBatch[]): Promise<void> {
    this.#parking = true;
    const { count, receipts } = await disk.append(inFlight, sealed);
    this.#parking = false;
    if (this.#stopped) return;
    this.#diskRefuses = count < inFlight.length + sealed.length;
    for (const [i, receipt] of receipts.entries()) {
      const batch = inFlight[i]!;
      // It may have been dealt with meanwhile.
      if (!this.#inFlight.has(batch)) receipt.release();
      else {
        this.#receipts.set(batch, receipt);
        this.#letGo(batch);
      }
    }
    // Nothing else takes from the front meanwhile.
    for (const batch of this.#sealed.splice(0, count - receipts.length)) {
      this.#pool.give(batch.buffer);
      this.#letGo(batch);
    }
    this.#pump();
    this.#wakeSources();
  }

  async #load(disk: DiskQueue): Promise<void> {
    this.#loading = true;
    const read = await disk.next();
    this.#loading = false;
    if (this.#stopped) return;
    if (read !== undefined) {
      this.#receipts.set(read.batch, read.receipt);
      this.#loaded.push(read.batch);
    }
    this.#pump();
  }

  /** An open batch that would have to wait anyway goes on filling instead. */
  #isOpenReady(): boolean {
    const open = this.#open;
    if (open === undefined || open.entryCount === 0 || !(this.#due || this.#draining)) return false;
    for (const { sent } of open.streams) if (this.#locked.has(String(sent))) return false;
    return true;
  }

  /** The first of waiting batches none of whose streams is in flight or in a batch before it. */
  #takeUnlocked(waiting: SealedBatch[]): SealedBatch | undefined {
    const before = new Set<string>();
    for (let k = 0; k < waiting.length; k++) {
      const { streams } = waiting[k]!;
      if (!streams.some((stream) => this.#locked.has(stream) || before.has(stream))) return waiting.splice(k, 1)[0];
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
      this.#inTrouble = true;
      this.#stepped();
    });
    this.#inFlight.delete(batch);
    if (outcome === "kept") return;
    if (outcome === "done") this.#width = Math.min(this.#settings.lanes, this.#width + 1);
    if (outcome !== "given up") this.#inTrouble = false;
    for (const stream of batch.streams) this.#locked.delete(stream);
    this.#pool.give(batch.buffer);
    const receipt = this.#receipts.get(batch);
    this.#receipts.delete(batch);
    if (receipt === undefined) this.#letGo(batch);
    else receipt.release();
    this.#pump();
    this.#wakeSources();
  }

  /** Sources need not wait for a batch any longer. */
  #letGo(batch: SealedBatch): void {
    this.#addPending(-batch.lineBytes);
    for (const ticket of batch.tickets) ticket.release();
  }

  #wakeSources(): void {
    if (this.#pendingBytes <= this.#settings.roomBytes) for (const wake of this.#room.splice(0)) wake();
    this.#stepped();
  }
}

/** What comes after the stop is not sent, so it must never count as dealt with. */
function holdForever(batch: EntryBatch): void {
  for (const ticket of batch.tickets) {
    ticket.hold();
    ticket.abandon?.();
  }
}
