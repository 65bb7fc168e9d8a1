// A block's index: its streams with their postings, and the table of its pages as typed arrays.

import { crc32 } from "node:zlib";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { PageRef, TimeRange } from "../page.ts";
import type { Footer } from "./block-format.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/** Columns of the page table, in file order. */
const U32_COLUMNS = ["bytes", "entries", "lineBytes", "metadataBytes", "filterOffset", "filterBytes"] as const;
const I32_COLUMNS = ["minSec", "minNanos", "maxSec", "maxNanos"] as const;
const PAGE_ROW_BYTES = 8 + 4 * (U32_COLUMNS.length + I32_COLUMNS.length);

export interface PageTable
  extends Readonly<Record<(typeof U32_COLUMNS)[number], Uint32Array>>,
    Readonly<Record<(typeof I32_COLUMNS)[number], Int32Array>> {
  readonly count: number;
  readonly offset: Float64Array;
}

/** A stream of the block: pages `[firstPage, firstPage + pageCount)`. */
export interface IndexedStream {
  readonly labels: LabelSet;
  readonly firstPage: number;
  readonly pageCount: number;
}

export function emptyPageTable(count: number): PageTable {
  return {
    count,
    offset: new Float64Array(count),
    ...(Object.fromEntries(U32_COLUMNS.map((name) => [name, new Uint32Array(count)])) as Record<(typeof U32_COLUMNS)[number], Uint32Array>),
    ...(Object.fromEntries(I32_COLUMNS.map((name) => [name, new Int32Array(count)])) as Record<(typeof I32_COLUMNS)[number], Int32Array>),
  };
}

export function encodeIndex(streams: readonly IndexedStream[], pages: PageTable): Uint8Array {
  const symbols = new Map<string, number>();
  const symbol = (text: string): number => {
    const known = symbols.get(text);
    if (known !== undefined) return known;
    symbols.set(text, symbols.size);
    return symbols.size - 1;
  };
  const body = new VarintWriter();
  body.varint(streams.length);
  for (const { labels, pageCount } of streams) {
    body.varint(labels.size);
    for (const [name, value] of labels) {
      body.varint(symbol(name));
      body.varint(symbol(value));
    }
    body.varint(pageCount);
  }
  body.varint(pages.count);
  const head = new VarintWriter();
  head.varint(symbols.size);
  for (const text of symbols.keys()) head.text(text);
  const front = Buffer.concat([head.written(), body.written()]);
  const arrays = [pages.offset, ...U32_COLUMNS.map((name) => pages[name]), ...I32_COLUMNS.map((name) => pages[name])];
  return Buffer.concat([
    front,
    Buffer.alloc(paddingAfter(front.length)),
    ...arrays.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
  ]);
}

const paddingAfter = (bytes: number): number => (8 - (bytes % 8)) % 8;

export class BlockIndex {
  readonly key: string;
  readonly footer: Footer;
  readonly streams: readonly IndexedStream[];
  readonly pages: PageTable;
  /** Streams by label name and value; built when first asked for. */
  #postings: Map<string, Map<string, number[]>> | undefined;

  private constructor(key: string, footer: Footer, streams: readonly IndexedStream[], pages: PageTable) {
    this.key = key;
    this.footer = footer;
    this.streams = streams;
    this.pages = pages;
  }

