// The data's way through the agent, in one place: discovery → relabel → target → pipeline → limiter → clients.
//
// A reload builds the new configuration whole before anything running is touched; then what is unchanged stays as it is, and what has
// changed is replaced. Stopping lets go of what stages hold, sends what is there, and writes the acknowledged positions.

import { existsSync } from "node:fs";
import { hostname } from "node:os";
import type { Readable } from "node:stream";
import { type Clock, within } from "../lib/runtime/clock.ts";
import type { HttpServer } from "../lib/runtime/http-server.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import type { Log } from "../lib/runtime/log.ts";
import { Registry } from "../lib/runtime/metrics.ts";
import { OneAtATime } from "../lib/runtime/one-at-a-time.ts";
import { LabelSet } from "../lib/wire/labels.ts";
import { type AgentMetrics, openAgentMetrics } from "./agent-metrics.ts";
import type { Backlogs } from "./backlog/backlogs.ts";
import { printConfig } from "./config/print.ts";
import type { AgentConfig } from "./config/schema.ts";
import type { ScrapeConfig } from "./config/scrape-config.ts";
import type { AgentView } from "./http/status.ts";
import { type Outlet, openOutlet, openPrinter } from "./outlet.ts";
import { openPositions, type Positions } from "./positions.ts";
import { limitLines } from "./readline-limiter.ts";
import { buildPipeline, type JobContext, ScrapeJob } from "./scrape-job.ts";
import type { Spools } from "./spool/spools.ts";
import { SwitchSink } from "./switch-sink.ts";
import { createTailMetrics } from "./tail/tail-metrics.ts";
import { sourceKeyOf } from "./targets/open-sources.ts";

export interface RunOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly dryRun: boolean;
  /** Reads the configuration anew, for a reload. @throws ConfigError */
  readonly load: () => Promise<AgentConfig>;
  readonly stdin: Readable;
  readonly write: (text: string) => Promise<void> | void;
  /** How pipelines are built; `-inspect` has its own way. */
  readonly compile?: JobContext["compile"];
}

export interface RunningAgent {
  /** The HTTP port; undefined when the server is disabled. */
  readonly port: number | undefined;
  /** Resolves when the agent has ended by itself: standard input came to its end. */
  readonly ended: Promise<void>;
  /** @throws Error saying why the former configuration stays */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Entries of targets that a reload has stopped get this long to be acknowledged before their files are opened anew. */
const RELOAD_SETTLE_MS = 2_000;
const SERVER_GRACE_MS = 1_000;
/** Of the time to end, kept for the last write of positions. */
const POSITIONS_RESERVE_MS = 1_000;
const STDIN_DRAIN_MS = 24 * 3_600_000;

/** @throws Error when the configuration cannot be run; nothing is left open then */
export async function runAgent(config: AgentConfig, options: RunOptions): Promise<RunningAgent> {
  const agent = new Agent(config, options);
  try {
    await agent.start();
  } catch (error) {
    await agent.abandon();
    throw error;
  }
  return agent;
}

class Agent implements RunningAgent, AgentView {
  config: AgentConfig;
  jobs: readonly ScrapeJob[] = [];
  ended: Promise<void> = new Promise(() => {});
  readonly #options: RunOptions;
  readonly #registry = new Registry();
  readonly #metrics: AgentMetrics;
  #positions: Positions | undefined;
  #spools: Spools | undefined;
  #backlogs: Backlogs | undefined;
  #outlet: Outlet | undefined;
  #switch: SwitchSink | undefined;
  #context: JobContext | undefined;
  #server: HttpServer | undefined;
  #readingStdin = false;
  #stdinEnded = false;
  /** Reloads run one after the other, and the stop after them. */
  readonly #turns = new OneAtATime();
  #stopping: Promise<void> | undefined;

  constructor(config: AgentConfig, options: RunOptions) {
    this.config = config;
    this.#options = options;
    this.#metrics = openAgentMetrics(this.#registry);
  }

