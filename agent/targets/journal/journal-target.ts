// Reads the systemd journal through a journalctl that is kept running: what it writes becomes batches, each with a ticket that carries
// the cursor of its last entry, and the position that is saved is the cursor up to which everything is acknowledged.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { orAborted } from "../../../lib/runtime/or-aborted.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import { backoffMs } from "../../client/backoff.ts";
import type { PositionSource, Positions } from "../../positions.ts";
import { InFlightBudget } from "../../tail/in-flight-budget.ts";
import { TicketLedger } from "../../tickets.ts";
import type { Intake } from "../intake.ts";
import type { Target } from "../target.ts";
import type { EntryBatches } from "./entry-batches.ts";
import { type ExportHandler, ExportParser } from "./export-parser.ts";
import type { JournalMetrics, RestartReason } from "./journal-metrics.ts";
import { Journalctl, type JournalctlOptions, journalctlArguments } from "./journalctl.ts";
import { cursorTimeMs, type StartPoint, startPointOf } from "./start-point.ts";

/** Read and not acknowledged. */
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
/** What an entry costs on its way beside its line. */
const ENTRY_OVERHEAD_BYTES = 32;
const RESTART_BACKOFF = { minMs: 200, maxMs: 30_000, retriesMax: 0 };
/** A child that has run this long was well: the next failure counts as the first. */
const WELL_MS = 60_000;

export interface JournalTargetOptions {
  readonly program: string;
  readonly reading: Omit<JournalctlOptions, "start" | "fields">;
  readonly maxAgeMs: number;
  /** Keys of the position: where it is written, and another where it may be found. */
  readonly positionKey: string;
  readonly legacyPositionKey: string;
  readonly labels: LabelSet;
  readonly valueBytesMax: number;
  readonly intake: Intake;
  readonly positions: Positions;
  readonly metrics: JournalMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

export class JournalTarget implements Target, PositionSource {
  readonly kind = "Journal";
  readonly labels: LabelSet;
  readonly discovered = {};
  readonly #options: JournalTargetOptions;
  readonly #entries: EntryBatches;
  readonly #stop = new AbortController();
  readonly #budget = new InFlightBudget(IN_FLIGHT_BYTES_MAX);
  readonly #ledger: TicketLedger;
  /** Of the last entry that was read. */
  #cursor: string | undefined;
  #child: Journalctl | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: JournalTargetOptions, entries: EntryBatches) {
    const { positions, positionKey, legacyPositionKey } = options;
    this.#options = options;
    this.#entries = entries;
    this.labels = options.labels;
    this.#cursor = positions.get(positionKey) ?? positions.get(legacyPositionKey);
    this.#ledger = new TicketLedger(0, this.#cursor ?? "", this.#budget.ledgerEvents);
  }

