// The containers that log through this driver, by their pipe. Containers with equal options share a client, its connections and batches.

import { systemClock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { Registry } from "../../lib/runtime/metrics.ts";
import { VERSION } from "../../lib/runtime/version.ts";
import { compilePipeline } from "../../pipelines/compile.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";
import { type AgentMetrics, openAgentMetrics } from "../agent-metrics.ts";
import type { ClientOptions } from "../client/client-options.ts";
import { type Clients, openClients } from "../client/clients.ts";
import { readInfo } from "./container-info.ts";
import { ContainerLog } from "./container-log.ts";
import { readLogOptions } from "./log-options.ts";

/** What a client gets to send the rest when its last container has ended: as long as its retries take, within this. */
const LAST_SEND_MS = 10 * 60_000;

interface SharedClient {
  readonly clients: Clients;
  users: number;
}

export class LogDriver {
  readonly #log: Log;
  readonly #registry = new Registry();
  readonly #metrics: AgentMetrics;
  readonly #logs = new Map<string, ContainerLog>();
  /** Of containers that have ended, and whose entries are on their way. */
  readonly #ended = new Set<ContainerLog>();
  readonly #clients = new Map<string, SharedClient>();
  /** Clients that send the rest of containers that have ended. */
  readonly #sending = new Map<Clients, Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
    this.#metrics = openAgentMetrics(this.#registry);
  }

  /** @throws Error saying what is wrong with the container's log-opts, or why its pipe cannot be opened */
  start(path: string, info: unknown): void {
    if (this.#logs.has(path)) throw new Error(`logger for ${JSON.stringify(path)} already exists`);
    const container = readInfo(info);
    const { labels, stages, client } = readLogOptions(container);
    const log = this.#log.child({ container_id: container.ContainerID });
    const pipeline = this.#pipelineOf(stages, log);
    const shared = this.#acquire(client);
    let opened: ContainerLog;
    try {
      opened = new ContainerLog({ path, labels, pipeline, sink: shared.clients, log });
    } catch (error) {
      this.#release(client);
      throw error;
    }
    this.#logs.set(path, opened);
    log.info({ pipe: path }, "logging container");
    void opened.done.then(() => {
      this.#logs.delete(path);
      for (const ended of this.#ended) if (ended.pendingEntries === 0) this.#ended.delete(ended);
      this.#ended.add(opened);
      this.#release(client);
      log.info({ pipe: path }, "container has ended");
    });
  }

  /** What Docker has written is still read and sent. */
  stop(path: string): void {
    this.#logs.get(path)?.end();
  }

  /** Ends all, and sends what is there within the time. */
  async close(withinMs: number): Promise<void> {
    const logs = [...this.#logs.values()];
    for (const log of logs) log.close();
    const clients = [...[...this.#clients.values()].map((shared) => shared.clients), ...this.#sending.keys()];
    const draining = Promise.all(logs.map((log) => log.done));
    await Promise.race([draining, systemClock.sleep(withinMs / 2)]);
    await Promise.all(clients.map((one) => one.drain(withinMs / 2)));
    const entries = [...new Set([...logs, ...this.#ended])].reduce((sum, { pendingEntries }) => sum + pendingEntries, 0);
    if (entries > 0) this.#log.error({ entries }, "not sent before the end, and lost");
  }

  #pipelineOf(stages: unknown, log: Log): Pipeline {
    return compilePipeline(stages, {
      now: () => Date.now(),
      random: Math.random,
      registry: this.#registry,
      jobName: "docker",
      dropped: this.#metrics.lineDropped,
      debug: (fields, text) => log.debug(fields, text),
      warn: (fields, text) => log.warn(fields, text),
    });
  }

  #acquire(options: ClientOptions): SharedClient {
    const key = JSON.stringify(options);
    let shared = this.#clients.get(key);
    if (shared === undefined) {
      const clients = openClients([options], {
        maxLineBytes: 0,
        maxLineTruncate: false,
        maxStreams: 0,
        registry: this.#registry,
        log: this.#log,
        clock: systemClock,
        random: Math.random,
        userAgent: `skald/${VERSION}`,
      });
      shared = { clients, users: 0 };
      this.#clients.set(key, shared);
    }
    shared.users++;
    return shared;
  }

  #release(options: ClientOptions): void {
    const key = JSON.stringify(options);
    const shared = this.#clients.get(key);
    if (shared === undefined || --shared.users > 0) return;
    this.#clients.delete(key);
    const sent = shared.clients.drain(LAST_SEND_MS).finally(() => this.#sending.delete(shared.clients));
    this.#sending.set(shared.clients, sent);
  }
}
