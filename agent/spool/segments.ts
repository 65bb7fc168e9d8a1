// The files of a queue on disk: written at the end, read in order, removed from the front. What is damaged is passed over and told.

import { join } from "node:path";
import type { Disk, DiskFile } from "../../lib/runtime/disk.ts";
import { invariant } from "../../lib/runtime/invariant.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import { entryCountOf, isIntact, nextIntact, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordEnd, SEGMENT_MAGIC } from "./frame.ts";

export interface SegmentsOptions {
  readonly disk: Disk;
  readonly folder: string;
  /** A segment is closed when it has this many bytes. */
  readonly segmentBytes: number;
  /** Bytes that were confirmed once cannot be read any more. */
  readonly onDamage: (file: string, offset: number, lostBytes: number) => void;
  /** Bytes that were never confirmed are left out: a crash has torn what was being written. */
  readonly onTorn?: (file: string, offset: number, tornBytes: number) => void;
}

export interface SpooledRecord {
  readonly bytes: Buffer;
  readonly position: number;
  readonly end: number;
}

interface Segment {
  readonly base: number;
  /** In use: behind it may be what a crash has left. */
  bytes: number;
}

const READ_BYTES = 1024 * 1024;

export class Segments {
  readonly #options: SegmentsOptions;
  /** Ascending, without gaps between them but for what was lost. */
  readonly #segments: Segment[];
  #open: { readonly segment: Segment; readonly file: DiskFile } | undefined;
  #end: number;
  /**
   * A segment of whose end the disk is not sure: the last one of a process before (what that was killed over may not be synced), or one where
   * a write failed and could not be taken back.
   */
  #unsettled: Segment | undefined;
  /** Removals, one after the other: were a later segment gone and an earlier one not, a crash would leave a gap between segments. */
  readonly #removals = new OneAtATime();
  /** What was read last, from `position` on. */
  #chunk: { readonly position: number; readonly bytes: Buffer } = { position: 0, bytes: Buffer.alloc(0) };

  private constructor(options: SegmentsOptions, segments: Segment[], end: number) {
    this.#options = options;
    this.#segments = segments;
    this.#unsettled = segments.at(-1);
    this.#end = end;
  }

