// A tenant's data without what delete requests hide: the view that every read goes through.

import type { Matcher } from "../../lib/logql/ast.ts";
import { createTurns, forEachInTurns } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { StreamIndex } from "../http/label-routes.ts";
import { countedBytes, type IndexStats, type LogView, type StreamPages, type TimeRange } from "../page.ts";
import type { PendingDeletes } from "./pending-deletes.ts";
import { pagesLeft } from "./stream-deletes.ts";

/**
 * Pages that are gone wholly are left out; of the others, the lines are judged when they are read. Series, label values, index statistics
 * and volumes know pages only: they count a page whole until the last of its lines is hidden. (Loki's count deleted lines until the chunks
 * have been rewritten.)
 */
export class VisibleView implements LogView, StreamIndex {
  readonly #all: LogView & StreamIndex;
  readonly #deletes: PendingDeletes;

  constructor(all: LogView & StreamIndex, deletes: PendingDeletes) {
    this.#all = all;
    this.#deletes = deletes;
  }

  async select(tenant: string, matchers: readonly Matcher[], range: TimeRange, takeTurn = createTurns()): Promise<readonly StreamPages[]> {
    const found = await this.#all.select(tenant, matchers, range, takeTurn);
    if (!this.#deletes.any(tenant)) return found;
    const visible: StreamPages[] = [];
    await forEachInTurns(found, takeTurn, ({ labels, pages }) => {
      const left = pagesLeft(this.#deletes.of(tenant, labels), pages);
      if (left.length > 0) visible.push({ labels, pages: left });
    });
    return visible;
  }

  async streams(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
    anyTimeInHead = false,
    takeTurn = createTurns(),
  ): Promise<readonly LabelSet[]> {
    const found = await this.#all.streams(tenant, matchers, range, anyTimeInHead, takeTurn);
    if (!this.#deletes.any(tenant)) return found;
    const mayBeGone = new Set<LabelSet>();
    await forEachInTurns(found, takeTurn, (labels) => {
      if (this.#deletes.of(tenant, labels).some(({ log }) => log === null)) mayBeGone.add(labels);
    });
    if (mayBeGone.size === 0) return found;
    for (const { labels } of await this.select(tenant, matchers, range, takeTurn)) mayBeGone.delete(labels);
    return found.filter((labels) => !mayBeGone.has(labels));
  }

  async stats(tenant: string, matchers: readonly Matcher[], range: TimeRange, takeTurn = createTurns()): Promise<IndexStats> {
    if (!this.#deletes.any(tenant)) return this.#all.stats(tenant, matchers, range, takeTurn);
    const sum = { streams: 0, chunks: 0, bytes: 0, entries: 0 };
    await forEachInTurns(await this.select(tenant, matchers, range, takeTurn), takeTurn, ({ pages }) => {
      const stored = pages.filter(({ location }) => location.kind === "block");
      if (stored.length > 0) sum.streams++;
      sum.chunks += stored.length;
      for (const { stats } of stored) {
        sum.bytes += countedBytes(stats);
        sum.entries += stats.entryCount;
      }
    });
    return sum;
  }
}
