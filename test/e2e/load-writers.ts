// Programs that write at a steady rate into files that rotate by renaming. Lines have 100 bytes.

import { closeSync, existsSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { numberedLine } from "./arrivals.ts";

const LINE_BYTES = 100;
const NUMBER_END = 16;
const BLOCK_LINES = 4096;
const TURN_MS = 50;

export interface LoadOptions {
  readonly folder: string;
  readonly files: number;
  /** A file is rotated when it has so many lines. */
  readonly linesPerFile: number;
  /** Older generations of a file are deleted, if told so; `undefined` keeps all. */
  readonly mayDelete?: (writer: number, upToLine: number) => boolean;
}

interface LoadFile {
  readonly path: string;
  readonly writer: number;
  readonly block: Buffer;
  fd: number;
  written: number;
  /** Oldest first, with the number of its last line. */
  readonly old: { readonly path: string; readonly lastLine: number }[];
  linesInFile: number;
  generation: number;
}

export class LoadWriters {
  readonly files: readonly LoadFile[];
  readonly #options: LoadOptions;
  #timer: NodeJS.Timeout | undefined;
  #owed = 0;
  #lastMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.files = Array.from({ length: options.files }, (_, writer) => {
      const path = join(options.folder, `load-${String(writer).padStart(2, "0")}.log`);
      const line = numberedLine(writer, 0, "x".repeat(LINE_BYTES - NUMBER_END - 2));
      const block = Buffer.from(line.repeat(BLOCK_LINES));
      return { path, writer, block, fd: openSync(path, "a"), written: 0, old: [], linesInFile: 0, generation: 0 };
    });
  }

  get written(): number {
    return this.files.reduce((sum, file) => sum + file.written, 0);
  }

  /** Writes on at this rate, over all files in turn, until `stop`. */
  start(linesPerSecond: number): void {
    this.#lastMs = performance.now();
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      this.#owed += ((nowMs - this.#lastMs) / 1000) * linesPerSecond;
      this.#lastMs = nowMs;
      const each = Math.floor(this.#owed / this.files.length);
      if (each > 0) for (const file of this.files) this.write(file, each);
      this.#owed -= each * this.files.length;
    }, TURN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.stop();
    for (const { fd } of this.files) closeSync(fd);
  }

  write(file: LoadFile, lines: number): void {
    for (let left = lines; left > 0; ) {
      const count = Math.min(left, BLOCK_LINES, this.#options.linesPerFile - file.linesInFile);
      for (let i = 0; i < count; i++) {
        let n = ++file.written;
        for (let at = i * LINE_BYTES + NUMBER_END - 1; n > 0; at--) {
          file.block[at] = 48 + (n % 10);
          n = Math.floor(n / 10);
        }
      }
      writeSync(file.fd, file.block, 0, count * LINE_BYTES);
      file.linesInFile += count;
      left -= count;
      if (file.linesInFile >= this.#options.linesPerFile) this.#rotate(file);
    }
  }

  #rotate(file: LoadFile): void {
    const path = `${file.path}.${String(++file.generation).padStart(6, "0")}`;
    renameSync(file.path, path);
    closeSync(file.fd);
    file.fd = openSync(file.path, "a");
    file.linesInFile = 0;
    file.old.push({ path, lastLine: file.written });
    const { mayDelete } = this.#options;
    while (mayDelete !== undefined && file.old.length > 0 && mayDelete(file.writer, file.old[0]!.lastLine)) {
      const { path: oldest } = file.old.shift()!;
      if (existsSync(oldest)) rmSync(oldest);
    }
  }
}
