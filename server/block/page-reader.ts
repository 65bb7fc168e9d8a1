// Reads pages of stored blocks from the local file system, and pages still in memory. One per worker or query.

import { closeSync } from "node:fs";
import { join } from "node:path";
import { filterMayContain, gramsOf } from "../../lib/kernels/gram-filter.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { READER_FILES_MAX, READER_FILTER_BYTES_MAX } from "../limits.ts";
import type { Page, PageLocation, PageReader, PageRef } from "../page.ts";
import { openObject, readExactly } from "../store/fs-store.ts";
import { StoreError } from "../store/object-store.ts";
import { checkFilters } from "./block-format.ts";
import { decodePage, PageScratch } from "./page-decoder.ts";

type BlockLocation = Extract<PageLocation, { kind: "block" }>;

/** Block objects of a folder, open for reading, and their filters: bounded, shared by the readers of a thread. */
export class BlockFiles {
  readonly #folder: string;
  /** Open objects, the one used last at the end. */
  readonly #files = new Map<string, number>();
  /** Filters of whole blocks, the block used last at the end. */
  readonly #filters = new Map<string, Uint8Array>();
  #filterBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Fills `out` with the object's bytes from `offset`. @throws StoreError */
  read(key: string, offset: number, out: Uint8Array): void {
    readExactly(this.#file(key), out, offset, key);
  }

  /** All gram filters of a block, read at once. */
  filters({ key, filtersOffset, filtersBytes }: BlockLocation): Uint8Array {
    let filters = this.#filters.get(key);
    if (filters !== undefined) {
      this.#filters.delete(key);
      this.#filters.set(key, filters);
      return filters;
    }
    filters = Buffer.allocUnsafeSlow(filtersBytes);
    this.read(key, filtersOffset, filters);
    try {
      checkFilters(filters);
    } catch (cause) {
      throw new StoreError("io", `block ${key}, filters at ${filtersOffset}: ${messageOf(cause)}`, { cause });
    }
    this.#filters.set(key, filters);
    this.#filterBytes += filtersBytes;
    for (const [oldest, bytes] of this.#filters) {
      if (this.#filterBytes <= READER_FILTER_BYTES_MAX || oldest === key) break;
      this.#filters.delete(oldest);
      this.#filterBytes -= bytes.length;
    }
    return filters;
  }

  /** Closes an object that is about to be removed, and drops its filters. */
  forget(key: string): void {
    const fd = this.#files.get(key);
    if (fd !== undefined) closeSync(fd);
    this.#files.delete(key);
    this.#filterBytes -= this.#filters.get(key)?.length ?? 0;
    this.#filters.delete(key);
  }

  close(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  #file(key: string): number {
    let fd = this.#files.get(key);
    if (fd !== undefined) {
      this.#files.delete(key);
      this.#files.set(key, fd);
      return fd;
    }
    fd = openObject(join(this.#folder, key), key);
    this.#files.set(key, fd);
    for (const [oldest, old] of this.#files) {
      if (this.#files.size <= READER_FILES_MAX) break;
      this.#files.delete(oldest);
      closeSync(old);
    }
    return fd;
  }
}

/** @param resident for a reader that lives as long as its thread: its scratch lies in the kernels' memory */
export function openPageReader(files: BlockFiles, resident: boolean): PageReader {
  return new FsPageReader(files, resident);
}

class FsPageReader implements PageReader {
  readonly #files: BlockFiles;
  readonly #scratch: PageScratch;
  #encoded = Buffer.allocUnsafe(0);
  #grams: { readonly literal: Uint8Array; readonly grams: Uint32Array | null } | undefined;

  constructor(files: BlockFiles, resident: boolean) {
    this.#files = files;
    this.#scratch = new PageScratch(resident);
  }

  mayContain(location: PageLocation, literal: Uint8Array): boolean {
    if (location.kind === "memory" || location.filterBytes === 0) return true;
    if (this.#grams?.literal !== literal) this.#grams = { literal, grams: gramsOf(literal) };
    const { grams } = this.#grams;
    if (grams === null) return true;
    const filters = this.#files.filters(location);
    return filterMayContain(filters.subarray(location.filterOffset, location.filterOffset + location.filterBytes), grams);
  }

  open(ref: PageRef): Page {
    const { location } = ref;
    if (location.kind === "memory") return decodePage(location.encoded, this.#scratch);
    if (location.bytes > this.#encoded.length) this.#encoded = Buffer.allocUnsafe(Math.max(location.bytes, 256 * 1024));
    const encoded = this.#encoded.subarray(0, location.bytes);
    this.#files.read(location.key, location.offset, encoded);
    try {
      return decodePage(encoded, this.#scratch);
    } catch (cause) {
      if (!(cause instanceof MalformedInput)) throw cause;
      throw new StoreError("io", `block ${location.key}, page ${location.page} at ${location.offset}: ${cause.message}`, { cause });
    }
  }
}

/** For scan workers, which are told where the store is. */
export function openWorkerReader(options: unknown): PageReader {
  return openPageReader(new BlockFiles((options as { folder: string }).folder), true);
}
