// The write-ahead log: a folder of numbered segments. An append resolves when its record is synced; appends that wait share one sync.

import { join } from "node:path";
import { crc32 } from "node:zlib";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import { type Disk, type DiskFile, systemDisk } from "../../lib/runtime/disk.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { createTurns, NO_TURNS, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import { WAL_RECORD_BYTES_MAX, WAL_SEGMENT_BYTES_TARGET } from "../limits.ts";
import { decodeRecord, encodeRecord, RECORD_HEADER_BYTES, SEGMENT_MAGIC } from "./record.ts";

export interface WalOptions {
  readonly folder: string;
  readonly log: Log;
  readonly disk?: Disk;
  /** Segments before this one have all their entries in blocks (the catalogue says so): they are removed, not read. */
  readonly from: number;
  /**
   * Called for each push that is on disk, in order, one after the other: for those that a restart finds, and before an append resolves. The
   * push's columns are valid until it is done.
   */
  readonly apply: (tenant: string, push: AcceptedPush, takeTurn: TakeTurn) => Promise<void> | void;
  /** A segment whose end is damaged was read up to there. */
  readonly onCorruption: () => void;
  /** A group of appends was refused. */
  readonly onFailure: (cause: unknown) => void;
}

/** A push could not be made durable; the client is told to try again. */
export class WalError extends Error {
  override readonly name = "WalError";
  readonly status = 503;
}

interface Waiting {
  readonly tenant: string;
  readonly record: Buffer;
  /** The columns, in the record's memory. */
  readonly push: AcceptedPush;
  readonly segment: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** `cut` leaves this many numbers out, for segments that are begun because one grew full while older records still wait. */
const CUT_GAP = 100;
const SEGMENT_NAME = /^(\d{10})\.wal$/;
const nameOf = (segment: number): string => `${String(segment).padStart(10, "0")}.wal`;

/** Reads what is there and begins a new segment behind it. @throws when the folder cannot be read or written */
export async function openWal(options: WalOptions): Promise<Wal> {
  const { folder, from, disk = systemDisk } = options;
  await disk.makeFolder(folder);
  const found = (await disk.list(folder)).flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number);
  const segments = found.filter((segment) => segment >= from).sort((a, b) => a - b);
  for (const segment of found) if (segment < from) await disk.remove(join(folder, nameOf(segment)));
  const bytesOf = new Map<number, number>();
  for (const segment of segments) {
    const content = await disk.read(join(folder, nameOf(segment)));
    bytesOf.set(segment, content?.length ?? 0);
    if (content !== undefined) await replaySegment(content, nameOf(segment), options);
  }
  return new Wal(options, disk, bytesOf, Math.max(from, (segments.at(-1) ?? 0) + 1));
}

async function replaySegment(content: Buffer, name: string, { log, apply, onCorruption }: WalOptions): Promise<void> {
  let at = SEGMENT_MAGIC.length;
  if (!content.subarray(0, at).equals(SEGMENT_MAGIC)) {
    if (content.length > 0) onCorruption();
    if (content.length > 0)
      log.warn(
        { segment: name, bytes: content.length },
        "a WAL segment does not begin with SKW1: nothing in it was confirmed, it is left out",
      );
    return;
  }
  while (at < content.length) {
    const end = recordEnd(content, at);
    try {
      if (end === undefined || !isIntact(content, at)) throw new MalformedInput("the record is torn, or its checksum is wrong");
      const { tenant, push } = decodeRecord(content.subarray(at + RECORD_HEADER_BYTES, end));
      await apply(tenant, push, NO_TURNS);
      at = end;
    } catch (error) {
      onCorruption();
      const where = { segment: name, offset: at, error: messageOf(error) };
      if (end === undefined || !isIntact(content, end)) {
        const droppedBytes = content.length - at;
        log.warn(
          { ...where, droppedBytes },
          "the end of a WAL segment is dropped: after a crash that is a write that was never confirmed, else the disk has damaged it",
        );
        return;
      }
      log.error(
        { ...where, droppedBytes: end - at },
        "a record within a WAL segment is damaged and its push is lost; the records behind it are read",
      );
      at = end;
    }
  }
}

/** Where the record at `at` ends by its own account; undefined when that is not within the segment. */
function recordEnd(content: Buffer, at: number): number | undefined {
  if (at + RECORD_HEADER_BYTES > content.length) return undefined;
  const bytes = content.readUInt32LE(at);
  const end = at + RECORD_HEADER_BYTES + bytes;
  return bytes > 0 && bytes <= WAL_RECORD_BYTES_MAX && end <= content.length ? end : undefined;
}

function isIntact(content: Buffer, at: number): boolean {
  const end = recordEnd(content, at);
  return end !== undefined && crc32(content.subarray(at + RECORD_HEADER_BYTES, end)) === content.readUInt32LE(at + 4);
}

export class Wal {
  readonly #options: WalOptions;
  readonly #disk: Disk;
  readonly #pool = new BufferPool();
  /** Size in bytes of each segment on disk, ascending, the open one included. */
  readonly #segments: Map<number, number>;
  #current: number;
  #waiting: Waiting[] = [];
  #open: { readonly segment: number; readonly file: DiskFile; bytes: number } | undefined;
  #writing: Promise<void> | undefined;
  #cuts: { readonly segment: number; readonly passed: (segment: number) => void }[] = [];
  /** The group that is being written and applied. */
  #group: { readonly segment: number; readonly done: Promise<void> } | undefined;

