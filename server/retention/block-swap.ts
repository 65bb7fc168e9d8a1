// Puts a rewritten block, or nothing, in the place of another. The new object is durable before the catalogue names it; one record of the
// catalogue takes the new block in and the old one out; the old object is removed later, for queries that found it before still read it.
// A crash at any point leaves the old block or the new one in the catalogue, and the other object as a stray that the next start removes.

import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { type BlockStream, writeBlock } from "../block/block-writer.ts";
import { rewrittenBlockKey } from "../block/stray-blocks.ts";
import type { StoredBlocks } from "../storage.ts";
import type { BlockMeta } from "../store/catalog.ts";

/** Queries that began before a swap have ended by then, or find a block missing and are asked again. */
const GRACE_MS_MIN = 60_000;

export class BlockSwap {
  readonly #stored: StoredBlocks;
  readonly #delayMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Objects that are in the catalogue no longer. */
  #replaced: { readonly key: string; readonly dueMs: number }[] = [];
  /** New blocks that the catalogue may or may not hold, until it has been written again. */
  #abandoned: string[] = [];

  constructor(stored: StoredBlocks, options: { delayMs: number; clock: Clock; log: Log }) {
    this.#stored = stored;
    this.#delayMs = Math.max(options.delayMs, GRACE_MS_MIN);
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Objects that wait to be removed. */
  get waiting(): number {
    return this.#replaced.length;
  }

  /** @param streams what is left; empty: nothing @throws when the block stays as it is */
  async swap(old: BlockMeta, streams: readonly BlockStream[]): Promise<void> {
    const { store, catalog, blocks } = this.#stored;
    const nowMs = this.#clock.nowMs();
    const fresh = streams.length === 0 ? undefined : writeBlock(rewrittenBlockKey(old, nowMs), old.tenant, streams);
    if (fresh !== undefined) await store.put(fresh.meta.key, fresh.parts);
    try {
      if (fresh !== undefined) blocks.open(fresh.meta.key, fresh.meta.objectBytes);
      await catalog.change({ ...(fresh === undefined ? {} : { add: [fresh.meta] }), remove: [old.key] });
    } catch (error) {
      if (fresh !== undefined) {
        blocks.forget(fresh.meta.key);
        this.#abandoned.push(fresh.meta.key);
      }
      throw error;
    }
    this.#replaced.push({ key: old.key, dueMs: nowMs + this.#delayMs });
    for (const key of this.#abandoned.splice(0)) await store.delete(key).catch(() => this.#abandoned.push(key));
  }

  /** Removes replaced objects whose time has come. */
  async sweep(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const due = this.#replaced.filter(({ dueMs }) => dueMs <= nowMs);
    this.#replaced = this.#replaced.filter(({ dueMs }) => dueMs > nowMs);
    for (const one of due) {
      this.#stored.blocks.forget(one.key);
      try {
        await this.#stored.store.delete(one.key);
      } catch (error) {
        this.#replaced.push(one);
        this.#log.error({ block: one.key, error: messageOf(error) }, "a replaced block could not be removed; it is tried again");
      }
    }
  }
}
