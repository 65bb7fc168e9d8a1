import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";

/** A disk that failed is left alone for this long. */
const RETRY_MS = 5_000;

export interface DiskHealthOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Whose disk it is, in the log: `spool`. */
  readonly of: string;
  /** What it means that the disk fails, and what to change. */
  readonly meaning: string;
  readonly fields: object;
  readonly count: () => void;
}

/** Whether a queue's disk works. Each failure is counted; that it fails, and that it works again, is told once. */
export class DiskHealth {
  readonly #options: DiskHealthOptions;
  #isFailing = false;
  #retryAtMs = 0;

  constructor(options: DiskHealthOptions) {
    this.#options = options;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Whether it failed so lately that it is not tried. */
  get isLeftAlone(): boolean {
    return this.#isFailing && this.#options.clock.nowMs() < this.#retryAtMs;
  }

  failed(error: unknown): void {
    const { clock, log, of, meaning, fields, count } = this.#options;
    count();
    this.#retryAtMs = clock.nowMs() + RETRY_MS;
    if (this.#isFailing) return;
    this.#isFailing = true;
    log.warn({ ...fields, error: messageOf(error) }, `the ${of}'s disk fails: ${meaning}`);
  }

  worked(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.log.info(this.#options.fields, `the ${this.#options.of}'s disk works again`);
  }

  /** As `failed`, for who can only try again; resolves when it is time to, or at the stop. */
  async waitAfter(error: unknown, stop: AbortSignal): Promise<void> {
    this.failed(error);
    await this.#options.clock.sleep(RETRY_MS, stop);
  }
}
