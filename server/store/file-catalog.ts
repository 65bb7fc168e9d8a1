// The catalogue of one machine: an append-only file, and maps in memory.
//
//   catalog := magic record*
//   magic   := "SKC1"
//   record  := | length <4b> | crc32 of the text <4b> | text: JSON {"add": [BlockMeta…], "remove": [key…]} |      little endian
//
// A record is one change: written and synced before the change counts. A torn record at the end was never reported as done and is cut
// off at the next start. When most of the file speaks of removed blocks it is written anew, whole.

import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { replaceFile, syncFolder } from "../../lib/runtime/replace-file.ts";
import type { BlockMeta, Catalog } from "./catalog.ts";

const MAGIC = Buffer.from("SKC1");
const HEADER_BYTES = 8;
/** Removed blocks in the file, above those that live, that make writing it anew worth while. */
const GARBAGE_MIN = 1000;

interface Change {
  readonly add: readonly BlockMeta[];
  readonly remove: readonly string[];
}

/** @throws when the file is no catalogue, or damaged before its last record: serving on without its blocks would hide data */
export async function openFileCatalog(path: string, log: Log): Promise<Catalog> {
  await mkdir(dirname(path), { recursive: true });
  const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });
  const blocks = new Map<string, BlockMeta>();
  let written = 0;
  if (content === undefined) await replaceFile(path, MAGIC);
  else if (content.length < MAGIC.length) await replaceFile(path, MAGIC);
  else {
    const { changes, end } = readChanges(content, path);
    for (const change of changes) {
      apply(blocks, change);
      written += change.add.length;
    }
    if (end < content.length) {
      log.warn({ catalog: path, at: end, bytes: content.length - end }, "the catalogue's last record is torn and was never confirmed: cut off");
      const file = await open(path, "r+");
      await file.truncate(end);
      await file.sync();
      await file.close();
    }
  }
  await syncFolder(dirname(path));
  return new FileCatalog(path, blocks, written, await open(path, "a"));
}

class FileCatalog implements Catalog {
  readonly #path: string;
  readonly #blocks: Map<string, BlockMeta>;
  /** Blocks ever added in the file, the removed ones included. */
  #written: number;
  #file: FileHandle;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string, blocks: Map<string, BlockMeta>, written: number, file: FileHandle) {
    this.#path = path;
    this.#blocks = blocks;
    this.#written = written;
    this.#file = file;
  }

  blocks(tenant: string, fromSec: number, toSec: number): readonly BlockMeta[] {
    return this.all().filter((block) => block.tenant === tenant && block.maxSec >= fromSec && block.minSec <= toSec);
  }

  all(): readonly BlockMeta[] {
    return [...this.#blocks.values()];
  }

  tenants(): readonly string[] {
    return [...new Set(this.all().map(({ tenant }) => tenant))].sort();
  }

  change(add: readonly BlockMeta[], remove: readonly string[], applied?: () => void): Promise<void> {
    const done = this.#last.then(() => this.#append({ add, remove }, applied));
    this.#last = done.catch(() => {});
    return done;
  }

  async #append(change: Change, applied: (() => void) | undefined): Promise<void> {
    const { size } = await this.#file.stat();
    try {
      await this.#file.appendFile(encodeChange(change));
      await this.#file.datasync();
    } catch (cause) {
      // What may have been written of it must not be read as a change, nor stand before the next.
      await this.#file.truncate(size).catch(() => {});
      throw new Error(`write to the catalogue ${this.#path}: ${messageOf(cause)}`, { cause });
    }
    apply(this.#blocks, change);
    applied?.();
    this.#written += change.add.length;
    if (this.#written - this.#blocks.size > Math.max(GARBAGE_MIN, this.#blocks.size)) await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    await replaceFile(this.#path, Buffer.concat([MAGIC, encodeChange({ add: this.all(), remove: [] })]), 0o640);
    await this.#file.close();
    this.#file = await open(this.#path, "a");
    this.#written = this.#blocks.size;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }
}

function apply(blocks: Map<string, BlockMeta>, { add, remove }: Change): void {
  for (const key of remove) blocks.delete(key);
  for (const block of add) blocks.set(block.key, block);
}

function encodeChange(change: Change): Buffer {
  const text = Buffer.from(JSON.stringify(change));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(text.length, 0);
  header.writeUInt32LE(crc32(text), 4);
  return Buffer.concat([header, text]);
}

function readChanges(content: Buffer, path: string): { changes: Change[]; end: number } {
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error(`${path} is not a catalogue: it begins with ${content.subarray(0, 4).toString("hex")}, not with SKC1`);
  const changes: Change[] = [];
  let at = MAGIC.length;
  while (at < content.length) {
    const length = at + HEADER_BYTES <= content.length ? content.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    const end = at + HEADER_BYTES + length;
    if (end > content.length) break;
    const text = content.subarray(at + HEADER_BYTES, end);
    if (crc32(text) !== content.readUInt32LE(at + 4)) {
      if (end === content.length) break;
      throw new Error(`the catalogue ${path} is damaged at byte ${at}: a record's checksum is wrong and ${content.length - end} bytes follow it; restore the file from a copy`);
    }
    changes.push(JSON.parse(text.toString("utf8")) as Change);
    at = end;
  }
  return { changes, end: Math.min(at, content.length) };
}
