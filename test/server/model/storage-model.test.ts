// Storage against an array: random pushes, flushes, failing calls, full disks and power cuts. What was acknowledged is found, once;
// what was refused or under way may be found; nothing else is. SKALD_SEED repeats a run.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { manualClock, seededRandom } from "../../../lib/runtime/clock.ts";
import { openStorage, type Storage } from "../../../server/storage.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { silentLog } from "../../silent-log.ts";
import { type ModelEntry, pushOf, readAll } from "../storage-entries.ts";

const SEED = Number(process.env.SKALD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.SKALD_STEPS ?? 150);
const TENANTS = ["a", "tenant/ü"];

interface Known {
  readonly acknowledged: Map<string, ModelEntry>;
  /** Refused, or under way when the power was cut. */
  readonly unsure: Set<string>;
}

class Run {
  readonly random: () => number;
  readonly known = new Map<string, Known>(TENANTS.map((tenant) => [tenant, { acknowledged: new Map(), unsure: new Set() }]));
  readonly folder: string;
  disk: FaultDisk;
  storage: Storage | undefined;
  #entries = 0;

  constructor(seed: number, folder: string) {
    this.random = seededRandom(seed);
    this.folder = folder;
    this.disk = new FaultDisk(this.random);
  }

  async open(): Promise<Storage> {
    this.storage ??= await openStorage({
      walFolder: join(this.folder, "wal"),
      storeFolder: join(this.folder, "chunks"),
      idleMs: 1e9,
      maxAgeMs: 1e9,
      flushOnClose: false,
      clock: manualClock(1_700_000_000_000),
      log: silentLog,
      registry: new Registry(),
      disk: this.disk,
      flushBytes: 200_000,
    });
    return this.storage;
  }

  async push(): Promise<void> {
    const storage = await this.open();
    const tenant = TENANTS[Math.floor(this.random() * TENANTS.length)]!;
    const entries = Array.from({ length: 1 + Math.floor(this.random() * 30) }, () => this.#entry());
    const { acknowledged, unsure } = this.known.get(tenant)!;
    for (const { line } of entries) unsure.add(line);
    try {
      await storage.append(tenant, pushOf(entries));
      for (const entry of entries) {
        unsure.delete(entry.line);
        acknowledged.set(entry.line, entry);
      }
    } catch (error) {
      expect((error as { status?: number }).status, String(error)).toBe(503);
    }
  }

  #entry(): ModelEntry {
    const late = this.random() < 0.1 ? Math.floor(this.random() * 5000) : 0;
    const number = ++this.#entries;
    return {
      labels: { app: `app${Math.floor(this.random() * 4)}` },
      sec: 1_700_000_000 + number - late,
      nanos: this.random() < 0.5 ? 0 : Math.floor(this.random() * 1e9),
      line: `line ${number} ${"x".repeat(Math.floor(this.random() ** 4 * 5000))}${this.random() < 0.05 ? "\nand more" : ""}`,
      ...(this.random() < 0.3 ? { metadata: [["trace", `t${Math.floor(this.random() * 5)}`]] as [string, string][] } : {}),
    };
  }

  async crash(): Promise<void> {
    // Pushes are under way when it happens.
    const underWay = [this.push(), this.push()];
    for (let turns = Math.floor(this.random() * 4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const next = await (this.random() < 0.3 ? this.disk.kill() : this.disk.crash());
    await Promise.all(underWay);
    await this.storage?.close().catch(() => {});
    this.disk = next;
    this.storage = undefined;
    await this.open();
  }

  async check(step: string): Promise<void> {
    const storage = await this.open();
    for (const tenant of TENANTS) {
      const { acknowledged, unsure } = this.known.get(tenant)!;
      const found = await readAll(storage, tenant);
      const lines = found.map(({ line }) => line);
      expect(lines.length - new Set(lines).size, `entries found twice, ${step}`).toBe(0);
      const byLine = new Map(found.map((entry) => [entry.line, entry]));
      for (const [line, entry] of acknowledged) expect(byLine.get(line), `${line.slice(0, 20)} of ${tenant}, ${step}`).toEqual(entry);
      for (const line of lines) expect(acknowledged.has(line) || unsure.has(line), `${line.slice(0, 20)} is nobody's, ${step}`).toBe(true);
    }
  }
}

async function runModel(seed: number, act: (run: Run) => Promise<string>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "skald-model-"));
  const run = new Run(seed, folder);
  try {
    await run.open();
    for (let step = 0; step < STEPS; step++) {
      const where = `seed ${seed}, step ${step}`;
      const did = await act(run).catch((error: unknown) => {
        throw new Error(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
      });
      if (did !== "push" || step % 20 === 0) await run.check(`${where} (${did})`);
    }
    await run.check(`seed ${seed}, at the end`);
    await run.storage?.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("storage against its model", () => {
  test(`pushes, flushes and restarts, seed ${SEED}`, () =>
    runModel(SEED, async (run) => {
      const dice = run.random();
      if (dice < 0.85) return run.push().then(() => "push");
      if (dice < 0.93) return (await run.open()).flush().then(() => "flush");
      await run.storage?.close();
      run.storage = undefined;
      return "restart";
    }));

  test(`power cuts, seed ${SEED}`, () =>
    runModel(SEED + 1, async (run) => {
      const dice = run.random();
      if (dice < 0.75) return run.push().then(() => "push");
      if (dice < 0.83) return (await run.open()).flush().then(() => "flush");
      if (dice < 0.93) return run.crash().then(() => "crash");
      const flushing = (await run.open()).flush().catch(() => {});
      await run.crash();
      await flushing;
      return "crash while flushing";
    }));

  test(`failing calls, full disks and power cuts, seed ${SEED}`, () =>
    runModel(SEED + 2, async (run) => {
      const dice = run.random();
      if (dice < 0.6) return run.push().then(() => "push");
      if (dice < 0.7) {
        run.disk.failAfter(Math.floor(run.random() * 12), Math.floor(run.random() * 4));
        return "fault ahead";
      }
      if (dice < 0.8) {
        run.disk.isFull = !run.disk.isFull;
        return `disk ${run.disk.isFull ? "full" : "free"}`;
      }
      if (dice < 0.9) {
        await (await run.open()).flush().catch(() => {});
        return "flush";
      }
      run.disk.isFull = false;
      await run.crash();
      return "crash";
    }));
});
