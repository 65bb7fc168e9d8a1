// A pipeline: stages in order, run over batches. What stages hold back goes through the stages behind them when it is due.

import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import { endExtracted, startExtracted } from "./extracted-data.ts";
import { appendBatch } from "./held-entry.ts";
import type { Stage } from "./stage.ts";
import type { TapPoint } from "./tap.ts";

export class Pipeline {
  readonly #stages: Stage;
  /** Where its entries may be watched, in the order they pass; none unless it was built with taps. */
  readonly taps: readonly TapPoint[];

  readonly #keepsZones: boolean;

  /** @param keepsZones entries keep the zones of their times, for who prints them */
  constructor(stages: Stage, taps: readonly TapPoint[] = [], keepsZones = false) {
    this.#stages = stages;
    this.taps = taps;
    this.#keepsZones = keepsZones;
  }

  /** Runs the batch's live entries through all stages, in place. Entries that stages hold keep the batch's tickets held. */
  process(batch: EntryBatch): void {
    if (this.#keepsZones) batch.zones = new Map();
    startExtracted(batch);
    this.#stages.process(batch);
    endExtracted(batch);
  }

  /**
   * Entries that were held back and are due at `nowMs`, or all of them at `closing`; undefined when there are none. The batch carries
   * the tickets of the held entries. (CRI partials are not handed out at `closing`: see cri-partials.ts.)
   */
  flush(nowMs: number, closing: boolean): EntryBatch | undefined {
    const batch = this.#stages.flush?.(nowMs, closing);
    if (batch !== undefined) endExtracted(batch);
    return batch;
  }

  /** How long to wait before more entries are handed in; 0 when not at all. */
  delayMs(nowMs: number): number {
    return this.#stages.delayMs?.(nowMs) ?? 0;
  }
}

/** Stages one after the other, as one stage. */
export function inSequence(stages: readonly Stage[]): Stage {
  const flushes = stages.some((stage) => stage.flush !== undefined);
  const delays = stages.filter((stage) => stage.delayMs !== undefined);
  const processFrom = (first: number, batch: EntryBatch): void => {
    for (let s = first; s < stages.length; s++) stages[s]!.process(batch);
  };
  return {
    process: (batch) => processFrom(0, batch),
    ...(flushes && {
      // In the order of the stages: what an earlier stage lets go may complete, or be held by, what a later one holds.
      flush(nowMs: number, closing: boolean): EntryBatch | undefined {
        let all: EntryBatch | undefined;
        for (let s = 0; s < stages.length; s++) {
          const batch = stages[s]!.flush?.(nowMs, closing);
          if (batch === undefined) continue;
          processFrom(s + 1, batch);
          if (all === undefined) all = batch;
          else appendBatch(all, batch);
        }
        return all;
      },
    }),
    ...(delays.length > 0 && { delayMs: (nowMs: number) => Math.max(...delays.map((stage) => stage.delayMs!(nowMs))) }),
  };
}
