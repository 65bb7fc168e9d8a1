// The containers of one daemon: which there are, and the target of each.

import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { DockerSdConfig } from "../../config/discoveries.ts";
import type { DiscoveredLabels } from "../../discovery/discovery.ts";
import type { DroppedTarget } from "../../discovery/target-set.ts";
import type { SourceContext } from "../source.ts";
import { labelChoices } from "./container-labels.ts";
import { type ContainerLabels, ContainerTarget } from "./container-target.ts";
import { type DockerApi, type DockerContainer, openDockerApi } from "./docker-api.ts";
import type { DockerMetrics } from "./docker-metrics.ts";

/** Many containers start together; one look finds them all. */
const SETTLE_MS = 200;
/** Between two tries to listen to events. */
const EVENTS_RETRY_MS = 10_000;
/** Containers that started since the last look and may have ended again; more are left to the look itself. */
const STARTED_MAX = 256;
const EVENT_CHARS_MAX = 256 * 1024;
const EVENTS = { type: ["container"], event: ["start", "die", "destroy"] };

export class DockerHost {
  readonly #config: DockerSdConfig;
  readonly #context: SourceContext;
  readonly #metrics: DockerMetrics;
  readonly #api: DockerApi;
  readonly #filters: Readonly<Record<string, readonly string[]>>;
  readonly #stop = new AbortController();
  /** By container. Those that have ended stay until they are removed: they may be started again. */
  readonly #targets = new Map<string, ContainerTarget>();
  readonly #started = new Set<string>();
  #dropped: readonly DroppedTarget[] = [];
  /** Ends the wait for the next look. */
  #wake = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #failing = false;

  /** @throws Error for a host or a certificate that cannot be used */
  constructor(config: DockerSdConfig, context: SourceContext, metrics: DockerMetrics) {
    this.#config = config;
    this.#context = context;
    this.#metrics = metrics;
    this.#api = openDockerApi(config, context);
    this.#filters = mergedFilters(config.filters);
  }

