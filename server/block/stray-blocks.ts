// Blocks that are in the store and not in the catalogue: which are removed, and which are taken in.
//
// A block's key says up to which WAL segment its flush had gone: `<tenant>/blocks/<time ms>-<segment>-<chance>.skb`, all entries of
// segments before that one being in it, or in blocks before it. A crash between writing a block and noting it, or between noting a
// flush's second attempt and removing its first, leaves blocks whose entries are in the WAL or in other blocks: they are removed. When
// neither can be - the catalogue was lost, or is an old copy - the block may be the only place of its entries, and is taken in.

import { randomBytes } from "node:crypto";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { BlockMeta, Catalog } from "../store/catalog.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { BlockIndex } from "./block-index.ts";
import type { Blocks } from "./blocks.ts";

const BLOCK_SUFFIX = ".skb";
const KEY = /^([^/]+)\/blocks\/\d+-(\d+)-[0-9a-f]+\.skb$/;

/** Keys of a tenant sort by time, and none is used again, whatever the clock does. @param segment first that the flush does not cover */
export function newBlockKey(tenant: string, nowMs: number, segment: number): string {
  const time = Math.floor(nowMs).toString().padStart(14, "0");
  return `${encodeURIComponent(tenant)}/blocks/${time}-${segment.toString().padStart(10, "0")}-${randomBytes(6).toString("hex")}${BLOCK_SUFFIX}`;
}

/**
 * Key of a block that takes the place of another: it stands for the same part of the WAL, so that of the two the one that is not in the
 * catalogue is a stray.
 */
export function rewrittenBlockKey(old: BlockMeta, nowMs: number): string {
  return newBlockKey(old.tenant, nowMs, Number(KEY.exec(old.key)?.[2] ?? 0));
}

export interface Strays {
  readonly store: ObjectStore;
  readonly catalog: Catalog;
  readonly blocks: Blocks;
  /** The first segment that the WAL still has; undefined when it has none. */
  readonly walFirst: number | undefined;
  readonly log: Log;
}

export async function settleStrayBlocks({ store, catalog, blocks, walFirst, log }: Strays): Promise<void> {
  const known = new Set(catalog.all().map(({ key }) => key));
  for (const key of await store.list("")) {
    if (!key.endsWith(BLOCK_SUFFIX) || known.has(key)) continue;
    const [, tenant, segment] = KEY.exec(key) ?? [];
    if (tenant === undefined) {
      log.warn(
        { block: key },
        "an object that looks like a block has no block's name; it is left where it is, and nobody sees its entries",
      );
    } else if (isElsewhere(Number(segment))) {
      log.info({ block: key }, "a block that was never noted in the catalogue is removed; its entries are in the WAL or in other blocks");
      await store.delete(key);
    } else await takeIn(key, decodeURIComponent(tenant));
  }

  function isElsewhere(segment: number): boolean {
    return segment <= catalog.walFrom || (walFirst !== undefined && walFirst < segment);
  }

  async function takeIn(key: string, tenant: string): Promise<void> {
    try {
      const objectBytes = await store.size(key);
      await catalog.change({ add: [metaOf(key, tenant, blocks.open(key, objectBytes), objectBytes)] });
      log.warn({ block: key }, "a block is not in the catalogue, nor are its entries in the WAL; it was put into the catalogue");
    } catch (error) {
      log.error(
        { block: key, error: messageOf(error) },
        "a block that is not in the catalogue cannot be taken in; nobody sees its entries",
      );
    }
  }
}

function metaOf(key: string, tenant: string, { pages }: BlockIndex, objectBytes: number): BlockMeta {
  const sum = { minSec: Number.POSITIVE_INFINITY, maxSec: Number.NEGATIVE_INFINITY, entryCount: 0, lineBytes: 0 };
  for (let p = 0; p < pages.count; p++) {
    sum.minSec = Math.min(sum.minSec, pages.minSec[p]!);
    sum.maxSec = Math.max(sum.maxSec, pages.maxSec[p]!);
    sum.entryCount += pages.entries[p]!;
    sum.lineBytes += pages.lineBytes[p]!;
  }
  return { key, tenant, ...sum, objectBytes };
}