  /**
   * Finds what is there. A record that a crash has torn at the end was never confirmed and is left out.
   *
   * @param from everything before this position is done with
   * @throws when the folder cannot be read
   */
  static async open(options: SegmentsOptions, from: number): Promise<Segments> {
    const { disk, folder } = options;
    const bases = (await disk.list(folder)).filter(isSegment).map((name) => Number.parseInt(name, 10));
    bases.sort((a, b) => a - b);
    const found: Segment[] = [];
    for (const [i, base] of bases.entries()) {
      const bytes = i < bases.length - 1 ? Math.min(await sizeOf(options, base), bases[i + 1]! - base) : await wholeBytes(options, base);
      found.push({ base, bytes });
    }
    const last = found.at(-1);
    const segments = new Segments(options, found, Math.max(from, last === undefined ? 0 : last.base + last.bytes));
    await segments.removeBefore(from);
    return segments;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get count(): number {
    return this.#segments.length;
  }

  /** Position of the first byte there is, or of the next that will be. */
  get first(): number {
    return this.#segments[0]?.base ?? this.#end;
  }

  /** Position behind the first segment's last byte. */
  get firstEnd(): number {
    const first = this.#segments[0];
    return first === undefined ? this.#end : first.base + first.bytes;
  }

  /** Position behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /**
   * Appends records in one write and syncs them.
   *
   * @returns position of the first of them
   * @throws the disk's error: the segment is then as it was, or closed, and another call begins a new one
   */
  async write(records: readonly Buffer[]): Promise<number> {
    if (this.#open === undefined || this.#open.segment.bytes >= this.#options.segmentBytes) await this.#openNext();
    const { segment, file } = this.#open!;
    const at = segment.bytes;
    try {
      await file.write(records, at);
      await file.sync();
    } catch (cause) {
      await file.truncate(at).catch(() => {
        this.#unsettled = segment;
      });
      await this.closeOpen();
      throw cause;
    }
    segment.bytes += records.reduce((sum, { length }) => sum + length, 0);
    this.#end = segment.base + segment.bytes;
    return segment.base + at;
  }

  /**
   * The first record that can be read at a position or behind it.
   *
   * @returns undefined when there is none; the record's bytes are valid until the next call
   * @throws the disk's error
   */
  next(position: number): Promise<SpooledRecord | undefined> {
    return this.#from(position, this.#options.onDamage);
  }

  async #from(position: number, onDamage: SegmentsOptions["onDamage"]): Promise<SpooledRecord | undefined> {
    for (let at = Math.max(position, this.first); ; ) {
      const segment = this.#segments.find(({ base, bytes }) => at < base + bytes);
      if (segment === undefined) return undefined;
      const offset = Math.max(at - segment.base, SEGMENT_MAGIC.length);
      try {
        const record = offset < segment.bytes ? await this.#recordAt(segment, offset) : undefined;
        if (record !== undefined) return record;
        at = offset < segment.bytes ? await this.#passDamage(segment, offset, onDamage) : segment.base + segment.bytes;
      } catch (cause) {
        // Of a segment that was dropped meanwhile nothing can be read.
        if (this.#segments.includes(segment)) throw cause;
        at = segment.base + segment.bytes;
      }
    }
  }

  /**
   * The last record that can be read.
   *
   * @throws the disk's error
   */
  async last(): Promise<SpooledRecord | undefined> {
    // Whoever reads on will tell of damage.
    const next = (position: number): Promise<SpooledRecord | undefined> => this.#from(position, () => {});
    for (const { base } of this.#segments.toReversed()) {
      let found: SpooledRecord | undefined;
      for (let record = await next(base); record !== undefined; record = await next(record.end)) found = record;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Removes segments that end before a position, or there. @throws the disk's error: what could not be removed is still there */
  removeBefore(position: number): Promise<void> {
    return this.#removals.run(async () => {
      for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
        if (first.base + first.bytes > position || first === this.#open?.segment) return;
        await this.#removeFirst();
      }
    });
  }

  /** Resolves when no removal is under way: the first segment is then the one that `dropFirst`, called at once, removes. */
  removalsDone(): Promise<void> {
    return this.#removals.idle();
  }

  /**
   * Removes the first segment, whatever is in it.
   *
   * @param from position up to which it has been read
   * @returns the entries behind that position
   */
  dropFirst(from: number): Promise<number> {
    const segment = this.#segments[0];
    invariant(segment !== undefined, "there is a segment to drop");
    return this.#removals.run(async () => {
      invariant(segment === this.#segments[0], "nobody has removed the segment that is to be dropped");
      if (segment === this.#open?.segment) await this.closeOpen();
      const entryCount = await this.#entriesOf(segment, from);
      await this.#removeFirst();
      return entryCount;
    });
  }

  async #entriesOf(segment: Segment, from: number): Promise<number> {
    let entryCount = 0;
    const end = segment.base + segment.bytes;
    for (let at = Math.max(from, segment.base); at < end; ) {
      const record = await this.next(at);
      if (record === undefined || record.position >= end) break;
      entryCount += entryCountOf(record.bytes);
      at = record.end;
    }
    return entryCount;
  }

  async closeOpen(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close().catch(() => {});
  }

  async #openNext(): Promise<void> {
    await this.closeOpen();
    await this.#settle();
    const { disk, folder } = this.#options;
    const segment: Segment = { base: this.#end, bytes: SEGMENT_MAGIC.length };
    const path = join(folder, nameOf(segment.base));
    // A segment in which nothing was ever confirmed may be left there.
    if (!this.#segments.some(({ base }) => base === segment.base)) await disk.remove(path);
    const file = await disk.create(path);
    try {
      await file.write([SEGMENT_MAGIC], 0);
      await disk.syncFolder(folder);
    } catch (cause) {
      await file.close().catch(() => {});
      await disk.remove(path).catch(() => {});
      throw cause;
    }
    this.#segments.push(segment);
    this.#end += segment.bytes;
    this.#open = { segment, file };
  }

  /**
   * What is written from now on begins behind a segment that ends where it is to end, also after a power cut: were its last records gone, the
   * gap would be told as damage, and so would be what is torn behind them if all that follows had been removed.
   */
  async #settle(): Promise<void> {
    const segment = this.#unsettled;
    if (segment !== undefined && this.#segments.includes(segment)) {
      const file = await this.#options.disk.open(join(this.#options.folder, nameOf(segment.base)));
      try {
        await file.truncate(segment.bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    this.#unsettled = undefined;
  }

  async #removeFirst(): Promise<void> {
    const { disk, folder } = this.#options;
    const segment = this.#segments.shift()!;
    try {
      await disk.remove(join(folder, nameOf(segment.base)));
    } catch (cause) {
      // Were those behind it removed and not this one, a crash might leave it without what follows.
      this.#segments.unshift(segment);
      throw cause;
    }
  }

  async #recordAt(segment: Segment, offset: number): Promise<SpooledRecord | undefined> {
    const position = segment.base + offset;
    let part = this.#chunkAt(position);
    let end = recordEnd(part, 0);
    if (end !== undefined && end > part.length && offset + part.length < segment.bytes) {
      part = await this.#readChunk(segment, offset, Math.max(READ_BYTES, end));
      end = recordEnd(part, 0);
      // Only now is the length known.
      if (end !== undefined && end > part.length) part = await this.#readChunk(segment, offset, end);
    }
    if (end === undefined || end > part.length || !isIntact(part, 0)) return undefined;
    return { bytes: part.subarray(0, end), position, end: position + end };
  }

  #chunkAt(position: number): Buffer {
    const { position: from, bytes } = this.#chunk;
    return position >= from && position <= from + bytes.length ? bytes.subarray(position - from) : Buffer.alloc(0);
  }

  async #readChunk(segment: Segment, offset: number, bytes: number): Promise<Buffer> {
    const { disk, folder } = this.#options;
    const wanted = Math.min(bytes, segment.bytes - offset, RECORD_HEADER_BYTES + RECORD_BYTES_MAX);
    const part = await disk.readPart(join(folder, nameOf(segment.base)), offset, wanted);
    this.#chunk = { position: segment.base + offset, bytes: part };
    return part;
  }

