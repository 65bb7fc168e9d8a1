// Programs that log and rotate, in the four ways rotation is done, each line numbered.

import { appendFileSync, copyFileSync, existsSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

export type Rotation = "rename" | "copytruncate" | "recreate" | "symlink";

/** Rotated files that are kept; an agent that is further behind than that cannot read what was deleted. */
const KEPT = 50;

export class RotatingWriter {
  readonly path: string;
  readonly rotation: Rotation;
  /** Number of the newest line. */
  written = 0;
  #generation = 0;
  readonly #folder: string;

  constructor(folder: string, rotation: Rotation) {
    this.#folder = folder;
    this.rotation = rotation;
    this.path = join(folder, `${rotation}.log`);
    if (rotation === "symlink") this.#swapSymlink();
    else writeFileSync(this.path, "");
  }

  write(lines: number): void {
    let text = "";
    for (let i = 0; i < lines; i++) text += `${this.rotation} n=${++this.written} ${"x".repeat(this.written % 97)}\n`;
    appendFileSync(this.path, text);
  }

  rotate(): void {
    this.#generation++;
    if (this.rotation === "rename") {
      for (let i = KEPT; i > 0; i--) if (existsSync(`${this.path}.${i}`)) renameSync(`${this.path}.${i}`, `${this.path}.${i + 1}`);
      renameSync(this.path, `${this.path}.1`);
      writeFileSync(this.path, "");
    } else if (this.rotation === "copytruncate") {
      copyFileSync(this.path, `${this.path}.${this.#generation}`);
      truncateSync(this.path, 0);
    } else if (this.rotation === "recreate") {
      rmSync(this.path);
      writeFileSync(this.path, "");
    } else this.#swapSymlink();
  }

  #swapSymlink(): void {
    const target = join(this.#folder, `symlink-target-${this.#generation}.data`);
    writeFileSync(target, "");
    symlinkSync(basename(target), `${this.path}.new`);
    renameSync(`${this.path}.new`, this.path);
  }
}
