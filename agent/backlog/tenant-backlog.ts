// The queue on disk of one tenant of one client: sealed batches that were let go of by their sources, because the client is behind.
//
//   append ──> segments (written and synced) ──> next ──> the client's lanes ──> answer
//                 │                                                               │
//                 └── removed when all in them is dealt with <── ledger <── tickets of what was read
//
// Batches that are on their way when the client falls behind are put here too, so that their sources need not wait for them; they are
// not read again unless the agent ends before they were answered. Several may append at a time, but only one reads: a reload's new
// client waits until the former one has ended, and then begins with what that has not got answered.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Disk } from "../../lib/runtime/disk.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import type { Appended, DiskQueue, OnUnreadable, ReadBatch, Receipt } from "../client/disk-queue.ts";
import type { SealedBatch } from "../client/open-batch.ts";
import { DiskHealth } from "../spool/disk-health.ts";
import { entryCountOf } from "../spool/frame.ts";
import { PositionFile } from "../spool/position-file.ts";
import { Segments } from "../spool/segments.ts";
import { TicketLedger } from "../tickets.ts";
import type { Allowance } from "./allowance.ts";
import type { BacklogMetrics } from "./backlog-metrics.ts";
import { HandedTicket } from "./handed-ticket.ts";
import { batchOf, encodeBatch, headOf } from "./record.ts";

export interface TenantBacklogOptions {
  readonly folder: string;
  /** A segment is closed when it has this many bytes. */
  readonly segmentBytes: number;
  /** Of all tenants of the client. */
  readonly allowance: Allowance;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: BacklogMetrics;
}

/** A batch that is kept and not dealt with. */
interface Waiting {
  readonly end: number;
  readonly sequence: number;
  readonly sinceMs: number;
}

interface Opened {
  readonly segments: Segments;
  readonly position: PositionFile;
}

export class TenantBacklog {
  readonly #options: TenantBacklogOptions;
  readonly #tenant: string;
  readonly #stop = new AbortController();
  #opened: Opened | undefined;
  /** Appends and removals, one after the other. */
  readonly #turns = new OneAtATime();
  #ledger = new TicketLedger(0);
  /** Where the next record to read begins, at the earliest. */
  #readAt = 0;
  #sequence = 0;
  /** The first batch that is not dealt with; undefined when all are. */
  #oldest: Omit<Waiting, "end"> | undefined;
  /** What was read and is not dealt with, or behind such. */
  #waiting: Waiting[] = [];
  /** By their record's position: batches in flight whose record was not come by yet. */
  readonly #handed = new Map<number, HandedTicket>();
  /** The first of them reads. */
  readonly #readers: Reader[] = [];
  readonly #health: DiskHealth;
  #isClosed = false;