  get targets(): readonly ContainerTarget[] {
    return [...this.#targets.values()].filter((target) => target.isReading);
  }

  get dropped(): readonly DroppedTarget[] {
    return this.#dropped;
  }

  start(): void {
    this.#work = Promise.all([this.#lookPeriodically(), this.#listen()]);
  }

  async stop(options: { readonly drain: boolean }): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#work;
    await Promise.all([...this.#targets.values()].map((target) => target.stop(options)));
    this.#api.close();
  }

  async #lookPeriodically(): Promise<void> {
    const { clock, log } = this.#context;
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#look();
        if (this.#failing) log.info({ host: this.#config.host }, "Docker answers again");
        this.#failing = false;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#failing = true;
        log.error({ host: this.#config.host, error: messageOf(error) }, "containers not listed, the former ones stay");
      }
      await clock.sleep(Math.max(1_000, this.#config.refresh_interval), this.#wake.signal);
      if (!this.#stop.signal.aborted && this.#wake.signal.aborted) await clock.sleep(SETTLE_MS, this.#stop.signal);
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.#stop;
    const started = [...this.#started];
    const running = await this.#api.containers({ all: false, filters: this.#filters }, signal);
    const ended = await this.#endedMeanwhile(started, running);
    const networks = await this.#api.networks(signal);
    const containers = [...running, ...ended];
    for (const id of started) this.#started.delete(id);
    this.#apply(containers, labelChoices(containers, networks, this.#config));
    await this.#forgetRemoved(running);
  }

  /** Containers that have come and gone between two looks have a log as well. */
  async #endedMeanwhile(started: readonly string[], running: readonly DockerContainer[]): Promise<readonly DockerContainer[]> {
    const alive = new Set(running.map(({ Id }) => Id));
    const wanted = this.#filters.id;
    const missing = started.filter((id) => !alive.has(id) && (wanted?.some((start) => id.startsWith(start)) ?? true));
    if (missing.length === 0) return [];
    return this.#api.containers({ all: true, filters: { ...this.#filters, id: missing } }, this.#stop.signal);
  }

  #apply(containers: readonly DockerContainer[], choices: ReadonlyMap<string, readonly DiscoveredLabels[]>): void {
    const dropped: DroppedTarget[] = [];
    const found = new Set<string>();
    for (const { Id: id } of containers) {
      const labels = this.#firstKept(choices.get(id)!);
      if (labels === undefined) dropped.push({ reason: "dropped", text: "dropped by a relabel rule", discovered: choices.get(id)![0]! });
      else {
        found.add(id);
        this.#startReading(id, labels);
      }
    }
    for (const [id, target] of this.#targets) if (!found.has(id)) target.endWithLog();
    this.#countDropped(dropped);
    this.#dropped = dropped;
    this.#context.onTargetsChanged();
  }

  #startReading(id: string, labels: ContainerLabels): void {
    const known = this.#targets.get(id);
    const target = known ?? new ContainerTarget({ id, api: this.#api, labels, metrics: this.#metrics, context: this.#context });
    if (known === undefined) {
      this.#targets.set(id, target);
      this.#context.log.info({ container: id, labels: target.labels.toString() }, "reading log of container");
    }
    target.relabel(labels);
    target.start();
  }

  /** The first choice of which the rules keep an output. */
  #firstKept(choices: readonly DiscoveredLabels[]): ContainerLabels | undefined {
    const { relabel } = this.#context;
    for (const discovered of choices) {
      const of = (stream: string) =>
        relabel.labelsOf(new Map([...Object.entries(discovered), ["__meta_docker_container_log_stream", stream]]));
      const labels = { discovered, stdout: of("stdout"), stderr: of("stderr") };
      if (labels.stdout !== undefined || labels.stderr !== undefined) return labels;
    }
    return undefined;
  }

  #countDropped(dropped: readonly DroppedTarget[]): void {
    const known = new Set(this.#dropped.map(({ discovered }) => discovered.__meta_docker_container_id));
    for (const { discovered } of dropped) {
      if (!known.has(discovered.__meta_docker_container_id)) this.#context.onTargetFailed("dropped");
    }
  }

  /** Containers that are read no more and are no more. */
  async #forgetRemoved(running: readonly DockerContainer[]): Promise<void> {
    const idle = [...this.#targets].filter(([, target]) => target.settled());
    if (idle.length === 0) return;
    const all = await this.#api.containers({ all: true, filters: {} }, this.#stop.signal);
    const there = new Set([...running, ...all].map(({ Id }) => Id));
    for (const [id, target] of idle) {
      if (there.has(id) || target.isReading) continue;
      target.forget();
      this.#targets.delete(id);
    }
  }

  /** A look follows each event. Where events cannot be had (a proxy that forbids them), `refresh_interval` has to do. */
  async #listen(): Promise<void> {
    const { clock, log } = this.#context;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#readEvents(signal);
      } catch (error) {
        if (!signal.aborted) log.debug({ host: this.#config.host, error: messageOf(error) }, "no events of Docker");
      }
      await clock.sleep(EVENTS_RETRY_MS, signal);
    }
  }

  async #readEvents(signal: AbortSignal): Promise<void> {
    const stream = await this.#api.events(EVENTS, signal);
    const cut = (): void => void stream.destroy();
    signal.addEventListener("abort", cut, { once: true });
    // What happened before was not told.
    this.#wake.abort();
    let rest = "";
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const lines = (rest + chunk.toString("latin1")).split("\n");
        rest = lines.pop()!.slice(-EVENT_CHARS_MAX);
        for (const id of lines.map(startedIn)) if (id !== undefined && this.#started.size < STARTED_MAX) this.#started.add(id);
        if (lines.length > 0) this.#wake.abort();
      }
    } finally {
      signal.removeEventListener("abort", cut);
      stream.destroy();
    }
  }
}

/** `{"Type":"container","Action":"start","Actor":{"ID":"…"}}` */
function startedIn(line: string): string | undefined {
  try {
    const { Action, Actor } = JSON.parse(line) as { Action?: string; Actor?: { ID?: string } };
    return Action === "start" ? Actor?.ID : undefined;
  } catch {
    return undefined;
  }
}

function mergedFilters(filters: DockerSdConfig["filters"]): Record<string, string[]> {
  const merged: Record<string, string[]> = {};
  for (const { name, values } of filters) (merged[name] ??= []).push(...values);
  return merged;
}
