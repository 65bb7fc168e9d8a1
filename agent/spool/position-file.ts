// How far a spool has been acknowledged, in a file that is written in place after each acknowledgement.
//
//   file := slot slot
//   slot := | position <8b> | crc32 of the position <4b> | 0 <4b> |                        little endian
//
// The slots are written in turn, so that one is whole whatever is torn. Nothing is synced but at the end: a process that is killed
// loses nothing of what it has written, and after a power cut an older position only means that entries are sent again.

import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../../lib/runtime/disk.ts";

const SLOT_BYTES = 16;

export class PositionFile {
  readonly #file: DiskFile;
  readonly #onFailure: (error: unknown) => void;
  #wanted: number;
  #written: number;
  /** The one that is written next: the older. */
  #slot: number;
  #writing: Promise<void> | undefined;

  private constructor(file: DiskFile, { position, slot }: Saved, onFailure: (error: unknown) => void) {
    this.#file = file;
    this.#slot = 1 - slot;
    this.#wanted = position;
    this.#written = position;
    this.#onFailure = onFailure;
  }

  /** @param onFailure a position could not be written; the next one is tried again */
  static async open(disk: Disk, folder: string, onFailure: (error: unknown) => void): Promise<PositionFile> {
    const path = join(folder, "position");
    const content = await disk.read(path);
    const file = content === undefined ? await disk.create(path) : await disk.open(path);
    return new PositionFile(file, readSaved(content ?? Buffer.alloc(0)), onFailure);
  }

  /** What was saved last; 0 when nothing was. */
  get position(): number {
    return this.#wanted;
  }

  /** Writes the position soon; of several that come while one is written, the last. */
  save(position: number): void {
    this.#wanted = position;
    this.#writing ??= this.#write();
  }

  async close(): Promise<void> {
    await this.#writing;
    if (this.#wanted !== this.#written) await this.#write();
    await this.#file.sync().catch(this.#onFailure);
    await this.#file.close();
  }

  async #write(): Promise<void> {
    while (this.#wanted !== this.#written) {
      const position = this.#wanted;
      try {
        await this.#file.write([slotOf(position)], this.#slot * SLOT_BYTES);
      } catch (error) {
        this.#onFailure(error);
        break;
      }
      this.#written = position;
      this.#slot = 1 - this.#slot;
    }
    this.#writing = undefined;
  }
}

function slotOf(position: number): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeBigUInt64LE(BigInt(position), 0);
  slot.writeUInt32LE(crc32(slot.subarray(0, 8)), 8);
  return slot;
}

interface Saved {
  readonly position: number;
  readonly slot: number;
}

function readSaved(content: Buffer): Saved {
  let saved: Saved = { position: 0, slot: 1 };
  for (let slot = 0; (slot + 1) * SLOT_BYTES <= content.length; slot++) {
    const at = slot * SLOT_BYTES;
    if (crc32(content.subarray(at, at + 8)) !== content.readUInt32LE(at + 8)) continue;
    const position = Number(content.readBigUInt64LE(at));
    if (position >= saved.position) saved = { position, slot };
  }
  return saved;
}
