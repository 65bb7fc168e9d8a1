// Samples on disk until the remote has them: a folder of numbered segments, written at one end and read at the other. Bounded in bytes and
// age; what gives way is counted.
//
//   segment  := "SKQ1" record*                                          0000000001.samples
//   record   := | body bytes <4b> | crc32 of the body <4b> | body |     little endian
//   body     := | samples <4b> | newest time in ms <8b, double> | timeseries of a WriteRequest |
//   position := { "segment": 1, "offset": 4 }                           position.json: behind the last record the remote has

import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Disk, type DiskFile, replaceOnDisk } from "../../../lib/runtime/disk.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { OneAtATime } from "../../../lib/runtime/one-at-a-time.ts";

export interface SampleQueueOptions {
  readonly folder: string;
  readonly disk: Disk;
  readonly log: Log;
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  /** Samples gave way to the bounds. */
  readonly onDropped: (samples: number, reason: "too_old" | "too_many" | "unreadable") => void;
  readonly onCorruption: () => void;
}

export interface QueuedRecord {
  readonly samples: number;
  readonly newestMs: number;
  readonly timeseries: Uint8Array;
}

export interface Position {
  readonly segment: number;
  readonly offset: number;
}

/** What stands next in the queue. */
export interface QueuedBatch {
  readonly records: readonly QueuedRecord[];
  readonly samples: number;
  readonly end: Position;
}

interface Segment {
  readonly number: number;
  bytes: number;
  /** Samples behind the position. */
  samples: number;
  newestMs: number;
}

const MAGIC = Buffer.from("SKQ1");
const RECORD_HEADER_BYTES = 8;
const BODY_HEADER_BYTES = 12;
const RECORD_BYTES_MAX = 64 * 1024 * 1024;
const SEGMENT_BYTES_TARGET = 1024 * 1024;
const POSITION_FILE = "position.json";
const SEGMENT_NAME = /^(\d{10})\.samples$/;
const nameOf = (segment: number): string => `${String(segment).padStart(10, "0")}.samples`;

/** Reads what is there. @throws when the folder cannot be read or written */
export async function openSampleQueue(options: SampleQueueOptions): Promise<SampleQueue> {
  const { folder, disk } = options;
  await disk.makeFolder(folder);
  const position = parsePosition(await disk.read(join(folder, POSITION_FILE)));
  const found = (await disk.list(folder)).flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number);
  const segments: Segment[] = [];
  for (const number of found.sort((a, b) => a - b)) {
    const path = join(folder, nameOf(number));
    const content = number < position.segment ? undefined : await disk.read(path);
    if (content === undefined) {
      await disk.remove(path);
      continue;
    }
    const segment: Segment = { number, bytes: content.length, samples: 0, newestMs: 0 };
    for (const { record } of records(content, number === position.segment ? position.offset : MAGIC.length, options.onCorruption)) {
      segment.samples += record.samples;
      segment.newestMs = Math.max(segment.newestMs, record.newestMs);
    }
    segments.push(segment);
  }
  return new SampleQueue(options, segments, position);
}

export class SampleQueue {
  readonly #options: SampleQueueOptions;
  readonly #segments: Segment[];
  #position: Position;
  #open: { readonly segment: Segment; readonly file: DiskFile } | undefined;
  #nextNumber: number;
  /** Appends and removals follow one another. */
  readonly #turns = new OneAtATime();

  constructor(options: SampleQueueOptions, segments: Segment[], position: Position) {
    this.#options = options;
    this.#segments = segments;
    this.#position = position;
    // A torn end is never written behind: the next append begins a segment.
    this.#nextNumber = Math.max(position.segment, segments.at(-1)?.number ?? 0) + 1;
  }

