// Storage: accepted pushes go in durably, streams and pages come out. WAL -> head -> block -> catalogue.

import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Matcher } from "../lib/logql/ast.ts";
import { compileMatchers } from "../lib/logql/index.ts";
import type { Clock } from "../lib/runtime/clock.ts";
import { type Disk, systemDisk } from "../lib/runtime/disk.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import type { Log } from "../lib/runtime/log.ts";
import { createTurns, forEachInTurns, type TakeTurn } from "../lib/runtime/turns.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { split } from "./block/block-index.ts";
import { writeBlock } from "./block/block-writer.ts";
import { Blocks } from "./block/blocks.ts";
import { BlockFiles, openPageReader } from "./block/page-reader.ts";
import { newBlockKey, settleStrayBlocks } from "./block/stray-blocks.ts";
import { Head, type HeadStream } from "./head/head.ts";
import type { AcceptedPush } from "./ingest/accepted-push.ts";
import { HEAD_BYTES_FLUSH, HEAD_BYTES_MAX, HEAD_BYTES_REFUSE, HEAD_RAW_BYTES_FLUSH, RESIDENT_READERS_MAX } from "./limits.ts";
import { countedBytes, type IndexStats, type LogView, type PageReader, type PageRef, type StreamPages, type TimeRange } from "./page.ts";
import { createStorageMetrics, type StorageMetrics, type StorageSizes } from "./storage-metrics.ts";
import type { BlockMeta, Catalog } from "./store/catalog.ts";
import { openFileCatalog } from "./store/file-catalog.ts";
import { openFsStore } from "./store/fs-store.ts";
import type { ObjectStore } from "./store/object-store.ts";
import { openWal, type Wal } from "./wal/wal.ts";

export interface StorageOptions {
  readonly walFolder: string;
  readonly storeFolder: string;
  /** The head is flushed when nothing was appended for this long. */
  readonly idleMs: number;
  /** The head is flushed when its first entry was appended this long ago. */
  readonly maxAgeMs: number;
  /** Flush at the end. Not needed: the WAL has everything. */
  readonly flushOnClose: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** File operations, for tests that let them fail. */
  readonly disk?: Disk;
  /** Memory of the head after which it is flushed; for tests. */
  readonly flushBytes?: number;
}

const CATALOG_FILE = "catalog";
const CHECK_EVERY_MS = 5_000;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;

const NOTHING: StorageSizes = { streams: 0, pages: 0, memoryBytes: 0, blocks: 0, storedBytes: 0, walBytes: 0 };

/** The head that is being flushed, and the first WAL segment that it does not need. */
interface Frozen {
  readonly head: Head;
  readonly segment: number;
  /** Why it was frozen: `full`, `idle`, `max_age`, `forced`. */
  readonly reason: string;
}

export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { disk = systemDisk } = options;
  const store = await openFsStore(options.storeFolder, disk);
  const catalog = await openFileCatalog(join(options.storeFolder, CATALOG_FILE), options.log, disk);
  let storage: Storage | undefined;
  const metrics = createStorageMetrics(options.registry, () => storage?.sizes() ?? NOTHING);
  const files = new BlockFiles(options.storeFolder);
  const blocks = new Blocks(files, catalog, options.log, () => metrics.missingBlocks.inc());
  await blocks.checkAll();
  const head = new Head();
  const startedMs = options.clock.nowMs();
  const wal = await openWal({
    folder: options.walFolder,
    log: options.log,
    // What a restart finds comes before there is a storage.
    apply: (tenant, push, takeTurn) => (storage === undefined ? head.append(tenant, push) : storage.apply(tenant, push, takeTurn)),
    onCorruption: () => metrics.corruptions.inc(),
    onFailure: (cause) => {
      metrics.walFailures.inc();
      if ((cause as NodeJS.ErrnoException).code === "ENOSPC") metrics.diskFull.inc();
    },
    from: catalog.walFrom,
    disk,
  });
  metrics.replaySeconds.set((options.clock.nowMs() - startedMs) / 1000);
  metrics.streamsCreated.inc(head.streamCount);
  await settleStrayBlocks({ store, catalog, blocks, walFirst: wal.first, log: options.log });
  storage = new Storage(options, { store, catalog, files, blocks, wal, head, metrics });
  return storage;
}

