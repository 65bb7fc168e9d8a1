// One block: many pages of one tenant, with an index. Immutable; the unit of storing, listing and deleting.
//
//   block   := page* [tallies] filters index footer
//   tallies := tally of each page, back to back | where each ends <4b> … | pages <4b> | bytes of all this <4b> |
//              crc32 of all before <4b> | magic "SKT1" <4b> |         it ends where the filters begin; drawn in page-tally.ts
//   filters := gram filter of each page, back to back | crc32 of them <4b>         one ranged read brings all of them
//   index   := symbols streams pages
//     symbols := count <v> | (bytes <v>, text) …                          label names and values, each once
//     streams := count <v> | (labels <v>, (name <v>, value <v>) …, pages <v>) …     pages of a stream stand together, in this order
//     pages   := count <v> | 0 to 7 bytes up to a multiple of 8 | one array after the other, little endian:
//                offset <8b> | bytes, entries, line bytes, metadata bytes, filter offset, filter bytes <4b> each |
//                min sec, min nanos, max sec, max nanos <4b> each          filter offsets count from the filters' start
//   footer  := | filters at <8b> | index at <8b> | index bytes <4b> | crc32 of the index <4b> | version <4b> | magic "SKB1" <4b> |   32 bytes
//
// A reader fetches the last 64 KiB, which is footer and index of most blocks in one request, then only the pages it needs.

import { crc32 } from "node:zlib";
import { MalformedInput } from "../../lib/kernels/kernels.ts";

export const BLOCK_VERSION = 1;
export const FOOTER_BYTES = 32;
const FILTERS_CRC_BYTES = 4;
/** What ends the region of tallies. */
export const TALLIES_TAIL_BYTES = 16;
/** What is read first from a block's end. */
export const TAIL_BYTES = 64 * 1024;
const MAGIC = Buffer.from("SKB1");
const TALLIES_MAGIC = Buffer.from("SKT1");

export interface Footer {
  readonly filtersAt: number;
  readonly indexAt: number;
  readonly indexBytes: number;
  readonly indexCrc: number;
}

export function encodeFooter(filtersAt: number, indexAt: number, index: Uint8Array): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeDoubleLE(filtersAt, 0);
  footer.writeDoubleLE(indexAt, 8);
  footer.writeUInt32LE(index.length, 16);
  footer.writeUInt32LE(crc32(index), 20);
  footer.writeUInt32LE(BLOCK_VERSION, 24);
  MAGIC.copy(footer, 28);
  return footer;
}

/** The filters' region of a block. */
export function encodeFilters(filters: readonly Uint8Array[]): Buffer {
  const region = Buffer.concat([...filters, Buffer.alloc(FILTERS_CRC_BYTES)]);
  const end = region.length - FILTERS_CRC_BYTES;
  region.writeUInt32LE(crc32(region.subarray(0, end)), end);
  return region;
}

/** A damaged filter would hide entries. @throws MalformedInput */
export function checkFilters(region: Uint8Array): void {
  const view = Buffer.from(region.buffer, region.byteOffset, region.length);
  const end = view.length - FILTERS_CRC_BYTES;
  if (end < 0 || crc32(view.subarray(0, end)) !== view.readUInt32LE(end)) throw new MalformedInput("the checksum of its filters is wrong");
}

/** @param objectBytes size of the whole object @throws MalformedInput */
export function decodeFooter(footer: Uint8Array, objectBytes: number): Footer {
  const view = Buffer.from(footer.buffer, footer.byteOffset, footer.length);
  if (view.length !== FOOTER_BYTES || !view.subarray(28).equals(MAGIC))
    throw new MalformedInput("the object is no block: it does not end with SKB1");
  if (view.readUInt32LE(24) !== BLOCK_VERSION)
    throw new MalformedInput(`the block has version ${view.readUInt32LE(24)}, this program reads ${BLOCK_VERSION}`);
  const decoded = {
    filtersAt: view.readDoubleLE(0),
    indexAt: view.readDoubleLE(8),
    indexBytes: view.readUInt32LE(16),
    indexCrc: view.readUInt32LE(20),
  };
  const end = objectBytes - FOOTER_BYTES;
  const isPlace = Number.isSafeInteger(decoded.filtersAt) && Number.isSafeInteger(decoded.indexAt);
  if (!(isPlace && decoded.filtersAt >= 0 && decoded.filtersAt <= decoded.indexAt && decoded.indexAt + decoded.indexBytes === end)) {
    throw new MalformedInput("the block's footer points outside of the block");
  }
  return decoded;
}

/** The tallies' region of a block. */
export function encodeTallies(tallies: readonly Uint8Array[]): Buffer {
  const table = Buffer.alloc(tallies.length * 4);
  let end = 0;
  tallies.forEach((tally, page) => {
    end += tally.length;
    table.writeUInt32LE(end, page * 4);
  });
  const region = Buffer.concat([...tallies, table, Buffer.alloc(TALLIES_TAIL_BYTES)]);
  const tail = region.length - TALLIES_TAIL_BYTES;
  region.writeUInt32LE(tallies.length, tail);
  region.writeUInt32LE(region.length, tail + 4);
  region.writeUInt32LE(crc32(region.subarray(0, tail + 8)), tail + 8);
  TALLIES_MAGIC.copy(region, tail + 12);
  return region;
}

/** @param tail the bytes before the filters @returns how long the region of tallies is that they end; 0 for a block without one */
export function talliesBytesOf(tail: Uint8Array): number {
  const view = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  return view.length === TALLIES_TAIL_BYTES && view.subarray(12).equals(TALLIES_MAGIC) ? view.readUInt32LE(4) : 0;
}

/** Tallies of a block's pages. Damaged, it has none: pages say for themselves what their tallies would save reading. */
export class BlockTallies {
  readonly #region: Buffer;
  readonly #tableAt: number;
  readonly #pageCount: number;

  constructor(region: Uint8Array) {
    this.#region = Buffer.from(region.buffer, region.byteOffset, region.length);
    const tail = region.length - TALLIES_TAIL_BYTES;
    const isWhole = tail >= 0 && crc32(this.#region.subarray(0, tail + 8)) === this.#region.readUInt32LE(tail + 8);
    this.#pageCount = isWhole ? this.#region.readUInt32LE(tail) : 0;
    this.#tableAt = tail - this.#pageCount * 4;
  }

  get bytes(): number {
    return this.#region.length;
  }

  /** The tally of a page; empty when it has none. A view. */
  of(page: number): Uint8Array {
    if (page >= this.#pageCount) return this.#region.subarray(0, 0);
    const from = page === 0 ? 0 : this.#region.readUInt32LE(this.#tableAt + page * 4 - 4);
    return this.#region.subarray(from, this.#region.readUInt32LE(this.#tableAt + page * 4));
  }
}
