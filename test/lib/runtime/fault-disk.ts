// A disk that can fail and crash: the real file system, with a memory of what a power cut would take back.

import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Disk, type DiskFile, systemDisk } from "../../../lib/runtime/disk.ts";

/** What is known of a file's unsynced changes. */
interface FileState {
  /** Bytes that are on the disk for good. */
  syncedBytes: number;
  /** Bytes that an unsynced truncation cut off. */
  cutTail: Buffer | undefined;
}

export class FaultDisk implements Disk {
  readonly #random: () => number;
  readonly #files: Map<string, FileState>;
  /** By folder: how to take back each change of its names since it was synced. */
  readonly #undo: Map<string, (() => void)[]>;
  #callsToFault = Number.POSITIVE_INFINITY;
  #faultsLeft = 0;
  /** No byte more can be written. */
  isFull = false;
  /** Set by a crash: a process that died changes nothing any more. */
  #isDead = false;
  calls = 0;
  readonly #underWay = new Set<Promise<unknown>>();

  /** @param before the disk of a process that has ended: what that has not synced is not durable yet */
  constructor(random: () => number, before?: FaultDisk) {
    this.#random = random;
    this.#files = before === undefined ? new Map() : before.#files;
    this.#undo = before === undefined ? new Map() : before.#undo;
  }

  /** Lets the n-th changing call from now on fail, and `more` after it. */
  failAfter(calls: number, more = 0): void {
    this.#callsToFault = calls;
    this.#faultsLeft = more + 1;
  }

  /** The process is killed: every call afterwards fails. @returns the disk for the next process */
  async kill(): Promise<FaultDisk> {
    this.#isDead = true;
    await Promise.allSettled(this.#underWay);
    return new FaultDisk(this.#random, this);
  }

  /** Power is cut: what was not synced is gone, wholly or in part. Every call afterwards fails. @returns the disk for the next process */
  async crash(): Promise<FaultDisk> {
    await this.kill();
    for (const undos of this.#undo.values()) {
      const lost = Math.floor(this.#random() * (undos.length + 1));
      for (const undo of undos.reverse().slice(0, lost)) undo();
    }
    for (const [path, { syncedBytes, cutTail }] of this.#files) {
      if (!existsSync(path)) continue;
      const { size } = statSync(path);
      if (cutTail !== undefined && this.#random() < 0.5)
        writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, size), cutTail]));
      else if (size > syncedBytes) this.#tear(path, size, syncedBytes);
    }
    return new FaultDisk(this.#random);
  }

  #tear(path: string, size: number, syncedBytes: number): void {
    const kept = syncedBytes + Math.floor(this.#random() * (size - syncedBytes + 1));
    const content = readFileSync(path);
    truncateSync(path, kept);
    // Some file systems lengthen a file before its bytes are there.
    if (this.#random() < 0.3) writeFileSync(path, Buffer.concat([content.subarray(0, kept), Buffer.alloc(size - kept)]));
  }

  #call(writes: boolean): void {
    this.calls++;
    if (this.#isDead) throw new Error("the process is dead");
    if (writes && this.isFull) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    if (this.#faultsLeft > 0 && --this.#callsToFault < 0) {
      this.#faultsLeft--;
      throw Object.assign(new Error("EIO: input/output error"), { code: "EIO" });
    }
  }

  /** What was begun before the power was cut may have been done, but nobody hears of it. */
  async #do<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      const done = await work;
      if (this.#isDead) throw new Error("the process is dead");
      return done;
    } finally {
      this.#underWay.delete(work);
    }
  }

  async #doOpen(opening: Promise<DiskFile>): Promise<DiskFile> {
    try {
      return await this.#do(opening);
    } catch (error) {
      await opening.then((file) => file.close()).catch(() => {});
      throw error;
    }
  }

  #willUndo(path: string, undo: () => void): void {
    const folder = dirname(path);
    const undos = this.#undo.get(folder);
    if (undos === undefined) this.#undo.set(folder, [undo]);
    else undos.push(undo);
  }

  async create(path: string): Promise<DiskFile> {
    this.#call(true);
    const file = await this.#doOpen(systemDisk.create(path));
    this.#files.set(path, { syncedBytes: 0, cutTail: undefined });
    this.#willUndo(path, () => rmSync(path, { force: true }));
    return this.#file(path, file);
  }

  async open(path: string): Promise<DiskFile> {
    this.#call(false);
    const file = await this.#doOpen(systemDisk.open(path));
    if (!this.#files.has(path)) this.#files.set(path, { syncedBytes: statSync(path).size, cutTail: undefined });
    return this.#file(path, file);
  }

  #file(path: string, file: DiskFile): DiskFile {
    const state = (): FileState => this.#files.get(path) ?? { syncedBytes: 0, cutTail: undefined };
    return {
      bytes: file.bytes,
      write: async (parts, at) => {
        try {
          this.#call(true);
        } catch (error) {
          // A write that fails may have done a part of its work.
          const whole = Buffer.concat(parts);
          if (!this.#isDead) await file.write([whole.subarray(0, Math.floor(this.#random() * whole.length))], at);
          throw error;
        }
        await this.#do(file.write(parts, at));
      },
      sync: async () => {
        this.#call(true);
        await this.#do(
          file.bytes().then(async (syncedBytes) => {
            await file.sync();
            this.#files.set(path, { syncedBytes, cutTail: undefined });
          }),
        );
      },
      truncate: async (bytes) => {
        this.#call(false);
        const { syncedBytes } = state();
        if (syncedBytes > bytes) this.#files.set(path, { syncedBytes: bytes, cutTail: readFileSync(path).subarray(bytes, syncedBytes) });
        await this.#do(file.truncate(bytes));
      },
      close: () => file.close(),
    };
  }

  // What a power cut has torn is not for the process that it ended to see.
  read(path: string): Promise<Buffer | undefined> {
    return this.#do(systemDisk.read(path));
  }

  readPart(path: string, at: number, bytes: number): Promise<Buffer> {
    return this.#do(systemDisk.readPart(path, at, bytes));
  }

  async link(from: string, to: string): Promise<void> {
    this.#call(true);
    await this.#do(systemDisk.link(from, to));
    const state = this.#files.get(from);
    if (state !== undefined) this.#files.set(to, state);
    this.#willUndo(to, () => rmSync(to, { force: true }));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call(true);
    const [old, moved] = [existsSync(to) ? readFileSync(to) : undefined, readFileSync(from)];
    const [oldState, movedState] = [this.#files.get(to), this.#files.get(from)];
    // Done is done, also when the process dies before it hears of it.
    const renamed = systemDisk.rename(from, to).then(() => {
      this.#setState(to, movedState);
      this.#willUndo(to, () => {
        writeFileSync(from, moved);
        if (old === undefined) rmSync(to, { force: true });
        else writeFileSync(to, old);
        this.#setState(to, oldState);
      });
    });
    await this.#do(renamed);
  }

  #setState(path: string, state: FileState | undefined): void {
    if (state === undefined) this.#files.delete(path);
    else this.#files.set(path, state);
  }

  async remove(path: string): Promise<void> {
    this.#call(false);
    if (!existsSync(path)) return;
    const content = readFileSync(path);
    await this.#do(systemDisk.remove(path));
    this.#willUndo(path, () => writeFileSync(path, content));
  }

  makeFolder(path: string): Promise<void> {
    return systemDisk.makeFolder(path);
  }

  list(path: string): Promise<string[]> {
    return systemDisk.list(path);
  }

  async syncFolder(path: string): Promise<void> {
    this.#call(true);
    this.#undo.delete(path);
  }
}