  private constructor(tenant: string, options: TenantBacklogOptions) {
    this.#tenant = tenant;
    this.#options = options;
    const { clock, log, folder, metrics } = options;
    this.#health = new DiskHealth({
      clock,
      log,
      of: "backlog",
      meaning: "all clients keep the pace of the one that is behind; free space, or set backlog.directory to a folder that can be written",
      fields: { folder, tenant },
      count: () => metrics.writeFailed(),
    });
  }

  /** One of which nothing is on disk yet. */
  static create(tenant: string, options: TenantBacklogOptions): TenantBacklog {
    return new TenantBacklog(tenant, options);
  }

  /**
   * Finds what an agent before has left in the folder.
   *
   * @returns undefined when nothing of it is to be sent
   * @throws the disk's error, or Error for what this version cannot read
   */
  static async find(options: TenantBacklogOptions): Promise<TenantBacklog | undefined> {
    const opened = await openFiles(options);
    let backlog: TenantBacklog | undefined;
    try {
      const first = await opened.segments.next(startOf(opened));
      if (first === undefined) await opened.segments.removeBefore(opened.segments.end);
      else {
        const head = headOf(first.bytes);
        const last = await opened.segments.last();
        backlog = new TenantBacklog(head.tenant, options);
        backlog.#begin(opened, first.position);
        backlog.#oldest = head;
        backlog.#sequence = (last === undefined ? head.sequence : headOf(last.bytes).sequence) + 1;
      }
    } finally {
      if (backlog === undefined) await opened.position.close();
    }
    return backlog;
  }

  get tenant(): string {
    return this.#tenant;
  }

  get bytes(): number {
    return this.#opened?.segments.bytes ?? 0;
  }

  get batchCount(): number {
    return this.#oldest === undefined ? 0 : this.#sequence - this.#oldest.sequence;
  }

  /** When the oldest batch was put here; undefined when there is none. */
  get oldestMs(): number | undefined {
    return this.#oldest?.sinceMs;
  }

  /** For a client's queue, which reads as soon as those before it have ended. */
  reader(mayAppend: boolean, onUnreadable: OnUnreadable): DiskQueue {
    const reader = new Reader(this, mayAppend, onUnreadable);
    this.#readers.push(reader);
    this.#readers[0]!.begin();
    return reader;
  }

  reads(reader: Reader): boolean {
    return this.#readers[0] === reader;
  }

  get hasUnread(): boolean {
    return !this.#isClosed && this.#opened !== undefined && this.#readAt < this.#opened.segments.end;
  }

  /** See `DiskQueue`. */
  async append(inFlight: readonly SealedBatch[], others: readonly SealedBatch[]): Promise<Appended> {
    const { clock, allowance } = this.#options;
    if (this.#isClosed || this.#health.isLeftAlone) return NOTHING;
    const sequence = this.#sequence;
    const records: Buffer[] = [];
    let entryCount = 0;
    let bytes = 0;
    for (const batch of [...inFlight, ...others]) {
      if (!allowance.fits(batch.body.length)) break;
      const record = encodeBatch(batch, { tenant: this.#tenant, sequence: this.#sequence, sinceMs: clock.nowMs() });
      if (!allowance.take(record.length)) break;
      this.#sequence++;
      records.push(record);
      entryCount += batch.entryCount;
      bytes += record.length;
    }
    if (records.length === 0) return NOTHING;
    return this.#turns.run(async () => {
      const receipts = await this.#write(records, Math.min(inFlight.length, records.length), sequence);
      allowance.giveBack(bytes);
      if (receipts === undefined) return NOTHING;
      this.#options.metrics.entriesIn(entryCount);
      return { count: records.length, receipts };
    });
  }

  /** See `DiskQueue`. */
  async next(reader: Reader): Promise<ReadBatch | undefined> {
    while (this.reads(reader) && this.hasUnread) {
      try {
        const read = await this.#read(reader);
        if (read !== undefined) return read;
      } catch (error) {
        await this.#health.waitAfter(error, this.#stop.signal);
      }
    }
    return undefined;
  }

  /** The reader has ended; what it has not dealt with is the next one's. */
  ended(reader: Reader): void {
    const at = this.#readers.indexOf(reader);
    if (at < 0) return;
    this.#readers.splice(at, 1);
    if (at > 0) return;
    this.#handed.clear();
    this.#waiting = [];
    this.#readFrom(this.#ledger.committed());
    this.#readers[0]?.begin();
  }

  /** Writes the position for the last time. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop.abort();
    await this.#turns.idle();
    await this.#opened?.segments.closeOpen();
    await this.#opened?.position.close();
  }

  /** @returns the receipts of the first `handedCount`; undefined when the disk refuses */
  async #write(records: readonly Buffer[], handedCount: number, firstSequence: number): Promise<Receipt[] | undefined> {
    let position: number;
    try {
      if (this.#opened === undefined) {
        const opened = await openFiles(this.#options);
        this.#begin(opened, startOf(opened));
      }
      position = await this.#opened!.segments.write(records);
    } catch (error) {
      if (this.#sequence === firstSequence + records.length) this.#sequence = firstSequence;
      this.#health.failed(error);
      return undefined;
    }
    this.#health.worked();
    this.#oldest ??= { sequence: firstSequence, sinceMs: this.#options.clock.nowMs() };
    const receipts: Receipt[] = [];
    for (const record of records.slice(0, handedCount)) {
      const ticket = new HandedTicket();
      this.#handed.set(position, ticket);
      receipts.push(ticket);
      position += record.length;
    }
    return receipts;
  }

  /** One record. @returns undefined when it was none to be handed on @throws the disk's error */
  async #read(reader: Reader): Promise<ReadBatch | undefined> {
    const { segments } = this.#opened!;
    const [from, end] = [this.#readAt, segments.end];
    const record = await segments.next(from);
    // Read for one that has ended meanwhile.
    if (!this.reads(reader) || from !== this.#readAt) return undefined;
    this.#readAt = record?.end ?? end;
    if (record === undefined) {
      this.#ledger.issue(end, "", 0).release();
      return undefined;
    }
    const ticket = this.#ledger.issue(record.end, "", entryCountOf(record.bytes));
    const handed = this.#handed.get(record.position);
    this.#handed.delete(record.position);
    try {
      const head = headOf(record.bytes);
      this.#waiting.push({ end: record.end, ...head });
      if (handed === undefined) return { batch: batchOf(record.bytes, head), receipt: ticket };
      handed.standFor(ticket);
    } catch (error) {
      reader.onUnreadable(entryCountOf(record.bytes), record.bytes.length, messageOf(error));
      ticket.release();
    }
    return undefined;
  }

  #begin(opened: Opened, from: number): void {
    this.#opened = opened;
    this.#options.allowance.count(() => opened.segments.bytes);
    this.#readFrom(from);
  }

  #readFrom(position: number): void {
    this.#readAt = position;
    const ledger: TicketLedger = new TicketLedger(position, "", {
      onDone: (entryCount) => this.#options.metrics.entriesOut(entryCount),
      onCommit: (committed) => {
        if (ledger === this.#ledger && !this.#isClosed) this.#committed(committed);
      },
    });
    this.#ledger = ledger;
  }

  #committed(position: number): void {
    const { segments, position: file } = this.#opened!;
    file.save(position);
    let last: Waiting | undefined;
    while (this.#waiting[0] !== undefined && this.#waiting[0].end <= position) last = this.#waiting.shift();
    if (position >= segments.end) this.#oldest = undefined;
    else if (last !== undefined) this.#oldest = this.#waiting[0] ?? { sequence: last.sequence + 1, sinceMs: last.sinceMs };
    void this.#turns.run(() => this.#remove(position));
  }

  async #remove(position: number): Promise<void> {
    const { segments } = this.#opened!;
    try {
      if (position >= segments.end) await segments.closeOpen();
      await segments.removeBefore(position);
    } catch (error) {
      this.#health.failed(error);
    }
  }
}

