// Descriptors of tailed files, bounded, so that tens of thousands of files are followed with a thousand descriptors. Past the limit are
// closed, in this order:
//
//   1. files that are at their path, the least recently used first: they are opened again by it
//   2. files that have left their path and have a name elsewhere, the last to be read first: they are found again by identity
//
// A file without a name (deleted, or unpacked by us) is kept whatever the limit: its descriptor is the only way to its bytes. For the
// same reason the second kind is closed last: such a file can be deleted while it is closed, and the older ones are deleted first.

import { closeSync, fstatSync, readFileSync } from "node:fs";

/** Half of what the process may open, within these. */
const OPEN_FILES_MIN = 256;
const OPEN_FILES_MAX = 4096;
const UNLIMITED = Number.POSITIVE_INFINITY;

export interface OpenFile {
  readonly fd: number;
}

/** Who holds a descriptor; `file` is taken away when it is closed. */
export interface FileHolder {
  file: OpenFile | undefined;
  /** It has left its path. */
  readonly rotated: boolean;
  /** It must not be closed for the moment. */
  readonly reading: boolean;
}

export class OpenFiles {
  readonly #limit: number;
  /** In order of use, the least recent first. */
  readonly #holders = new Set<FileHolder>();

  constructor(limit: number = defaultLimit()) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#holders.size;
  }

  /** Whether there are descriptors to spare for files of which nothing is expected for the moment. */
  get hasRoom(): boolean {
    return this.#holders.size < this.#limit / 2;
  }

  /** Hands a descriptor over that has been opened already. */
  adopt(holder: FileHolder, fd: number): void {
    this.close(holder);
    this.#makeRoom();
    holder.file = { fd };
    this.#holders.add(holder);
  }

  touch(holder: FileHolder): void {
    if (this.#holders.delete(holder)) this.#holders.add(holder);
  }

  close(holder: FileHolder): void {
    if (!this.#holders.delete(holder)) return;
    const file = holder.file;
    holder.file = undefined;
    if (file !== undefined) closeSync(file.fd);
  }

  #makeRoom(): void {
    this.#closeSome(this.#holders, ({ rotated }) => !rotated);
    if (this.#holders.size < this.#limit) return;
    this.#closeSome([...this.#holders].reverse(), (holder) => holder.rotated && hasName(holder));
  }

  #closeSome(holders: Iterable<FileHolder>, may: (holder: FileHolder) => boolean): void {
    for (const holder of holders) {
      if (this.#holders.size < this.#limit) return;
      if (!holder.reading && may(holder)) this.close(holder);
    }
  }
}

function defaultLimit(): number {
  return Math.min(OPEN_FILES_MAX, Math.max(OPEN_FILES_MIN, Math.floor(descriptorsMax() / 2)));
}

/** `ulimit -n`, which Node has raised to the hard limit at its start. */
function descriptorsMax(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? UNLIMITED);
  } catch {
    return UNLIMITED;
  }
}

function hasName({ file }: FileHolder): boolean {
  return file !== undefined && fstatSync(file.fd).nlink > 0;
}