  get port(): number | undefined {
    return this.#server?.port;
  }

  get ready(): boolean {
    return !this.config.server.health_check_target || this.#readingStdin || this.jobs.some((job) => job.ready);
  }

  async start(): Promise<void> {
    const { config } = this;
    const stdin = config.target_config.stdin;
    this.#backlogs = await this.#openBacklogs(config);
    this.#outlet = await this.#openOutlet(config);
    this.#switch = new SwitchSink(this.#outletOf(config, this.#outlet));
    this.#positions = await this.#openPositions(config);
    this.#spools = await this.#openSpools(config);
    this.#context = this.#contextOf(config, this.#positions, this.#switch);
    this.jobs = stdin ? [] : config.scrape_configs.map((scrape, i) => new ScrapeJob(scrape, i, this.#context!));
    const stdinPipeline = stdin ? buildPipeline(stdinScrape(config, this.#options.log), 0, this.#context) : undefined;
    await this.#listen(config, stdin);
    await Promise.all(this.jobs.map((job) => job.start()));
    if (stdinPipeline !== undefined) this.ended = this.#readStdin(config, stdinPipeline);
  }

  reload(): Promise<void> {
    return this.#turns.run(() => this.#reload());
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#turns.idle().then(() => this.#stop());
    return this.#stopping;
  }

  /** What stood on standard input cannot be read again, so the clients may try as long as their retries go. */
  get #drainMs(): number {
    return this.#stdinEnded ? STDIN_DRAIN_MS : this.config.server.graceful_shutdown_timeout;
  }

  /** Closes what a failed start has opened. */
  async abandon(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.stop({ drain: false })));
    await this.#outlet?.stopNow();
    await this.#spools?.close();
    await this.#backlogs?.close();
    await this.#positions?.close();
    await this.#server?.close(0);
  }

  async #reload(): Promise<void> {
    if (this.#stopping !== undefined) throw new Error("the agent is ending");
    try {
      await this.#swap(await this.#options.load());
      this.#metrics.reloaded(true);
      this.#options.log.info({ scrape_configs: this.jobs.length }, "configuration reloaded");
    } catch (error) {
      this.#metrics.reloaded(false);
      this.#options.log.error({ error: messageOf(error) }, "configuration not reloaded, the former one stays");
      throw error;
    }
  }

  async #swap(next: AgentConfig): Promise<void> {
    const former = this.config;
    const formerOutlet = this.#outlet!;
    if (printConfig(next) === printConfig(former) && sameText(next, former)) throw new Error("config has not changed");
    if (next.target_config.stdin || former.target_config.stdin) throw new Error("standard input is read to its end with one configuration");

    // Everything that can fail comes before anything that runs is touched.
    const newClients = !sameText([next.clients, next.limits_config], [former.clients, former.limits_config]);
    this.#spools ??= await this.#openSpools({ ...next, spool: former.spool, positions: former.positions });
    this.#backlogs ??= await this.#openBacklogs({ ...next, backlog: former.backlog, positions: former.positions });
    const context = this.#contextOf(next, this.#positions!, this.#switch!);
    const kept = new Map(
      sameText(context.reading, this.#context!.reading) ? this.jobs.map((job) => [JSON.stringify(job.scrape), job]) : [],
    );
    const jobs = next.scrape_configs.map((scrape, i) => kept.get(JSON.stringify(scrape)) ?? new ScrapeJob(scrape, i, context));
    const outlet = newClients ? await this.#openOutlet(next) : formerOutlet;

    this.#warnOfLasting(former, next);
    const formerEnded = this.#spools?.checkpoint();
    if (newClients) this.#switch!.switchTo(this.#outletOf(next, outlet));
    const formerJobs = new Map(this.jobs.map((job) => [job.scrape.job_name, job]));
    this.config = next;
    this.#context = context;
    this.#outlet = outlet;
    this.jobs = jobs;
    const names = new Set(jobs.map((job) => job.scrape.job_name));
    await Promise.all([...formerJobs.values()].filter((job) => !names.has(job.scrape.job_name)).map((job) => job.stop({ drain: false })));
    const idle = async (): Promise<void> => this.#settle(formerOutlet);
    await Promise.all(
      jobs.filter((job) => formerJobs.get(job.scrape.job_name) !== job).map((job) => job.start(formerJobs.get(job.scrape.job_name), idle)),
    );
    if (newClients) void this.#retire(formerOutlet, next).then(formerEnded);
  }

  /** Waits a little until what stopped targets have handed out is acknowledged, so that it is not read again. */
  async #settle(outlet: Outlet): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.nowMs() + RELOAD_SETTLE_MS;
    while (!outlet.idle() && clock.nowMs() < deadlineMs) await clock.sleep(20);
  }

