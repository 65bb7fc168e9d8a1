// A spool on a disk that may fail, in front of a sink that acknowledges when it is told.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { Spool, type SpoolOptions } from "../../../agent/spool/spool.ts";
import { openSpoolMetrics } from "../../../agent/spool/spool-metrics.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { systemDisk } from "../../../lib/runtime/disk.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { EntryBatch, type Ticket } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

const LABELS = LabelSet.fromObject({ job: "spooled" });

export const batchOf = (...lines: string[]): EntryBatch => {
  const batch = new EntryBatch();
  for (const line of lines) batch.addText(line, 1, 0, LABELS);
  return batch;
};

/** Takes what the spool hands on; each batch stays unacknowledged until told. */
export class Taker {
  readonly batches: { readonly lines: string[]; readonly tickets: Ticket[] }[] = [];
  /** Lines of batches that were acknowledged. */
  readonly acknowledged: string[] = [];
  room: Promise<void> | undefined;
  failure: Error | undefined;

  readonly take = async (batch: EntryBatch): Promise<void> => {
    if (this.failure !== undefined) throw this.failure;
    const lines = Array.from(batch.live.subarray(0, batch.liveCount), (i) => batch.line(i));
    this.batches.push({ lines, tickets: [...batch.tickets] });
    await this.room;
  };

  get lines(): string[] {
    return this.batches.flatMap(({ lines }) => lines);
  }

  /** @param count batches, the oldest first */
  acknowledge(count = this.batches.length): void {
    for (const { lines, tickets } of this.batches.splice(0, count)) {
      this.acknowledged.push(...lines);
      for (const ticket of tickets) ticket.release();
    }
  }
}

export class SpoolRun {
  readonly folder = mkdtempSync(join(tmpdir(), "skald-spool-"));
  readonly registry = new Registry();
  readonly logged: string[] = [];
  taker = new Taker();
  spool: Spool | undefined;

  async open(options: Partial<SpoolOptions> = {}): Promise<Spool> {
    this.taker = new Taker();
    this.spool = new Spool({
      folder: join(this.folder, "job"),
      bytesMax: 64 * 1024 * 1024,
      onFull: "refuse",
      disk: systemDisk,
      clock: systemClock,
      log: createLog({ write: (line) => this.logged.push(line) }),
      metrics: openSpoolMetrics(this.registry, "a"),
      ...options,
    });
    await this.spool.read(this.taker.take);
    return this.spool;
  }

  async until(condition: () => boolean): Promise<void> {
    for (let tries = 0; tries < 500 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
    if (!condition()) throw new Error(`not within time: ${condition}\n${this.logged.join("")}${JSON.stringify(this.spool?.details())}`);
  }

  async metric(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
  }

  async close(): Promise<void> {
    await this.spool?.close();
    rmSync(this.folder, { recursive: true });
  }
}
