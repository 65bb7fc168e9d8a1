// Descriptors of tailed files, the least recently used of which are closed past a limit, so that tens of thousands of idle files are
// followed with a thousand descriptors. A file that has left its path is pinned: it could not be opened again.

import { closeSync } from "node:fs";

export const OPEN_FILES_MAX = 1024;

export interface OpenFile {
  fd: number;
  pinned: boolean;
}

/** Who holds a descriptor; told when it is taken away. */
export interface FileHolder {
  file: OpenFile | undefined;
}

export class OpenFiles {
  readonly #limit: number;
  /** In order of use, the least recent first. */
  readonly #holders = new Set<FileHolder>();

  constructor(limit: number = OPEN_FILES_MAX) {
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
  adopt(holder: FileHolder, fd: number): OpenFile {
    this.close(holder);
    this.#makeRoom();
    const file = { fd, pinned: false };
    holder.file = file;
    this.#holders.add(holder);
    return file;
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
    if (this.#holders.size < this.#limit) return;
    for (const holder of this.#holders) {
      if (holder.file?.pinned === true) continue;
      this.close(holder);
      if (this.#holders.size < this.#limit) return;
    }
  }
}
