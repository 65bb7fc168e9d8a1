// Reads pages of stored blocks from the local file system, and pages still in memory. One per worker or query.

import { closeSync } from "node:fs";
import { join } from "node:path";
import { filterMayContain, gramsOf } from "../../lib/kernels/gram-filter.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
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
  /** Open objects, the one used last at the end. */
  readonly #files = new Map<string, number>();
  /** Filters and tallies of whole blocks. */
  readonly #filters = new Regions<Uint8Array>(READER_FILTER_BYTES_MAX, (filters) => filters.length);
  readonly #tallies = new Regions<BlockTallies>(READER_TALLY_BYTES_MAX, (tallies) => tallies.bytes);

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
    const fd = this.#files.get(key);
    if (fd !== undefined) closeSync(fd);
    this.#files.delete(key);
    this.#filters.delete(key);
    this.#tallies.delete(key);
  }

  close(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  #region(key: string, offset: number, bytes: number): Uint8Array {
    const region = Buffer.allocUnsafeSlow(bytes);
    this.read(key, offset, region);
    return region;
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

/** Parts of blocks by the block's key, the one used last at the end. What was used longest ago goes first when they are too large together. */
class Regions<Region> {
  readonly #regions = new Map<string, Region>();
  readonly #bytesMax: number;
  readonly #sizeOf: (region: Region) => number;
  #bytes = 0;

  constructor(bytesMax: number, sizeOf: (region: Region) => number) {
    this.#bytesMax = bytesMax;
    this.#sizeOf = sizeOf;
  }

  get(key: string, read: () => Region): Region {
    const known = this.#regions.get(key);
    if (known !== undefined) {
      this.#regions.delete(key);
      this.#regions.set(key, known);
      return known;
    }
    const region = read();
    this.#regions.set(key, region);
    this.#bytes += this.#sizeOf(region);
    for (const oldest of this.#regions.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === key) break;
      this.delete(oldest);
    }
    return region;
  }

  delete(key: string): void {
    const region = this.#regions.get(key);
    if (region !== undefined) this.#bytes -= this.#sizeOf(region);
    this.#regions.delete(key);
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