  async #retire(outlet: Outlet, { server }: AgentConfig): Promise<void> {
    try {
      await outlet.drain(server.graceful_shutdown_timeout);
    } catch (error) {
      this.#options.log.error({ error: messageOf(error) }, "former clients did not end well");
    }
  }

  #warnOfLasting(former: AgentConfig, next: AgentConfig): void {
    if (!sameText(former.server, next.server)) this.#options.log.warn({}, "changes of server take effect at the next start");
    if (!sameText(former.spool, next.spool)) this.#options.log.warn({}, "changes of spool take effect at the next start");
    if (!sameText(former.backlog, next.backlog)) this.#options.log.warn({}, "changes of backlog take effect at the next start");
    if (!sameText(former.positions, next.positions)) this.#options.log.warn({}, "changes of positions take effect at the next start");
  }

  async #stop(): Promise<void> {
    const { log, clock } = this.#options;
    const deadlineMs = clock.nowMs() + this.#drainMs;
    this.#options.stdin.destroy();
    await within(Promise.all(this.jobs.map((job) => job.stop({ drain: false }))), deadlineMs - clock.nowMs(), clock);
    await this.#outlet?.drain(Math.max(0, deadlineMs - clock.nowMs() - POSITIONS_RESERVE_MS));
    await this.#outlet?.stopNow();
    await this.#spools?.close();
    await this.#backlogs?.close();
    await this.#positions?.close();
    await this.#server?.close(SERVER_GRACE_MS);
    log.info({}, "ended");
  }

  #openOutlet(config: AgentConfig): Promise<Outlet> | Outlet {
    const { dryRun, write, clock, log } = this.#options;
    return dryRun ? openPrinter(config, write) : openOutlet(config, { backlogs: this.#backlogs, registry: this.#registry, clock, log });
  }

  #outletOf({ limits_config: limits }: AgentConfig, outlet: Outlet): Outlet | ReturnType<typeof limitLines> {
    if (!limits.readline_rate_enabled) return outlet;
    const limit = { linesPerSecond: limits.readline_rate, burstLines: limits.readline_burst, drop: limits.readline_rate_drop };
    return limitLines(outlet, limit, this.#options.clock, (count) => this.#metrics.lineDropped("global_rate_limiter_drop", count));
  }

  #openPositions({ positions, target_config }: AgentConfig): Promise<Positions> {
    const { clock, log, dryRun } = this.#options;
    return openPositions({
      path: positions.filename,
      syncPeriodMs: positions.sync_period,
      ignoreInvalidYaml: positions.ignore_invalid_yaml || target_config.stdin,
      readOnly: dryRun || target_config.stdin,
      clock,
      log,
      registry: this.#registry,
    });
  }

  /** None for configurations that only read files, and for runs that write nothing. */
  async #openSpools({ spool, positions, scrape_configs: scrapes, target_config }: AgentConfig): Promise<Spools | undefined> {
    const { clock, log, dryRun } = this.#options;
    if (!spool.enabled || dryRun || target_config.stdin || scrapes.every((scrape) => sourceKeyOf(scrape) === undefined)) return undefined;
    const { Spools } = await import("./spool/spools.ts");
    const directory = spool.directory === "" ? `${positions.filename}.spool` : spool.directory;
    const spools = new Spools({ directory, bytesMax: spool.max_bytes, onFull: spool.on_full, registry: this.#registry, clock, log });
    await spools.warnOfOrphans(scrapes.map(({ job_name }) => job_name));
    return spools;
  }

  /** None for one required client, for whom its sources are the queue, unless another configuration has left one. */
  async #openBacklogs({ backlog, positions, clients, target_config }: AgentConfig): Promise<Backlogs | undefined> {
    const { clock, log, dryRun } = this.#options;
    if (dryRun || target_config.stdin) return undefined;
    const directory = backlog.directory === "" ? `${positions.filename}.backlog` : backlog.directory;
    const several = clients.filter(({ optional }) => !optional).length > 1;
    if (!(backlog.enabled && several) && !existsSync(directory)) return undefined;
    const { Backlogs } = await import("./backlog/backlogs.ts");
    return new Backlogs({ directory, bytesMax: backlog.max_bytes, enabled: backlog.enabled, registry: this.#registry, clock, log });
  }

  #contextOf(config: AgentConfig, positions: Positions, sink: SwitchSink): JobContext {
    const { clock, log, compile } = this.#options;
    const { min_poll_frequency, max_poll_frequency } = config.global.file_watch_config;
    return {
      sink,
      positions,
      ...(this.#spools === undefined ? {} : { spools: this.#spools }),
      registry: this.#registry,
      metrics: this.#metrics,
      tailMetrics: createTailMetrics(this.#registry),
      clock,
      log,
      lineBytesMax: config.limits_config.max_line_size,
      hostname: process.env.HOSTNAME || hostname(),
      reading: { syncPeriodMs: config.target_config.sync_period, pollMinMs: min_poll_frequency, pollMaxMs: max_poll_frequency },
      ...(compile === undefined ? {} : { compile }),
    };
  }

  async #listen(config: AgentConfig, stdin: boolean): Promise<void> {
    const { log } = this.#options;
    if (config.server.disable) return;
    const { openAgentServer } = await import("./http/agent-server.ts");
    try {
      this.#server = await openAgentServer(config.server, this, this.#registry, log);
      log.info({ address: config.server.http_listen_address, port: this.#server.port }, "listening on HTTP");
    } catch (error) {
      // Text piped through the agent does not need its pages, and another agent may have the port.
      if (!stdin) throw error;
      log.warn({ error: messageOf(error) }, "reading standard input without an HTTP server");
    }
  }

  async #readStdin(config: AgentConfig, pipeline: ReturnType<typeof buildPipeline>): Promise<void> {
    const { readStdin } = await import("./targets/stdin-target.ts");
    const { stdin, clock } = this.#options;
    this.#readingStdin = true;
    const labels = stdinLabels(stdinScrape(config, this.#options.log));
    try {
      await readStdin({ input: stdin, labels, pipeline, sink: this.#switch!, clock });
      this.#stdinEnded = true;
    } finally {
      this.#readingStdin = false;
    }
  }
}

/** The first scrape config, or one made up. */
function stdinScrape(config: AgentConfig, log: Log): ScrapeConfig {
  const [first, ...others] = config.scrape_configs;
  if (others.length > 0) log.warn({ used: first!.job_name, skipped: others.length }, "standard input takes the first scrape config only");
  return first ?? { job_name: "stdin", encoding: "", static_configs: [{ labels: { job: "stdin", hostname: hostname() } }] };
}

function stdinLabels(scrape: ScrapeConfig): LabelSet {
  const merged = Object.assign({}, ...(scrape.static_configs ?? []).map(({ labels }) => labels)) as Record<string, string>;
  return LabelSet.of(Object.entries(merged).filter(([name]) => !name.startsWith("__")));
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
