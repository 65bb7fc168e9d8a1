// The head: what was accepted and is not in a block yet. In memory, queryable; the WAL has it on disk.

import { createTurns, forEachInTurns, NO_TURNS, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { BlockStream } from "../block/block-writer.ts";
import { type EncodedPage, encodePage } from "../block/page-encoder.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import { OPEN_PAGE_BYTES_KEPT } from "../limits.ts";
import type { PageRef, PageStats } from "../page.ts";
import { OpenPage } from "./open-page.ts";
import { PageBuffers } from "./page-buffers.ts";

export class HeadStream {
  readonly labels: LabelSet;
  readonly open: OpenPage;
  readonly cut: EncodedPage[] = [];
  #cutBytes = 0;
  /** The open page as a reader sees it; undefined when it has changed since. */
  #snapshot: PageRef | undefined;

  constructor(labels: LabelSet, buffers: PageBuffers) {
    this.labels = labels;
    this.open = new OpenPage(buffers);
  }

  /** Of its pages, open and cut. */
  get memoryBytes(): number {
    return this.#cutBytes + this.open.memoryBytes;
  }

  /**
   * Appends entries `[from, to)`, or those up to where a page grew full; an entry equal to the one before it is left out. Returns where to
   * go on.
   */
  append(push: AcceptedPush, from: number, to: number): number {
    for (let at = from; at < to; ) {
      at = this.#skipRefused(push, at, to);
      if (at === to) break;
      let until = at + 1;
      while (until < to && push.keep?.[until] !== 0 && !mayRepeat(push, until)) until++;
      at = this.open.append(push, at, until);
      this.#snapshot = undefined;
      if (!this.open.isFull) continue;
      this.#cutPage();
      return at;
    }
    return to;
  }

  #skipRefused(push: AcceptedPush, from: number, to: number): number {
    let at = from;
    while (at < to && (push.keep?.[at] === 0 || this.open.endsWith(push, at))) at++;
    return at;
  }

  #cutPage(): void {
    const page = encodePage(this.open, true);
    this.cut.push(page);
    this.#cutBytes += page.bytes.length + page.filter.length + page.tally.length;
    this.open.clear();
    this.#snapshot = undefined;
  }

  /** Cuts what is open and gives its memory back: nothing is appended any more. */
  close(): void {
    if (this.open.entryCount > 0) this.#cutPage();
    this.open.release();
  }

  /** Everything, for a reader: cut pages as they are, the open one encoded for it. */
  pages(): PageRef[] {
    const refs: PageRef[] = this.cut.map(({ stats, bytes, tally }) => ({ stats, location: { kind: "memory", encoded: bytes, tally } }));
    if (this.open.entryCount > 0) refs.push((this.#snapshot ??= snapshot(this.open)));
    return refs;
  }

  /** Statistics of the pages, in seconds for the open one: enough to see whether a range is met. */
  overlaps(fromSec: number, toSec: number): boolean {
    const meets = (minSec: number, maxSec: number): boolean => maxSec >= fromSec && minSec <= toSec;
    return meets(this.open.minSec, this.open.maxSec) || this.cut.some(({ stats }) => meets(stats.minSec, stats.maxSec));
  }
}

function snapshot(open: OpenPage): PageRef {
  const { stats, bytes } = encodePage(open, false);
  return { stats, location: { kind: "memory", encoded: bytes } };
}

/** Whether entry i may repeat the one before it: the run ends there, and the whole entries are compared when the first is in the page. */
function mayRepeat(push: AcceptedPush, i: number): boolean {
  return push.sec[i] === push.sec[i - 1] && push.nanos[i] === push.nanos[i - 1];
}

export class Head {
  readonly #tenants = new Map<string, Map<LabelSet, HeadStream>>();
  /** Memory of pages, open and cut. */
  memoryBytes = 0;
  /** Line bytes ever appended. */
  rawBytes = 0;
  entryCount = 0;
  readonly #buffers: PageBuffers;

  constructor(buffers = new PageBuffers(OPEN_PAGE_BYTES_KEPT)) {
    this.#buffers = buffers;
  }

  /** An empty head that uses this one's memory as it is given back. */
  successor(): Head {
    return new Head(this.#buffers);
  }

  get isEmpty(): boolean {
    return this.entryCount === 0;
  }

  /** @param takeTurn called between pages: a push may fill one of each of its streams, and encoding a page takes ten milliseconds */
  async append(tenant: string, push: AcceptedPush, takeTurn: TakeTurn = NO_TURNS): Promise<void> {
    let streams = this.#tenants.get(tenant);
    if (streams === undefined) this.#tenants.set(tenant, (streams = new Map()));
    for (const { labels, from, to } of push.streams) {
      let stream = streams.get(labels);
      if (stream === undefined) {
        streams.set(labels, (stream = new HeadStream(labels, this.#buffers)));
        this.memoryBytes += stream.memoryBytes;
      }
      for (let at = from; at < to; ) {
        const before = stream.memoryBytes;
        at = stream.append(push, at, to);
        this.memoryBytes += stream.memoryBytes - before;
        const turn = takeTurn();
        if (turn instanceof Promise) await turn;
      }
    }
    this.rawBytes += push.bytes.length;
    this.entryCount += push.entryCount;
  }

  tenants(): readonly string[] {
    return [...this.#tenants.keys()];
  }

  streams(tenant: string): Iterable<HeadStream> {
    return this.#tenants.get(tenant)?.values() ?? [];
  }

  get streamCount(): number {
    let count = 0;
    for (const streams of this.#tenants.values()) count += streams.size;
    return count;
  }

  /** Open ones included. */
  get pageCount(): number {
    let count = 0;
    for (const streams of this.#tenants.values()) {
      for (const { cut, open } of streams.values()) count += cut.length + (open.entryCount > 0 ? 1 : 0);
    }
    return count;
  }

  /** Cuts what is open, for good; what each tenant's block will hold, streams and pages in a stable order. */
  async cutAll(tenant: string): Promise<BlockStream[]> {
    const streams: BlockStream[] = [];
    await forEachInTurns(this.streams(tenant), createTurns(), (stream) => {
      const before = stream.memoryBytes;
      stream.close();
      this.memoryBytes += stream.memoryBytes - before;
      if (stream.cut.length > 0) streams.push({ labels: stream.labels, pages: [...stream.cut].sort(byTime) });
    });
    return streams.sort((a, b) => (a.labels.toString() < b.labels.toString() ? -1 : 1));
  }
}

function byTime(a: { readonly stats: PageStats }, b: { readonly stats: PageStats }): number {
  return a.stats.minSec - b.stats.minSec || a.stats.minNanos - b.stats.minNanos;
}
