// A bounded queue on disk between a source whose senders cannot be asked again and its pipeline.
//
//   append ──> segments (written and synced, appends that wait share one sync) ──> reader ──> pipeline ──> sink
//                   │                                                               │
//                   └── removed when all in them is acknowledged <── ledger <── tickets of what was read
//
// An append resolves when its entries are on disk. What was read stays there until it is acknowledged, so a process that is killed
// reads again from the last acknowledged position. A reader that keeps up takes records from memory and reads no file.
//
// There is no shorter way for entries that are acknowledged at once: a client waits for its batch to fill (`batchwait`, a second)
// where a sync takes a few milliseconds, so the disk is always first.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Disk } from "../../lib/runtime/disk.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { TicketLedger } from "../tickets.ts";
import { DiskHealth } from "./disk-health.ts";
import { entryCountOf } from "./frame.ts";
import { PositionFile } from "./position-file.ts";
import { RecentRecords } from "./recent-records.ts";
import { decodeRecord, encodeRecords } from "./record.ts";
import { Segments, type SpooledRecord } from "./segments.ts";
import { Seldom } from "./seldom.ts";
import type { SpoolMetrics } from "./spool-metrics.ts";

export interface SpoolOptions {
  readonly folder: string;
  readonly bytesMax: number;
  /** What gives way when there is no room: the oldest entries, or the new ones. */
  readonly onFull: "drop_oldest" | "refuse";
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SpoolMetrics;
}

/** There is no room and the entries were not taken: the sender is to come again. */
export class SpoolFull extends Error {
  override readonly name = "SpoolFull";
}

