// One program that logs, and its rotation, in every manner there is. Lines are numbered, so that each can be asked for; where they
// stand in which generation is known, too.

import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { numberedLine } from "./arrivals.ts";

export const KINDS = ["rename", "dated", "followed", "packed", "copytruncate", "copypacked", "symlink", "recreate"] as const;
export type Kind = (typeof KINDS)[number];

/** Older generations are deleted when there are more, and only if all their lines have arrived. */
const KEPT = 30;
const PAD_MOST = 97;

export interface Generation {
  readonly firstLine: number;
  lastLine: number;
  /** Unlinked or overwritten, not kept anywhere. */
  destroyed: boolean;
}

export class TortureWriter {
  readonly kind: Kind;
  readonly number: number;
  readonly path: string;
  written = 0;
  readonly generations: Generation[] = [];
  readonly #folder: string;
  #targets = 0;
  /** Paths of kept generations, the newest first. */
  #kept: string[] = [];

  constructor(folder: string, kind: Kind, number: number) {
    this.#folder = folder;
    this.kind = kind;
    this.number = number;
    this.path = join(folder, `${kind}.${kind === "followed" ? "txt" : "log"}`);
    this.#beginGeneration();
    if (kind === "symlink") this.#lead();
    else writeFileSync(this.path, "");
  }

  get current(): Generation {
    return this.generations.at(-1)!;
  }

  write(lines: number): void {
    appendFileSync(this.path, this.#lines(lines));
  }

  /** @param lateLines are written to the renamed file, by a program that has not been told yet */
  rotate(lateLines: number): void {
    const { kind } = this;
    if (kind === "copytruncate" || kind === "copypacked") {
      const copy = `${this.path}.${this.generations.length}`;
      copyFileSync(this.path, copy);
      truncateSync(this.path);
      this.#kept.unshift(kind === "copypacked" ? pack(copy) : copy);
    } else if (kind === "recreate") {
      rmSync(this.path);
      this.current.destroyed = true;
      writeFileSync(this.path, "");
    } else if (kind === "symlink") this.#lead();
    else this.#rename(lateLines);
    this.#beginGeneration();
  }

  /** Deletes what is old and needed by nobody. */
  prune(hasArrived: (line: number) => boolean): void {
    const old = this.generations[this.generations.length - KEPT - 1];
    const last = this.#kept.at(-1);
    if (this.#kept.length <= KEPT || old === undefined || last === undefined) return;
    for (let n = 1; n <= old.lastLine; n++) if (!hasArrived(n)) return;
    this.#kept.pop();
    rmSync(last);
  }

  /** Where a line stands in its generation, line feed included. */
  bytesOf(generation: Generation, line: number): { readonly from: number; readonly to: number } {
    let from = 0;
    for (let n = generation.firstLine; n < line; n++) from += this.#text(n).length;
    return { from, to: from + this.#text(line).length };
  }

  sizeOf(generation: Generation): number {
    return generation.lastLine < generation.firstLine ? 0 : this.bytesOf(generation, generation.lastLine).to;
  }

  #beginGeneration(): void {
    this.generations.push({ firstLine: this.written + 1, lastLine: this.written, destroyed: false });
  }

  #lines(count: number): string {
    let text = "";
    for (let i = 0; i < count; i++) text += this.#text(++this.written);
    this.current.lastLine = this.written;
    return text;
  }

  #text(n: number): string {
    return numberedLine(this.number, n, "x".repeat(n % PAD_MOST));
  }

  #rename(lateLines: number): void {
    const { kind, path } = this;
    if (kind === "dated") this.#kept.unshift(`${path}-202401${String(this.generations.length).padStart(6, "0")}`);
    else {
      const suffix = kind === "packed" ? ".gz" : "";
      for (let i = this.#kept.length; i > 0; i--) renameSync(`${path}.${i}${suffix}`, `${path}.${i + 1}${suffix}`);
      this.#kept = [`${path}.1${suffix}`, ...this.#kept.map((_, i) => `${path}.${i + 2}${suffix}`)];
    }
    const renamed = kind === "dated" ? this.#kept[0]! : `${path}.1`;
    renameSync(path, renamed);
    if (lateLines > 0) appendFileSync(renamed, this.#lines(lateLines));
    writeFileSync(path, "");
    if (kind === "packed") pack(renamed);
  }

  #lead(): void {
    const target = join(this.#folder, `symlink-target-${++this.#targets}.data`);
    writeFileSync(target, "");
    symlinkSync(basename(target), `${this.path}.new`);
    renameSync(`${this.path}.new`, this.path);
    this.#kept.unshift(target);
  }
}

/** As gzip does: the packed file has the time of the plain one, which goes. */
function pack(path: string): string {
  const { atime, mtime } = statSync(path);
  const packed = `${path}.gz`;
  writeFileSync(`${packed}.part`, gzipSync(readFileSync(path), { level: 1 }));
  utimesSync(`${packed}.part`, atime, mtime);
  renameSync(`${packed}.part`, packed);
  if (existsSync(path)) rmSync(path);
  return packed;
}
