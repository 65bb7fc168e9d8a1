// Reads the files of one target in turn, a block each, and takes what it reads through the pipeline to the sink. It stops while the
// bytes in flight are at their bound or the sink has no room, and goes on from there.

import { type Clock, steadyMs } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { orAborted } from "../../lib/runtime/or-aborted.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { Sink } from "../sink.ts";
import { type FileTail, isUnkept, type TailRead } from "./file-tail.ts";
import { reportLoss } from "./loss-ledger.ts";
import type { PathFollower } from "./path-follower.ts";
import type { TailMetrics } from "./tail-metrics.ts";
import type { TailPool } from "./tail-pool.ts";
import type { Ticking } from "./ticker.ts";

/** What a target needs of a pipeline (pipelines/pipeline.ts). */
export interface EntryPipeline {
  process(batch: EntryBatch): void;
  flush(nowMs: number, closing: boolean): EntryBatch | undefined;
  delayMs?(nowMs: number): number;
}

export interface PumpContext {
  readonly pipeline: EntryPipeline;
  readonly sink: Sink;
  readonly pool: TailPool;
  readonly metrics: TailMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reading from the page cache never waits, so other work is let in after this long. */
const TURN_MS = 8;

export class TailPump implements Ticking {
  readonly #context: PumpContext;
  /** In order of their turn. */
  readonly #ready = new Set<PathFollower>();
  /** Made when there is something to wait for, which most of hundreds of targets never have. */
  #stop: AbortController | undefined;
  #stopped = false;
  #running: Promise<void> | undefined;
  #turnStartedMs = 0;
  #flushing = false;

  constructor(context: PumpContext) {
    this.#context = context;
  }

  /** Gives a file its turn to be read. */
  add(follower: PathFollower): void {
    if (this.#stopped) return;
    this.#ready.add(follower);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#ready.size > 0 && !this.#stopped) this.add([...this.#ready][0]!);
    });
  }

  remove(follower: PathFollower): void {
    this.#ready.delete(follower);
  }

  /** Resolves when everything that was ready has been read and taken by the sink. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Ends reading after the block in hand. What the sink has no room for yet it has all the same. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stop?.abort();
    await this.#running;
  }

  get #stopSignal(): AbortSignal {
    this.#stop ??= new AbortController();
    if (this.#stopped) this.#stop.abort();
    return this.#stop.signal;
  }

  tick(): void {
    this.flush(false);
  }

  /** Hands on what the pipeline has held back and is due. */
  flush(closing: boolean): void {
    if (this.#flushing && !closing) return;
    const batch = this.#context.pipeline.flush(this.#context.clock.nowMs(), closing);
    if (batch === undefined) return;
    this.#flushing = true;
    void this.#consume(batch).finally(() => {
      this.#flushing = false;
    });
  }

  async #run(): Promise<void> {
    const { budget } = this.#context.pool;
    this.#turnStartedMs = steadyMs();
    while (this.#ready.size > 0 && !this.#stopped) {
      await this.#letOthersWork();
      if (!budget.hasRoom) await budget.room(this.#stopSignal);
      if (this.#stopped) return;
      const follower = this.#ready.values().next().value!;
      this.#ready.delete(follower);
      try {
        await this.#readOnce(follower);
      } catch (error) {
        this.#context.log.error({ file: follower.name, error: messageOf(error) }, "could not read file, trying again later");
        continue;
      }
      if (follower.nextReadable() !== undefined) this.#ready.add(follower);
    }
  }

  async #letOthersWork(): Promise<void> {
    if (steadyMs() - this.#turnStartedMs < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnStartedMs = steadyMs();
  }

  async #readOnce(follower: PathFollower): Promise<void> {
    const tail = follower.nextReadable();
    if (tail === undefined) return;
    if (!tail.open()) {
      follower.look();
      if (!tail.open()) return;
    }
    const read = await tail.read(!tail.hasUnread);
    this.#reportPassedOver(tail);
    if (read.kind === "replaced") follower.contentReplaced(tail);
    if (read.kind === "lines") await this.#deliver(tail, read);
  }

  #reportPassedOver(tail: FileTail): void {
    const passed = tail.passedOver;
    if (passed === undefined) return;
    tail.passedOver = undefined;
    const { metrics, log } = this.#context;
    metrics.longLines.inc();
    const text = `line is longer than ${tail.setting.lineBytesMax} bytes, the rest of it is not read`;
    reportLoss({ reason: "line_too_long", path: tail.name, ...passed, text }, metrics, log);
  }

  async #deliver(tail: FileTail, read: TailRead & { kind: "lines" }): Promise<void> {
    tail.movedMs = this.#context.clock.nowMs();
    tail.stallTold = false;
    this.#context.metrics.readBytes.set({ path: tail.name }, tail.offset);
    await this.deliver(read.batch, tail.name, read.malformedLineCount, () => {
      if (isUnkept(read.ticket)) return read.recycle;
    });
  }

  /**
   * Takes a batch, which carries its tickets, through the pipeline to the sink; resolves when there is room for more.
   *
   * @param afterPipeline is asked for what to do when the sink is done, at a moment when only stages may have kept something
   */
  async deliver(batch: EntryBatch, path: string, malformedLineCount = 0, afterPipeline?: () => (() => void) | undefined): Promise<void> {
    const { pipeline, metrics, clock } = this.#context;
    metrics.readLines.inc({ path }, batch.liveCount);
    if (malformedLineCount > 0) metrics.encodingFailures.inc({ path }, malformedLineCount);
    pipeline.process(batch);
    await this.#consume(batch, afterPipeline?.());
    const delayMs = pipeline.delayMs?.(clock.nowMs()) ?? 0;
    if (delayMs > 0) await clock.sleep(delayMs, this.#stopSignal);
  }

  /** Hands a batch to the sink and waits for room, at most until the stop; the batch's holds go when the sink is done with it. */
  async #consume(batch: EntryBatch, done?: () => void): Promise<void> {
    const release = (): void => {
      for (const ticket of batch.tickets) ticket.release();
      done?.();
    };
    const room = batch.liveCount === 0 ? undefined : this.#context.sink.consume(batch);
    if (room === undefined) return release();
    const released = room.then(release);
    await orAborted(released, this.#stopSignal);
  }
}
