// What storage and query agree on: pages. A page is a run of entries of one stream, sorted by time, column by column; it is the unit of
// compression, pruning and scanning. Storage makes and finds pages; the query engine reads them, in workers or on the main thread.

import type { LogExpr, Matcher } from "../lib/logql/ast.ts";
import type { TakeTurn } from "../lib/runtime/turns.ts";
import type { MetadataPair } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { lineStart } from "../lib/wire/push-columns.ts";

/** Facts about a page that are known without reading it. */
export interface PageStats {
  readonly entryCount: number;
  /** Bytes of the lines, without separators. */
  readonly lineBytes: number;
  /** Bytes of structured metadata names and values. */
  readonly metadataBytes: number;
  readonly minSec: number;
  readonly minNanos: number;
  readonly maxSec: number;
  readonly maxNanos: number;
}

/**
 * Bytes of a page as volumes and index statistics count them. Loki keeps each text of structured metadata once per chunk and counts 8 bytes
 * per pair of an entry. Pages know only how many bytes there are: the first 21 of an entry are taken for the pair of `detected_level`,
 * which nearly every entry has and whose text repeats, the rest for ids, whose text does not.
 */
export function countedBytes({ entryCount, lineBytes, metadataBytes }: PageStats): number {
  const repeated = Math.min(metadataBytes, entryCount * LEVEL_PAIR_BYTES);
  const pairs = Math.min(entryCount, metadataBytes / SHORT_PAIR_BYTES);
  const counted = Math.min(repeated, LEVEL_PAIR_BYTES) + pairs * COUNTED_PAIR_BYTES + (metadataBytes - repeated);
  return lineBytes + Math.round(Math.min(metadataBytes, counted));
}

const LEVEL_PAIR_BYTES = "detected_levelunknown".length;
const SHORT_PAIR_BYTES = "detected_levelinfo".length;
const COUNTED_PAIR_BYTES = 8;

/** Where a page is: in a stored block, or still in memory. Structured-clonable, so that it can be sent to a worker. */
export type PageLocation =
  | {
      readonly kind: "block";
      readonly key: string;
      /** Number of the page in its block. */
      readonly page: number;
      readonly offset: number;
      readonly bytes: number;
      /** All filters of the block, in the object; the page's own within them. No filter: 0 bytes. */
      readonly filtersOffset: number;
      readonly filtersBytes: number;
      readonly filterOffset: number;
      readonly filterBytes: number;
    }
  | { readonly kind: "memory"; readonly encoded: Uint8Array; readonly tally?: Uint8Array };

/** What a delete request takes out of pages: entries from the first time to the last one, both inclusive. Structured-clonable. */
export interface PageDelete {
  readonly minSec: number;
  readonly minNanos: number;
  readonly maxSec: number;
  readonly maxNanos: number;
  /** Only entries that pass this query's ops; null: all of the span. */
  readonly log: LogExpr | null;
}

export interface PageRef {
  readonly stats: PageStats;
  readonly location: PageLocation;
  /** Delete requests that may hide some of its entries: whoever opens the page must ask `DeletedLines`, and its statistics count too many. */
  readonly deletes?: readonly PageDelete[];
}

/** All pages of one stream that a query may have to read, in no particular order; their times may overlap. */
export interface StreamPages {
  readonly labels: LabelSet;
  readonly pages: readonly PageRef[];
}

/** Time bounds in nanoseconds since 1970, both inclusive. */
export interface TimeRange {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** What a query sees of a tenant's data: everything that was there when it asked. */
export interface LogView {
  /** Streams that satisfy every matcher and have a page that overlaps `range`. There may be a hundred thousand: it takes turns. */
  select(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
    takeTurn?: TakeTurn,
  ): readonly StreamPages[] | Promise<readonly StreamPages[]>;
}

/** How much there is, by the pages' statistics. */
export interface IndexStats {
  readonly streams: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly entries: number;
}

/** A decoded page. Columns are decoded when first asked for; arrays and views are valid until the next page is opened with the same reader. */
export interface Page {
  readonly stats: PageStats;
  /** All lines in time order, each followed by one line feed (lines may contain line feeds themselves). */
  readonly bytes: Uint8Array;
  /** Line i is `bytes[i === 0 ? 0 : ends[i - 1] + 1, ends[i])`. Longer than entryCount; the rest is rubbish. */
  readonly ends: Int32Array;
  /** Ascending times. Longer than entryCount. */
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  /** Structured metadata by entry, undefined when the page has none. */
  readonly metadata: readonly (readonly MetadataPair[] | undefined)[] | undefined;
  /** Some top-level keys of the lines' JSON objects, undefined when the page has none. Lines need not be decoded for them. */
  readonly fields: readonly PageField[] | undefined;
}

/** What one key says in each line of a page. */
export interface PageField {
  readonly name: string;
  /** By entry: FIELD_ABSENT, FIELD_UNSURE (the line has to be read), or 1 + an index of `values`. */
  readonly ids: Uint8Array;
  /** Label values, as `| json` sets them. */
  readonly values: readonly string[];
}

/** How many entries of a page fall into which tick of the clock: runs in the order of time. Drawn in block/page-tally.ts. */
export interface PageTally {
  readonly tickSec: number;
  readonly lists: readonly (readonly MetadataPair[])[];
  /** Moves on to the next run, or to the first; false behind the last. */
  next(): boolean;
  /** The run's entries lie after `endSec - tickSec`, up to and with `endSec`. */
  readonly endSec: number;
  /** Their structured metadata, an index of `lists`. */
  readonly list: number;
  readonly entryCount: number;
}

/** Opens pages, one at a time, into scratch memory of its own. One per worker. */
export interface PageReader {
  /** False only when no line of the page can contain `literal` (bytes; `ignoreCase`: in any ASCII case). Reads at most the page's filter. */
  mayContain(location: PageLocation, literal: Uint8Array): Promise<boolean> | boolean;
  /** What counts need to know of a page; undefined when only the page itself says it. */
  tally(ref: PageRef): Promise<PageTally | undefined> | PageTally | undefined;
  open(ref: PageRef): Promise<Page> | Page;
}

/** Bytes of the lines `from..to`, without the line feeds between them. Reading `ends` decodes the lines: only for who counts bytes. */
export function lineBytes(page: Page, from: number, to: number): number {
  const start = lineStart(page.ends, from);
  return page.ends[to - 1]! - start - (to - from - 1);
}
