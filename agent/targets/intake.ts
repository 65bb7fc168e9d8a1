// The way in for every source that is not a file: its batches go through the scrape config's pipeline to the sink.
//
//   consume   for sources that can be asked again (journal, Kafka, Docker): resolves when there is room for more; what has been
//             acknowledged is told by the batch's tickets, whose ledger gives the position to save.
//   secure    for sources that cannot (a datagram, a push): resolves when the entries are safe, so that the sender may be answered:
//             in the spool on disk, from which they go the same way, or, where there is no spool, acknowledged.

import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import { orAborted } from "../../lib/runtime/or-aborted.ts";
import type { EntryBatch, Ticket } from "../../lib/wire/entry-batch.ts";
import type { LeasedPipeline } from "../shared-pipeline.ts";
import type { Sink } from "../sink.ts";
import type { Spool } from "../spool/spool.ts";

/** How often stages that hold entries are asked for what is due. */
const FLUSH_PERIOD_MS = 250;

const ENDING = "the agent is ending";

export interface IntakeOptions {
  readonly pipeline: LeasedPipeline;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  /** What `secure` writes to, and what an agent before has left. */
  readonly spool?: Spool;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = new AbortController();
  /** Of callers of `secure`: told when the intake stops first. */
  readonly #waiting = new Set<() => void>();
  /** Batches enter one after the other, so that a source that does not wait keeps its order. */
  readonly #turns = new OneAtATime();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#flush(false), FLUSH_PERIOD_MS);
  }

  /**
   * Takes a batch, whose tickets the caller has issued and which are released here when nobody holds them any more. Resolves when
   * there is room for more, at the latest when the intake stops. The batch and its bytes are then the caller's again, except the tickets.
   */
  consume(batch: EntryBatch): Promise<void> {
    return this.#turns.run(() => this.#take(batch));
  }

  /** Begins to hand on what is in the spool. */
  async start(): Promise<void> {
    await this.#options.spool?.read((batch) => this.consume(batch));
  }

  /**
   * Takes a batch and resolves when its entries are on disk, or each was acknowledged by every client that must or dropped and counted.
   * The batch and its bytes are then the caller's again, except the tickets.
   *
   * @throws SpoolFull when there is no room: nothing was taken, and the sender is to come again later
   * @throws Error when the intake stops before that: the entries may not have arrived, and the sender is to send them again
   */
  async secure(batch: EntryBatch): Promise<void> {
    if ((await this.#options.spool?.append(batch)) === true) for (const ticket of batch.tickets) ticket.release();
    else await this.#acknowledged(batch);
  }

  async #acknowledged(batch: EntryBatch): Promise<void> {
    if (this.#stop.signal.aborted) throw new Error(ENDING);
    let giveUp = (): void => {};
    const safe = new Promise<boolean>((resolve) => {
      batch.tickets.push(onceReleased(() => resolve(true)));
      giveUp = () => resolve(false);
    });
    this.#waiting.add(giveUp);
    await this.consume(batch);
    const arrived = await safe;
    this.#waiting.delete(giveUp);
    if (!arrived) throw new Error(ENDING);
  }

  /** Lets go what stages hold and takes nothing more. What waits for an acknowledgement may still get it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#options.spool?.stopReading();
    await this.#flush(true);
    for (const giveUp of this.#waiting) giveUp();
  }

  async #take(batch: EntryBatch): Promise<void> {
    const { pipeline, clock } = this.#options;
    pipeline.process(batch);
    await this.#hand(batch);
    const delayMs = pipeline.delayMs(clock.nowMs());
    if (delayMs > 0) await clock.sleep(delayMs, this.#stop.signal);
  }

  /** Never rejects. */
  #flush(closing: boolean): Promise<void> {
    const flushed = this.#turns.run(async () => {
      const held = this.#options.pipeline.flush(this.#options.clock.nowMs(), closing);
      if (held !== undefined) await this.#hand(held);
    });
    return flushed.catch((error: unknown) => {
      this.#options.log.error({ error: messageOf(error) }, "could not hand on entries that stages held");
    });
  }

  async #hand(batch: EntryBatch): Promise<void> {
    const release = (): void => {
      for (const ticket of batch.tickets) ticket.release();
    };
    const room = batch.liveCount === 0 ? undefined : this.#options.sink.consume(batch);
    if (room === undefined) return release();
    await orAborted(room.then(release), this.#stop.signal);
  }
}

/** A ticket, held once, that calls back when its last hold is gone. */
function onceReleased(done: () => void): Ticket {
  let holdCount = 1;
  return {
    hold: () => {
      holdCount++;
    },
    release: () => {
      if (--holdCount === 0) done();
    },
  };
}