  /** @throws Error when journalctl cannot be started */
  async open(): Promise<void> {
    const { clock, maxAgeMs, positions } = this.#options;
    const start = startPointOf(this.#cursor, clock.nowMs(), maxAgeMs);
    if (start.kind === "since" && this.#cursor !== undefined) {
      this.#options.log.warn(
        { cursor: this.#cursor, max_age_ms: maxAgeMs },
        "the saved position is older than max_age, reading from max_age on",
      );
    }
    const child = await this.#startChild(start);
    positions.addSource(this);
    this.#running = this.#supervise(child, start);
  }

  get ready(): boolean {
    return this.#child !== undefined;
  }

  details(): unknown {
    const { entryCount, lastMs } = this.#entries;
    return {
      cursor: this.#cursor ?? "",
      acknowledgedCursor: this.#ledger.committedMark(),
      entries: entryCount,
      ...(lastMs > 0 ? { lastEntry: new Date(lastMs).toISOString() } : {}),
      ...(this.#child === undefined ? {} : { journalctlPid: this.#child.pid }),
    };
  }

  /** What is written to the journal from now on is for the next start, drained or not. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#child?.end();
    await this.#running;
  }

  records(): [] {
    return [];
  }

  positions(): readonly (readonly [string, string])[] {
    const cursor = this.#ledger.committedMark();
    return cursor === "" ? [] : [[this.#options.positionKey, cursor]];
  }

  settled(): boolean {
    return this.#stop.signal.aborted && this.#ledger.settled;
  }

  /** Keeps a child running, each from where the one before has ended. */
  async #supervise(first: Journalctl, firstStart: StartPoint): Promise<void> {
    const { clock, log, maxAgeMs, metrics } = this.#options;
    let child: Journalctl | undefined = first;
    let start = firstStart;
    for (let failures = 0; ; ) {
      const startedMs = clock.nowMs();
      const reason: RestartReason = child === undefined ? "exited" : await this.#readAll(child, start);
      if (this.#stop.signal.aborted) return;
      metrics.restarts.inc({ reason });
      failures = clock.nowMs() - startedMs >= WELL_MS ? 1 : failures + 1;
      if (reason === "exited") await clock.sleep(backoffMs(failures, RESTART_BACKOFF, this.#options.random), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const sinceMs = clock.nowMs() - maxAgeMs;
      start = reason === "exited" ? startPointOf(this.#cursor, clock.nowMs(), maxAgeMs) : { kind: "since", sinceMs };
      child = await this.#startChild(start).catch((error: unknown) => {
        log.error({ error: messageOf(error) }, "journalctl could not be started, trying again");
        return undefined;
      });
    }
  }

  async #startChild(start: StartPoint): Promise<Journalctl> {
    const { program, reading, log } = this.#options;
    const args = journalctlArguments({ ...reading, fields: this.#entries.fieldsWanted, start });
    const child = await Journalctl.start(program, args, log);
    this.#child = child;
    log.debug({ pid: child.pid, arguments: args.join(" ") }, "journalctl started");
    return child;
  }

  /** Reads what a child writes until it ends, or is ended because it does not begin where it should. */
  async #readAll(child: Journalctl, start: StartPoint): Promise<RestartReason> {
    const { log } = this.#options;
    let tooOld = false;
    if (this.#stop.signal.aborted) await child.end();
    this.#entries.abandonEntry();
    if (start.kind === "cursor") {
      const { cursor } = start;
      this.#admitFrom(cursor, () => {
        tooOld = true;
      });
    } else this.#entries.admit = undefined;
    const parser = new ExportParser(this.#entries as ExportHandler<unknown>, this.#options.valueBytesMax);
    try {
      for await (const chunk of child.output as AsyncIterable<Buffer>) {
        parser.push(chunk);
        if (tooOld) break;
        await this.#hand();
        if (this.#stop.signal.aborted) break;
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) log.error({ error: messageOf(error) }, "could not read what journalctl writes");
    }
    if (tooOld || this.#stop.signal.aborted) await child.end();
    const how = await child.ended;
    this.#child = undefined;
    if (this.#stop.signal.aborted) return "exited";
    if (tooOld) return "cursor_too_old";
    if (child.cursorRefused && start.kind === "cursor") {
      this.#cursorLost(start.cursor, "journalctl does not take the saved position, reading from max_age on");
      return "cursor_refused";
    }
    log.error({ ended: how }, "journalctl has ended, starting it again");
    return "exited";
  }

  /** The first entry must be the cursor's own, which was read before. If it is another, the cursor's is gone, and maybe more behind it. */
  #admitFrom(cursor: string, onTooOld: () => void): void {
    const entries = this.#entries;
    entries.admit = (first, timeMs) => {
      entries.admit = undefined;
      if (first === cursor) return false;
      const oldestMs = this.#options.clock.nowMs() - this.#options.maxAgeMs;
      this.#cursorLost(
        cursor,
        "the entry of the saved position is not in the journal any more (vacuumed, or not among matches): reading on behind it",
      );
      if (timeMs >= oldestMs) return true;
      entries.admit = () => false;
      onTooOld();
      return false;
    };
  }

  #cursorLost(cursor: string, text: string): void {
    const timeMs = cursorTimeMs(cursor);
    this.#cursor = undefined;
    this.#options.metrics.lostCursors.inc();
    this.#options.log.warn({ cursor, ...(timeMs === undefined ? {} : { written: new Date(timeMs).toISOString() }) }, text);
  }

  /** Hands on what has come, and waits for room. */
  async #hand(): Promise<void> {
    const batch = this.#entries.take();
    const sizeBytes = batch === undefined ? 0 : batch.bytesUsed + batch.count * ENTRY_OVERHEAD_BYTES;
    const cursor = this.#entries.lastCursor;
    if (cursor === undefined || (batch === undefined && cursor === this.#cursor)) return;
    this.#cursor = cursor;
    const ticket = this.#ledger.issue(this.#entries.entryCount, cursor, sizeBytes);
    this.#budget.take(sizeBytes);
    if (batch === undefined) return ticket.release();
    batch.tickets.push(ticket);
    const taken = this.#options.intake.consume(batch).catch((error: unknown) => this.#failed(batch, error));
    await orAborted(taken, this.#stop.signal);
    await this.#budget.room(this.#stop.signal);
  }

  /** A stage that breaks must not hold the journal up for good. */
  #failed(batch: EntryBatch, error: unknown): void {
    this.#options.log.error({ error: messageOf(error), entries: batch.count }, "a pipeline stage failed, its entries are not sent");
    for (const ticket of batch.tickets) ticket.release();
  }
}
