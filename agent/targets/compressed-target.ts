// A target of compressed files: each that the pattern matches is read once, whole, and not followed. Positions are lines, as Promtail
// has them. A file that is cut or damaged is read as far as it goes, and again from there when it has changed.

import type { BigIntStats } from "node:fs";
import { closeSync, fstatSync, openSync } from "node:fs";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { digest, type FileRecord } from "../file-records.ts";
import type { PositionSource } from "../positions.ts";
import { batchLines, cleanText } from "../tail/batch-lines.ts";
import { type Compression, compressionOf, decompress, wholeLines } from "../tail/decompress.ts";
import { HEAD_BYTES_MAX, idKey, idOf, readAt, statFile } from "../tail/file-identity.ts";
import { LINE_BYTES_MAX } from "../tail/file-tail.ts";
import { openExclude, openGlob, type PathGlob } from "../tail/glob.ts";
import { offsetOf } from "../tail/noted-records.ts";
import { sharedTailPool, type TailPool } from "../tail/tail-pool.ts";
import { TailPump } from "../tail/tail-pump.ts";
import { openEncoding, type TextEncoding } from "../tail/text-encoding.ts";
import { TicketLedger } from "../tickets.ts";
import type { Decompression, FileDetails, FileTarget, FileTargetOptions } from "./file-target-options.ts";

const LOOK_AGAIN_MS = 1_000;
const DRAIN_MS = 30_000;
/** Files that went are known again if they come back: a folder that cannot be listed for a moment is no reason to read all again. */
const GONE_MAX = 1_000;
const CARRIAGE_RETURN = 13;

/** One compressed file, and how many of its lines have been dealt with. */
interface CompressedFile {
  name: string;
  readonly dev: string;
  readonly ino: string;
  /** Of what was there when it was read last: it may have been seen while it was being written. */
  headBytes: number;
  headDigest: string;
  ledger: TicketLedger;
  sizeBytes: number;
  modifiedNs: bigint;
  /** Not before this time: it may still be being written. */
  readonly dueMs: number;
  /** Of the content as it was when it was last read. */
  readNs: bigint | undefined;
}

/** @throws Error for a malformed pattern, an unknown encoding or an unknown compression */
export async function openCompressedTarget(options: FileTargetOptions, decompression: Decompression): Promise<FileTarget> {
  const target = new CompressedTarget(options, decompression, compressionOf(decompression.format));
  target.start();
  return target;
}

