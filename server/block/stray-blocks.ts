// Blocks that are in the store and not in the catalogue. After a crash between writing a block and noting it, the WAL still has all
// its entries, and the block is removed. When it has not - the catalogue was lost or is an old copy - the block may be the only place
// where its entries are, and it is put into the catalogue.

import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Head, HeadStream } from "../head/head.ts";
import type { BlockMeta, Catalog } from "../store/catalog.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { BlockIndex, IndexedStream } from "./block-index.ts";
import type { Blocks } from "./blocks.ts";

export const BLOCK_SUFFIX = ".skb";

/** @param head what the WAL has */
export async function settleStrayBlocks(store: ObjectStore, catalog: Catalog, blocks: Blocks, head: Head, log: Log): Promise<void> {
  const known = new Set(catalog.all().map(({ key }) => key));
  for (const key of await store.list("")) {
    if (!key.endsWith(BLOCK_SUFFIX) || known.has(key)) continue;
    try {
      await settle(key);
    } catch (error) {
      log.error(
        { block: key, error: messageOf(error) },
        "a block that is not in the catalogue cannot be read; it is left where it is, and nobody sees its entries",
      );
    }
  }

  async function settle(key: string): Promise<void> {
    const objectBytes = await store.size(key);
    const index = blocks.open(key, objectBytes);
    const tenant = decodeURIComponent(key.slice(0, key.indexOf("/")));
    const inHead = new Map([...head.streams(tenant)].map((stream) => [stream.labels, stream]));
    if (index.streams.every((stream) => holds(inHead.get(stream.labels), index, stream))) {
      log.info({ block: key }, "a block that was never noted in the catalogue is removed; its entries are in the WAL");
      blocks.forget(key);
      await store.delete(key);
      return;
    }
    log.warn({ block: key }, "a block is not in the catalogue, nor are its entries in the WAL; it is put into the catalogue");
    await catalog.change({ add: [metaOf(key, tenant, index, objectBytes)] });
  }
}

/** Whether the head has at least as many entries of the stream over at least the same time. */
function holds(inHead: HeadStream | undefined, index: BlockIndex, stream: IndexedStream): boolean {
  if (inHead === undefined) return false;
  const block = spanOf(index, stream.firstPage, stream.pageCount);
  const head = inHead.span();
  return head.entryCount >= block.entryCount && head.minSec <= block.minSec && head.maxSec >= block.maxSec;
}

/** How many entries, and from when to when in whole seconds. */
export interface Span {
  entryCount: number;
  minSec: number;
  maxSec: number;
}

function spanOf({ pages }: BlockIndex, firstPage: number, pageCount: number): Span {
  const span = { entryCount: 0, minSec: Number.POSITIVE_INFINITY, maxSec: Number.NEGATIVE_INFINITY };
  for (let p = firstPage; p < firstPage + pageCount; p++) {
    span.entryCount += pages.entries[p]!;
    span.minSec = Math.min(span.minSec, pages.minSec[p]!);
    span.maxSec = Math.max(span.maxSec, pages.maxSec[p]!);
  }
  return span;
}

function metaOf(key: string, tenant: string, index: BlockIndex, objectBytes: number): BlockMeta {
  let lineBytes = 0;
  for (let p = 0; p < index.pages.count; p++) lineBytes += index.pages.lineBytes[p]!;
  return { key, tenant, ...spanOf(index, 0, index.pages.count), lineBytes, objectBytes };
}
