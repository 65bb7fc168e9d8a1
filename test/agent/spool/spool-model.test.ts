// The spool against two sets: random appends, acknowledgements, failing calls, full disks and power cuts. What was kept is handed on
// until it is acknowledged, in order; nothing is handed on that nobody appended. SKALD_SEED repeats a run.

import { describe, expect, test } from "vitest";
import { SpoolFull } from "../../../agent/spool/spool.ts";
import { manualClock, seededRandom } from "../../../lib/runtime/clock.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { batchOf, SpoolRun } from "./harness.ts";

const SEED = Number(process.env.SKALD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.SKALD_STEPS ?? 300);
const BYTES_MAX = 1024 * 1024;

class Model {
  readonly run = new SpoolRun();
  readonly random: () => number;
  readonly clock = manualClock(1_000);
  disk: FaultDisk;
  /** Appended, and confirmed. */
  readonly kept = new Set<string>();
  readonly appended = new Set<string>();
  readonly acknowledged = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #lines = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new FaultDisk(this.random);
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  async open(): Promise<void> {
    await this.run.open({ disk: this.disk, clock: this.clock, bytesMax: BYTES_MAX });
  }

  append(): void {
    const lines = Array.from(
      { length: 1 + this.below(20) },
      () => `${++this.#lines} ${"y".repeat(Math.floor(this.random() ** 3 * 20_000))}`,
    );
    for (const line of lines) this.appended.add(line);
    const kept = this.run.spool!.append(batchOf(...lines)).then(
      (isKept) => {
        if (isKept) for (const line of lines) this.kept.add(line);
      },
      (error: unknown) => {
        if (!(error instanceof SpoolFull)) throw error;
      },
    );
    this.#underWay.add(kept);
    void kept.finally(() => this.#underWay.delete(kept));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Releases a few batches, not always the oldest ones. */
  acknowledge(): void {
    const { batches } = this.run.taker;
    for (let count = this.below(4); count > 0 && batches.length > 0; count--) {
      const [batch] = batches.splice(this.random() < 0.8 ? 0 : this.below(batches.length), 1);
      for (const line of batch!.lines) this.acknowledged.add(line);
      for (const ticket of batch!.tickets) ticket.release();
    }
  }

  async crash(): Promise<void> {
    for (let more = this.below(3); more > 0; more--) this.append();
    for (let turns = this.below(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const next = await (this.random() < 0.3 ? this.disk.kill() : this.disk.crash());
    await this.settled();
    await this.run.spool!.close();
    this.disk = next;
    await this.open();
  }

  /** Everything that was kept and not acknowledged comes again, once and in order. */
  async check(where: string): Promise<void> {
    this.disk.isFull = false;
    this.disk.failAfter(Number.POSITIVE_INFINITY);
    await this.settled();
    await this.run.spool!.close();
    this.disk = await this.disk.kill();
    await this.open();
    const wanted = [...this.kept].filter((line) => !this.acknowledged.has(line));
    await this.run
      .until(() => {
        const got = new Set(this.run.taker.lines);
        return wanted.every((line) => got.has(line));
      })
      .catch((error: unknown) => {
        throw new Error(`${where}: ${String(error)}`);
      });
    const numbers = this.run.taker.lines.map((line) => Number.parseInt(line, 10));
    expect(numbers, `${where}: in order`).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const line of this.run.taker.lines) expect(this.appended.has(line), `${where}: nobody's line`).toBe(true);
    expect(
      this.run.logged.filter((line) => line.includes("damaged")),
      where,
    ).toEqual([]);
  }
}

async function runModel(seed: number, act: (model: Model) => Promise<void>): Promise<void> {
  const model = new Model(seed);
  try {
    await model.open();
    for (let step = 0; step < STEPS; step++) {
      await act(model);
      if (step % 50 === 49) await model.check(`seed ${seed}, step ${step}`);
    }
    expect(model.kept.size).toBeGreaterThan(100);
  } finally {
    await model.run.close();
  }
}

async function live(model: Model): Promise<void> {
  const dice = model.random();
  if (dice < 0.5) model.append();
  else if (dice < 0.85) model.acknowledge();
  else await model.settled();
}

describe("nothing that was kept is lost", () => {
  test(
    `by power cuts, seed ${SEED}`,
    () => runModel(SEED, async (model) => (model.random() < 0.05 ? await model.crash() : await live(model))),
    30_000,
  );

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
