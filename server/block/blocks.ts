// The indexes of blocks: what a query selects from. Opened when first asked for and kept while there is room.

import type { Matcher } from "../../lib/logql/ast.ts";
import { BoundedCache } from "../../lib/runtime/bounded-cache.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { nextTurn } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { INDEX_BYTES_MAX } from "../limits.ts";
import type { TimeRange } from "../page.ts";
import type { BlockMeta, Catalog } from "../store/catalog.ts";
import { decodeFooter, FOOTER_BYTES, TAIL_BYTES } from "./block-format.ts";
import { BlockIndex, type IndexedStream, split } from "./block-index.ts";
import type { BlockFiles } from "./page-reader.ts";

/** What a block's index costs in memory, beside its encoded bytes: symbols become strings, streams objects, postings maps. */
const INDEX_EXPANSION = 3;

export class Blocks {
  readonly #files: BlockFiles;
  readonly #catalog: Catalog;
  readonly #log: Log;
  readonly #onUnreadable: () => void;
  readonly #indexes = new BoundedCache<BlockIndex>(INDEX_BYTES_MAX, memoryOf);
  readonly #unreadable = new Set<string>();

  constructor(files: BlockFiles, catalog: Catalog, log: Log, onUnreadable: () => void) {
    this.#files = files;
    this.#catalog = catalog;
    this.#log = log;
    this.#onUnreadable = onUnreadable;
  }

  /** Tries all that the catalogue has. A block that cannot be opened is logged and counted, and the others serve. */
  async checkAll(): Promise<void> {
    for (const { key, objectBytes } of this.#catalog.all()) {
      this.#tryOpen(key, objectBytes);
      await nextTurn();
    }
  }

  /** @throws StoreError, MalformedInput */
  open(key: string, objectBytes: number): BlockIndex {
    return this.#indexes.get(key, () => readIndex(this.#files, key, objectBytes));
  }

  /** Before a block's object is removed. */
  forget(key: string): void {
    this.#indexes.delete(key);
    this.#files.forget(key);
  }

  #tryOpen(key: string, objectBytes: number): BlockIndex | undefined {
    if (this.#unreadable.has(key)) return undefined;
    try {
      return this.open(key, objectBytes);
    } catch (error) {
      this.#unreadable.add(key);
      this.#onUnreadable();
      this.#log.error(
        { block: key, error: messageOf(error) },
        "a block of the catalogue cannot be opened: its entries are missing from every answer until it is restored and the server started again",
      );
      return undefined;
    }
  }

  /** Blocks of the tenant that may meet the range, with their streams that pass `accepts`. */
  *select(
    tenant: string,
    matchers: readonly Matcher[],
    accepts: (labels: LabelSet) => boolean,
    range: TimeRange,
  ): Iterable<{ index: BlockIndex; stream: IndexedStream; meta: BlockMeta }> {
    for (const meta of this.#catalog.blocks(tenant, split(range.startNs)[0], split(range.endNs)[0])) {
      const index = this.#tryOpen(meta.key, meta.objectBytes);
      if (index === undefined) continue;
      for (const stream of candidates(index, matchers)) if (accepts(stream.labels)) yield { index, stream, meta };
    }
  }
}

function memoryOf(index: BlockIndex): number {
  return index.footer.indexBytes * INDEX_EXPANSION;
}

function readIndex(files: BlockFiles, key: string, objectBytes: number): BlockIndex {
  const tailBytes = Math.min(TAIL_BYTES, objectBytes);
  const tail = Buffer.allocUnsafe(tailBytes);
  files.read(key, objectBytes - tailBytes, tail);
  const footer = decodeFooter(tail.subarray(Math.max(0, tailBytes - FOOTER_BYTES)), objectBytes);
  const inTail = footer.indexAt - (objectBytes - tailBytes);
  if (inTail >= 0) return BlockIndex.decode(key, footer, tail.subarray(inTail, inTail + footer.indexBytes));
  const index = Buffer.allocUnsafe(footer.indexBytes);
  files.read(key, footer.indexAt, index);
  return BlockIndex.decode(key, footer, index);
}

/** Streams that the rarest equality matcher leaves; all of them when there is none. */
function candidates(index: BlockIndex, matchers: readonly Matcher[]): Iterable<IndexedStream> {
  let rarest: readonly number[] | undefined;
  for (const { name, op, value } of matchers) {
    if (op !== "=" || value === "") continue;
    const list = index.streamsWith(name, value);
    if (rarest === undefined || list.length < rarest.length) rarest = list;
  }
  return rarest === undefined ? index.streams : rarest.map((s) => index.streams[s]!);
}