  /** @returns the position to go on from: the next intact record, or the segment's end */
  async #passDamage(segment: Segment, offset: number, onDamage: SegmentsOptions["onDamage"]): Promise<number> {
    const { folder } = this.#options;
    const rest = await this.#readChunk(segment, offset, segment.bytes - offset);
    const found = nextIntact(rest, 1);
    const lostBytes = found ?? segment.bytes - offset;
    onDamage(join(folder, nameOf(segment.base)), offset, lostBytes);
    return segment.base + offset + lostBytes;
  }
}

const nameOf = (base: number): string => `${String(base).padStart(16, "0")}.spool`;

/** Whether a file's name is that of a segment. */
export const isSegment = (name: string): boolean => /^\d{16}\.spool$/.test(name);

async function sizeOf({ disk, folder }: SegmentsOptions, base: number): Promise<number> {
  const file = await disk.open(join(folder, nameOf(base)));
  try {
    return await file.bytes();
  } finally {
    await file.close();
  }
}

/** Bytes of a segment up to the end of its last intact record. */
async function wholeBytes({ disk, folder, onTorn }: SegmentsOptions, base: number): Promise<number> {
  const path = join(folder, nameOf(base));
  const content = (await disk.read(path)) ?? Buffer.alloc(0);
  let whole = SEGMENT_MAGIC.length;
  for (let at: number | undefined = whole; at !== undefined; at = nextIntact(content, whole)) {
    while (isIntact(content, at)) at = recordEnd(content, at)!;
    whole = Math.max(whole, at);
  }
  if (content.length > whole) onTorn?.(path, whole, content.length - whole);
  return whole;
}
