// Objects as files below one folder: written aside, synced, renamed, and the folder synced.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Disk, systemDisk, writeNew } from "../../lib/runtime/disk.ts";
import { invariant, messageOf } from "../../lib/runtime/invariant.ts";
import { isObjectKey, type ObjectStore, StoreError } from "./object-store.ts";

/** Names of objects that are being written; left over by a crash, removed at the next start. */
const ASIDE = /\.writing-\d+$/;
let asides = 0;

export async function openFsStore(folder: string, disk: Disk = systemDisk): Promise<ObjectStore> {
  await disk.makeFolder(folder);
  for (const file of await filesBelow(folder, "")) if (ASIDE.test(file)) await disk.remove(join(folder, file));
  return new FsStore(folder, disk);
}

class FsStore implements ObjectStore {
  readonly #folder: string;
  readonly #disk: Disk;

  constructor(folder: string, disk: Disk) {
    this.#folder = folder;
    this.#disk = disk;
  }

  async put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    const path = this.#path(key);
    const aside = `${path}.writing-${process.pid}${++asides}`;
    let linked = false;
    try {
      await this.#disk.makeFolder(dirname(path));
      await writeNew(this.#disk, aside, parts);
      // A link, unlike a rename, fails when the name is taken.
      await this.#disk.link(aside, path);
      linked = true;
      await this.#disk.syncFolder(dirname(path));
    } catch (cause) {
      if (linked) await this.#disk.remove(path).catch(() => {});
      else if ((cause as NodeJS.ErrnoException).code === "EEXIST")
        throw new StoreError("exists", `put ${key}: an object of this name is there already`, { cause });
      throw new StoreError("io", `put ${key}: ${messageOf(cause)}`, { cause });
    } finally {
      await this.#disk.remove(aside).catch(() => {});
    }
  }

  async get(key: string, offset: number, bytes: number): Promise<Uint8Array> {
    const fd = openObject(this.#path(key), key);
    try {
      const out = Buffer.allocUnsafe(bytes);
      readExactly(fd, out, offset, key);
      return out;
    } finally {
      closeSync(fd);
    }
  }

  async size(key: string): Promise<number> {
    try {
      return (await stat(this.#path(key))).size;
    } catch (cause) {
      throw notFound(key, cause);
    }
  }

  async list(prefix: string): Promise<string[]> {
    const files = await filesBelow(this.#folder, "");
    return files.filter((file) => file.startsWith(prefix) && !ASIDE.test(file) && isObjectKey(file)).sort();
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#disk.remove(this.#path(key));
    } catch (cause) {
      throw new StoreError("io", `delete ${key}: ${messageOf(cause)}`, { cause });
    }
  }

  #path(key: string): string {
    invariant(isObjectKey(key), `object key ${key} is a relative path of plain segments`);
    return join(this.#folder, key);
  }
}

/** Opens an object for positional reads, for readers that read many ranges of it. @throws StoreError */
export function openObject(path: string, key: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw notFound(key, cause);
  }
}

/** Fills `out` from `offset`. @throws StoreError when the object ends before */
export function readExactly(fd: number, out: Uint8Array, offset: number, key: string): void {
  let at = 0;
  while (at < out.length) {
    const got = readSync(fd, out, at, out.length - at, offset + at);
    if (got === 0)
      throw new StoreError("io", `read ${key}: ${out.length} bytes at ${offset} asked for, the object has ${fstatSync(fd).size}`);
    at += got;
  }
}

function notFound(key: string, cause: unknown): StoreError {
  const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new StoreError(missing ? "missing" : "io", `read ${key}: ${missing ? "no such object" : messageOf(cause)}`, { cause });
}

async function filesBelow(folder: string, below: string): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  const nested = await Promise.all(
    entries.map((entry) => {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(folder, path) : [path];
    }),
  );
  return nested.flat();
}
