// A file for what servers refuse for good: one JSON object per line, the newest at the end. When it has reached half of its bound it
// becomes `<path>.1` in place of the one before. Trouble with the file is counted and told, and never stops the client.

import { type FileHandle, open, rename } from "node:fs/promises";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import type { ClientMetrics } from "./client-metrics.ts";
import type { DeadLetterOptions } from "./client-options.ts";

const WRITE_BYTES = 1024 * 1024;
const TOLD_PERIOD_MS = 60_000;

export interface DeadLetterContext {
  readonly client: string;
  readonly metrics: Pick<ClientMetrics, "deadLetterEntries" | "deadLetterFailed">;
  readonly clock: Clock;
  readonly log: Log;
}

export class DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #context: DeadLetterContext;
  /** One write after the other. */
  readonly #turns = new OneAtATime();
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: DeadLetterOptions, context: DeadLetterContext) {
    this.#options = options;
    this.#context = context;
    context.metrics.deadLetterEntries.inc({ client: context.client }, 0);
    context.metrics.deadLetterFailed.inc({ client: context.client }, 0);
  }

  /** Appends records. Resolves when they are in the file or given up; never rejects. */
  write(records: Iterable<object>): Promise<void> {
    return this.#turns.run(() => this.#writeAll(records)).catch((error: unknown) => this.#tell(messageOf(error), 0));
  }

  async #writeAll(records: Iterable<object>): Promise<void> {
    const largest = Math.min(WRITE_BYTES, this.#bytesPerFile);
    let lines: Buffer[] = [];
    let bytes = 0;
    for (const record of records) {
      const line = Buffer.from(`${JSON.stringify(record)}\n`);
      if (bytes > 0 && bytes + line.length > largest) {
        await this.#append(lines, bytes);
        lines = [];
        bytes = 0;
      }
      lines.push(line);
      bytes += line.length;
    }
    if (bytes > 0) await this.#append(lines, bytes);
  }

  get #bytesPerFile(): number {
    return Math.floor(this.#options.maxBytes / 2);
  }

  async #append(lines: readonly Buffer[], bytes: number): Promise<void> {
    const { client, metrics } = this.#context;
    try {
      if (bytes > this.#bytesPerFile) throw new Error(`${bytes} bytes are more than half of max_bytes, ${this.#options.maxBytes}`);
      const { file, size } = await this.#openWithRoom(bytes);
      try {
        await writeWhole(file, Buffer.concat(lines), size);
      } finally {
        await file.close();
      }
      metrics.deadLetterEntries.inc({ client }, lines.length);
    } catch (error) {
      metrics.deadLetterFailed.inc({ client }, lines.length);
      this.#tell(messageOf(error), lines.length);
    }
  }

  /** Opened anew for each write: refusals are rare, and who moves the file away gets a new one. */
  async #openWithRoom(bytes: number): Promise<{ readonly file: FileHandle; readonly size: number }> {
    const { path } = this.#options;
    const file = await open(path, "a", 0o600);
    const { size } = await file.stat();
    if (size === 0 || size + bytes <= this.#bytesPerFile) return { file, size };
    await file.close();
    await rename(path, `${path}.1`);
    return { file: await open(path, "a", 0o600), size: 0 };
  }

  #tell(text: string, entries: number): void {
    const { clock, log, client } = this.#context;
    if (clock.nowMs() - this.#toldMs < TOLD_PERIOD_MS) return;
    this.#toldMs = clock.nowMs();
    log.error({ client, file: this.#options.path, entries, error: text }, "could not write dead letters, refused entries are lost");
  }
}

/** A disk that becomes full leaves no half of a record. */
async function writeWhole(file: FileHandle, bytes: Buffer, size: number): Promise<void> {
  try {
    await file.writeFile(bytes);
  } catch (error) {
    await file.truncate(size).catch(() => {});
    throw error;
  }
}
