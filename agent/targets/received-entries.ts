// What network sources receive, on its way: entries gathered for a moment into one batch, handed to `intake.secure`, and counted as in
// flight until they are safe. When too much is in flight, who can wait waits, and who cannot drops and counts.

import type { Clock } from "../../lib/runtime/clock.ts";
import { createNanoClock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { SpoolFull } from "../spool/spool.ts";
import { InFlightBudget } from "../tail/in-flight-budget.ts";
import { cleanLines } from "./clean-lines.ts";
import type { Intake } from "./intake.ts";

/** Received and not safe yet, of one source. */
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
/** What an entry costs beside its line. */
const ENTRY_OVERHEAD_BYTES = 64;
/** A batch is handed on when it is that large, at the latest when nothing more is there to be received. */
const BATCH_BYTES_MAX = 256 * 1024;
/** At the end what is in flight has this long to become safe. */
const SETTLE_MS = 2_000;
/** What was refused because there is no room for it is offered again after this long. */
const REFUSED_MS = 250;

export interface ReceivedEntriesOptions {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Log;
  /** Entries of which nobody knows whether they arrived, because the agent or the source has ended. */
  readonly onUnconfirmed: (count: number) => void;
  readonly inFlightBytesMax?: number;
}

export class ReceivedEntries {
  readonly #options: ReceivedEntriesOptions;
  readonly #budget: InFlightBudget;
  readonly #now: () => readonly [sec: number, nanos: number];
  readonly #securing = new Set<Promise<void>>();
  #batch: EntryBatch | undefined;
  #scheduled: NodeJS.Immediate | undefined;
  #inFlightEntries = 0;
  readonly #stop = new AbortController();
  /** Batches that were refused, and those that came after them, in the order they came. */
  readonly #refused: Refused[] = [];
  #batchCount = 0;

  constructor(options: ReceivedEntriesOptions) {
    this.#options = options;
    this.#budget = new InFlightBudget(options.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX);
    this.#now = createNanoClock(() => options.clock.nowMs());
  }

  get hasRoom(): boolean {
    return this.#budget.hasRoom;
  }

  /** Entries received and not safe yet. */
  get inFlight(): number {
    return this.#inFlightEntries;
  }

  /** Resolves when there is room, or the signal aborts. */
  room(signal: AbortSignal): Promise<void> {
    return this.#budget.room(signal);
  }

  /** Takes an entry in, room or not; the bytes are copied. @param time now when undefined */
  add(line: Uint8Array, time: readonly [sec: number, nanos: number] | undefined, labels: LabelSet): void {
    const [sec, nanos] = time ?? this.#now();
    this.#batch ??= new EntryBatch(new Uint8Array(4_096), 16, 0);
    const i = this.#batch.addText(line, 0, 0, labels);
    this.#batch.setTime(i, sec, nanos);
    this.#budget.take(line.length + ENTRY_OVERHEAD_BYTES);
    this.#inFlightEntries++;
    if (this.#batch.bytesUsed >= BATCH_BYTES_MAX) this.#hand();
    else this.#scheduled ??= setImmediate(() => this.#hand());
  }

  /** Hands on what is there and waits a little until it is safe. */
  async settle(): Promise<void> {
    this.#hand();
    const waiting = new AbortController();
    const all = Promise.all(this.#securing).then(() => waiting.abort());
    await Promise.race([all, this.#options.clock.sleep(SETTLE_MS, waiting.signal)]);
    waiting.abort();
    this.#stop.abort();
    // What is refused still is given up now.
    await Promise.race([all, new Promise((resolve) => setImmediate(resolve))]);
  }

  #hand(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined) return;
    const { count } = batch;
    const sizeBytes = batch.bytesUsed + count * ENTRY_OVERHEAD_BYTES;
    cleanLines(batch);
    const securing = this.#secure(batch, count).finally(() => {
      this.#budget.release(sizeBytes);
      this.#inFlightEntries -= count;
      this.#securing.delete(securing);
    });
    this.#securing.add(securing);
  }

  /** Entries that are refused stay in flight, so that senders who can wait are not read from. */
  async #secure(batch: EntryBatch, count: number): Promise<void> {
    const number = this.#batchCount++;
    if (this.#refused.length === 0 && (await this.#offer(batch, count))) return;
    await new Promise<void>((done) => {
      const later = this.#refused.findIndex((other) => other.number > number);
      this.#refused.splice(later < 0 ? this.#refused.length : later, 0, { batch, count, number, done });
      if (this.#refused.length === 1) void this.#offerAgain();
    });
  }

  async #offerAgain(): Promise<void> {
    await this.#options.clock.sleep(REFUSED_MS, this.#stop.signal);
    for (let first = this.#refused[0]; first !== undefined; first = this.#refused[0]) {
      if (await this.#offer(first.batch, first.count)) {
        this.#refused.splice(this.#refused.indexOf(first), 1);
        first.done();
      } else await this.#options.clock.sleep(REFUSED_MS, this.#stop.signal);
    }
  }

  /** @returns false when the entries were refused for now */
  async #offer(batch: EntryBatch, count: number): Promise<boolean> {
    const { intake, log, onUnconfirmed } = this.#options;
    try {
      await intake.secure(batch);
    } catch (error) {
      if (error instanceof SpoolFull && !this.#stop.signal.aborted) return false;
      onUnconfirmed(count);
      log.warn({ entries: count, error: messageOf(error) }, "received entries were not confirmed, they may not have arrived");
    }
    return true;
  }
}

interface Refused {
  readonly batch: EntryBatch;
  readonly count: number;
  readonly number: number;
  readonly done: () => void;
}
