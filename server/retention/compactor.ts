// The compactor: carries out delete requests and applies retention, again and again. It goes through each tenant's blocks; one that loses
// entries is written anew without them, one that loses all is dropped. What fails is tried again at the next run; a run that is repeated
// finds its work done.

import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Limits } from "../config/limits.ts";
import type { DeleteStore } from "../deletes/delete-store.ts";
import { type CompiledDelete, deletesOfPage } from "../deletes/stream-deletes.ts";
import type { Storage } from "../storage.ts";
import type { BlockMeta } from "../store/catalog.ts";
import { BlockSwap } from "./block-swap.ts";
import { type CompactorMetrics, createCompactorMetrics } from "./compactor-metrics.ts";
import { type Batch, nextBatch, pendingOf } from "./due-deletes.ts";
import { isPast, isWorthRewriting, mayBePast, retentionJudge } from "./retention-judge.ts";
import { type Retention, retentionOf } from "./retention-rules.ts";
import { type Judge, rewriteBlock } from "./rewrite-block.ts";

export interface CompactorOptions {
  readonly storage: Pick<Storage, "stored" | "select" | "flush">;
  readonly deletes: DeleteStore;
  readonly limitsOf: (tenant: string) => Limits;
  readonly globalLimits: Limits;
  /** Between runs. */
  readonly intervalMs: number;
  /** A replaced block's object is removed after this long. */
  readonly deleteDelayMs: number;
  /** A request can be cancelled for so long, and is not carried out before. */
  readonly cancelPeriodMs: number;
  /** Pieces of requests that are carried out together. */
  readonly batchSize: number;
  /** Called when entries of a tenant are gone for good. */
  readonly onRemoved: (tenant: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

/** The first run comes soon after the start: a server that is often restarted must get to it. */
const FIRST_RUN_MS_MAX = 60_000;
/** A block that keeps a part is looked at again after this long: opening all indexes at each run would push out those that queries use. */
const LOOK_AGAIN_MS = 3_600_000;
const ALL_SECONDS = [-(2 ** 31), 2 ** 31 - 1] as const;

export class Compactor {
  readonly metrics: CompactorMetrics;
  readonly #options: CompactorOptions;
  readonly #swap: BlockSwap;
  /** When retention looked at a block last and left it. */
  #lookedMs = new Map<string, number>();
  #running: Promise<void> | undefined;
  #isClosing = false;
  #timer: NodeJS.Timeout;

  constructor(options: CompactorOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#swap = new BlockSwap(options.storage.stored, { delayMs: options.deleteDelayMs, clock, log });
    this.metrics = createCompactorMetrics(options.registry, () => ({
      ...pendingOf(options.deletes.all(), options.cancelPeriodMs, clock.nowMs(), options.limitsOf),
      replacedBlocks: this.#swap.waiting,
    }));
    this.#timer = setTimeout(() => this.#tick(), Math.min(options.intervalMs, FIRST_RUN_MS_MAX));
    this.#timer.unref();
  }

  /** One run; what goes wrong is logged and counted. While one is under way, it is that one. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Lets the block that is being rewritten be finished. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #tick(): void {
    void this.run().finally(() => {
      if (this.#isClosing) return;
      this.#timer = setTimeout(() => this.#tick(), this.#options.intervalMs);
      this.#timer.unref();
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.nowMs();
    await this.#swap.sweep();
    let isGood = true;
    for (const tenant of this.#tenants()) {
      if (this.#isClosing) return;
      isGood = (await this.#runTenant(tenant)) && isGood;
    }
    this.#forgetLooks();
    const status = isGood ? "success" : "failure";
    const seconds = (clock.nowMs() - startedMs) / 1000;
    this.metrics.runs.inc({ status });
    this.metrics.retentionRuns.inc({ status });
    this.metrics.retentionSeconds.observe(seconds);
    if (!isGood) return;
    this.metrics.runSeconds.set(seconds);
    for (const last of [this.metrics.lastRun, this.metrics.lastRetention]) last.set(clock.nowMs() / 1000);
  }

  #tenants(): readonly string[] {
    const { storage, deletes } = this.#options;
    return [...new Set([...storage.stored.catalog.tenants(), ...deletes.all().map(({ tenant }) => tenant)])].sort();
  }

  /** Batch after batch of delete requests; retention goes along with the first of them, or alone. @returns whether all went well */
  async #runTenant(tenant: string): Promise<boolean> {
    const { deletes, limitsOf, globalLimits, clock, cancelPeriodMs, batchSize, log } = this.#options;
    const limits = limitsOf(tenant);
    let retention = retentionOf(limits, globalLimits);
    for (;;) {
      const batch =
        limits.deletion_mode === "filter-and-delete"
          ? nextBatch(deletes.toCarryOut(tenant), cancelPeriodMs, clock.nowMs(), batchSize, log)
          : undefined;
      this.metrics.loads.inc({ status: "success" });
      if (batch === undefined && retention === undefined) return true;
      if (!(await this.#carryOut(tenant, batch, retention))) return false;
      if (batch === undefined || this.#isClosing) return true;
      retention = undefined;
    }
  }

  async #carryOut(tenant: string, batch: Batch | undefined, retention: Retention | undefined): Promise<boolean> {
    const { deletes, storage, log } = this.#options;
    deletes.setInProcess(batch === undefined ? [] : [...batch.piecesDone.keys()]);
    try {
      if (batch !== undefined) {
        await this.#flushWhatMatches(tenant, batch);
        await deletes.begin(tenant, new Set(batch.piecesDone.keys()));
      }
      const [fromSec, toSec] = retention !== undefined || batch === undefined ? ALL_SECONDS : batch.seconds;
      let failures = 0;
      for (const meta of storage.stored.catalog.blocks(tenant, fromSec, toSec)) {
        if (this.#isClosing) return true;
        if (!(await this.#tryBlock(meta, batch?.deletes ?? [], retention))) failures++;
      }
      if (failures > 0) return false;
      if (batch === undefined) return true;
      await deletes.carriedOut(tenant, batch.piecesDone);
      this.metrics.requestsProcessed.inc({ user: tenant }, batch.finished.length);
      log.info({ tenant, requests: batch.finished.join(",") }, "delete requests processed");
      return true;
    } catch (error) {
      this.metrics.failures.inc({ cause: "error" });
      log.error({ tenant, error: messageOf(error) }, "delete requests could not be carried out; the next run tries again");
      return false;
    } finally {
      deletes.setInProcess([]);
    }
  }

  /** Entries that are still in memory would outlive the request: they become a block first. */
  async #flushWhatMatches(tenant: string, { deletes, range }: Batch): Promise<void> {
    const { storage } = this.#options;
    const streams = await storage.select(tenant, [], range);
    const inMemory = streams.some(
      ({ labels, pages }) => pages.some(({ location }) => location.kind === "memory") && deletes.some(({ accepts }) => accepts(labels)),
    );
    if (inMemory) await storage.flush();
  }

  async #tryBlock(meta: BlockMeta, deletes: readonly CompiledDelete[], retention: Retention | undefined): Promise<boolean> {
    try {
      await this.#processBlock(meta, deletes, retention);
      return true;
    } catch (error) {
      if (deletes.length > 0) this.metrics.failures.inc({ cause: "error" });
      this.#options.log.error({ block: meta.key, error: messageOf(error) }, "a block could not be rewritten; the next run tries again");
      return false;
    }
  }

  async #processBlock(meta: BlockMeta, deletes: readonly CompiledDelete[], retention: Retention | undefined): Promise<void> {
    const { blocks, files } = this.#options.storage.stored;
    const nowMs = this.#options.clock.nowMs();
    if (retention !== undefined && isPast(meta, retention, nowMs)) return this.#replace(meta, [], meta.entryCount, "retention");
    const mayAge = retention !== undefined && mayBePast(meta, retention, nowMs) && this.#isDueForALook(meta, nowMs);
    if (deletes.length === 0 && !mayAge) return;
    const index = blocks.open(meta.key, meta.objectBytes);
    const ages = mayAge && isWorthRewriting(index, retention, nowMs);
    if (mayAge && !ages) this.#lookedMs.set(meta.key, nowMs);
    if (deletes.length === 0 && !ages) return;
    const judge = judgeOf(deletes, ages ? retentionJudge(retention, nowMs) : undefined);
    const rewritten = await rewriteBlock(index, files, judge.judge);
    if (rewritten === undefined) return;
    await this.#replace(meta, rewritten.streams, rewritten.entriesGone, deletes.length > 0 ? "delete requests" : "retention");
    this.metrics.deletedLines.inc({ user: meta.tenant }, rewritten.entriesGone - judge.entriesPast());
  }

  async #replace(meta: BlockMeta, streams: Parameters<BlockSwap["swap"]>[1], entriesGone: number, why: string): Promise<void> {
    await this.#swap.swap(meta, streams);
    (streams.length === 0 ? this.metrics.dropped : this.metrics.rewritten).inc();
    this.#options.onRemoved(meta.tenant);
    this.#options.log.info({ block: meta.key, entriesGone, isDropped: streams.length === 0, why }, "entries of a block are gone");
  }

  #isDueForALook({ key }: BlockMeta, nowMs: number): boolean {
    return nowMs - (this.#lookedMs.get(key) ?? Number.NEGATIVE_INFINITY) >= LOOK_AGAIN_MS;
  }

  #forgetLooks(): void {
    const known = new Set(this.#options.storage.stored.catalog.all().map(({ key }) => key));
    this.#lookedMs = new Map([...this.#lookedMs].filter(([key]) => known.has(key)));
  }
}

/** Retention first: a page that is past needs no look at its lines. */
function judgeOf(deletes: readonly CompiledDelete[], past: Judge | undefined): { judge: Judge; entriesPast: () => number } {
  let entriesPast = 0;
  return {
    entriesPast: () => entriesPast,
    judge(labels) {
      const isPastPage = past?.(labels);
      const spans = deletes.filter(({ accepts }) => accepts(labels)).map(({ span }) => span);
      if (isPastPage === undefined && spans.length === 0) return undefined;
      return (stats) => {
        if (isPastPage?.(stats) === "goes") {
          entriesPast += stats.entryCount;
          return "goes";
        }
        const left = deletesOfPage(spans, stats);
        return left === undefined ? "stays" : left === "nothing" ? "goes" : left;
      };
    },
  };
}