class CompressedTarget implements FileTarget, PositionSource {
  readonly #options: FileTargetOptions;
  readonly #compression: Compression;
  readonly #initialDelayMs: number;
  readonly #glob: PathGlob;
  readonly #exclude: PathGlob | undefined;
  readonly #encoding: TextEncoding | undefined;
  readonly #owner: string;
  readonly #pool: TailPool;
  readonly #pump: TailPump;
  readonly #files = new Map<string, CompressedFile>();
  readonly #gone = new Map<string, CompressedFile>();
  /** What was there at the first look and could not be opened so far: name and identity. */
  readonly #unopened = new Map<string, string>();
  #isFirstLook = true;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: FileTargetOptions, { initialDelayMs }: Decompression, compression: Compression) {
    const { sink, metrics, clock, log, pathGlob, excludeGlob, labels } = options;
    this.#options = options;
    this.#compression = compression;
    this.#initialDelayMs = initialDelayMs;
    this.#glob = openGlob(pathGlob);
    this.#exclude = openExclude(excludeGlob, pathGlob);
    this.#encoding = openEncoding(options.options.encoding ?? "");
    this.#owner = digest(`${labels} ${this.#glob.pattern}`);
    this.#pool = options.pool ?? sharedTailPool(log);
    this.#pump = new TailPump({ pipeline: options.pipeline(), sink, pool: this.#pool, metrics, clock, log });
  }

  start(): void {
    this.#reconcile();
    this.#isFirstLook = false;
    this.#options.positions.addSource(this);
    this.#pool.flushes.add(this.#pump);
    this.#loop = this.#run();
  }

  get ready(): boolean {
    return this.#files.size > 0;
  }

  details(): FileDetails[] {
    return [...this.#files.values()].map((file) => ({
      path: file.name,
      at: file.name,
      offset: file.ledger.issued(),
      acknowledged: file.ledger.committed(),
      sizeBytes: file.sizeBytes,
      lagBytes: file.readNs === undefined ? file.sizeBytes : 0,
      inode: idKey(file),
      state: file.ledger.settled ? "following" : "waiting for acknowledgement",
    }));
  }

  async stop(how: { readonly drain: boolean; readonly drainMs?: number }): Promise<void> {
    if (this.#stopped) return;
    if (how.drain) await this.#drain(how.drainMs ?? DRAIN_MS);
    this.#stopped = true;
    this.#stop.abort();
    await Promise.all([this.#pump.stop(), this.#loop]);
    this.#pool.flushes.remove(this.#pump);
    this.#pump.flush(true);
    const { fileBytes, readLines, encodingFailures, filesActive } = this.#options.metrics;
    for (const { name } of this.#files.values())
      for (const metric of [fileBytes, readLines, encodingFailures]) metric.remove({ path: name });
    filesActive.dec(this.#files.size);
    if (this.settled()) this.#options.positions.removeSource(this);
  }

  async #drain(drainMs: number): Promise<void> {
    const endMs = this.#options.clock.nowMs() + drainMs;
    const waiting = (): boolean => [...this.#files.values()].some((file) => this.#wantsReading(file));
    while (waiting() && this.#options.clock.nowMs() < endMs) await this.#options.clock.sleep(50);
  }

  *records(): Iterable<FileRecord> {
    for (const { name, dev, ino, headBytes, headDigest, sizeBytes, ledger } of this.#files.values()) {
      const seenMs = this.#options.clock.nowMs();
      const offset = ledger.committed();
      yield {
        owner: this.#owner,
        path: name,
        name,
        dev,
        ino,
        headBytes,
        headDigest,
        offset,
        markDigest: "",
        sizeBytes,
        rotated: false,
        seenMs,
      };
    }
  }

  *positions(): Iterable<readonly [key: string, value: string]> {
    for (const { name, ledger } of this.#files.values()) yield [name, String(ledger.committed())];
  }

  settled(): boolean {
    return this.#stopped && [...this.#files.values()].every((file) => file.ledger.settled);
  }

  /** Files that came, changed, were renamed or went. */
  #reconcile(): void {
    const names = this.#glob.list().files.filter((path) => this.#exclude?.matches(path) !== true);
    const found = new Map<string, CompressedFile>();
    for (const name of names) {
      const stat = statFile(name);
      if (stat === undefined) continue;
      const key = idKey(idOf(stat));
      if (found.has(key)) continue;
      const known = this.#files.get(key) ?? this.#gone.get(key);
      const file = known !== undefined && known.headDigest === headOf(name, known.headBytes) ? known : this.#begin(name, stat);
      if (file === undefined) continue;
      file.name = name;
      file.sizeBytes = Number(stat.size);
      file.modifiedNs = stat.mtimeNs;
      found.set(key, file);
    }
    const { filesActive, fileBytes } = this.#options.metrics;
    filesActive.inc(found.size - this.#files.size);
    this.#remember(found);
    this.#files.clear();
    for (const [key, file] of found) {
      this.#files.set(key, file);
      fileBytes.set({ path: file.name }, file.sizeBytes);
    }
  }

  #remember(found: ReadonlyMap<string, CompressedFile>): void {
    for (const key of found.keys()) this.#gone.delete(key);
    for (const [key, file] of this.#files) if (!found.has(key)) this.#gone.set(key, file);
    for (const key of this.#gone.keys()) {
      if (this.#gone.size <= GONE_MAX) break;
      this.#gone.delete(key);
    }
  }

  #begin(name: string, stat: BigIntStats): CompressedFile | undefined {
    const { positions, clock, log } = this.#options;
    const id = idOf(stat);
    const key = idKey(id);
    const wasThere = this.#isFirstLook || this.#unopened.get(name) === key;
    let head: Buffer;
    try {
      head = readHead(name, HEAD_BYTES_MAX);
    } catch (error) {
      log.warn({ file: name, error: messageOf(error) }, "could not open file, trying again later");
      if (wasThere) this.#unopened.set(name, key);
      return undefined;
    }
    this.#unopened.delete(name);
    const noted = positions.records().filter((record) => idKey(record) === key || record.name === name);
    const record = noted.find((one) => idKey(one) === key && one.headDigest === digest(head.subarray(0, one.headBytes)));
    if (record !== undefined) positions.claim(record);
    const line = record?.offset ?? this.#lineByPath(name, wasThere && noted.length === 0);
    const ledger = new TicketLedger(line, "", this.#pool.budget.ledgerEvents);
    const dueMs = clock.nowMs() + this.#initialDelayMs;
    const identity = { ...id, headBytes: head.length, headDigest: digest(head) };
    return { name, ...identity, ledger, sizeBytes: Number(stat.size), modifiedNs: stat.mtimeNs, dueMs, readNs: undefined };
  }

  /** A position by path is a file's only if that was there from the start, and nothing else is known of the path. */
  #lineByPath(name: string, isOfFile: boolean): number {
    const { positions } = this.#options;
    if (isOfFile) return offsetOf(positions.get(name)) ?? 0;
    // It is of the file that was there before: other targets shall not begin with it either.
    positions.remove(name);
    return 0;
  }

  async #run(): Promise<void> {
    const { clock, options } = this.#options;
    let nextReconcileMs = clock.nowMs() + options.syncPeriodMs;
    while (!this.#stop.signal.aborted) {
      if (clock.nowMs() >= nextReconcileMs) {
        this.#reconcile();
        nextReconcileMs = clock.nowMs() + Math.min(options.syncPeriodMs, LOOK_AGAIN_MS);
      }
      const file = [...this.#files.values()].find((one) => this.#wantsReading(one) && clock.nowMs() >= one.dueMs);
      if (file !== undefined) await this.#read(file);
      else await clock.sleep(Math.min(options.pollMinMs, LOOK_AGAIN_MS), this.#stop.signal);
    }
  }

  #wantsReading(file: CompressedFile): boolean {
    return file.readNs !== file.modifiedNs;
  }

  async #read(file: CompressedFile): Promise<void> {
    const { log, options } = this.#options;
    const { modifiedNs, name } = file;
    takeHead(file);
    let line = 0;
    try {
      for await (const text of wholeLines(decompress(name, this.#compression), options.lineBytesMax ?? LINE_BYTES_MAX)) {
        line = await this.#deliver(file, text, line);
        if (this.#stop.signal.aborted) return;
      }
    } catch (error) {
      const fields = { file: name, lines: line, error: messageOf(error) };
      log.error(fields, "could not read compressed file to its end; it is read on from here when it changes");
    }
    file.readNs = modifiedNs;
  }

  /** @param line lines before this text; @returns lines up to its end */
  async #deliver(file: CompressedFile, text: Buffer, line: number): Promise<number> {
    const { budget, stamper } = this.#pool;
    const clean = cleanText(text, 0, text.length, this.#encoding);
    const labels = this.#options.labels.with("filename", file.name);
    let at = clean.start;
    let count = line;
    let malformedLineCount = clean.malformedLineCount;
    while (at < clean.end && !this.#stop.signal.aborted) {
      const { batch, end } = batchLines(clean.bytes, at, clean.end, 512, labels, stamper);
      dropCarriageReturns(batch);
      const seen = Math.min(batch.count, Math.max(0, file.ledger.issued() - count));
      if (seen > 0) batch.filterLive((i) => i >= seen);
      count += batch.count;
      const sizeBytes = end - at;
      at = end;
      if (batch.liveCount === 0) continue;
      await budget.room(this.#stop.signal);
      if (this.#stop.signal.aborted) return count;
      const ticket = file.ledger.issue(count, "", sizeBytes);
      budget.take(sizeBytes);
      batch.tickets = [ticket];
      batch.source = `${file.name} ${idKey(file)}`;
      await this.#pump.deliver(batch, file.name, malformedLineCount);
      malformedLineCount = 0;
    }
    return count;
  }
}

/** Of a line end `\r\n`, as Promtail does in compressed files alone. */
function dropCarriageReturns({ bytes, starts, ends, count }: EntryBatch): void {
  for (let i = 0; i < count; i++) if (ends[i]! > starts[i]! && bytes[ends[i]! - 1] === CARRIAGE_RETURN) ends[i]!--;
}

/** More of the head of a file that has grown, before lines of it count as read. */
function takeHead(file: CompressedFile): void {
  if (file.headBytes === HEAD_BYTES_MAX) return;
  try {
    const head = readHead(file.name, HEAD_BYTES_MAX);
    if (digest(head.subarray(0, file.headBytes)) !== file.headDigest) return;
    file.headBytes = head.length;
    file.headDigest = digest(head);
  } catch {
    // What hinders reading it is told by the reading itself.
  }
}

function readHead(path: string, bytes: number): Buffer {
  const fd = openSync(path, "r");
  try {
    return readAt(fd, 0, Math.min(bytes, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function headOf(path: string, bytes: number): string | undefined {
  try {
    return digest(readHead(path, bytes));
  } catch {
    return undefined;
  }
}
