// One physical file being read: its identity, how far it is read, and the promises (tickets) of what was read. It knows nothing of
// other files; what a rename or a truncation means is decided where all files of a target are known (file-target.ts).
//
// Nothing of a file is kept in memory between reads but its offset: an unfinished last line is read again when there is more.

import { closeSync, fstatSync, read as readCallback, readSync } from "node:fs";
import { promisify } from "node:util";
import type { EntryBatch, Ticket } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { FileRecord } from "../file-records.ts";
import { holdCountOf, TicketLedger } from "../tickets.ts";
import { appendLines, BATCH_LINES_MAX, batchLines, cleanText } from "./batch-lines.ts";
import {
  type FileId,
  type Fingerprint,
  idKey,
  matchesFingerprint,
  openIfSame,
  ReadTrace,
  readAt,
  readMark,
  takeFingerprint,
} from "./file-identity.ts";
import type { FileHolder, OpenFile } from "./open-files.ts";
import { BLOCK_BYTES } from "./read-blocks.ts";
import type { TailPool } from "./tail-pool.ts";
import { firstLineFeed, lastLineEnd, type TextEncoding } from "./text-encoding.ts";

const readAsync = promisify(readCallback);

/** Shorter reads are done in place: handing them to a thread costs more than they do. */
const SYNC_READ_BYTES_MAX = 64 * 1024;
export const LINE_BYTES_MAX = 16 * 1024 * 1024;

/** What a tail needs of its target. */
export interface TailSetting {
  readonly owner: string;
  readonly labels: LabelSet;
  readonly encoding: TextEncoding | undefined;
  readonly lineBytesMax: number;
  readonly pool: TailPool;
}

export type TailRead =
  | {
      readonly kind: "lines";
      readonly batch: EntryBatch;
      readonly ticket: Ticket;
      readonly malformedLineCount: number;
      /** Gives the block back; to be called when nobody keeps anything of the batch. */
      readonly recycle: () => void;
    }
  /** There is no whole line yet. */
  | { readonly kind: "nothing" }
  /** What stands before the offset is not what was read there: the content was replaced in place. */
  | { readonly kind: "replaced" };

/** Where to begin: at the start of a file, or where somebody has stopped. */
export interface TailStart {
  readonly offset: number;
  readonly trace: ReadTrace;
}

export const FROM_START = (): TailStart => ({ offset: 0, trace: new ReadTrace() });

export class FileTail implements FileHolder {
  readonly setting: TailSetting;
  readonly id: FileId;
  /** The matched path it is read as: the `filename` label, the key of its position. */
  name: string;
  /** Where it is now, links resolved. */
  path: string;
  /** Matched path it has been renamed to, which becomes its name when what was written before has been read. */
  nextName: string | undefined;
  file: OpenFile | undefined;
  offset: number;
  /** As of the last look. */
  sizeBytes: number;
  modifiedNs = 0n;
  ledger: TicketLedger;
  trace: ReadTrace;
  /** Of what was there at the last look, where that was more than is read: what is replaced unread is noticed, too. */
  peek: Fingerprint | undefined;
  /** It has left its path (or is a copy of what was there) and is only read to its end. */
  rotated = false;
  /** Read to its end and closed; kept until its last entry is acknowledged. */
  finished = false;
  reading = false;
  /** When it last grew, or left its path. */
  changedMs: number;
  /** When its offset last moved, and whether the watchdog has spoken since. */
  movedMs: number;
  stallTold = false;
  seenMs: number;
  lineCount = 0;
  /** Part of a line beyond LINE_BYTES_MAX that was not read; whoever reports it clears it. */
  passedOver: { readonly fromByte: number; readonly toByte: number } | undefined;
  #encoding: TextEncoding | undefined;
  #encodingResolved = false;
  /** Bytes up to here are known to hold no line feed from the offset on. */
  #scannedTo = 0;
  #skippingNuls = false;
  #skippingLine = false;
  #lineBytesMean = 128;
  #labels: LabelSet | undefined;

  constructor(setting: TailSetting, name: string, path: string, id: FileId, sizeBytes: number, start: TailStart, nowMs: number) {
    this.setting = setting;
    this.name = name;
    this.path = path;
    this.id = id;
    this.sizeBytes = sizeBytes;
    this.offset = start.offset;
    this.trace = start.trace;
    this.ledger = this.#newLedger(start.offset, this.trace.markDigest());
    this.#encoding = setting.encoding;
    this.changedMs = nowMs;
    this.movedMs = nowMs;
    this.seenMs = nowMs;
  }

