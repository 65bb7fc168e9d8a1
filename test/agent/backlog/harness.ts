// Several clients with a folder for what waits for them, in front of scripted servers; an agent's clients without the agent.

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { Backlogs, type BacklogsOptions } from "../../../agent/backlog/backlogs.ts";
import type { ClientOptions } from "../../../agent/client/clients.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { Bench, OPTIONS, PushServer, type Script } from "../client/harness.ts";

export const FOREVER = { minMs: 10, maxMs: 30, retriesMax: 0 };

export class BacklogRun {
  readonly folder = mkdtempSync(join(tmpdir(), "skald-backlog-"));
  readonly logged: string[] = [];
  readonly servers: PushServer[] = [];
  registry = new Registry();
  backlogs!: Backlogs;
  bench!: Bench;
  #benches: Bench[] = [];

  get directory(): string {
    return join(this.folder, "backlog");
  }

  async serve(...scripts: readonly Script[]): Promise<PushServer[]> {
    for (const script of scripts) this.servers.push(await PushServer.open(script));
    return this.servers;
  }

  /** A new agent's clients, one per server; `options` is for all, or for each. */
  async start(
    options: Partial<ClientOptions> | readonly Partial<ClientOptions>[] = {},
    backlog: Partial<BacklogsOptions> = {},
  ): Promise<Bench> {
    this.registry = new Registry();
    this.backlogs = new Backlogs({
      directory: this.directory,
      bytesMax: 64 * 1024 * 1024,
      enabled: true,
      registry: this.registry,
      clock: systemClock,
      log: this.log,
      ...backlog,
    });
    return this.reload(options);
  }

  /** New clients in place of the former ones, which are still there. */
  async reload(options: Partial<ClientOptions> | readonly Partial<ClientOptions>[] = {}): Promise<Bench> {
    const each = this.servers.map((server, i) => {
      const own = Array.isArray(options) ? options[i] : options;
      return { ...OPTIONS, name: `c${i}`, url: server.url, backoff: FOREVER, ...own };
    });
    this.bench = new Bench(each, { log: this.log, registry: this.registry }, await this.backlogs.open(each));
    this.#benches.push(this.bench);
    return this.bench;
  }

  readonly log = createLog({ write: (line) => this.logged.push(line) });

  /** What a kill leaves: nothing more is sent or written. */
  async kill(): Promise<void> {
    for (const bench of this.#benches.splice(0)) bench.clients.stopNow();
    await this.backlogs.close();
  }

  async close(): Promise<void> {
    await this.kill();
    for (const server of this.servers) await server.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Sum over the clients. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    return (metric?.values ?? [])
      .filter((value) => Object.entries(labels).every(([key, wanted]) => (value.labels as Record<string, unknown>)[key] === wanted))
      .reduce((sum, value) => sum + value.value, 0);
  }

  /** Paths of the segments on disk, oldest first within a folder. */
  get segments(): string[] {
    const names = readdirSync(this.folder, { recursive: true, encoding: "utf8" });
    return names
      .filter((name) => name.endsWith(".spool"))
      .sort()
      .map((name) => join(this.folder, name));
  }

  get diskBytes(): number {
    return this.segments.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  async until(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
    for (const endMs = Date.now() + withinMs; !(await holds()); ) {
      if (Date.now() > endMs) throw new Error(`did not come to hold: ${holds}\n${this.logged.join("")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Numbered lines. */
export const lines = (from: number, to: number, bytes = 10): string[] =>
  Array.from({ length: to - from }, (_, i) => `${from + i} `.padEnd(bytes, "x"));

export const numbersOf = (accepted: readonly string[]): number[] => accepted.map((line) => Number.parseInt(line, 10));
export const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);