  /** @throws MalformedInput for bytes that are not an index */
  static decode(key: string, footer: Footer, index: Uint8Array): BlockIndex {
    if (index.length !== footer.indexBytes || crc32(index) !== footer.indexCrc)
      throw new MalformedInput(`the index of block ${key} is damaged: its checksum is wrong`);
    const reader = new VarintReader(index);
    const symbols = Array.from({ length: bounded(reader.varint(), index.length) }, () => reader.text());
    const streams: IndexedStream[] = [];
    let firstPage = 0;
    for (let left = bounded(reader.varint(), index.length); left > 0; left--) {
      const pairs: [string, string][] = [];
      for (let label = bounded(reader.varint(), index.length); label > 0; label--)
        pairs.push([symbols[reader.varint()] ?? "", symbols[reader.varint()] ?? ""]);
      const pageCount = reader.varint();
      streams.push({ labels: LabelSet.of(pairs), firstPage, pageCount });
      firstPage += pageCount;
    }
    const count = reader.varint();
    const at = reader.at + paddingAfter(reader.at);
    if (count !== firstPage || at + count * PAGE_ROW_BYTES !== index.length)
      throw new MalformedInput(`the index of block ${key} does not fit its ${count} pages`);
    return new BlockIndex(key, footer, streams, readPageTable(index, at, count));
  }

  /** Streams that have a label of this value, ascending. */
  streamsWith(name: string, value: string): readonly number[] {
    this.#postings ??= buildPostings(this.streams);
    return this.#postings.get(name)?.get(value) ?? [];
  }

  /** Pages of a stream that overlap the range. */
  pagesOf(stream: IndexedStream, range: TimeRange): PageRef[] {
    const [startSec, startNanos] = split(range.startNs);
    const [endSec, endNanos] = split(range.endNs);
    const { pages } = this;
    const refs: PageRef[] = [];
    for (let p = stream.firstPage; p < stream.firstPage + stream.pageCount; p++) {
      if (pages.maxSec[p]! < startSec || (pages.maxSec[p] === startSec && pages.maxNanos[p]! < startNanos)) continue;
      if (pages.minSec[p]! > endSec || (pages.minSec[p] === endSec && pages.minNanos[p]! > endNanos)) continue;
      refs.push(this.#pageRef(p));
    }
    return refs;
  }

  #pageRef(p: number): PageRef {
    const { pages, footer, key } = this;
    return {
      stats: {
        entryCount: pages.entries[p]!,
        lineBytes: pages.lineBytes[p]!,
        metadataBytes: pages.metadataBytes[p]!,
        minSec: pages.minSec[p]!,
        minNanos: pages.minNanos[p]!,
        maxSec: pages.maxSec[p]!,
        maxNanos: pages.maxNanos[p]!,
      },
      location: {
        kind: "block",
        key,
        page: p,
        offset: pages.offset[p]!,
        bytes: pages.bytes[p]!,
        filtersOffset: footer.filtersAt,
        filtersBytes: footer.indexAt - footer.filtersAt,
        filterOffset: pages.filterOffset[p]!,
        filterBytes: pages.filterBytes[p]!,
      },
    };
  }
}

function readPageTable(index: Uint8Array, at: number, count: number): PageTable {
  const table = emptyPageTable(count);
  let from = at;
  for (const array of [table.offset, ...U32_COLUMNS.map((name) => table[name]), ...I32_COLUMNS.map((name) => table[name])]) {
    new Uint8Array(array.buffer).set(index.subarray(from, from + array.byteLength));
    from += array.byteLength;
  }
  return table;
}

function buildPostings(streams: readonly IndexedStream[]): Map<string, Map<string, number[]>> {
  const postings = new Map<string, Map<string, number[]>>();
  streams.forEach(({ labels }, s) => {
    for (const [name, value] of labels) {
      let byValue = postings.get(name);
      if (byValue === undefined) postings.set(name, (byValue = new Map()));
      const list = byValue.get(value);
      if (list === undefined) byValue.set(value, [s]);
      else list.push(s);
    }
  });
  return postings;
}

/** Nanoseconds as whole seconds and the rest, rounded towards the past. */
export function split(ns: bigint): [sec: number, nanos: number] {
  const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [Number((ns - nanos) / 1_000_000_000n), Number(nanos)];
}

function bounded(count: number, most: number): number {
  if (count > most) throw new MalformedInput(`an index of ${most} bytes declares ${count} items`);
  return count;
}
