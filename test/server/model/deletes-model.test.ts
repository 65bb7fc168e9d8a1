// Delete requests and retention against an array: random pushes, requests, cancellations, flushes, compactor runs, failing calls and power
// cuts at any point of them. What was acknowledged and is not deleted is found, once; what a request selects is never seen again from
// when the request was acknowledged, unless it was cancelled; requests that are processed have left nothing on disk. SKALD_SEED repeats a run.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { manualClock, seededRandom } from "../../../lib/runtime/clock.ts";
import { isPartlyDone, isProcessed } from "../../../server/deletes/delete-request.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { CANCEL_MS, type Compacted, NOW_SEC, openCompacted } from "../retention/compacted-storage.ts";
import { type ModelEntry, readAll } from "../storage-entries.ts";

const SEED = Number(process.env.SKALD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.SKALD_STEPS ?? 40);

interface Asked {
  readonly query: string;
  readonly selects: (entry: ModelEntry) => boolean;
  /** Refused, or under way when the power was cut: it may hold or not. The same of one that was being cancelled. */
  isUnsure: boolean;
}

class Run {
  readonly random: () => number;
  readonly #folder: string;
  readonly #clock = manualClock(NOW_SEC * 1000);
  readonly #acknowledged = new Map<string, ModelEntry>();
  readonly #unsure = new Set<string>();
  readonly #asked = new Map<string, Asked>();
  disk: FaultDisk;
  #at: Compacted | undefined;
  #entries = 0;

  constructor(seed: number, folder: string) {
    this.random = seededRandom(seed);
    this.#folder = folder;
    this.disk = new FaultDisk(this.random);
  }

  async open(): Promise<Compacted> {
    this.#at ??= await openCompacted(this.#folder, { disk: this.disk, clock: this.#clock, flushBytes: 60_000, batchSize: 2 });
    return this.#at;
  }

