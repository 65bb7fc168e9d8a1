// One watcher of a running pipeline: entries at its taps become server-sent events, as many as it asked for and as its connection takes.
// What is left out is counted and told in the stream; the pipeline never waits.
//
//   event: taps      data: [{"job":"app","stage":"0.json"}]                        what is watched, again whenever it changes
//   event: entry     data: {"job":"app","stage":"0.json","time":"…","line":"…",…}
//   event: dropped   data: {"rate":123,"slow":0}                                   since the last one: above the rate, not taken in time

import { formatTime } from "../../lib/text/go-time.ts";
import { UTC } from "../../lib/text/time-zone.ts";
import { type EntryBatch, textOf } from "../../lib/wire/entry-batch.ts";
import type { EntryTest } from "../../pipelines/line-test.ts";
import type { TapListener, TapPoint } from "../../pipelines/tap.ts";
import { TokenBucket } from "../../pipelines/token-bucket.ts";

/** Of a line, and of one extracted value. */
const TEXT_BYTES_MAX = 16 * 1024;
/** Events that a slow connection has not taken. */
const UNSENT_BYTES_MAX = 1024 * 1024;

export interface TapStreamOptions {
  readonly eventsPerSecond: number;
  /** Share of the entries that are looked at, 0 to 1. */
  readonly sample: number;
  /** Only entries of this selector. */
  readonly selector: EntryTest | undefined;
  readonly write: (text: string) => void;
  /** Bytes written that the connection has not taken. */
  readonly unsentBytes: () => number;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** A tap of one scrape config. */
export interface JobTap {
  readonly job: string;
  readonly point: TapPoint;
}

export class TapStream {
  readonly #options: TapStreamOptions;
  readonly #bucket: TokenBucket;
  #watched = new Map<TapPoint, TapListener>();
  #told = "";
  #aboveRate = 0;
  #tooSlow = 0;

  constructor(options: TapStreamOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.eventsPerSecond, Math.max(1, options.eventsPerSecond));
  }

  /** Watches these and no others: after a reload, the same taps of other pipelines. */
  watch(taps: readonly JobTap[]): void {
    const wanted = new Map(taps.map((tap) => [tap.point, tap]));
    for (const [point, listener] of this.#watched) {
      if (wanted.has(point)) continue;
      point.remove(listener);
      this.#watched.delete(point);
    }
    for (const { job, point } of taps) {
      if (this.#watched.has(point)) continue;
      const listener: TapListener = (batch) => this.#show(batch, job, point);
      point.add(listener);
      this.#watched.set(point, listener);
    }
    const list = JSON.stringify(taps.map(({ job, point }) => ({ job, stage: point.id })));
    if (list === this.#told) return;
    this.#told = list;
    this.#send("taps", list);
  }

  /** Once a second: what was left out, or a sign of life. */
  tick(): void {
    if (this.#aboveRate === 0 && this.#tooSlow === 0) {
      if (this.#options.unsentBytes() === 0) this.#options.write(":\n\n");
      return;
    }
    // It waits for room too, so that a connection that takes nothing costs nothing.
    if (this.#options.unsentBytes() >= UNSENT_BYTES_MAX) return;
    this.#send("dropped", JSON.stringify({ rate: this.#aboveRate, slow: this.#tooSlow }));
    this.#aboveRate = 0;
    this.#tooSlow = 0;
  }

  end(): void {
    this.watch([]);
  }

  #show(batch: EntryBatch, job: string, point: TapPoint): void {
    const { sample, selector, random, nowMs, unsentBytes } = this.#options;
    const now = nowMs();
    selector?.start?.(batch);
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (sample < 1 && random() >= sample) continue;
      if (selector !== undefined && !selector.holds(batch, i)) continue;
      if (!this.#bucket.take(now)) this.#aboveRate++;
      else if (unsentBytes() >= UNSENT_BYTES_MAX) this.#tooSlow++;
      else this.#send("entry", JSON.stringify({ job, stage: point.id, ...entryOf(batch, i) }));
    }
  }

  #send(event: string, data: string): void {
    this.#options.write(`event: ${event}\ndata: ${data}\n\n`);
  }
}

function entryOf(batch: EntryBatch, i: number): Record<string, unknown> {
  const extracted: [string, unknown][] = [];
  for (const [name, column] of batch.extracted) {
    const value = column.get(i);
    if (value !== undefined) extracted.push([name, typeof value === "string" ? value.slice(0, TEXT_BYTES_MAX) : value]);
  }
  const start = batch.starts[i]!;
  const cutBytes = Math.max(0, batch.lineLength(i) - TEXT_BYTES_MAX);
  const metadata = batch.metadata?.[i];
  return {
    time: formatTime({ sec: batch.secondsOf(i), nanos: batch.nanos[i]!, zone: UTC }, "2006-01-02T15:04:05.999999999Z07:00"),
    labels: batch.labels.get(i)!.toObject(),
    line: textOf(batch.bytes, start, batch.ends[i]! - cutBytes),
    ...(cutBytes > 0 ? { cut_bytes: cutBytes } : {}),
    ...(metadata === undefined ? {} : { structured_metadata: Object.fromEntries(metadata) }),
    ...(extracted.length === 0 ? {} : { extracted: Object.fromEntries(extracted) }),
    ...(batch.source === "" ? {} : { source: batch.source }),
  };
}
