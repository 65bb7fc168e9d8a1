// Reads one time range to its end, however often the server has to be asked, and hands on each of its lines once.

import { type Clock, createNanoClock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import { backoffMs } from "../../client/backoff.ts";
import { type LogpullOptions, LogpullRefused, pullReceived, type TimeRange } from "./logpull.ts";
import { SentLines } from "./sent-lines.ts";

const RETRY = { minMs: 1_000, maxMs: 60_000, retriesMax: 0 };
const BATCH_BYTES_MAX = 256 * 1024;
/** A line without end grows to this, then it is sent in pieces. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;
const LINE_FEED = 10;
/** With `timestamps=unixnano`; inside of a string its quotes would be escaped. */
const START_TIMESTAMP = /"EdgeStartTimestamp"\s*:\s*(\d{10,19})[,}\s]/;

export interface RangeReaderOptions {
  readonly logpull: LogpullOptions;
  readonly labels: LabelSet;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Resolves when there is room for more. */
  readonly hand: (batch: EntryBatch) => Promise<void>;
  readonly onFailed: () => void;
}

export class RangeReader {
  readonly #options: RangeReaderOptions;
  readonly #now: () => readonly [sec: number, nanos: number];

  constructor(options: RangeReaderOptions) {
    this.#options = options;
    this.#now = createNanoClock(() => options.clock.nowMs());
  }

  /** Resolves when every line is handed on, or the signal has aborted. */
  async read(range: TimeRange): Promise<void> {
    const { signal, clock, log, random, onFailed } = this.#options;
    const sent = new SentLines();
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        sent.begin();
        return await this.#pull(range, sent);
      } catch (error) {
        if (signal.aborted) return;
        onFailed();
        const waitMs = Math.round(backoffMs(tries, RETRY, random, error instanceof LogpullRefused ? error.retryAfterMs : undefined));
        const start = new Date(range.startMs).toISOString();
        log.error({ start, error: messageOf(error), tries, retry_ms: waitMs }, "could not pull logs from Cloudflare, trying again");
        await clock.sleep(waitMs, signal);
      }
    }
  }

  async #pull(range: TimeRange, sent: SentLines): Promise<void> {
    const { logpull, signal } = this.#options;
    const lines = new LineGatherer(sent, this.#options.labels, this.#now);
    try {
      for await (const chunk of pullReceived(logpull, range, signal)) {
        lines.add(chunk);
        if (lines.batchBytes >= BATCH_BYTES_MAX) await this.#hand(lines.take());
      }
      lines.end();
    } finally {
      // Whole lines of an answer that was cut off count as sent.
      await this.#hand(lines.take());
    }
  }

  async #hand(batch: EntryBatch): Promise<void> {
    if (batch.count > 0) await this.#options.hand(batch);
  }
}

/** From chunks of bytes to entries: one for each line that was not sent. */
class LineGatherer {
  readonly #sent: SentLines;
  readonly #labels: LabelSet;
  readonly #now: () => readonly [sec: number, nanos: number];
  #rest: Buffer = Buffer.alloc(0);
  #batch = new EntryBatch(new Uint8Array(4_096), 16, 0);

  constructor(sent: SentLines, labels: LabelSet, now: () => readonly [sec: number, nanos: number]) {
    this.#sent = sent;
    this.#labels = labels;
    this.#now = now;
  }

  get batchBytes(): number {
    return this.#batch.bytesUsed;
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed >= 0; feed = bytes.indexOf(LINE_FEED, start)) {
      this.#line(bytes.subarray(start, feed));
      start = feed + 1;
    }
    this.#rest = bytes.subarray(start);
    if (this.#rest.length > LINE_BYTES_MAX) this.end();
  }

  /** What is left is a line too. Not to be called of an answer that was cut off. */
  end(): void {
    this.#line(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  take(): EntryBatch {
    const batch = this.#batch;
    this.#batch = new EntryBatch(new Uint8Array(4_096), 16, 0);
    return batch;
  }

  #line(line: Buffer): void {
    if (line.length === 0 || !this.#sent.take(line)) return;
    const text = line.toString("utf8");
    const found = START_TIMESTAMP.exec(text)?.[1];
    const i = this.#batch.addText(text, 0, 0, this.#labels);
    this.#batch.setTime(i, ...(found === undefined ? this.#now() : timeOf(BigInt(found))));
  }
}

function timeOf(nanos: bigint): readonly [sec: number, nanos: number] {
  return [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)];
}
