// From encoded pages to the parts of a block object.

import type { LabelSet } from "../../lib/wire/labels.ts";
import type { BlockMeta } from "../store/catalog.ts";
import { encodeFilters, encodeFooter, encodeTallies } from "./block-format.ts";
import { emptyPageTable, encodeIndex } from "./block-index.ts";
import type { EncodedPage } from "./page-encoder.ts";

export interface BlockStream {
  readonly labels: LabelSet;
  readonly pages: readonly EncodedPage[];
}

/** @param streams each with at least one page */
export function writeBlock(key: string, tenant: string, streams: readonly BlockStream[]): { parts: Uint8Array[]; meta: BlockMeta } {
  const pages = streams.flatMap((stream) => stream.pages);
  const table = emptyPageTable(pages.length);
  let at = 0;
  let filterAt = 0;
  const meta = { minSec: Number.POSITIVE_INFINITY, maxSec: Number.NEGATIVE_INFINITY, entryCount: 0, lineBytes: 0 };
  pages.forEach(({ stats, bytes, filter }, p) => {
    table.offset[p] = at;
    table.bytes[p] = bytes.length;
    table.entries[p] = stats.entryCount;
    table.lineBytes[p] = stats.lineBytes;
    table.metadataBytes[p] = stats.metadataBytes;
    table.filterOffset[p] = filterAt;
    table.filterBytes[p] = filter.length;
    table.minSec[p] = stats.minSec;
    table.minNanos[p] = stats.minNanos;
    table.maxSec[p] = stats.maxSec;
    table.maxNanos[p] = stats.maxNanos;
    at += bytes.length;
    filterAt += filter.length;
    meta.minSec = Math.min(meta.minSec, stats.minSec);
    meta.maxSec = Math.max(meta.maxSec, stats.maxSec);
    meta.entryCount += stats.entryCount;
    meta.lineBytes += stats.lineBytes;
  });
  let firstPage = 0;
  const index = encodeIndex(
    streams.map(({ labels, pages: own }) => {
      const stream = { labels, firstPage, pageCount: own.length };
      firstPage += own.length;
      return stream;
    }),
    table,
  );
  const tallies = encodeTallies(pages.map(({ tally }) => tally));
  const filters = encodeFilters(pages.map(({ filter }) => filter));
  const filtersAt = at + tallies.length;
  const indexAt = filtersAt + filters.length;
  const footer = encodeFooter(filtersAt, indexAt, index);
  const parts = [...pages.map(({ bytes }) => bytes), tallies, filters, index, footer];
  return { parts, meta: { key, tenant, ...meta, objectBytes: indexAt + index.length + footer.length } };
}
