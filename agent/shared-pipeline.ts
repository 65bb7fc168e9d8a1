// One pipeline for all targets of a scrape config, as in Promtail: a `limit` counts the lines of all of them, a counter is one counter.
// What stages hold is let go for good only when the last target ends; until then it waits for its own time.

import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import type { TapPoint } from "../pipelines/tap.ts";

export interface LeasedPipeline {
  process(batch: EntryBatch): void;
  flush(nowMs: number, closing: boolean): EntryBatch | undefined;
  delayMs(nowMs: number): number;
}

export class SharedPipeline {
  readonly #pipeline: Pipeline;
  #users = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  get taps(): readonly TapPoint[] {
    return this.#pipeline.taps;
  }

  /** For one target, which ends its use by `flush(…, true)`. */
  lease(): LeasedPipeline {
    this.#users++;
    let ended = false;
    return {
      process: (batch) => this.#pipeline.process(batch),
      delayMs: (nowMs) => this.#pipeline.delayMs(nowMs),
      flush: (nowMs, closing) => {
        if (closing && !ended) {
          ended = true;
          this.#users--;
        }
        return this.#pipeline.flush(nowMs, closing && this.#users === 0);
      },
    };
  }
}
