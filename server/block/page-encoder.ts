// From the raw columns of a stream's open page to an encoded page: sorted by time, each column packed.

import { kernels } from "../../lib/kernels/index.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import { PAGE_ENTRIES_MAX } from "../limits.ts";
import type { PageStats } from "../page.ts";
import { encodeMetadata, encodeTimes } from "./page-columns.ts";
import { encodeFields } from "./page-fields.ts";
import {
  CODEC_STORED,
  FLAG_LENGTHS,
  FLAG_METADATA,
  FLAG_WIDE_TIMES,
  packColumn,
  packLines,
  storeColumn,
  writePage,
} from "./page-format.ts";
import { encodeTally } from "./page-tally.ts";
import { VarintWriter } from "./varint.ts";

/** Columns of entries in any order. */
export interface RawPage {
  /** Lines, each followed by a line feed, `ends[entryCount - 1] + 1` bytes of them. */
  readonly bytes: Uint8Array;
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  readonly metadata: readonly (readonly MetadataPair[] | undefined)[] | undefined;
  readonly entryCount: number;
}

export interface EncodedPage {
  readonly stats: PageStats;
  readonly bytes: Uint8Array;
  /** Gram filter of the lines; empty when every page must be read. */
  readonly filter: Uint8Array;
  /** Entries by second; empty when the page has to be read for them. */
  readonly tally: Uint8Array;
}

/** What the fields may take, of the packed lines. */
const FIELDS_SHARE_MAX = 0.025;
/** What the tally may take: of the packed page, and beside it. */
const TALLY_SHARE_MAX = 0.015;
const TALLY_BYTES_FREE = 96;
const lengthsWriter = new VarintWriter();

/** @param forStore false for a page that is encoded only to be read from memory: not packed, without filter, tally and fields */
export function encodePage(raw: RawPage, forStore: boolean): EncodedPage {
  const page = isSorted(raw) ? raw : sorted(raw);
  const { entryCount, ends, sec, nanos } = page;
  const lines = page.bytes.subarray(0, ends[entryCount - 1]! + 1);
  const times = encodeTimes(sec, nanos, entryCount);
  const hasMetadata = page.metadata?.some((pairs) => pairs !== undefined && pairs.length > 0) === true;
  const hasFeeds = holdsFeeds(lines, entryCount);
  const stats = statsOf(page);
  const flags = (hasFeeds ? FLAG_LENGTHS : 0) | (times === undefined ? FLAG_WIDE_TIMES : 0) | (hasMetadata ? FLAG_METADATA : 0);
  const pack = forStore ? packColumn : storeColumn;
  const empty = { codec: CODEC_STORED, rawBytes: 0, packed: new Uint8Array(0) };
  const columns = {
    times: pack(times ?? wideTimes(page)),
    lengths: hasFeeds ? pack(encodeLengths(page)) : empty,
    lines: forStore ? packLines(lines) : storeColumn(lines),
    metadata: hasMetadata ? pack(encodeMetadata(page.metadata!, entryCount)) : empty,
  };
  const fields = forStore ? encodeFields(page, columns.lines.packed.length * FIELDS_SHARE_MAX) : undefined;
  const bytes = writePage(flags, stats, columns, fields === undefined ? undefined : pack(fields));
  if (!forStore) return { stats, bytes, filter: empty.packed, tally: empty.packed };
  return {
    stats,
    bytes,
    filter: kernels.buildGramFilter(lines).slice(),
    tally: encodeTally(page, TALLY_BYTES_FREE + bytes.length * TALLY_SHARE_MAX),
  };
}

function isSorted({ sec, nanos, entryCount }: RawPage): boolean {
  for (let i = 1; i < entryCount; i++) {
    if (sec[i]! < sec[i - 1]! || (sec[i] === sec[i - 1] && nanos[i]! < nanos[i - 1]!)) return false;
  }
  return true;
}

/** Equal times keep their order of arrival. */
function sorted(raw: RawPage): RawPage {
  const { sec, nanos, entryCount } = raw;
  const order = Array.from({ length: entryCount }, (_, i) => i).sort((a, b) => sec[a]! - sec[b]! || nanos[a]! - nanos[b]! || a - b);
  const bytes = new Uint8Array(raw.ends[entryCount - 1]! + 1);
  const ends = new Int32Array(entryCount);
  let used = 0;
  order.forEach((from, to) => {
    const start = lineStart(raw.ends, from);
    bytes.set(raw.bytes.subarray(start, raw.ends[from]! + 1), used);
    used += raw.ends[from]! + 1 - start;
    ends[to] = used - 1;
  });
  return {
    bytes,
    ends,
    entryCount,
    sec: Int32Array.from(order, (i) => sec[i]!),
    nanos: Int32Array.from(order, (i) => nanos[i]!),
    metadata: raw.metadata === undefined ? undefined : order.map((i) => raw.metadata![i]),
  };
}

const scratchStarts = new Int32Array(PAGE_ENTRIES_MAX + 1);
const scratchEnds = new Int32Array(PAGE_ENTRIES_MAX + 1);

/** Whether there are more line feeds than entries. */
function holdsFeeds(lines: Uint8Array, entryCount: number): boolean {
  return kernels.splitLines(lines, 0, lines.length, scratchStarts, scratchEnds) !== entryCount;
}

function statsOf({ sec, nanos, ends, metadata, entryCount }: RawPage): PageStats {
  const last = entryCount - 1;
  return {
    entryCount,
    lineBytes: ends[last]! + 1 - entryCount,
    metadataBytes: metadata === undefined ? 0 : bytesOfMetadata(metadata, entryCount),
    minSec: sec[0]!,
    minNanos: nanos[0]!,
    maxSec: sec[last]!,
    maxNanos: nanos[last]!,
  };
}

/** Neighbours often share a list. */
function bytesOfMetadata(metadata: NonNullable<RawPage["metadata"]>, entryCount: number): number {
  let sum = 0;
  let list: (typeof metadata)[number];
  let listBytes = 0;
  for (let i = 0; i < entryCount; i++) {
    if (metadata[i] !== list) {
      list = metadata[i];
      listBytes = 0;
      for (const [name, value] of list ?? []) listBytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    }
    sum += listBytes;
  }
  return sum;
}

function encodeLengths({ ends, entryCount }: RawPage): Uint8Array {
  lengthsWriter.reset();
  for (let i = 0; i < entryCount; i++) lengthsWriter.varint(ends[i]! - lineStart(ends, i));
  return lengthsWriter.written();
}

function wideTimes({ sec, nanos, entryCount }: RawPage): Uint8Array {
  const out = Buffer.alloc(entryCount * 8);
  for (let i = 0; i < entryCount; i++) {
    out.writeInt32LE(sec[i]!, i * 8);
    out.writeInt32LE(nanos[i]!, i * 8 + 4);
  }
  return out;
}
