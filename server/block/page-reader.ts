// Reads pages of stored blocks from the local file system, and pages still in memory. One per worker or query.

import { closeSync } from "node:fs";
import { join } from "node:path";
import { filterMayContain, gramsOf } from "../../lib/kernels/gram-filter.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import { BoundedCache } from "../../lib/runtime/bounded-cache.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { READER_FILES_MAX, READER_FILTER_BYTES_MAX, READER_TALLY_BYTES_MAX } from "../limits.ts";
import type { Page, PageLocation, PageReader, PageRef, PageTally } from "../page.ts";
import { openObject, readExactly } from "../store/fs-store.ts";
import { StoreError } from "../store/object-store.ts";
import { BlockTallies, checkFilters, TALLIES_TAIL_BYTES, talliesBytesOf } from "./block-format.ts";
import { decodePage, PageScratch } from "./page-decoder.ts";
import { readTally } from "./page-tally.ts";

type BlockLocation = Extract<PageLocation, { kind: "block" }>;

/** Block objects of a folder, open for reading, with their filters and tallies: bounded, shared by the readers of a thread. */
export class BlockFiles {
  readonly #folder: string;
  /** Open objects. */
  readonly #files = new BoundedCache<number>(READER_FILES_MAX, () => 1, closeSync);
  /** Filters and tallies of whole blocks. */
  readonly #filters = new BoundedCache<Uint8Array>(READER_FILTER_BYTES_MAX, (filters) => filters.length);
  readonly #tallies = new BoundedCache<BlockTallies>(READER_TALLY_BYTES_MAX, (tallies) => tallies.bytes);

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Fills `out` with the object's bytes from `offset`. @throws StoreError */
  read(key: string, offset: number, out: Uint8Array): void {
    readExactly(this.#file(key), out, offset, key);
  }

  /** All gram filters of a block, read at once. @throws StoreError */
  filters({ key, filtersOffset, filtersBytes }: BlockLocation): Uint8Array {
    return this.#filters.get(key, () => {
      const filters = this.#region(key, filtersOffset, filtersBytes);
      try {
        checkFilters(filters);
      } catch (cause) {
        throw new StoreError("io", `block ${key}, filters at ${filtersOffset}: ${messageOf(cause)}`, { cause });
      }
      return filters;
    });
  }

  /** All tallies of a block, read at once; none of a block that was written without. @throws StoreError */
  tallies({ key, filtersOffset }: BlockLocation): BlockTallies {
    return this.#tallies.get(key, () => {
      const tailBytes = Math.min(TALLIES_TAIL_BYTES, filtersOffset);
      const bytes = talliesBytesOf(this.#region(key, filtersOffset - tailBytes, tailBytes));
      return new BlockTallies(bytes > filtersOffset ? new Uint8Array(0) : this.#region(key, filtersOffset - bytes, bytes));
    });
  }

  /** Closes an object that is about to be removed, and drops what is kept of it. */
  forget(key: string): void {
    this.#files.delete(key);
    this.#filters.delete(key);
    this.#tallies.delete(key);
  }

  close(): void {
    this.#files.clear();
  }

  #region(key: string, offset: number, bytes: number): Uint8Array {
    const region = Buffer.allocUnsafeSlow(bytes);
    this.read(key, offset, region);
    return region;
  }

  #file(key: string): number {
    return this.#files.get(key, () => openObject(join(this.#folder, key), key));
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

  tally({ location, stats }: PageRef): PageTally | undefined {
    const bytes = location.kind === "memory" ? location.tally : this.#files.tallies(location).of(location.page);
    return bytes === undefined ? undefined : readTally(bytes, stats);
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
