// A tenant's data without what delete requests hide: the view that every read goes through.

import type { Matcher } from "../../lib/logql/ast.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { StreamIndex } from "../http/label-routes.ts";
import { countedBytes, type LogView, type StreamPages, type TimeRange } from "../page.ts";
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

  select(tenant: string, matchers: readonly Matcher[], range: TimeRange): StreamPages[] {
    const found = this.#all.select(tenant, matchers, range);
    if (!this.#deletes.any(tenant)) return found;
    return found.flatMap(({ labels, pages }) => {
      const left = pagesLeft(this.#deletes.of(tenant, labels), pages);
      return left.length === 0 ? [] : [{ labels, pages: left }];
    });
  }

  streams(tenant: string, matchers: readonly Matcher[], range: TimeRange, anyTimeInHead = false): readonly LabelSet[] {
    const found = this.#all.streams(tenant, matchers, range, anyTimeInHead);
    const mayBeGone = found.filter((labels) => this.#deletes.of(tenant, labels).some(({ log }) => log === null));
    if (mayBeGone.length === 0) return found;
    const left = new Set(this.select(tenant, matchers, range).map(({ labels }) => labels));
    const gone = new Set(mayBeGone.filter((labels) => !left.has(labels)));
    return found.filter((labels) => !gone.has(labels));
  }

  stats(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
  ): { streams: number; chunks: number; bytes: number; entries: number } {
    if (!this.#deletes.any(tenant)) return this.#all.stats(tenant, matchers, range);
    const sum = { streams: 0, chunks: 0, bytes: 0, entries: 0 };
    for (const { pages } of this.select(tenant, matchers, range)) {
      const stored = pages.filter(({ location }) => location.kind === "block");
      if (stored.length > 0) sum.streams++;
      sum.chunks += stored.length;
      for (const { stats } of stored) {
        sum.bytes += countedBytes(stats);
        sum.entries += stats.entryCount;
      }
    }
    return sum;
  }
}