  constructor(options: WalOptions, disk: Disk, segments: Map<number, number>, current: number) {
    this.#options = options;
    this.#disk = disk;
    this.#segments = segments;
    this.#current = current;
  }

  /** The oldest segment there is. */
  get first(): number | undefined {
    return this.#segments.keys().next().value;
  }

  get bytes(): number {
    let sum = 0;
    for (const bytes of this.#segments.values()) sum += bytes;
    return sum;
  }

  /** Resolves when the push is on disk and applied. The push is copied before this returns. @throws WalError; nothing was applied then */
  append(tenant: string, push: AcceptedPush): Promise<void> {
    const encoded = encodeRecord(tenant, push, (bytes) => this.#pool.take(bytes));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenant, ...encoded, segment: this.#current, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /**
   * Ends the segment: what is appended from now on stands in later ones.
   *
   * @param passed called with the first of those, when everything before has been applied (or refused) and nothing behind
   */
  cut(passed: (segment: number) => void): void {
    this.#current += CUT_GAP;
    this.#cuts.push({ segment: this.#current, passed });
    if (this.#writing === undefined) this.#passCuts(this.#current);
  }

  #passCuts(upTo: number): void {
    while (this.#cuts.length > 0 && this.#cuts[0]!.segment <= upTo) {
      const { segment, passed } = this.#cuts.shift()!;
      passed(segment);
    }
  }

  /** Removes segments before one that `cut` returned, after everything appended to them has been written. */
  async removeBefore(segment: number): Promise<void> {
    while (this.#group !== undefined && (this.#group.segment < segment || this.#waiting.some((waiting) => waiting.segment < segment)))
      await this.#group.done;
    const old = [...this.#segments.keys()].filter((number) => number < segment);
    if (this.#open !== undefined && this.#open.segment < segment) await this.#closeOpen();
    for (const number of old) {
      await this.#disk.remove(join(this.#options.folder, nameOf(number)));
      this.#segments.delete(number);
    }
    await this.#disk.syncFolder(this.#options.folder);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#closeOpen();
  }

  async #writeAll(): Promise<void> {
    // What is pushed in the same turn of the event loop shares the first sync.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const { segment } = this.#waiting[0]!;
      this.#passCuts(segment);
      const count = this.#waiting.findIndex((waiting) => waiting.segment !== segment);
      const group = this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
      const done = this.#commit(segment, group);
      this.#group = { segment, done };
      await done;
    }
    this.#group = undefined;
    this.#writing = undefined;
    this.#passCuts(this.#current);
  }

  /** Writes a group and applies it, or refuses it. Never rejects. */
  async #commit(segment: number, group: readonly Waiting[]): Promise<void> {
    try {
      await this.#writeGroup(segment, group);
      const takeTurn = createTurns();
      for (const { tenant, push, resolve } of group) {
        await this.#options.apply(tenant, push, takeTurn);
        resolve();
      }
    } catch (cause) {
      const error = new WalError(`the push could not be made durable: write to the WAL in ${this.#options.folder}: ${messageOf(cause)}`, {
        cause,
      });
      this.#options.onFailure(cause);
      this.#options.log.error(
        { folder: this.#options.folder, error: messageOf(cause), pushes: group.length },
        "WAL write failed; the pushes were refused",
      );
      for (const { reject } of group) reject(error);
    }
    for (const { record } of group) this.#pool.give(Buffer.from(record.buffer));
  }

  async #writeGroup(segment: number, group: readonly Waiting[]): Promise<void> {
    if (this.#open === undefined || this.#open.segment < segment || this.#open.bytes >= WAL_SEGMENT_BYTES_TARGET)
      await this.#openNext(segment);
    const open = this.#open!;
    try {
      await open.file.write(
        group.map(({ record }) => record),
        open.bytes,
      );
      await open.file.sync();
      open.bytes += group.reduce((sum, { record }) => sum + record.length, 0);
      this.#segments.set(open.segment, open.bytes);
    } catch (cause) {
      // The segment ends where it was good; the next append begins a new one.
      await open.file.truncate(open.bytes).catch(() => {});
      await this.#closeOpen();
      throw cause;
    }
  }

  /** A new segment with a number of its own, at least `segment`. */
  async #openNext(segment: number): Promise<void> {
    await this.#closeOpen();
    const number = Math.max(segment, Math.max(0, ...this.#segments.keys()) + 1);
    const path = join(this.#options.folder, nameOf(number));
    const file = await this.#disk.create(path);
    try {
      await file.write([SEGMENT_MAGIC], 0);
      await this.#disk.syncFolder(this.#options.folder);
    } catch (cause) {
      await file.close().catch(() => {});
      await this.#disk.remove(path).catch(() => {});
      throw cause;
    }
    this.#segments.set(number, SEGMENT_MAGIC.length);
    // Numbers that `cut` hands out lie above every segment there is.
    this.#current = Math.max(this.#current, number);
    this.#open = { segment: number, file, bytes: SEGMENT_MAGIC.length };
  }

  async #closeOpen(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }
}