  #newLedger(offset: number, mark: string): TicketLedger {
    return new TicketLedger(offset, mark, this.setting.pool.budget.ledgerEvents);
  }

  /** Read to its end, and acknowledged. */
  get isDone(): boolean {
    return this.finished && this.ledger.settled;
  }

  get idKey(): string {
    return idKey(this.id);
  }

  get labels(): LabelSet {
    // Not by `with`: the target's labels would remember those of all files it ever had.
    this.#labels ??= LabelSet.of([...this.setting.labels, ["filename", this.name]]);
    return this.#labels;
  }

  rename(name: string): void {
    this.name = name;
    this.#labels = undefined;
  }

  /** Whether a read could bring lines: there is more than has been looked through. */
  get hasUnread(): boolean {
    return !this.finished && this.sizeBytes > Math.max(this.offset, this.#scannedTo);
  }

  /** Bytes behind the offset without a line feed so far. */
  get partialBytes(): number {
    return this.sizeBytes - this.offset;
  }

  /** Goes on where another target's tail of the same file has stopped, with its promises. */
  inherit(other: FileTail): void {
    this.ledger = other.ledger;
    this.trace = other.trace;
    this.offset = other.offset;
  }

  /** Begins anew, for the content has been replaced, or goes back. Promises made so far no longer bear on a position. */
  restart({ offset, trace }: TailStart = FROM_START()): void {
    this.ledger = this.#newLedger(offset, trace.markDigest());
    this.trace = trace;
    this.peek = undefined;
    this.offset = offset;
    this.#scannedTo = offset;
    this.#skippingLine = false;
    this.#skippingNuls = false;
    this.#encodingResolved = false;
  }

  /** Takes what was read as dealt with: its promises have been discarded. */
  settle(): void {
    this.ledger = this.#newLedger(this.offset, this.trace.markDigest());
  }

  /** Makes sure of a descriptor of this very file. False when the path leads elsewhere by now, or nowhere. */
  open(): boolean {
    const { openFiles } = this.setting.pool;
    if (this.file !== undefined) {
      openFiles.touch(this);
      return true;
    }
    const fd = openIfSame(this.path, this.id) ?? (this.rotated ? undefined : openIfSame(this.name, this.id));
    if (fd === undefined) return false;
    const stat = fstatSync(fd);
    // It may be another file by now, with the same inode; of the bytes before the offset each read makes sure.
    if (!matchesFingerprint(fd, stat.size, this.trace.fingerprint(0, ""))) {
      closeSync(fd);
      return false;
    }
    openFiles.adopt(this, fd);
    return true;
  }

  adoptDescriptor(fd: number): void {
    this.setting.pool.openFiles.adopt(this, fd);
  }

  close(): void {
    this.setting.pool.openFiles.close(this);
  }

  leavePath(nowMs: number): void {
    this.rotated = true;
    this.changedMs = nowMs;
  }

  /**
   * Reads the next lines, at most a block of them (or one long line).
   *
   * @param final also takes a last line without line feed, for a file that will not grow any more
   * @throws the file system's error
   */
  async read(final = false): Promise<TailRead> {
    const file = this.file;
    if (file === undefined || this.sizeBytes <= this.offset) return { kind: "nothing" };
    this.#resolveEncoding(file.fd);
    if (this.#skippingLine) return this.#readLongLine(file, final);
    const { pool } = this.setting;
    const want = Math.min(
      this.sizeBytes - this.offset,
      Math.max(BLOCK_BYTES / 4, Math.min(BLOCK_BYTES, this.#lineBytesMean * BATCH_LINES_MAX)),
    );
    const { markBytes } = this.trace;
    const block = pool.blocks.take(want + markBytes);
    const got = await this.#readInto(file, block, this.offset - markBytes, want + markBytes);
    if (this.file !== file) {
      pool.blocks.give(block);
      return { kind: "nothing" };
    }
    if (got < markBytes || !this.trace.isMark(block)) {
      pool.blocks.give(block);
      return { kind: "replaced" };
    }
    return this.#takeLines(file, block, markBytes, got, final);
  }

  async #takeLines(file: OpenFile, block: Uint8Array, start: number, end: number, final: boolean): Promise<TailRead> {
    const { blocks } = this.setting.pool;
    const textStart = start + this.#countSkippable(block, start, end);
    if (textStart === end && end > start) {
      this.#passOver(block, start, end);
      blocks.give(block);
      return { kind: "nothing" };
    }
    let textEnd = lastLineEnd(block, textStart, end, this.#encoding);
    if (textEnd < 0 && (this.offset + (end - start) < this.sizeBytes || end - start >= BLOCK_BYTES)) {
      blocks.give(block);
      return this.#readLongLine(file, final);
    }
    if (textEnd < 0) {
      this.#scannedTo = this.offset + (end - start);
      if (!final) {
        blocks.give(block);
        return { kind: "nothing" };
      }
      textEnd = end - ((end - start) % this.#unitBytes);
      if (textEnd <= textStart) textEnd = end;
    }
    return this.#toBatch(block, start, textStart, textEnd, 0);
  }

  #toBatch(block: Uint8Array, start: number, textStart: number, textEnd: number, skippedBytes: number): TailRead {
    const { stamper, blocks, budget } = this.setting.pool;
    const clean = cleanText(block, textStart, textEnd, this.#encoding);
    const guess = Math.ceil((clean.end - clean.start) / this.#lineBytesMean) + 8;
    const columns = blocks.takeColumns();
    const { batch, end } = batchLines(clean.bytes, clean.start, clean.end, columns ?? guess, this.labels, stamper);
    // Only of a block that is the file's own bytes may a part be left for the next read: of decoded text all lines are taken.
    const own = clean.bytes === block;
    if (!own) appendLines(batch, clean.bytes, end, clean.end, this.labels, stamper);
    const rawEnd = own ? end : textEnd;
    const readTo = this.offset + (rawEnd - start) + skippedBytes;
    this.trace.advance(this.offset, block, start, rawEnd);
    if (batch.count > 0) this.#lineBytesMean = Math.max(1, Math.ceil((rawEnd - start) / batch.count));
    const ticket = this.ledger.issue(readTo, skippedBytes > 0 ? "" : this.trace.markDigest());
    budget.take(readTo - this.offset);
    this.#moveTo(readTo);
    this.lineCount += batch.count;
    batch.tickets = [ticket];
    batch.source = `${this.name} ${this.idKey}`;
    const recycle = (): void => {
      if (own) blocks.give(block);
      blocks.giveColumns(columns);
    };
    if (!own) blocks.give(block);
    return { kind: "lines", batch, ticket, malformedLineCount: clean.malformedLineCount, recycle };
  }

  #moveTo(offset: number): void {
    this.offset = offset;
    this.#scannedTo = offset;
    this.#skippingNuls = false;
  }

  /** Bytes that belong to no entry: a byte order mark, NULs that a writer left before its place in a truncated file. */
  #countSkippable(block: Uint8Array, start: number, end: number): number {
    if (this.#encoding !== undefined) {
      if (this.offset > 0) return 0;
      return this.#encoding.resolve(block.subarray(start, Math.min(end, start + 4))).markBytes;
    }
    if (this.offset > 0 && !this.#skippingNuls) return 0;
    let at = start;
    while (at < end && block[at] === 0) at++;
    return at - start;
  }

  #passOver(block: Uint8Array, start: number, end: number): void {
    const to = this.offset + (end - start);
    this.trace.advance(this.offset, block, start, end);
    this.setting.pool.budget.take(to - this.offset);
    this.ledger.issue(to, this.trace.markDigest()).release();
    this.#moveTo(to);
    this.#skippingNuls = true;
  }

  get #unitBytes(): number {
    return this.#encoding?.unitBytes ?? 1;
  }

  /** A line longer than a block: looked through for its end once, and then read whole, or cut where it exceeds the bound. */
  async #readLongLine(file: OpenFile, final: boolean): Promise<TailRead> {
    const { pool, lineBytesMax } = this.setting;
    const unit = this.#unitBytes;
    const feed = await this.#scanForLineFeed(file);
    const ends = feed !== undefined;
    const lineEnd = feed ?? this.sizeBytes - ((this.sizeBytes - this.offset) % unit);
    const tooLong = lineEnd - this.offset > lineBytesMax;
    if (!ends && !tooLong && !final) return { kind: "nothing" };
    const mark = this.trace.markBytes;
    const textBytes = this.#skippingLine ? 0 : Math.min(lineEnd - this.offset, lineBytesMax - (lineBytesMax % unit));
    const block = pool.blocks.take(textBytes + mark);
    const got = await this.#readInto(file, block, this.offset - mark, textBytes + mark);
    if (this.file !== file || got < textBytes + mark) return { kind: "nothing" };
    const wasSkipping = this.#skippingLine;
    this.#skippingLine = !ends && tooLong && !final;
    const skippedBytes = lineEnd - this.offset - textBytes;
    if (skippedBytes > 0) this.passedOver = { fromByte: this.passedOver?.fromByte ?? this.offset + textBytes, toByte: lineEnd };
    if (!wasSkipping) {
      const read = this.#toBatch(block, mark, mark, mark + textBytes, skippedBytes);
      if (skippedBytes > 0) this.trace.jump(readMark(file.fd, lineEnd));
      return read;
    }
    pool.blocks.give(block);
    pool.budget.take(skippedBytes);
    this.trace.jump(readMark(file.fd, lineEnd));
    this.ledger.issue(lineEnd, this.trace.markDigest()).release();
    this.#moveTo(lineEnd);
    return { kind: "nothing" };
  }

  /** Offset behind the next line feed, undefined when there is none up to the size. What was looked through is not looked at again. */
  async #scanForLineFeed(file: OpenFile): Promise<number | undefined> {
    const { blocks } = this.setting.pool;
    const block = blocks.take(BLOCK_BYTES);
    const unit = this.#unitBytes;
    let at = Math.max(this.offset, this.#scannedTo - ((this.#scannedTo - this.offset) % unit));
    try {
      while (at < this.sizeBytes) {
        const got = await this.#readInto(file, block, at, Math.min(BLOCK_BYTES, this.sizeBytes - at));
        if (this.file !== file || got === 0) return undefined;
        const found = firstLineFeed(block, got, this.#encoding);
        if (found >= 0) return at + found + unit;
        at += got;
        this.#scannedTo = at;
      }
      return undefined;
    } finally {
      blocks.give(block);
    }
  }

  async #readInto(file: OpenFile, block: Uint8Array, position: number, bytes: number): Promise<number> {
    if (bytes <= SYNC_READ_BYTES_MAX) return readSync(file.fd, block, 0, bytes, position);
    this.reading = true;
    try {
      return (await readAsync(file.fd, block, 0, bytes, position)).bytesRead;
    } finally {
      this.reading = false;
    }
  }

  #resolveEncoding(fd: number): void {
    if (this.#encodingResolved || this.setting.encoding === undefined) return;
    const head = readAt(fd, 0, 4);
    this.#encoding = this.setting.encoding.resolve(head).encoding;
    this.#encodingResolved = head.length >= this.#encoding.unitBytes;
  }

  /** Whether, open as it is, it has what the fingerprint was taken of. */
  holds(print: Fingerprint): boolean {
    return print.headBytes > 0 && this.file !== undefined && matchesFingerprint(this.file.fd, this.sizeBytes, print);
  }

  /** Notes what is there to be read. */
  lookAhead(): void {
    const known = this.peek;
    this.peek = this.sizeBytes > this.offset && this.open() ? takeFingerprint(this.file!.fd, this.sizeBytes) : undefined;
    // Cut off since its size was asked for: what was known of its content before is what its copy will be known by.
    if (known !== undefined && this.peek !== undefined && fstatSync(this.file!.fd).size < this.sizeBytes) this.peek = known;
  }

  /** Notes what an earlier run has known of what is there to be read. */
  expect({ headBytes, headDigest, sizeBytes }: FileRecord): void {
    if (sizeBytes > this.offset) this.peek = { headBytes, headDigest, offset: Math.min(sizeBytes, this.sizeBytes), markDigest: "" };
  }

  /** As much of its head as is known. */
  get head(): { readonly headBytes: number; readonly headDigest: string } {
    return this.peek !== undefined && this.peek.headBytes > this.trace.headBytes ? this.peek : this.trace;
  }

  /** Its line in the sidecar, with what is acknowledged. */
  record(): FileRecord {
    const { head } = this;
    return {
      owner: this.setting.owner,
      path: this.path,
      name: this.name,
      dev: this.id.dev,
      ino: this.id.ino,
      headBytes: head.headBytes,
      headDigest: head.headDigest,
      offset: this.ledger.committed(),
      markDigest: this.ledger.committedMark(),
      sizeBytes: Math.max(this.sizeBytes, this.ledger.committed()),
      rotated: this.rotated,
      seenMs: this.seenMs,
    };
  }
}

/** Whether only the source itself still holds the batch's ticket, so that no stage keeps anything of its bytes. */
export function isUnkept(ticket: Ticket): boolean {
  return holdCountOf(ticket) === 1;
}
