// Kubernetes' container log lines, `<time> <stdout|stderr> <flags> <content>`: sets the time, the label `stream` and the line, and
// joins partial lines (flags `P`) with the line that ends them.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import type { CriColumns } from "../../lib/kernels/kernels.ts";
import { compileTimestampFormat } from "../../lib/text/go-time.ts";
import { type EntryBatch, textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { CriPartials } from "../cri-partials.ts";
import { copyLabelsOverExtracted } from "../extracted-data.ts";
import { LastTimes } from "../last-times.ts";
import { SpanColumn, TextNumbering } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { weakBoolean, wholeNumber } from "../stage-config.ts";

/** Streams whose partial lines are kept at once, when the configuration says 0 or nothing. */
const PARTIAL_STREAMS_DEFAULT = 100;

export const cri = defineStage({
  name: "cri",
  config: () =>
    z.object({
      max_partial_lines: wholeNumber().default(PARTIAL_STREAMS_DEFAULT),
      max_partial_line_size: wholeNumber().default(0),
      max_partial_line_size_truncate: weakBoolean().default(false),
    }),
  build(config, { now, compile, takesApart }): Stage {
    const partials = new CriPartials({
      streamsMax: config.max_partial_lines > 0 ? config.max_partial_lines : PARTIAL_STREAMS_DEFAULT,
      truncateBytes: config.max_partial_line_size_truncate && config.max_partial_line_size > 0 ? config.max_partial_line_size : undefined,
      nowMs: now,
    });
    if (takesApart) return inParts(compile(CRI_STAGES, []), partials);
    const parser = new CriParser();
    return {
      process(batch) {
        copyLabelsOverExtracted(batch);
        const partialCount = parser.process(batch);
        if (partialCount > 0 || partials.isOpen) partials.join(batch, parser.columns);
      },
      flush: (nowMs, closing) => partials.flush(nowMs, closing),
    };
  },
});

/** The stages whose work this one does at once. */
const CRI_STAGES = [
  { regex: { expression: "^(?s)(?P<time>\\S+?) (?P<stream>stdout|stderr) (?P<flags>\\S+?) (?P<content>.*)$" } },
  { labels: { stream: "" } },
  { timestamp: { source: "time", format: "RFC3339Nano" } },
  { output: { source: "content" } },
  // Promtail has a second one, for a value that no line has: in what -inspect prints it changes nothing.
  { output: { source: "content" } },
];

function inParts(parts: Stage, partials: CriPartials): Stage {
  return {
    process(batch) {
      copyLabelsOverExtracted(batch);
      parts.process(batch);
      const ok = new Uint8Array(batch.count);
      const partial = new Uint8Array(batch.count);
      for (const i of batch.live.subarray(0, batch.liveCount)) {
        const flags = batch.extracted.get("flags")?.get(i);
        ok[i] = flags === undefined ? 0 : 1;
        partial[i] = flags === "P" ? 1 : 0;
      }
      partials.join(batch, { ok, partial });
    },
    flush: (nowMs, closing) => partials.flush(nowMs, closing),
  };
}

/** Reads a batch's lines by the kernel, and applies what it found. Its arrays serve batch after batch. */
class CriParser {
  columns: CriColumns = makeColumns(0);
  readonly #numberings = {
    time: new TextNumbering(),
    stream: new TextNumbering(),
    flags: new TextNumbering(),
    content: new TextNumbering(),
  };
  readonly #times = new LastTimes();
  readonly #readTime = compileTimestampFormat("RFC3339Nano");
  /** Lines as they came: the stage itself moves the batch's. */
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);

  /** Returns how many of the live lines are partial. */
  process(batch: EntryBatch): number {
    this.#copyLines(batch);
    const irregularCount = kernels.parseCri(batch.bytes, this.#starts, this.#ends, batch.count, this.columns);
    const isPlain = irregularCount === 0 && batch.liveCount === batch.count && batch.farSec === undefined && batch.zones === undefined;
    const partialCount = isPlain ? this.#applyToAll(batch) : this.#apply(batch);
    this.#extract(batch);
    return partialCount;
  }

  /** `#apply` where all entries are live and all lines regular, which is nearly always: whole columns at once. */
  #applyToAll(batch: EntryBatch): number {
    const { contentStart, sec, nanos } = this.columns;
    batch.starts.set(contentStart.subarray(0, batch.count));
    batch.sec.set(sec.subarray(0, batch.count));
    batch.nanos.set(nanos.subarray(0, batch.count));
    batch.labels.combine(batch.live, batch.liveCount, this.columns.stream, 2, withStream);
    this.#times.rememberLive(batch);
    return 0;
  }

  #apply(batch: EntryBatch): number {
    const { ok, contentStart, timeOk, timeEnd, sec, nanos, stream, partial } = this.columns;
    let partialCount = 0;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (ok[i] !== 1) {
        // Promtail's timestamp stage counts a missing time as one it cannot read.
        this.#times.fudge(batch, i);
        continue;
      }
      batch.labels.set(i, withStream(batch.labels.get(i)!, stream[i]!));
      batch.starts[i] = contentStart[i]!;
      partialCount += partial[i]!;
      if (timeOk[i] === 1 && batch.zones === undefined) {
        batch.setTime(i, sec[i]!, nanos[i]!);
        this.#times.remember(batch, i);
      } else this.#readOddTime(batch, i, timeEnd[i]!);
    }
    return partialCount;
  }

  /** The kernel reads times from 1901 to 2038, and no zones; any other is rare or none. */
  #readOddTime(batch: EntryBatch, i: number, timeEnd: number): void {
    const time = this.#readTime(textOf(batch.bytes, this.#starts[i]!, timeEnd), 0);
    if (time === null) this.#times.fudge(batch, i);
    else {
      batch.setTime(i, time.sec, time.nanos);
      batch.zones?.set(i, time.zone);
      this.#times.remember(batch, i);
    }
  }

  /** The extracted names that the stage's expression has in Promtail, as spans. */
  #extract(batch: EntryBatch): void {
    const { ok, timeEnd, streamStart, streamEnd, flagsStart, flagsEnd, contentStart } = this.columns;
    const { count } = batch;
    if (batch.liveCount < count) clearDead(batch, ok);
    const add = (name: "time" | "stream" | "flags" | "content", start: Int32Array, end: Int32Array): void => {
      // `ok` has the values of JSON_ABSENT and JSON_PLAIN_STRING.
      const slots = { kind: ok, start, end, stride: 1, offset: 0, count, numbering: this.#numberings[name] };
      batch.extracted.set(name, new SpanColumn(batch, slots, batch.extracted.get(name)));
    };
    add("time", this.#starts, timeEnd);
    add("stream", streamStart, streamEnd);
    add("flags", flagsStart, flagsEnd);
    add("content", contentStart, this.#ends);
  }

  #copyLines(batch: EntryBatch): void {
    if (batch.count > this.#starts.length) {
      const capacity = Math.max(batch.count, this.#starts.length * 2, 64);
      this.columns = makeColumns(capacity);
      this.#starts = new Int32Array(capacity);
      this.#ends = new Int32Array(capacity);
    }
    this.#starts.set(batch.starts.subarray(0, batch.count));
    this.#ends.set(batch.ends.subarray(0, batch.count));
  }
}

function withStream(labels: LabelSet, stream: number): LabelSet {
  return labels.put("stream", stream === 0 ? "stdout" : "stderr");
}

/** Entries that are not live keep what they had extracted. */
function clearDead(batch: EntryBatch, ok: Uint8Array): void {
  const live = new Uint8Array(batch.count);
  for (let k = 0; k < batch.liveCount; k++) live[batch.live[k]!] = 1;
  for (let i = 0; i < batch.count; i++) ok[i] = ok[i]! & live[i]!;
}

function makeColumns(capacity: number): CriColumns {
  return {
    ok: new Uint8Array(capacity),
    contentStart: new Int32Array(capacity),
    timeEnd: new Int32Array(capacity),
    timeOk: new Uint8Array(capacity),
    sec: new Int32Array(capacity),
    nanos: new Int32Array(capacity),
    stream: new Uint8Array(capacity),
    streamStart: new Int32Array(capacity),
    streamEnd: new Int32Array(capacity),
    flagsStart: new Int32Array(capacity),
    flagsEnd: new Int32Array(capacity),
    partial: new Uint8Array(capacity),
  };
}
