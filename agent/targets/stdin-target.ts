// `-stdin`: standard input through the first scrape config's pipeline, with the labels of its static_configs, until the input ends.
// Line ends are `\n` and `\r\n`; empty lines are skipped, a last line without line feed counts.

import type { Readable } from "node:stream";
import type { Clock } from "../../lib/runtime/clock.ts";
import { createNanoClock } from "../../lib/runtime/clock.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";
import type { Sink } from "../sink.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
/** How often stages that hold entries are asked for what is due. */
const FLUSH_PERIOD_MS = 250;
/** A line without end grows to this, then it is sent in pieces. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;

export interface StdinOptions {
  readonly input: Readable;
  readonly labels: LabelSet;
  readonly pipeline: Pipeline;
  readonly sink: Sink;
  readonly clock: Clock;
}

/** Reads to the end; resolves when the last entry was handed to the sink. @throws the input's error */
export async function readStdin(options: StdinOptions): Promise<void> {
  const { input, labels, pipeline, sink, clock } = options;
  const now = createNanoClock(() => clock.nowMs());
  const timer = setInterval(() => void flush(false).catch(() => {}), FLUSH_PERIOD_MS);
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.lastIndexOf(LINE_FEED) + 1;
      const cut = whole === 0 && bytes.length > LINE_BYTES_MAX ? bytes.length : whole;
      rest = Buffer.from(bytes.subarray(cut));
      if (cut > 0) await hand(Buffer.from(bytes.subarray(0, cut)));
    }
    if (rest.length > 0) await hand(rest);
    await flush(true);
  } finally {
    clearInterval(timer);
  }

  async function hand(bytes: Buffer): Promise<void> {
    const batch = splitLines(bytes, labels, now);
    if (batch.liveCount === 0) return;
    const delayMs = pipeline.delayMs(clock.nowMs());
    if (delayMs > 0) await clock.sleep(delayMs);
    pipeline.process(batch);
    await sink.consume(batch);
  }

  async function flush(closing: boolean): Promise<void> {
    const held = pipeline.flush(clock.nowMs(), closing);
    if (held !== undefined) await sink.consume(held);
  }
}

function splitLines(bytes: Buffer, labels: LabelSet, now: () => readonly [number, number]): EntryBatch {
  const batch = new EntryBatch(bytes, 64);
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const next = feed < 0 ? bytes.length : feed;
    let end = next;
    while (end > start && bytes[end - 1] === CARRIAGE_RETURN) end--;
    if (end > start) {
      const [sec, nanos] = now();
      batch.add(start, end, sec, nanos, labels);
    }
    start = next + 1;
  }
  return batch;
}