/** Memory is full of entries for which no block can be written. */
export class StorageFullError extends Error {
  override readonly name = "StorageFullError";
  readonly status = 503;
  constructor() {
    super(
      "the push was refused: blocks cannot be written and memory is full of entries that wait for it; the server's log says why, push again later",
    );
  }
}

/** Blocks, wherever somebody deals with them as such. */
export interface StoredBlocks {
  readonly store: ObjectStore;
  readonly catalog: Catalog;
  readonly files: BlockFiles;
  readonly blocks: Blocks;
}

interface Parts extends StoredBlocks {
  readonly wal: Wal;
  readonly head: Head;
  readonly metrics: StorageMetrics;
}

export class Storage implements LogView {
  readonly #options: StorageOptions;
  readonly #parts: Parts;
  #head: Head;
  #frozen: Frozen | undefined;
  #flushing: Promise<void> | undefined;
  #firstAppendMs: number;
  #lastAppendMs: number;
  /** Blocks of flushes that failed. */
  #abandoned: string[] = [];
  #room: (() => void)[] = [];
  #readers = 0;
  readonly #listeners = new Set<(tenant: string, push: AcceptedPush) => void>();
  readonly #timer: NodeJS.Timeout;
  #closing = false;

  constructor(options: StorageOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#head = parts.head;
    this.#firstAppendMs = this.#lastAppendMs = options.clock.nowMs();
    this.#timer = setInterval(() => this.#flushWhenDue(), CHECK_EVERY_MS);
    this.#timer.unref();
  }

