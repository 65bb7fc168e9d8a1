// Sets the entry's time from an extracted value. RFC 3339 in bytes, which nearly all times are, goes through the kernel.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import { compileTimestampFormat, isNamedFormat, type TimestampReader } from "../../lib/text/go-time.ts";
import { layoutSteps } from "../../lib/text/go-time-layout.ts";
import { loadZone } from "../../lib/text/time-zone.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LastTimes } from "../last-times.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { attempt, requiredSource, strictNameList, text } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const ACTIONS = ["fudge", "skip"];

export const timestamp = defineStage({
  name: "timestamp",
  config: () =>
    z
      .object({
        source: requiredSource(),
        format: text().min(1, "is required: a format's name or a Go layout"),
        fallback_formats: strictNameList().default([]),
        location: text()
          .default("")
          .transform((name, context) =>
            attempt(context, () => loadZone(name), "invalid location (use an IANA name such as Europe/Berlin): "),
          ),
        action_on_failure: text()
          .default("fudge")
          .refine((action) => ACTIONS.includes(action), "action on failure has to be fudge or skip"),
      })
      .transform(({ format, fallback_formats: fallbacks, location, ...rest }) => ({
        ...rest,
        layouts: [format, ...fallbacks],
        isRfc3339: format === "RFC3339" || format === "RFC3339Nano",
        formats: [format, ...fallbacks].map((layout) => compileTimestampFormat(layout, location)),
      })),
  warn({ layouts }) {
    const foreign = layouts.find(isForeignLayout);
    return foreign && `the layout ${JSON.stringify(foreign)} is not in Go's form, 2006-01-02 15:04:05.000 -0700: it fits no time`;
  },
  build({ source, formats, isRfc3339, action_on_failure: action }, { now }): Stage {
    const times = action === "fudge" ? new LastTimes() : undefined;
    const spans = isRfc3339 ? new SpanTimes() : undefined;
    return {
      process(batch) {
        const nowMs = now();
        const column = batch.extracted.get(source);
        const parsed =
          spans !== undefined && column instanceof SpanColumn && batch.zones === undefined ? spans.parse(batch, column) : undefined;
        if (parsed !== undefined && parsed.okCount === batch.liveCount && batch.farSec === undefined) {
          parsed.applyToLive(batch);
          times?.rememberLive(batch);
          return;
        }
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          if (parsed !== undefined && parsed.ok[i] === 1) batch.setTime(i, parsed.sec[i]!, parsed.nanos[i]!);
          else if (!setTime(batch, i, formats, textOfValue(batch.extract(source, i)), nowMs)) {
            times?.fudge(batch, i);
            continue;
          }
          times?.remember(batch, i);
        }
      },
    };
  },
});

/** Letters of strftime or of Java, or nothing of Go's reference time at all. */
function isForeignLayout(layout: string): boolean {
  if (isNamedFormat(layout)) return false;
  return /%[A-Za-z]|yy|YY|dd|DD|HH/.test(layout) || layoutSteps(layout).every(({ element }) => element === null);
}

/** False when none of the formats fits. */
function setTime(batch: EntryBatch, i: number, formats: readonly TimestampReader[], given: string | undefined, nowMs: number): boolean {
  if (given === undefined) return false;
  for (const read of formats) {
    const time = read(given, nowMs);
    if (time === null) continue;
    batch.setTime(i, time.sec, time.nanos);
    batch.zones?.set(i, time.zone);
    return true;
  }
  return false;
}

/** Times of a column of spans, read by the kernel. The arrays serve batch after batch. */
class SpanTimes {
  okCount = 0;
  ok = new Uint8Array(0);
  sec = new Int32Array(0);
  nanos = new Int32Array(0);
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);

  parse(batch: EntryBatch, column: SpanColumn): this {
    const { count } = batch;
    this.#reserve(count);
    column.plainStrings(this.#starts, this.#ends);
    this.okCount = kernels.parseRfc3339(batch.bytes, this.#starts, this.#ends, count, this.sec, this.nanos, this.ok);
    return this;
  }

  /** Sets the times of all live entries, all of which are good. */
  applyToLive(batch: EntryBatch): void {
    const { sec, nanos, live, liveCount, count } = batch;
    if (liveCount === count) {
      sec.set(this.sec.subarray(0, count));
      nanos.set(this.nanos.subarray(0, count));
      return;
    }
    for (let k = 0; k < liveCount; k++) {
      const i = live[k]!;
      sec[i] = this.sec[i]!;
      nanos[i] = this.nanos[i]!;
    }
  }

  #reserve(count: number): void {
    if (count <= this.ok.length) return;
    const capacity = Math.max(count, this.ok.length * 2, 64);
    this.ok = new Uint8Array(capacity);
    this.sec = new Int32Array(capacity);
    this.nanos = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
  }
}
