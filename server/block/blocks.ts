// The indexes of all blocks, opened once: what a query selects from.

import type { Matcher } from "../../lib/logql/ast.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { TimeRange } from "../page.ts";
import type { BlockMeta, Catalog } from "../store/catalog.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { decodeFooter, FOOTER_BYTES, TAIL_BYTES } from "./block-format.ts";
import { BlockIndex, type IndexedStream, split } from "./block-index.ts";

export class Blocks {
  readonly #store: ObjectStore;
  readonly #catalog: Catalog;
  readonly #indexes = new Map<string, BlockIndex>();

  constructor(store: ObjectStore, catalog: Catalog) {
    this.#store = store;
    this.#catalog = catalog;
  }

  /** Opens what the catalogue has. A block that cannot be opened is logged and counted, and the others serve. */
  async openAll(log: Log, onMissing: () => void): Promise<void> {
    for (const { key } of this.#catalog.all()) {
      try {
        await this.open(key);
      } catch (error) {
        onMissing();
        log.error(
          { block: key, error: messageOf(error) },
          "a block of the catalogue cannot be opened: its entries are missing from every answer until it is restored",
        );
      }
    }
  }

  /** @throws StoreError, MalformedInput */
  async open(key: string): Promise<BlockIndex> {
    const objectBytes = await this.#store.size(key);
    const tailBytes = Math.min(TAIL_BYTES, objectBytes);
    const tail = await this.#store.get(key, objectBytes - tailBytes, tailBytes);
    const footer = decodeFooter(tail.subarray(Math.max(0, tailBytes - FOOTER_BYTES)), objectBytes);
    const inTail = footer.indexAt - (objectBytes - tailBytes);
    const index =
      inTail >= 0 ? tail.subarray(inTail, inTail + footer.indexBytes) : await this.#store.get(key, footer.indexAt, footer.indexBytes);
    const opened = BlockIndex.decode(key, footer, index);
    this.#indexes.set(key, opened);
    return opened;
  }

  forget(key: string): void {
    this.#indexes.delete(key);
  }

  /** Blocks of the tenant that may meet the range, with their streams that pass `accepts`. */
  *select(
    tenant: string,
    matchers: readonly Matcher[],
    accepts: (labels: LabelSet) => boolean,
    range: TimeRange,
  ): Iterable<{ index: BlockIndex; stream: IndexedStream; meta: BlockMeta }> {
    for (const meta of this.#catalog.blocks(tenant, split(range.startNs)[0], split(range.endNs)[0])) {
      const index = this.#indexes.get(meta.key);
      if (index === undefined) continue;
      for (const stream of candidates(index, matchers)) if (accepts(stream.labels)) yield { index, stream, meta };
    }
  }
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