  /**
   * Resolves when the push is on disk and can be queried. What is refused is not stored.
   *
   * @param push copied before this returns
   * @throws WalError when it could not be made durable, StorageFullError when blocks cannot be written for so long that memory is full
   */
  async append(tenant: string, push: AcceptedPush): Promise<void> {
    if (this.#headBytes() > HEAD_BYTES_REFUSE) throw new StorageFullError();
    await this.#parts.wal.append(tenant, push);
    if (this.#isFull()) this.#startFlush("full");
    while (this.#frozen !== undefined && this.#headBytes() > HEAD_BYTES_MAX && !this.#closing) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
  }

  /** Takes in what is on disk; the WAL calls it, for one push after the other. */
  async apply(tenant: string, push: AcceptedPush, takeTurn: TakeTurn): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    if (this.#head.isEmpty) this.#firstAppendMs = nowMs;
    this.#lastAppendMs = nowMs;
    // Meanwhile nobody puts another in its place: the WAL lets heads change between pushes.
    const head = this.#head;
    const streams = head.streamCount;
    await head.append(tenant, push, takeTurn);
    this.#parts.metrics.streamsCreated.inc(head.streamCount - streams);
    for (const listener of this.#listeners) {
      try {
        listener(tenant, push);
      } catch (error) {
        this.#options.log.error({ error: messageOf(error) }, "a listener failed on a push that is stored");
      }
    }
  }

  /** Calls the listener, which must copy what it keeps, with each push from when it can be queried. Returns how to stop. */
  onAppend(listener: (tenant: string, push: AcceptedPush) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async select(tenant: string, matchers: readonly Matcher[], range: TimeRange, takeTurn: TakeTurn = createTurns()): Promise<StreamPages[]> {
    const byLabels = new Map<LabelSet, { readonly labels: LabelSet; pages: PageRef[] }>();
    const add = (labels: LabelSet, pages: PageRef[]): void => {
      if (pages.length === 0) return;
      const known = byLabels.get(labels);
      if (known === undefined) byLabels.set(labels, { labels, pages });
      else known.pages = [...known.pages, ...pages];
    };
    const { stored, inMemory } = this.#selected(tenant, matchers, range);
    await forEachInTurns(stored, takeTurn, ({ index, stream }) => add(stream.labels, index.pagesOf(stream, range)));
    const [startSec] = split(range.startNs);
    const [endSec] = split(range.endNs);
    await forEachInTurns(inMemory(false), takeTurn, (stream) =>
      add(
        stream.labels,
        stream.pages().filter(({ stats }) => stats.maxSec >= startSec && stats.minSec <= endSec),
      ),
    );
    return [...byLabels.values()];
  }

  /**
   * Streams that satisfy the matchers and may have entries in the range; reads no page.
   *
   * @param anyTimeInHead streams in the head count whatever the time of their entries, as label names and values of Loki's ingesters do
   */
  async streams(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
    anyTimeInHead = false,
    takeTurn: TakeTurn = createTurns(),
  ): Promise<readonly LabelSet[]> {
    const found = new Set<LabelSet>();
    const { stored, inMemory } = this.#selected(tenant, matchers, range);
    await forEachInTurns(stored, takeTurn, ({ index, stream }) => {
      if (!found.has(stream.labels) && index.pagesOf(stream, range).length > 0) found.add(stream.labels);
    });
    await forEachInTurns(inMemory(anyTimeInHead), takeTurn, ({ labels }) => found.add(labels));
    return [...found];
  }

  /** Sums over the stored pages that meet the range, as Loki's index has them: what is still in the head does not count. */
  async stats(tenant: string, matchers: readonly Matcher[], range: TimeRange, takeTurn: TakeTurn = createTurns()): Promise<IndexStats> {
    const streams = new Set<LabelSet>();
    const sum = { chunks: 0, bytes: 0, entries: 0 };
    await forEachInTurns(this.#selected(tenant, matchers, range).stored, takeTurn, ({ index, stream }) => {
      for (const { stats } of index.pagesOf(stream, range)) {
        streams.add(stream.labels);
        sum.chunks++;
        sum.bytes += countedBytes(stats);
        sum.entries += stats.entryCount;
      }
    });
    return { streams: streams.size, ...sum };
  }

  /**
   * Streams of blocks and heads as they are now, to be gone through in turns: what is flushed meanwhile is found where it was, and what is
   * replaced stays readable for a while (`BlockSwap`).
   */
  #selected(tenant: string, matchers: readonly Matcher[], range: TimeRange) {
    const accepts = judgeOnce(matchers);
    const heads = this.#heads();
    const [startSec] = split(range.startNs);
    const [endSec] = split(range.endNs);
    return {
      stored: this.#parts.blocks.select(tenant, matchers, accepts, range),
      *inMemory(anyTime: boolean): Iterable<HeadStream> {
        for (const head of heads)
          for (const stream of head.streams(tenant))
            if (accepts(stream.labels) && (anyTime || stream.overlaps(startSec, endSec))) yield stream;
      },
    };
  }

  /** For who rewrites blocks: in the catalogue, a new one takes the place of an old one. */
  get stored(): StoredBlocks {
    return this.#parts;
  }

  tenants(): readonly string[] {
    return [...new Set([...this.#parts.catalog.tenants(), ...this.#heads().flatMap((head) => head.tenants())])].sort();
  }

  /** A page reader for the main thread, to be used again and again: the first few decode to where kernels search in place. */
  openReader(): PageReader {
    return openPageReader(this.#parts.files, this.#readers++ < RESIDENT_READERS_MAX);
  }

  /** Resolves when everything appended before is in blocks and the WAL is cut behind it. @throws when writing them failed (it is tried again) */
  async flush(): Promise<void> {
    const targets = this.#heads().filter((head) => !head.isEmpty);
    const isPending = (): boolean => this.#heads().some((head) => targets.includes(head));
    // One round when nothing is under way; a flush that runs, or one that failed before, comes first.
    await this.#flushing;
    while (isPending()) {
      if (this.#closing) throw new Error("the storage is closing; the WAL keeps what is not in blocks");
      this.#startFlush("forced");
      await this.#flushing;
      if (this.#frozen !== undefined) throw new Error("the flush failed and is tried again; the log says why");
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#options.flushOnClose)
      await this.flush().catch((error: unknown) =>
        this.#options.log.error({ error: messageOf(error) }, "flush at the end failed; the WAL has everything"),
      );
    this.#closing = true;
    this.#wakeAppends();
    await this.#flushing;
    await this.#parts.wal.close();
    await this.#parts.catalog.close();
    this.#parts.files.close();
  }

  sizes(): StorageSizes {
    const blocks = this.#parts.catalog.all();
    return {
      streams: this.#head.streamCount,
      pages: this.#heads().reduce((sum, head) => sum + head.pageCount, 0),
      walBytes: this.#parts.wal.bytes,
      memoryBytes: this.#headBytes(),
      blocks: blocks.length,
      storedBytes: blocks.reduce((sum, { objectBytes }) => sum + objectBytes, 0),
    };
  }

  #headBytes(): number {
    return this.#head.memoryBytes + (this.#frozen?.head.memoryBytes ?? 0);
  }

  #heads(): Head[] {
    return this.#frozen === undefined ? [this.#head] : [this.#frozen.head, this.#head];
  }

  #isFull(): boolean {
    return this.#head.memoryBytes >= (this.#options.flushBytes ?? HEAD_BYTES_FLUSH) || this.#head.rawBytes >= HEAD_RAW_BYTES_FLUSH;
  }

  #flushWhenDue(): void {
    if (this.#head.isEmpty) return;
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#firstAppendMs >= this.#options.maxAgeMs) this.#startFlush("max_age");
    else if (nowMs - this.#lastAppendMs >= this.#options.idleMs) this.#startFlush("idle");
  }

  /** Freezes the head and writes it, unless a flush is under way or there is nothing. */
  #startFlush(reason: string): void {
    if (this.#flushing !== undefined || this.#closing) return;
    if (this.#frozen === undefined && this.#head.isEmpty) return;
    this.#flushing = this.#freezeAndWrite(reason).finally(() => {
      this.#flushing = undefined;
      // What came in meanwhile may be due already.
      if (this.#frozen === undefined && this.#isFull()) this.#startFlush("full");
    });
  }

  async #freezeAndWrite(reason: string): Promise<void> {
    if (this.#frozen === undefined) {
      // What is on its way to disk belongs to the old head or to the new one, as its segment does.
      await new Promise<void>((passed) => {
        this.#parts.wal.cut((segment) => {
          this.#frozen = { head: this.#head, segment, reason };
          this.#head = this.#head.successor();
          passed();
        });
      });
      this.#parts.metrics.flushes.inc({ reason });
    }
    await this.#writeFrozen(this.#frozen!, RETRY_MIN_MS);
  }

  async #writeFrozen(frozen: Frozen, retryMs: number): Promise<void> {
    const { store, catalog, blocks, wal, metrics } = this.#parts;
    const written: BlockMeta[] = [];
    try {
      for (const tenant of frozen.head.tenants()) {
        const streams = await frozen.head.cutAll(tenant);
        if (streams.length === 0) continue;
        const { parts, meta } = writeBlock(newBlockKey(tenant, this.#options.clock.nowMs(), frozen.segment), tenant, streams);
        await store.put(meta.key, parts);
        written.push(meta);
        blocks.open(meta.key, meta.objectBytes);
        metrics.pages.inc(
          { reason: frozen.reason },
          streams.reduce((sum, { pages }) => sum + pages.length, 0),
        );
        metrics.pageBytes.inc(meta.objectBytes);
      }
      await catalog.change({ add: written, walFrom: frozen.segment }, () => {
        this.#frozen = undefined;
      });
    } catch (error) {
      metrics.flushFailures.inc();
      this.#options.log.error(
        { error: messageOf(error), retryMs },
        "the head could not be flushed; it stays in memory and in the WAL, and the flush is tried again",
      );
      // The catalogue may hold the change all the same once a crash comes: until it has been written again, the blocks must be there.
      for (const { key } of written) {
        blocks.forget(key);
        this.#abandoned.push(key);
      }
      this.#retryLater(retryMs);
      return;
    }
    metrics.streamsRemoved.inc(frozen.head.streamCount);
    this.#wakeAppends();
    for (const key of this.#abandoned.splice(0)) await store.delete(key).catch(() => {});
    await wal
      .removeBefore(frozen.segment)
      .catch((error: unknown) =>
        this.#options.log.error({ error: messageOf(error) }, "old WAL segments could not be removed; the next flush tries again"),
      );
  }

  #retryLater(retryMs: number): void {
    const timer = setTimeout(() => {
      if (this.#frozen === undefined || this.#flushing !== undefined || this.#closing) return;
      this.#flushing = this.#writeFrozen(this.#frozen, Math.min(retryMs * 2, RETRY_MAX_MS)).finally(() => {
        this.#flushing = undefined;
      });
    }, retryMs);
    timer.unref();
  }

  #wakeAppends(): void {
    for (const wake of this.#room.splice(0)) wake();
  }
}

/** All matchers as one predicate; a label set is judged once. */
function judgeOnce(matchers: readonly Matcher[]): (labels: LabelSet) => boolean {
  const accepts = compileMatchers(matchers);
  const known = new Map<LabelSet, boolean>();
  return (labels) => {
    let accepted = known.get(labels);
    if (accepted === undefined) known.set(labels, (accepted = accepts(labels)));
    return accepted;
  };
}
