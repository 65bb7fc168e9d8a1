// The few file operations that durability rests on, as one interface: tests put a disk in its place that loses what was not synced,
// fails at any call, or is full.

import { link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { syncFolder } from "./replace-file.ts";

export interface Disk {
  /** Makes a file that must not be there yet. */
  create(path: string): Promise<DiskFile>;
  /** Opens a file that is there, for writing. */
  open(path: string): Promise<DiskFile>;
  /** @returns undefined when there is no such file */
  read(path: string): Promise<Buffer | undefined>;
  /** Bytes `[at, at + bytes)` of a file, fewer at its end. @throws when there is no such file */
  readPart(path: string, at: number, bytes: number): Promise<Buffer>;
  /** Gives a file a second name; fails with EEXIST when that is taken. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes a folder and those above it, each durable. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, unsorted. */
  list(path: string): Promise<string[]>;
  /** Makes names created or removed in a folder durable. */
  syncFolder(path: string): Promise<void>;
}

export interface DiskFile {
  readonly bytes: () => Promise<number>;
  /** Writes all of the parts, one after the other, from `at` on. */
  write(parts: readonly Uint8Array[], at: number): Promise<void>;
  /** Makes content and size durable. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

export const systemDisk: Disk = {
  create: async (path) => systemFile(await open(path, "wx", 0o640)),
  open: async (path) => systemFile(await open(path, "r+")),
  read: (path) =>
    readFile(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return undefined;
      throw cause;
    }),
  readPart,
  link,
  rename,
  remove: (path) => rm(path, { force: true }),
  async makeFolder(path) {
    const first = await mkdir(path, { recursive: true, mode: 0o750 });
    if (first === undefined) return;
    // A new folder is durable when the one above knows of it.
    for (let folder = path; folder.length >= first.length; folder = parentOf(folder)) await syncFolder(parentOf(folder));
  },
  list: (path) => readdir(path),
  syncFolder,
};

async function readPart(path: string, at: number, bytes: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const part = Buffer.allocUnsafeSlow(bytes);
    const { bytesRead } = await file.read(part, 0, bytes, at);
    return part.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

/** Buffers that one system call takes; Linux allows 1024. */
const PARTS_MAX = 512;

function systemFile(handle: Handle): DiskFile {
  return {
    bytes: async () => (await handle.stat()).size,
    async write(parts, at) {
      let position = at;
      for (let from = 0; from < parts.length; from += PARTS_MAX)
        position = await writeParts(handle, parts.slice(from, from + PARTS_MAX), position);
    },
    sync: () => handle.datasync(),
    truncate: (bytes) => handle.truncate(bytes),
    close: () => handle.close(),
  };
}

/** A write may take less than it was given: what is left is written anew. */
async function writeParts(handle: Handle, given: readonly Uint8Array[], at: number): Promise<number> {
  let position = at;
  let parts = given.filter((part) => part.length > 0);
  while (parts.length > 0) {
    let { bytesWritten } = await handle.writev(parts, position);
    if (bytesWritten === 0) throw new Error("the file takes no more bytes");
    position += bytesWritten;
    let whole = 0;
    while (whole < parts.length && bytesWritten >= parts[whole]!.length) bytesWritten -= parts[whole++]!.length;
    parts = parts.slice(whole);
    if (bytesWritten > 0) parts[0] = parts[0]!.subarray(bytesWritten);
  }
  return position;
}

function parentOf(path: string): string {
  const slash = path.replace(/\/+$/, "").lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
}

/** Writes a file aside, synced, and puts it in the place of `path`: a reader or a power cut sees the old content or the new. */
export async function replaceOnDisk(disk: Disk, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const aside = `${path}.new`;
  await disk.remove(aside);
  try {
    await writeNew(disk, aside, parts);
    await disk.rename(aside, path);
  } catch (cause) {
    await disk.remove(aside).catch(() => {});
    throw cause;
  }
  await disk.syncFolder(parentOf(path));
}

/** Writes and syncs a file that must not be there yet; its name is durable once the folder is synced. */
export async function writeNew(disk: Disk, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await disk.create(path);
  try {
    await file.write(parts, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
