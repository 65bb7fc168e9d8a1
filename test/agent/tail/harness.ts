// A file target over a scratch folder, with a sink that counts what is acknowledged, and ways for agent and remote to fail.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { openPositions, type Positions } from "../../../agent/positions.ts";
import type { Sink } from "../../../agent/sink.ts";
import { createTailMetrics, type TailMetrics } from "../../../agent/tail/tail-metrics.ts";
import { createTailPool, type TailPool } from "../../../agent/tail/tail-pool.ts";
import type { EntryPipeline } from "../../../agent/tail/tail-pump.ts";
import { type FileReading, type FileTarget, openFileTarget } from "../../../agent/targets/file-target.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import type { EntryBatch, Ticket } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

export type Remote = "up" | "slow" | "down";

interface Held {
  readonly lines: readonly SentLine[];
  readonly tickets: readonly Ticket[];
}

export interface SentLine {
  readonly line: string;
  readonly filename: string;
  readonly time: string;
}

/** Holds entries as a client does: acknowledged at once, after a while, or not until the remote is back. */
export class CountingSink implements Sink {
  remote: Remote;
  /** What the remote has taken, in order. */
  readonly acknowledged: SentLine[] = [];
  #held: Held[] = [];
  #heldLines = 0;
  #room: (() => void)[] = [];
  readonly #roomLines: number;

  constructor(remote: Remote = "up", roomLines = 200) {
    this.remote = remote;
    this.#roomLines = roomLines;
  }

