// The catalogue of one machine: an append-only file, and maps in memory.
//
//   catalog := magic record*
//   magic   := "SKC1"
//   record  := | text bytes <4b> | crc32 of the text <4b> | crc32 of the 8 bytes before <4b> | text |        little endian
//   text    := JSON {"add": [BlockMeta…], "remove": [key…], "walFrom": segment}, each part only when there is something in it
//
// A record is one change: written and synced before the change counts. What a crash leaves at the end - a record cut off, or zeros -
// was never reported as done and is cut off at the next start. Anything else that is wrong is damage, and the file is left alone: a
// shorter list of blocks would hide entries. When most of the file speaks of removed blocks it is written anew, whole.

import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { type Disk, type DiskFile, replaceOnDisk, systemDisk } from "../../lib/runtime/disk.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import type { BlockMeta, Catalog, CatalogChange } from "./catalog.ts";

const MAGIC = Buffer.from("SKC1");
const HEADER_BYTES = 12;
/** Removed blocks in the file, above those that live, that make writing it anew worth while. */
const GARBAGE_MIN = 1000;

/** @throws when the file is no catalogue, or damaged before its last record */
export async function openFileCatalog(path: string, log: Log, disk: Disk = systemDisk): Promise<Catalog> {
  await disk.makeFolder(dirname(path));
  const content = (await disk.read(path)) ?? Buffer.alloc(0);
  const state: CatalogState = { blocks: new Map(), walFrom: 0, written: 0 };
  // A file that ends within its magic was being made by a start that crashed.
  if (content.length < MAGIC.length && MAGIC.subarray(0, content.length).equals(content)) {
    await replaceOnDisk(disk, path, [MAGIC]);
    return new FileCatalog(path, disk, state, await disk.open(path), MAGIC.length);
  }
  const end = readChanges(content, path, (change) => apply(state, change));
  const file = await disk.open(path);
  if (end < content.length) {
    log.warn(
      { catalog: path, at: end, bytes: content.length - end },
      "the catalogue's last record is torn and was never confirmed: cut off",
    );
    try {
      await file.truncate(end);
      await file.sync();
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }
  return new FileCatalog(path, disk, state, file, end);
}

interface CatalogState {
  readonly blocks: Map<string, BlockMeta>;
  walFrom: number;
  /** Blocks ever added in the file, the removed ones included. */
  written: number;
}

class FileCatalog implements Catalog {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #state: CatalogState;
  /** Undefined when the file's end is not known to be good: it is written anew before the next change. */
  #file: DiskFile | undefined;
  #bytes: number;
  readonly #turns = new OneAtATime();

  constructor(path: string, disk: Disk, state: CatalogState, file: DiskFile, bytes: number) {
    this.#path = path;
    this.#disk = disk;
    this.#state = state;
    this.#file = file;
    this.#bytes = bytes;
  }

  get walFrom(): number {
    return this.#state.walFrom;
  }

  blocks(tenant: string, fromSec: number, toSec: number): readonly BlockMeta[] {
    return this.all().filter((block) => block.tenant === tenant && block.maxSec >= fromSec && block.minSec <= toSec);
  }

  all(): readonly BlockMeta[] {
    return [...this.#state.blocks.values()];
  }

  tenants(): readonly string[] {
    return [...new Set(this.all().map(({ tenant }) => tenant))].sort();
  }

  change(change: CatalogChange, applied?: () => void): Promise<void> {
    return this.#turns.run(() => this.#append(change, applied));
  }

  async #append(change: CatalogChange, applied: (() => void) | undefined): Promise<void> {
    if (this.#file === undefined) await this.#rewrite();
    const record = encodeChange(change);
    try {
      await this.#file!.write([record], this.#bytes);
      await this.#file!.sync();
    } catch (cause) {
      await this.#forgetFile();
      throw new Error(`write to the catalogue ${this.#path}: ${messageOf(cause)}`, { cause });
    }
    this.#bytes += record.length;
    apply(this.#state, change);
    applied?.();
    const { written, blocks } = this.#state;
    // The change is made whether or not this goes well.
    if (written - blocks.size > Math.max(GARBAGE_MIN, blocks.size)) await this.#rewrite().catch(() => {});
  }

  /** After a failed write or sync nobody knows what the file holds: what may be there of the change must neither count nor stand in the way. */
  async #forgetFile(): Promise<void> {
    const file = this.#file!;
    this.#file = undefined;
    await file
      .truncate(this.#bytes)
      .then(() => file.sync())
      .catch(() => {});
    await file.close().catch(() => {});
  }

  async #rewrite(): Promise<void> {
    const whole = encodeChange({ add: this.all(), walFrom: this.#state.walFrom });
    await replaceOnDisk(this.#disk, this.#path, [MAGIC, whole]);
    const old = this.#file;
    this.#file = undefined;
    await old?.close();
    this.#file = await this.#disk.open(this.#path);
    this.#bytes = MAGIC.length + whole.length;
    this.#state.written = this.#state.blocks.size;
  }

  async close(): Promise<void> {
    await this.#turns.idle();
    await this.#file?.close();
    this.#file = undefined;
  }
}

function apply(state: CatalogState, { add = [], remove = [], walFrom }: CatalogChange): void {
  for (const key of remove) state.blocks.delete(key);
  for (const block of add) state.blocks.set(block.key, block);
  state.walFrom = walFrom ?? state.walFrom;
  state.written += add.length;
}

function encodeChange(change: CatalogChange): Buffer {
  const text = Buffer.from(JSON.stringify(change));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(text.length, 0);
  header.writeUInt32LE(crc32(text), 4);
  header.writeUInt32LE(crc32(header.subarray(0, 8)), 8);
  return Buffer.concat([header, text]);
}

/** Hands over the changes that are whole. Returns where they end. */
function readChanges(content: Buffer, path: string, take: (change: CatalogChange) => void): number {
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new Error(
      `${path} is no catalogue: it begins with ${content.subarray(0, 4).toString("hex")}, not with ${MAGIC.toString("hex")} (SKC1); restore it from a copy`,
    );
  }
  let at = MAGIC.length;
  while (at + HEADER_BYTES <= content.length) {
    const header = content.subarray(at, at + HEADER_BYTES);
    // A file system may have made the file longer before it wrote what belongs there: all of it, or what a first part of it lacks.
    if (isZero(header)) return at;
    if (crc32(header.subarray(0, 8)) !== header.readUInt32LE(8)) {
      if (isZero(content.subarray(at + HEADER_BYTES))) return at;
      throw damaged(path, at);
    }
    const from = at + HEADER_BYTES;
    const end = from + content.readUInt32LE(at);
    if (end > content.length) return at;
    const text = content.subarray(from, end);
    if (crc32(text) !== content.readUInt32LE(at + 4)) {
      if (isZero(content.subarray(end))) return at;
      throw damaged(path, at);
    }
    take(JSON.parse(text.toString("utf8")) as CatalogChange);
    at = end;
  }
  return at;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function damaged(path: string, at: number): Error {
  return new Error(
    `the catalogue ${path} is damaged at byte ${at}: a checksum is wrong, and it is not the end of an unfinished write; restore the file from a copy`,
  );
}
