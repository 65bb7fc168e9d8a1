// One container's log: from Docker's pipe through the stages to the client, until Docker closes the pipe.

import { systemClock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";
import { SharedPipeline } from "../shared-pipeline.ts";
import type { Sink } from "../sink.ts";
import { Intake } from "../targets/intake.ts";
import { TicketLedger } from "../tickets.ts";
import { type Fifo, openFifo } from "./fifo.ts";
import { type LogEntry, LogEntryReader } from "./log-entry.ts";

/** A line's longest text; Docker's parts are put together up to here. */
const LINE_BYTES_MAX = 256 * 1024;
/** Lines of which parts have come and the last has not: one for each output. */
const OPEN_LINES_MAX = 8;
/** How long after `end` Docker has to close the pipe. */
const END_MS = 10_000;

export interface ContainerLogOptions {
  readonly path: string;
  /** Undefined: the container's entries are not wanted. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly pipeline: Pipeline;
  readonly sink: Sink;
  readonly log: Log;
}

interface OpenLine {
  readonly sec: number;
  readonly nanos: number;
  readonly pieces: Buffer[];
  bytes: number;
}

export class ContainerLog {
  /** Resolves when everything was handed to the client, which may not have sent it yet. */
  readonly done: Promise<void>;
  readonly #options: ContainerLogOptions;
  readonly #fifo: Fifo;
  readonly #intake: Intake;
  readonly #labels: ReadonlyMap<string, LabelSet>;
  /** By output and line. */
  readonly #open = new Map<string, OpenLine>();
  readonly #ledger: TicketLedger;
  #entryCount = 0;
  #pendingEntries = 0;
  #cutLines = 0;
  #closed = false;

  /** @throws Error when the pipe cannot be opened */
  constructor(options: ContainerLogOptions) {
    this.#options = options;
    const { labels, pipeline, sink, log } = options;
    const of = (source: string): [string, LabelSet] => [source, LabelSet.fromObject({ ...labels, ...(source !== "" && { source }) })];
    this.#labels = new Map(["", "stdout", "stderr"].map(of));
    this.#ledger = new TicketLedger(0, "", {
      onDone: (entries) => {
        this.#pendingEntries -= entries;
      },
    });
    this.#fifo = openFifo(options.path);
    this.#intake = new Intake({ pipeline: new SharedPipeline(pipeline).lease(), sink, clock: systemClock, log });
    this.done = this.#run();
  }

  /** Entries that were read and are neither acknowledged nor dropped, which is counted elsewhere. */
  get pendingEntries(): number {
    return this.#pendingEntries;
  }

  /** Docker is about to close the pipe. What is in it is still read. */
  end(): void {
    this.#fifo.expectEnd();
    const timer = setTimeout(() => this.close(), END_MS);
    timer.unref();
    void this.done.then(() => clearTimeout(timer));
  }

  /** Reads no further. */
  close(): void {
    this.#closed = true;
    this.#fifo.close();
  }

  async #run(): Promise<void> {
    const { log, path } = this.#options;
    const reader = new LogEntryReader();
    try {
      for await (const chunk of this.#fifo.stream as AsyncIterable<Buffer>) {
        // Docker has the pipe open, so its end is Docker's.
        this.#fifo.expectEnd();
        await this.#hand(reader.push(chunk));
      }
    } catch (error) {
      if (!this.#closed) log.error({ pipe: path, error: messageOf(error) }, "log of a container cannot be read any further");
    }
    this.#fifo.close();
    await this.#handOpen();
    await this.#intake.stop();
    if (this.#cutLines > 0) log.warn({ pipe: path, lines: this.#cutLines, bytes_max: LINE_BYTES_MAX }, "lines were cut to the longest");
  }

  async #hand(entries: Iterable<LogEntry>): Promise<void> {
    const batch = new EntryBatch();
    try {
      for (const entry of entries) if (this.#options.labels !== undefined) this.#take(entry, batch);
    } finally {
      // What came before something that is no entry is one.
      await this.#consume(batch);
    }
  }

  /** Parts whose last one never came. */
  async #handOpen(): Promise<void> {
    const batch = new EntryBatch();
    for (const [key, line] of this.#open) this.#add(batch, key.split(" ", 1)[0]!, line.sec, line.nanos, Buffer.concat(line.pieces));
    this.#open.clear();
    await this.#consume(batch);
  }

  async #consume(batch: EntryBatch): Promise<void> {
    if (batch.count === 0) return;
    this.#entryCount += batch.count;
    this.#pendingEntries += batch.count;
    batch.tickets.push(this.#ledger.issue(this.#entryCount));
    try {
      await this.#intake.consume(batch);
    } catch (error) {
      this.#options.log.error({ error: messageOf(error), entries: batch.count }, "a pipeline stage failed, its entries are not sent");
    }
  }

  #take(entry: LogEntry, batch: EntryBatch): void {
    const key = `${entry.source} ${entry.partialId}`;
    const open = this.#open.get(key);
    if (open === undefined && !entry.partial) return this.#add(batch, entry.source, entry.sec, entry.nanos, entry.line);
    const line = open ?? { sec: entry.sec, nanos: entry.nanos, pieces: [], bytes: 0 };
    const room = LINE_BYTES_MAX - line.bytes;
    if (entry.line.length > room) this.#cutLines++;
    const piece = Buffer.from(entry.line.subarray(0, Math.max(0, room)));
    line.pieces.push(piece);
    line.bytes += piece.length;
    if (entry.partial) this.#keepOpen(key, line, batch);
    else {
      this.#open.delete(key);
      this.#add(batch, entry.source, line.sec, line.nanos, Buffer.concat(line.pieces));
    }
  }

  #keepOpen(key: string, line: OpenLine, batch: EntryBatch): void {
    this.#open.set(key, line);
    if (this.#open.size <= OPEN_LINES_MAX) return;
    const [[oldKey, old]] = this.#open as unknown as [[string, OpenLine]];
    this.#open.delete(oldKey);
    this.#add(batch, oldKey.split(" ", 1)[0]!, old.sec, old.nanos, Buffer.concat(old.pieces));
  }

  /** Blank lines are left out, as Loki's driver does. */
  #add(batch: EntryBatch, source: string, sec: number, nanos: number, line: Buffer): void {
    if (line.every((byte) => byte === 32 || (byte >= 9 && byte <= 13))) return;
    const i = batch.addText(line, 0, 0, this.#labels.get(source) ?? this.#labels.get("")!);
    batch.setTime(i, sec, nanos);
  }
}