const NOTHING: Appended = { count: 0, receipts: [] };

/** A client's end of a backlog. */
class Reader implements DiskQueue {
  readonly onUnreadable: OnUnreadable;
  readonly #backlog: TenantBacklog;
  readonly #mayAppend: boolean;
  /** Those before have ended. */
  readonly #begun: Promise<void>;
  begin: () => void = () => {};

  constructor(backlog: TenantBacklog, mayAppend: boolean, onUnreadable: OnUnreadable) {
    this.#backlog = backlog;
    this.#mayAppend = mayAppend;
    this.onUnreadable = onUnreadable;
    this.#begun = new Promise((resolve) => {
      this.begin = resolve;
    });
  }

  /** What a reader before has in hand comes back when that ends. */
  get hasUnread(): boolean {
    return !this.#backlog.reads(this) || this.#backlog.hasUnread;
  }

  append(inFlight: readonly SealedBatch[], others: readonly SealedBatch[]): Promise<Appended> {
    return this.#mayAppend ? this.#backlog.append(inFlight, others) : Promise.resolve(NOTHING);
  }

  async next(): Promise<ReadBatch | undefined> {
    await this.#begun;
    return this.#backlog.next(this);
  }

  end(): void {
    this.begin();
    this.#backlog.ended(this);
  }
}

/** @throws the disk's error; nothing is left open then */
async function openFiles({ disk, folder, segmentBytes, log, metrics }: TenantBacklogOptions): Promise<Opened> {
  await disk.makeFolder(folder);
  const position = await PositionFile.open(disk, folder, () => metrics.writeFailed());
  const onDamage = (file: string, offset: number, lostBytes: number): void => {
    metrics.damaged(lostBytes);
    log.error({ file, offset, lost_bytes: lostBytes }, "a part of the backlog is damaged and its entries are lost, reading on behind it");
  };
  const onTorn = (file: string, offset: number, tornBytes: number): void => {
    metrics.torn(tornBytes);
    log.warn(
      { file, offset, torn_bytes: tornBytes },
      "the last batch of the backlog was not finished: its entries are read again where they come from",
    );
  };
  try {
    return { segments: await Segments.open({ disk, folder, segmentBytes, onDamage, onTorn }, position.position), position };
  } catch (error) {
    await position.close().catch(() => {});
    throw error;
  }
}

const startOf = ({ position, segments }: Opened): number => Math.max(position.position, segments.first);