  get samples(): number {
    return this.#segments.reduce((sum, { samples }) => sum + samples, 0);
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Resolves when the records are on disk. @throws the disk's error; nothing was queued then */
  append(added: readonly QueuedRecord[]): Promise<void> {
    return this.#inTurn(async () => {
      const encoded = added.map(encodeRecord);
      const open = await this.#openSegment();
      try {
        await open.file.write(encoded, open.segment.bytes);
        await open.file.sync();
      } catch (cause) {
        await open.file.truncate(open.segment.bytes).catch(() => {});
        await this.#closeOpen();
        throw cause;
      }
      open.segment.bytes += encoded.reduce((sum, { length }) => sum + length, 0);
      for (const { samples, newestMs } of added) {
        open.segment.samples += samples;
        open.segment.newestMs = Math.max(open.segment.newestMs, newestMs);
      }
    });
  }

  /** Records from the front, as many as have `samplesMax` samples together, at least one; undefined when there is none. */
  async peek(samplesMax: number): Promise<QueuedBatch | undefined> {
    for (const segment of [...this.#segments]) {
      if (segment.samples === 0) continue;
      const { bytes } = segment;
      const content = (await this.#options.disk.read(join(this.#options.folder, nameOf(segment.number))))?.subarray(0, bytes);
      const from = segment.number === this.#position.segment ? this.#position.offset : MAGIC.length;
      const batch = batchOf(content ?? Buffer.alloc(0), from, samplesMax);
      if (batch.records.length > 0) return { ...batch, end: { segment: segment.number, offset: batch.end } };
      this.#options.onDropped(segment.samples, "unreadable");
      segment.samples = 0;
    }
    return undefined;
  }

  /** The remote has everything up to there. False when that part has already given way to the bounds. */
  advance({ end, samples }: QueuedBatch): Promise<boolean> {
    return this.#inTurn(async () => {
      const segment = this.#segments.find(({ number }) => number === end.segment);
      if (segment === undefined) return false;
      this.#position = end;
      segment.samples -= samples;
      const { folder, disk } = this.#options;
      await replaceOnDisk(disk, join(folder, POSITION_FILE), [Buffer.from(JSON.stringify(end))]);
      const isRead = segment.samples <= 0 && this.#open?.segment !== segment;
      await this.#removeWhile(({ number }) => number < end.segment || (isRead && number === end.segment));
      return true;
    });
  }

  /** Holds the queue within its bounds. */
  trim(nowMs: number): Promise<void> {
    const { bytesMax, ageMaxMs, onDropped } = this.#options;
    return this.#inTurn(async () => {
      for (;;) {
        const oldest = this.#segments[0];
        if (oldest === undefined) return;
        const isDone = oldest.samples === 0 && this.#open?.segment !== oldest;
        const tooOld = oldest.samples > 0 && oldest.newestMs < nowMs - ageMaxMs;
        const tooMany = this.bytes > bytesMax && oldest.bytes > MAGIC.length;
        if (!isDone && !tooOld && !tooMany) return;
        if (oldest.samples > 0) onDropped(oldest.samples, tooOld ? "too_old" : "too_many");
        if (this.#open?.segment === oldest) await this.#closeOpen();
        await this.#removeWhile((segment) => segment === oldest);
      }
    });
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#closeOpen());
  }

  async #removeWhile(done: (segment: Segment) => boolean): Promise<void> {
    while (this.#segments.length > 0 && done(this.#segments[0]!)) {
      const { number } = this.#segments.shift()!;
      await this.#options.disk.remove(join(this.#options.folder, nameOf(number)));
    }
  }

  async #openSegment(): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
    if (this.#open !== undefined && this.#open.segment.bytes < SEGMENT_BYTES_TARGET) return this.#open;
    await this.#closeOpen();
    const { disk, folder } = this.#options;
    const number = this.#nextNumber++;
    const path = join(folder, nameOf(number));
    const file = await disk.create(path);
    try {
      await file.write([MAGIC], 0);
      await disk.syncFolder(folder);
    } catch (cause) {
      await file.close().catch(() => {});
      await disk.remove(path).catch(() => {});
      throw cause;
    }
    const segment: Segment = { number, bytes: MAGIC.length, samples: 0, newestMs: 0 };
    this.#segments.push(segment);
    this.#open = { segment, file };
    return this.#open;
  }

  async #closeOpen(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turns.run(work);
    done.catch((error: unknown) => {
      this.#options.log.warn({ folder: this.#options.folder, error: messageOf(error) }, "a queue of samples could not be written");
    });
    return done;
  }
}

function encodeRecord({ samples, newestMs, timeseries }: QueuedRecord): Buffer {
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + BODY_HEADER_BYTES + timeseries.length);
  record.writeUInt32LE(BODY_HEADER_BYTES + timeseries.length, 0);
  record.writeUInt32LE(samples, RECORD_HEADER_BYTES);
  record.writeDoubleLE(newestMs, RECORD_HEADER_BYTES + 4);
  record.set(timeseries, RECORD_HEADER_BYTES + BODY_HEADER_BYTES);
  record.writeUInt32LE(crc32(record.subarray(RECORD_HEADER_BYTES)), 4);
  return record;
}

function batchOf(content: Buffer, from: number, samplesMax: number): { records: QueuedRecord[]; samples: number; end: number } {
  const batch = { records: [] as QueuedRecord[], samples: 0, end: from };
  for (const { record, end } of records(content, from, () => {})) {
    if (batch.records.length > 0 && batch.samples + record.samples > samplesMax) break;
    batch.records.push(record);
    batch.samples += record.samples;
    batch.end = end;
  }
  return batch;
}

/** The intact records from an offset on. Behind a damaged one nothing is read: where the next begins is not known. */
function* records(content: Buffer, from: number, onCorruption: () => void): Generator<{ record: QueuedRecord; end: number }> {
  let at = Math.max(from, MAGIC.length);
  const good = content.length === 0 || content.subarray(0, MAGIC.length).equals(MAGIC);
  while (good && at + RECORD_HEADER_BYTES <= content.length) {
    const bytes = content.readUInt32LE(at);
    const end = at + RECORD_HEADER_BYTES + bytes;
    if (bytes < BODY_HEADER_BYTES || bytes > RECORD_BYTES_MAX || end > content.length) break;
    const body = content.subarray(at + RECORD_HEADER_BYTES, end);
    if (crc32(body) !== content.readUInt32LE(at + 4)) break;
    yield {
      record: { samples: body.readUInt32LE(0), newestMs: body.readDoubleLE(4), timeseries: body.subarray(BODY_HEADER_BYTES) },
      end,
    };
    at = end;
  }
  if (!good || at < content.length) onCorruption();
}

function parsePosition(content: Buffer | undefined): Position {
  try {
    const { segment, offset } = JSON.parse(content?.toString() ?? "") as Position;
    if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset)) return { segment, offset };
  } catch {
    // No position, or a damaged one: everything that is there is sent again.
  }
  return { segment: 0, offset: MAGIC.length };
}