/** Largest file: what is removed at once, and read when it is damaged. */
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
/** A spool has room for this many segments, so that dropping the oldest leaves most of it. */
const SEGMENTS_MIN = 8;
/** Appends that wait for the disk. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;

interface Append {
  readonly records: readonly Buffer[];
  readonly bytes: number;
  readonly entryCount: number;
  readonly done: (kept: boolean) => void;
}

interface Opened {
  readonly segments: Segments;
  readonly position: PositionFile;
}

export class Spool {
  readonly #options: SpoolOptions;
  /** A segment is closed when it has this many bytes, and no more are written at once unless one append has. */
  readonly #segmentBytes: number;
  readonly #stop = new AbortController();
  #opened: Opened | undefined;
  #appends: Append[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #consume: ((batch: EntryBatch) => Promise<void>) | undefined;
  #reading: Promise<void> | undefined;
  #wakeReader: (() => void) | undefined;
  /** Where the next record to read begins, at the earliest. */
  #readAt = 0;
  #ledger = new TicketLedger(0);
  readonly #recent = new RecentRecords();
  readonly #health: DiskHealth;
  #closed = false;
  readonly #seldom: Seldom;
  readonly #counts = { entriesIn: 0, entriesOut: 0, dropped: 0, refused: 0 };

  constructor(options: SpoolOptions) {
    this.#options = options;
    const { clock, log, folder, metrics } = options;
    this.#seldom = new Seldom(clock);
    this.#health = new DiskHealth({
      clock,
      log,
      of: "spool",
      meaning: "senders wait until their entries are acknowledged; free space, or set spool.directory to a folder that can be written",
      fields: { folder },
      count: () => metrics.writeFailed(),
    });
    this.#segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(options.bytesMax / SEGMENTS_MIN));
  }

  /** Whether anything has been written, now or by an agent before. */
  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  get isFailing(): boolean {
    return this.#health.isFailing;
  }

  /** For people, on the page of targets. Entries are counted since the start of the agent. */
  details(): object {
    const { folder, bytesMax } = this.#options;
    const segments = this.#opened?.segments;
    return {
      folder,
      bytes: segments?.bytes ?? 0,
      bytesMax,
      lagBytes: Math.max(0, (segments?.end ?? 0) - this.#ledger.committed()),
      segments: segments?.count ?? 0,
      ...this.#counts,
    };
  }

  /**
   * Begins to hand on what is there and what comes. Each record's batch is handed over when the one before was taken.
   *
   * @param consume takes a batch, whose ticket it releases when nobody holds it any more
   */
  async read(consume: (batch: EntryBatch) => Promise<void>): Promise<void> {
    this.#consume = consume;
    const { disk, folder } = this.#options;
    const names = await disk.list(folder).catch(() => []);
    if (names.length > 0) await this.#open();
  }

  /**
   * Takes a batch, which is copied before this returns.
   *
   * @returns whether its entries are on disk; if not, the disk refuses (which was told and counted) and they are still the caller's
   * @throws SpoolFull
   */
  append(batch: EntryBatch): Promise<boolean> {
    const { metrics } = this.#options;
    if (this.#stop.signal.aborted || this.#health.isLeftAlone) return Promise.resolve(false);
    const encoded = encodeRecords(batch, Buffer.allocUnsafe);
    if (encoded.length === 0) return Promise.resolve(true);
    const bytes = encoded.reduce((sum, record) => sum + record.bytes.length, 0);
    const entryCount = batch.liveCount;
    const full = this.#fullness(bytes);
    if (full !== undefined) {
      metrics.refused(entryCount);
      this.#counts.refused += entryCount;
      this.#seldom.say("refused", entryCount, (entries) =>
        this.#options.log.warn(
          { folder: this.#options.folder, entries, reason: full },
          "the spool is full, senders are told to come again",
        ),
      );
      return Promise.reject(new SpoolFull(full));
    }
    this.#pendingBytes += bytes;
    return new Promise((resolve) => {
      this.#appends.push({ records: encoded.map((record) => record.bytes), bytes, entryCount, done: resolve });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Hands nothing more on. Acknowledgements still count until `close`. */
  async stopReading(): Promise<void> {
    this.#stop.abort();
    this.#wakeReader?.();
    await this.#reading;
    await this.#writing;
  }

  /**
   * To be called before whoever has the entries ends.
   *
   * @returns to be called when it has ended: what it has not acknowledged is read again, as nobody else will acknowledge it
   */
  checkpoint(): () => void {
    const ledger = this.#ledger;
    const issued = ledger.issued();
    return () => {
      if (ledger === this.#ledger && ledger.committed() < issued) this.#rewind();
    };
  }

  /** Writes the position for the last time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.stopReading();
    this.#closed = true;
    await this.#opened?.segments.closeOpen();
    await this.#opened?.position.close();
  }

  #rewind(): void {
    this.#readAt = this.#ledger.committed();
    this.#ledger = this.#newLedger(this.#readAt);
    this.#wakeReader?.();
  }

  #fullness(bytes: number): string | undefined {
    const { bytesMax, onFull } = this.#options;
    if (this.#pendingBytes + bytes > PENDING_BYTES_MAX && this.#pendingBytes > 0) return "too many entries wait to be written";
    if (bytes > bytesMax) return `${bytes} bytes at once are more than spool.max_bytes, ${bytesMax}`;
    const used = this.#opened?.segments.bytes ?? 0;
    if (onFull === "refuse" && used + this.#pendingBytes + bytes > bytesMax) return `spool.max_bytes, ${bytesMax}, is used up`;
    return undefined;
  }

  async #open(): Promise<Opened | undefined> {
    if (this.#opened !== undefined) return this.#opened;
    const { disk, folder, log, metrics } = this.#options;
    const onDamage = (file: string, offset: number, lostBytes: number): void => {
      metrics.damaged(lostBytes);
      log.error({ file, offset, lost_bytes: lostBytes }, "a part of the spool is damaged and its entries are lost, reading on behind it");
    };
    let position: PositionFile | undefined;
    try {
      await disk.makeFolder(folder);
      position = await PositionFile.open(disk, folder, (error) => this.#health.failed(error));
      const segments = await Segments.open({ disk, folder, segmentBytes: this.#segmentBytes, onDamage }, position.position);
      this.#opened = { segments, position };
      this.#readAt = Math.max(position.position, segments.first);
      this.#ledger = this.#newLedger(this.#readAt);
      this.#sized();
      this.#reading = this.#readAll();
    } catch (error) {
      await position?.close().catch(() => {});
      this.#health.failed(error);
    }
    return this.#opened;
  }

  #newLedger(position: number): TicketLedger {
    const ledger: TicketLedger = new TicketLedger(position, "", {
      onDone: (entryCount) => {
        this.#counts.entriesOut += entryCount;
        this.#options.metrics.entriesOut(entryCount);
      },
      onCommit: (committed) => {
        if (ledger === this.#ledger && !this.#closed) void this.#committed(committed);
      },
    });
    return ledger;
  }

  async #committed(position: number): Promise<void> {
    const { segments, position: file } = this.#opened!;
    file.save(position);
    await segments.removeBefore(position).catch((error: unknown) => this.#health.failed(error));
    this.#sized();
  }

  async #writeAll(): Promise<void> {
    // What comes in the same turn of the event loop shares the first sync.
    await Promise.resolve();
    while (this.#appends.length > 0) {
      let bytes = this.#appends[0]!.bytes;
      let count = 1;
      for (; count < this.#appends.length && bytes + this.#appends[count]!.bytes <= this.#segmentBytes; count++)
        bytes += this.#appends[count]!.bytes;
      const group = this.#appends.splice(0, count);
      const kept = await this.#writeGroup(group, bytes);
      this.#pendingBytes -= bytes;
      for (const { done } of group) done(kept);
      this.#wakeReader?.();
    }
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Append[], bytes: number): Promise<boolean> {
    const opened = await this.#open();
    if (opened === undefined) return false;
    const { segments } = opened;
    const records = group.flatMap((append) => append.records);
    try {
      await this.#makeRoom(segments, bytes);
      const position = await segments.write(records);
      this.#recent.add(records, position);
    } catch (error) {
      this.#health.failed(error);
      return false;
    }
    this.#health.worked();
    this.#sized();
    const entryCount = group.reduce((sum, append) => sum + append.entryCount, 0);
    this.#counts.entriesIn += entryCount;
    this.#options.metrics.entriesIn(entryCount);
    return true;
  }

  async #makeRoom(segments: Segments, bytes: number): Promise<void> {
    const { onFull, bytesMax, folder, log, metrics } = this.#options;
    if (onFull === "refuse") return;
    for (;;) {
      await segments.removalsDone();
      if (segments.count === 0 || segments.bytes + bytes <= bytesMax) return;
      const from = this.#readAt;
      // What is counted as dropped is not to be read meanwhile.
      this.#readAt = Math.max(from, segments.firstEnd);
      const lost = await segments.dropFirst(from);
      if (lost === 0) continue;
      this.#counts.dropped += lost;
      metrics.dropped("full", lost);
      this.#seldom.say("dropped", lost, (entries) =>
        log.error({ folder, entries, max_bytes: bytesMax }, "the spool is full, oldest entries dropped"),
      );
    }
  }

  async #readAll(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const from = this.#readAt;
      const record = await this.#nextRecord(from);
      if (this.#stop.signal.aborted) return;
      // Entries were dropped meanwhile, or are to be read again.
      if (from !== this.#readAt) continue;
      if (record !== undefined) await this.#handOn(record);
    }
  }

  /** Waits when there is nothing at a position or behind it, and then moves `#readAt` to where something may come. */
  async #nextRecord(from: number): Promise<SpooledRecord | undefined> {
    const recent = this.#recent.at(from);
    if (recent !== undefined) return recent;
    const { segments } = this.#opened!;
    const { end } = segments;
    if (from >= end) {
      await this.#written();
      return undefined;
    }
    try {
      const record = await segments.next(from);
      if (record === undefined && this.#readAt === from) this.#readAt = end;
      return record;
    } catch (error) {
      await this.#health.waitAfter(error, this.#stop.signal);
      return undefined;
    }
  }

  async #handOn(record: SpooledRecord): Promise<void> {
    this.#readAt = record.end;
    const entryCount = entryCountOf(record.bytes);
    const ticket = this.#ledger.issue(record.end, "", entryCount);
    try {
      const batch = decodeRecord(record.bytes);
      batch.tickets.push(ticket);
      await this.#consume!(batch);
    } catch (error) {
      const { log, metrics, folder } = this.#options;
      metrics.dropped("pipeline_failed", entryCount);
      this.#counts.dropped += entryCount;
      log.error({ folder, entries: entryCount, error: messageOf(error) }, "entries of the spool could not be handed on and are dropped");
      ticket.release();
    }
  }

  /** Resolves when something was written, or the reader has another reason to look. */
  #written(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReader = () => {
        this.#wakeReader = undefined;
        resolve();
      };
    });
  }

  #sized(): void {
    const { segments } = this.#opened!;
    this.#options.metrics.size(segments.bytes, segments.count);
  }
}