  async push(): Promise<void> {
    const at = await this.open();
    const entries = Array.from({ length: 1 + Math.floor(this.random() * 20) }, () => this.#entry());
    for (const { line } of entries) this.#unsure.add(line);
    await this.#clock.advance(1000);
    try {
      await at.push(entries);
      for (const entry of entries) {
        this.#unsure.delete(entry.line);
        this.#acknowledged.set(entry.line, entry);
      }
    } catch (error) {
      expect((error as { status?: number }).status, String(error)).toBe(503);
    }
  }

  /** Entries only get newer, so that a request for the past never meets one that comes after it. */
  #entry(): ModelEntry {
    const number = ++this.#entries;
    return {
      labels: { app: `app${Math.floor(this.random() * 3)}` },
      sec: Math.floor(this.#clock.nowMs() / 1000) + 1,
      nanos: number,
      line: `line ${number} word${Math.floor(this.random() * 5)} ${"x".repeat(Math.floor(this.random() ** 4 * 3000))}`,
      ...(this.random() < 0.3 ? { metadata: [["user", `u${Math.floor(this.random() * 3)}`]] as [string, string][] } : {}),
    };
  }

  async ask(): Promise<void> {
    const at = await this.open();
    const app = `app${Math.floor(this.random() * 3)}`;
    const toSec = Math.floor(this.#clock.nowMs() / 1000);
    const fromSec = toSec - Math.floor(this.random() * 200);
    const kind = Math.floor(this.random() * 3);
    const word = `word${Math.floor(this.random() * 5)}`;
    const user = `u${Math.floor(this.random() * 3)}`;
    const query = `{app="${app}"}${["", ` |= "${word}"`, ` | user="${user}"`][kind]}`;
    const matches = (entry: ModelEntry): boolean =>
      [true, entry.line.includes(word), entry.metadata?.[0]?.[1] === user][kind] === true && entry.labels.app === app;
    const asked: Asked = { query, selects: (entry) => matches(entry) && entry.sec >= fromSec && entry.sec < toSec, isUnsure: true };
    const key = `unsure ${this.#asked.size} ${query}`;
    this.#asked.set(key, asked);
    try {
      // Up to the last millisecond before `toSec`, for entries have nanoseconds behind theirs.
      const intervalMs = kind > 0 && this.random() < 0.5 ? 40_000 : 0;
      const { id } = await at.remove(query, fromSec - NOW_SEC, toSec - NOW_SEC - 0.001, { intervalMs });
      this.#asked.delete(key);
      this.#asked.set(id, { ...asked, isUnsure: false });
    } catch {
      // The disk said no; the request may be on it all the same.
    }
  }

  async cancel(): Promise<void> {
    const at = await this.open();
    const open = at.deletes.all().filter((request) => !isPartlyDone(request) && this.#asked.has(request.id));
    const request = open[Math.floor(this.random() * open.length)];
    if (request === undefined) return;
    const asked = this.#asked.get(request.id)!;
    asked.isUnsure = true;
    await at.deletes.cancel("t", request.id).then(
      () => this.#asked.delete(request.id),
      () => {},
    );
  }

  async compact(): Promise<void> {
    const at = await this.open();
    await this.#clock.advance(CANCEL_MS);
    await at.compactor.run();
    if (this.random() < 0.5) await this.#clock.advance(2 * CANCEL_MS);
  }

  async crash(): Promise<void> {
    const underWay = [
      this.push(),
      this.random() < 0.5 ? this.ask() : this.cancel(),
      this.random() < 0.7 ? this.compact() : Promise.resolve(),
    ];
    for (let turns = Math.floor(this.random() * 12); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const next = await (this.random() < 0.3 ? this.disk.kill() : this.disk.crash());
    await Promise.all(underWay);
    await this.#at?.close().catch(() => {});
    this.disk = next;
    this.#at = undefined;
    await this.open();
  }

  async check(step: string): Promise<void> {
    const at = await this.open();
    const lines = await at.lines('{app=~".+"}');
    const found = new Set(lines);
    expect(lines.length - found.size, `entries found twice, ${step}`).toBe(0);
    const asked = [...this.#asked.values()];
    for (const [line, entry] of this.#acknowledged) {
      const by = asked.filter(({ selects }) => selects(entry));
      if (by.length === 0) expect(found.has(line), `${line.slice(0, 30)} is lost, ${step}`).toBe(true);
      const sure = by.find(({ isUnsure }) => !isUnsure);
      if (sure !== undefined) expect(found.has(line), `${line.slice(0, 30)} was deleted by ${sure.query}, ${step}`).toBe(false);
    }
    for (const line of found) expect(this.#acknowledged.has(line) || this.#unsure.has(line), `${line} is nobody's, ${step}`).toBe(true);
    await this.#checkDisk(at, step);
  }

  async #checkDisk(at: Compacted, step: string): Promise<void> {
    const done = at.deletes.all().filter(isProcessed);
    const selects = done.flatMap(({ id }) => this.#asked.get(id) ?? []).filter(({ isUnsure }) => !isUnsure);
    for (const entry of await readAll(at.storage, "t"))
      for (const one of selects) expect(one.selects(entry), `${entry.line.slice(0, 30)} is still on disk, ${step}`).toBe(false);
  }

  close(): Promise<void> {
    return this.#at?.close() ?? Promise.resolve();
  }
}

test(`delete requests against their model, seed ${SEED}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "skald-deletes-model-"));
  const run = new Run(SEED, folder);
  try {
    await run.open();
    for (let step = 0; step < STEPS; step++) {
      const where = `seed ${SEED}, step ${step}`;
      const did = await act(run).catch((error: unknown) => {
        throw new Error(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
      });
      if (did !== "push" || step % 10 === 0) await run.check(`${where} (${did})`);
    }
    await run.compact();
    await run.check(`seed ${SEED}, at the end`);
  } finally {
    await run.close().catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
});

async function act(run: Run): Promise<string> {
  const dice = run.random();
  if (run.random() < 0.2) run.disk.failAfter(Math.floor(run.random() * 20), Math.floor(run.random() * 3));
  if (dice < 0.5) return run.push().then(() => "push");
  if (dice < 0.65) return run.ask().then(() => "ask");
  if (dice < 0.7) return run.cancel().then(() => "cancel");
  if (dice < 0.78)
    return (await run.open()).storage.flush().then(
      () => "flush",
      () => "flush that failed",
    );
  if (dice < 0.9) return run.compact().then(() => "compact");
  return run.crash().then(() => "crash");
}
