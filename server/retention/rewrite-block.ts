// A block without some of its entries. Pages that keep all of theirs are copied as they are; the others are read, and what is left of
// them is encoded anew. The old block is not touched: who calls this puts the new one into the catalogue in its place.

import { kernels } from "../../lib/kernels/index.ts";
import { createTurns } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { BlockIndex } from "../block/block-index.ts";
import type { BlockStream } from "../block/block-writer.ts";
import { decodePage, PageScratch } from "../block/page-decoder.ts";
import { type EncodedPage, encodePage, type RawPage } from "../block/page-encoder.ts";
import type { BlockFiles } from "../block/page-reader.ts";
import type { Page, PageDelete, PageRef, PageStats } from "../page.ts";
import { DeletedLines } from "../query/deleted-lines.ts";

/** What becomes of a page: it stays, it goes, or it loses what these requests select. */
export type PageVerdict = "stays" | "goes" | readonly PageDelete[];

/** @returns undefined for a stream that keeps all of its pages */
export type Judge = (labels: LabelSet) => ((stats: PageStats) => PageVerdict) | undefined;

export interface Rewritten {
  /** Streams and pages that are left, in the order of the block. Empty: nothing is. */
  readonly streams: readonly BlockStream[];
  readonly entriesGone: number;
}

const EVERYTHING = { startNs: -(2n ** 62n), endNs: 2n ** 62n };
/** Lends its memory to one page after the other; there is one rewrite at a time. */
const scratch = new PageScratch(false);

/** @returns undefined when the block keeps all of its entries @throws StoreError, MalformedInput for a page that cannot be read */
export async function rewriteBlock(index: BlockIndex, files: BlockFiles, judge: Judge): Promise<Rewritten | undefined> {
  const left = await whatIsLeft(index, files, judge);
  if (left === undefined) return undefined;
  const streams: BlockStream[] = [];
  const takeTurn = createTurns();
  for (const { labels, pages } of left.streams) {
    const encoded: EncodedPage[] = [];
    for (const page of pages) {
      encoded.push("location" in page ? copyOf(page, files) : page);
      await takeTurn();
    }
    if (encoded.length > 0) streams.push({ labels, pages: encoded });
  }
  return { streams, entriesGone: left.entriesGone };
}

interface Left {
  readonly streams: readonly { readonly labels: LabelSet; readonly pages: readonly (PageRef | EncodedPage)[] }[];
  readonly entriesGone: number;
}

/** Reads only pages that may lose single lines: most requests leave most blocks as they are. */
async function whatIsLeft(index: BlockIndex, files: BlockFiles, judge: Judge): Promise<Left | undefined> {
  const deleted = new DeletedLines(kernels);
  const takeTurn = createTurns();
  let entriesGone = 0;
  const streams: { labels: LabelSet; pages: (PageRef | EncodedPage)[] }[] = [];
  for (const stream of index.streams) {
    const { labels } = stream;
    const judgePage = judge(labels);
    const pages: (PageRef | EncodedPage)[] = [];
    for (const ref of index.pagesOf(stream, EVERYTHING)) {
      const verdict = judgePage?.(ref.stats) ?? "stays";
      const rest = verdict === "stays" ? ref : verdict === "goes" ? undefined : await withoutLines(ref, labels, verdict);
      if (rest !== undefined) pages.push(rest);
      entriesGone += ref.stats.entryCount - (rest?.stats.entryCount ?? 0);
    }
    streams.push({ labels, pages });
  }
  return entriesGone === 0 ? undefined : { streams, entriesGone };

  async function withoutLines(ref: PageRef, labels: LabelSet, deletes: readonly PageDelete[]): Promise<PageRef | EncodedPage | undefined> {
    await takeTurn();
    const page = decodePage(encodedBytes(ref, files), scratch);
    const gone = deleted.of(page, labels, deletes);
    if (gone === undefined) return ref;
    if (gone.size === ref.stats.entryCount) return undefined;
    return encodePage(keptLines(page, gone), true);
  }
}

function encodedBytes({ location }: PageRef, files: BlockFiles): Buffer {
  if (location.kind !== "block") throw new Error("a stored page is in a block");
  const bytes = Buffer.allocUnsafeSlow(location.bytes);
  files.read(location.key, location.offset, bytes);
  return bytes;
}

function copyOf(ref: PageRef, files: BlockFiles): EncodedPage {
  const { location } = ref;
  if (location.kind !== "block") throw new Error("a stored page is in a block");
  const filters = files.filters(location);
  // Copies: what is known of the block beside its pages is kept only while there is room.
  const filter = filters.slice(location.filterOffset, location.filterOffset + location.filterBytes);
  const tally = new Uint8Array(files.tallies(location).of(location.page));
  return { stats: ref.stats, bytes: encodedBytes(ref, files), filter, tally };
}

/** Columns of their own, without the lines that are gone. */
function keptLines(page: Page, gone: ReadonlySet<number>): RawPage {
  const count = page.stats.entryCount - gone.size;
  const bytes = new Uint8Array(page.bytes.length);
  const kept = { ends: new Int32Array(count), sec: new Int32Array(count), nanos: new Int32Array(count) };
  const metadata: NonNullable<RawPage["metadata"]>[number][] | undefined = page.metadata === undefined ? undefined : [];
  let used = 0;
  let to = 0;
  for (let i = 0; i < page.stats.entryCount; i++) {
    if (gone.has(i)) continue;
    const start = lineStart(page.ends, i);
    bytes.set(page.bytes.subarray(start, page.ends[i]! + 1), used);
    used += page.ends[i]! + 1 - start;
    kept.ends[to] = used - 1;
    kept.sec[to] = page.sec[i]!;
    kept.nanos[to] = page.nanos[i]!;
    metadata?.push(page.metadata?.[i]);
    to++;
  }
  return { bytes: bytes.subarray(0, used), ...kept, metadata, entryCount: count };
}
