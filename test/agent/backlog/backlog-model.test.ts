// A tenant's backlog against two sets: random appends, answers, readers that end, failing calls, full disks and power cuts. What was
// kept is read until it is dealt with, in order; nothing is read that nobody appended. SKALD_SEED repeats a run.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { Allowance } from "../../../agent/backlog/allowance.ts";
import { openBacklogMetrics } from "../../../agent/backlog/backlog-metrics.ts";
import { TenantBacklog, type TenantBacklogOptions } from "../../../agent/backlog/tenant-backlog.ts";
import type { DiskQueue, Receipt } from "../../../agent/client/disk-queue.ts";
import type { SealedBatch } from "../../../agent/client/open-batch.ts";
import { manualClock, seededRandom } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";

const SEED = Number(process.env.SKALD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.SKALD_STEPS ?? 800);
const BYTES_MAX = 512 * 1024;

class Model {
  readonly folder = mkdtempSync(join(tmpdir(), "skald-backlog-"));
  readonly random: () => number;
  readonly clock = manualClock(1_000);
  readonly logged: string[] = [];
  disk: FaultDisk;
  backlog!: TenantBacklog;
  reader!: DiskQueue;
  readonly kept = new Set<number>();
  readonly dealtWith = new Set<number>();
  appended = 0;
  /** Read by the present reader, not dealt with. */
  #read: { readonly n: number; readonly receipt: Receipt }[] = [];
  /** Of batches that were in flight when they were appended. */
  #inFlight: { readonly n: number; readonly receipt: Receipt }[] = [];
  #lastRead = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new FaultDisk(this.random);
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  async open(): Promise<void> {
    const options: TenantBacklogOptions = {
      folder: join(this.folder, "tenant"),
      segmentBytes: 64 * 1024,
      allowance: new Allowance(BYTES_MAX),
      disk: this.disk,
      clock: this.clock,
      log: createLog({ write: (line) => this.logged.push(line) }),
      metrics: openBacklogMetrics(new Registry(), "a"),
    };
    this.backlog = (await TenantBacklog.find(options)) ?? TenantBacklog.create("t", options);
    this.#newReader();
  }

  #newReader(): void {
    this.reader = this.backlog.reader(true, (entryCount, _, text) => expect.fail(`${entryCount} entries unreadable: ${text}`));
    this.#read = [];
    this.#inFlight = [];
    this.#lastRead = 0;
  }

  append(): void {
    const batches = Array.from({ length: 1 + this.below(5) }, () => this.#sealed(++this.appended));
    const inFlightCount = this.random() < 0.2 ? 1 : 0;
    const { reader } = this;
    const done = reader.append(batches.slice(0, inFlightCount), batches.slice(inFlightCount)).then(({ count, receipts }) => {
      for (const { lineBytes: n } of batches.slice(0, count)) this.kept.add(n);
      if (reader === this.reader) this.#inFlight.push(...receipts.map((receipt, i) => ({ n: batches[i]!.lineBytes, receipt })));
    });
    this.#underWay.add(done);
    void done.finally(() => this.#underWay.delete(done));
  }

  #sealed(n: number): SealedBatch {
    const body = Buffer.from(`${n} ${"x".repeat(Math.floor(this.random() ** 3 * 20_000))}`);
    return { body, buffer: body, entryCount: 1, lineBytes: n, streams: [`{n="${n}"}`], tickets: [] };
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async read(): Promise<void> {
    // A disk that fails now would be waited for.
    if (!this.reader.hasUnread || this.disk.isFull) return;
    const read = await this.reader.next();
    if (read === undefined) return;
    const n = read.batch.lineBytes;
    expect(read.batch.body.toString()).toMatch(new RegExp(`^${n} x*$`));
    expect(n).toBeGreaterThan(this.#lastRead);
    this.#lastRead = n;
    this.#read.push({ n, receipt: read.receipt });
  }

  /** Not always the oldest. */
  answer(): void {
    const from = this.random() < 0.3 && this.#inFlight.length > 0 ? this.#inFlight : this.#read;
    const [answered] = from.splice(this.random() < 0.8 ? 0 : this.below(from.length), 1);
    if (answered === undefined) return;
    this.dealtWith.add(answered.n);
    answered.receipt.release();
  }

  /** As a reload does: the former reader's hand is the next one's. */
  async takeTurns(): Promise<void> {
    await this.settled();
    const former = this.reader;
    this.#newReader();
    former.end();
  }

  async crash(): Promise<void> {
    for (let more = this.below(3); more > 0; more--) this.append();
    for (let turns = this.below(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const next = await (this.random() < 0.3 ? this.disk.kill() : this.disk.crash());
    await this.settled();
    this.reader.end();
    await this.backlog.close();
    this.disk = next;
    await this.open();
  }

  /** Everything that was kept and not dealt with comes again, once and in order, to the next reader and to the next agent. */
  async check(where: string): Promise<void> {
    this.disk.isFull = false;
    this.disk.failAfter(Number.POSITIVE_INFINITY);
    await this.takeTurns();
    await this.#checkRead(where);
    this.reader.end();
    await this.backlog.close();
    this.disk = await this.disk.kill();
    await this.open();
    await this.#checkRead(`${where}, reopened`);
    expect(this.backlog.batchCount, `${where}: counted`).toBeGreaterThanOrEqual(this.#read.length);
  }

  async #checkRead(where: string): Promise<void> {
    const wanted = [...this.kept].filter((n) => !this.dealtWith.has(n)).sort((a, b) => a - b);
    while (this.reader.hasUnread) await this.read();
    const got = this.#read.map(({ n }) => n);
    expect(
      wanted.filter((n) => !got.includes(n)),
      `${where}: lost`,
    ).toEqual([]);
    expect(
      got.filter((n) => n > this.appended),
      `${where}: nobody's`,
    ).toEqual([]);
    expect(
      this.logged.filter((line) => line.includes("damaged")),
      where,
    ).toEqual([]);
  }
}

async function runModel(seed: number, act: (model: Model) => Promise<void> | void): Promise<void> {
  const model = new Model(seed);
  try {
    await model.open();
    for (let step = 0; step < STEPS; step++) {
      await act(model);
      if (step % 50 === 49) await model.check(`seed ${seed}, step ${step}`);
    }
    expect(model.kept.size).toBeGreaterThan(100);
    expect(model.dealtWith.size).toBeGreaterThan(20);
  } finally {
    await model.backlog.close();
    rmSync(model.folder, { recursive: true });
  }
}

async function live(model: Model): Promise<void> {
  const dice = model.random();
  if (dice < 0.35) model.append();
  else if (dice < 0.6) await model.read();
  else if (dice < 0.85) model.answer();
  else if (dice < 0.9) await model.takeTurns();
  else await model.settled();
}

describe("nothing that was kept is lost", () => {
  test(`by power cuts, seed ${SEED}`, () => runModel(SEED, (model) => (model.random() < 0.05 ? model.crash() : live(model))), 30_000);

  test(
    `by failing calls, full disks and power cuts, seed ${SEED + 1}`,
    () =>
      runModel(SEED + 1, async (model) => {
        const dice = model.random();
        if (dice < 0.03) await model.crash();
        else if (dice < 0.08) model.disk.failAfter(model.below(6), model.below(3));
        else if (dice < 0.11) model.disk.isFull = !model.disk.isFull;
        else if (dice < 0.15) await model.clock.advance(5_000);
        else await live(model);
      }),
    30_000,
  );
});
