// limits_config.readline_*: one token bucket for all lines of the agent, behind the pipelines.

import type { Clock } from "../lib/runtime/clock.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { Sink } from "./sink.ts";

export interface ReadlineLimit {
  readonly linesPerSecond: number;
  readonly burstLines: number;
  /** Drop what is above the rate; else wait. */
  readonly drop: boolean;
}

/** @param onDropped counts entries that were dropped */
export function limitLines(sink: Sink, limit: ReadlineLimit, clock: Clock, onDropped: (count: number) => void): Sink {
  let tokens = limit.burstLines;
  let filledMs = clock.nowMs();
  const refill = (): void => {
    const nowMs = clock.nowMs();
    tokens = Math.min(limit.burstLines, tokens + ((nowMs - filledMs) / 1000) * limit.linesPerSecond);
    filledMs = nowMs;
  };
  const consumeWithin = (batch: EntryBatch): Promise<void> | void => {
    refill();
    const allowed = Math.min(batch.liveCount, Math.floor(tokens));
    tokens -= allowed;
    if (allowed < batch.liveCount) {
      onDropped(batch.liveCount - allowed);
      batch.liveCount = allowed;
    }
    if (allowed > 0) return sink.consume(batch);
  };
  const consumeSlowly = async (batch: EntryBatch): Promise<void> => {
    refill();
    // May go below zero: a batch passes whole, and the next one waits for it.
    const wanted = Math.min(batch.liveCount, limit.burstLines);
    while (tokens < wanted) {
      await clock.sleep(Math.max(1, Math.ceil(((wanted - tokens) / limit.linesPerSecond) * 1000)));
      refill();
    }
    tokens -= batch.liveCount;
    await sink.consume(batch);
  };
  return { consume: limit.drop ? consumeWithin : consumeSlowly };
}
