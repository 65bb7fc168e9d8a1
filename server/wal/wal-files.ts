// The few file operations of the write-ahead log, as an argument: tests let them fail.

import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { syncFolder } from "../../lib/runtime/replace-file.ts";

export interface WalFile {
  /** Appends all parts. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface WalFiles {
  prepare(folder: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  /** A new file, whose name is durable. */
  create(path: string): Promise<WalFile>;
  remove(path: string): Promise<void>;
  syncFolder(folder: string): Promise<void>;
}

export const systemWalFiles: WalFiles = {
  prepare: async (folder) => void (await mkdir(folder, { recursive: true })),
  list: (folder) => readdir(folder),
  read: (path) => readFile(path),
  async create(path) {
    return new SystemWalFile(await open(path, "ax", 0o640));
  },
  remove: (path) => rm(path, { force: true }),
  syncFolder,
};

class SystemWalFile implements WalFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    let left = parts;
    while (left.length > 0) {
      const { bytesWritten } = await this.#file.writev(left as Uint8Array<ArrayBuffer>[]);
      left = without(left, bytesWritten);
    }
  }

  sync(): Promise<void> {
    return this.#file.datasync();
  }

  truncate(bytes: number): Promise<void> {
    return this.#file.truncate(bytes);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** What is left of parts after so many bytes. */
function without(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = bytes;
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      left.push(part.subarray(skip));
      skip = 0;
    }
  }
  return left;
}