  consume(batch: EntryBatch): Promise<void> | void {
    const lines: SentLine[] = [];
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      const time = `${batch.sec[i]}.${String(batch.nanos[i]).padStart(9, "0")}`;
      lines.push({ line: batch.line(i), filename: batch.labels.get(i)!.get("filename"), time });
    }
    const held = { lines, tickets: [...batch.tickets] };
    for (const ticket of held.tickets) ticket.hold();
    if (this.remote === "up" && this.#held.length === 0) return this.#take(held);
    this.#held.push(held);
    this.#heldLines += lines.length;
    if (this.remote === "slow") setTimeout(() => this.#takeNext(), 5);
    if (this.#heldLines < this.#roomLines) return;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Is stopped for good: what it holds it will never acknowledge. */
  abandon(): void {
    for (const { tickets } of this.#held.splice(0)) for (const ticket of tickets) ticket.abandon?.();
    this.#heldLines = 0;
    for (const wake of this.#room.splice(0)) wake();
  }

  /** The remote answers again. */
  recover(remote: Remote = "up"): void {
    this.remote = remote;
    while (this.#held.length > 0) this.#takeNext();
  }

  #takeNext(): void {
    const held = this.#held.shift();
    if (held === undefined || this.remote === "down") return void (held && this.#held.unshift(held));
    this.#heldLines -= held.lines.length;
    this.#take(held);
    if (this.#heldLines < this.#roomLines) for (const wake of this.#room.splice(0)) wake();
  }

  #take({ lines, tickets }: Held): void {
    for (const line of lines) this.acknowledged.push(line);
    for (const ticket of tickets) ticket.release();
  }
}

export interface RigOptions {
  readonly glob?: string;
  readonly exclude?: string;
  readonly labels?: Record<string, string>;
  readonly reading?: Partial<FileReading>;
  readonly pipeline?: () => EntryPipeline;
  readonly remote?: Remote;
  readonly inFlightBytesMax?: number;
  readonly openFilesMax?: number;
  readonly roomLines?: number;
}

export const passThrough = (): EntryPipeline => ({ process: () => {}, flush: () => undefined });

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), "skald-tail-"));
  readonly logLines: string[] = [];
  readonly registry = new Registry();
  readonly metrics: TailMetrics = createTailMetrics(this.registry);
  readonly options: RigOptions;
  /** Of all runs together. */
  readonly sent: SentLine[] = [];
  sink!: CountingSink;
  positions!: Positions;
  pool!: TailPool;
  target!: FileTarget;

  constructor(options: RigOptions = {}) {
    this.options = options;
  }

  get positionsPath(): string {
    return join(this.folder, "positions.yaml");
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts a run of the agent over what is on disk. */
  async start(remote: Remote = this.options.remote ?? "up"): Promise<void> {
    const log = createLog({ level: "debug", write: (line) => void this.logLines.push(line) });
    this.positions = await openPositions({
      path: this.positionsPath,
      syncPeriodMs: 50,
      ignoreInvalidYaml: false,
      readOnly: false,
      clock: systemClock,
      log,
      registry: this.registry,
    });
    this.pool = createTailPool(log, {
      ...(this.options.inFlightBytesMax !== undefined && { inFlightBytesMax: this.options.inFlightBytesMax }),
      ...(this.options.openFilesMax !== undefined && { openFilesMax: this.options.openFilesMax }),
    });
    this.sink = new CountingSink(remote, this.options.roomLines);
    await this.openTarget(this.options.labels ?? { job: "app" });
  }

  /** Opens a target on the running pool and positions, as a reload does. */
  async openTarget(labels: Record<string, string>): Promise<void> {
    const log = createLog({ level: "debug", write: (line) => void this.logLines.push(line) });
    this.target = await openFileTarget({
      pathGlob: `${this.folder}/${this.options.glob ?? "*.log"}`,
      excludeGlob: this.options.exclude === undefined ? "" : this.path(this.options.exclude),
      labels: LabelSet.fromObject(labels),
      pipeline: this.options.pipeline ?? passThrough,
      sink: this.sink,
      positions: this.positions,
      options: { syncPeriodMs: 300, pollMinMs: 20, pollMaxMs: 50, rotatedIdleMs: 400, partialIdleMs: 150, ...this.options.reading },
      clock: systemClock,
      log,
      metrics: this.metrics,
      pool: this.pool,
    });
  }

  /** An orderly end: what is acknowledged by then is written down. */
  async stop(): Promise<void> {
    await this.target.stop({ drain: false });
    await this.positions.close();
    this.sent.push(...this.sink.acknowledged.splice(0));
  }

  /** An orderly end that leaves the remote time between the end of reading and the last writing of positions. */
  async stopSlowly(ms: number): Promise<void> {
    await this.target.stop({ drain: false });
    await pause(ms);
    await this.stop();
  }

  /** kill -9: nothing of the process' memory survives, only the positions as they are on disk at this moment. */
  async kill(): Promise<void> {
    const names = [this.positionsPath, `${this.positionsPath}.identity`];
    const before = names.map((name) => (existsSync(name) ? readFileSync(name) : undefined));
    this.sent.push(...this.sink.acknowledged.splice(0));
    this.sink.remote = "down";
    await this.target.stop({ drain: false });
    await this.positions.close();
    names.forEach((name, i) => {
      if (before[i] === undefined) rmSync(name, { force: true });
      else writeFileSync(name, before[i]);
    });
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Lines acknowledged in all runs so far, in order. */
  lines(): string[] {
    return [...this.sent, ...this.sink.acknowledged].map((sent) => sent.line);
  }

  /** The same without repeats of what an earlier run had in flight when it was killed. */
  linesOnce(): string[] {
    return [...new Set(this.lines())];
  }

  async until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > end)
        throw new Error(
          `waited ${timeoutMs} ms for ${what}; lines: ${JSON.stringify(this.lines()).slice(0, 2000)}\n${this.logLines.slice(-12).join("")}`,
        );
      await pause(5);
    }
  }

  async untilLines(count: number): Promise<void> {
    await this.until(() => this.linesOnce().length >= count, `${count} lines`);
  }

  async metric(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)!.get();
    return metric.values.reduce((sum, value) => sum + value.value, 0);
  }

  copyTo(name: string, from: string): void {
    cpSync(this.path(from), this.path(name));
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `prefix0`, `prefix1`, …: as a list and as a file's text. */
export function numbered(prefix: string, count: number, from = 0): { readonly list: string[]; readonly text: string } {
  const list = Array.from({ length: count }, (_, i) => `${prefix}${from + i}`);
  return { list, text: list.map((line) => `${line}\n`).join("") };
}
