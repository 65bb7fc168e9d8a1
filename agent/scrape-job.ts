// One scrape config at work: discoveries tell of targets, relabelling decides which are read, each is read through the one pipeline.

import type { Registry } from "prom-client";
import type { Clock } from "../lib/runtime/clock.ts";
import type { ConfigPath } from "../lib/runtime/config-file.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import type { Log } from "../lib/runtime/log.ts";
import { compileRelabel } from "../lib/text/relabel.ts";
import type { compilePipeline } from "../pipelines/compile.ts";
import { compileTapped, type TapPoint } from "../pipelines/tap.ts";
import type { AgentMetrics } from "./agent-metrics.ts";
import type { ScrapeConfig } from "./config/scrape-config.ts";
import type { Discovery } from "./discovery/discovery.ts";
import { openDiscoveries } from "./discovery/open.ts";
import { type DroppedTarget, type FoundTarget, TargetSet, type TargetSetChange } from "./discovery/target-set.ts";
import type { Positions } from "./positions.ts";
import { ScrapeSource } from "./scrape-source.ts";
import { SharedPipeline } from "./shared-pipeline.ts";
import type { Sink } from "./sink.ts";
import type { Spools } from "./spool/spools.ts";
import type { TailMetrics } from "./tail/tail-metrics.ts";
import type { Decompression, FileTarget } from "./targets/file-target.ts";
import { sourceKeyOf } from "./targets/open-sources.ts";
import type { Target } from "./targets/target.ts";

export interface JobContext {
  readonly sink: Sink;
  readonly positions: Positions;
  /** Absent when there are to be none. */
  readonly spools?: Spools;
  readonly registry: Registry;
  readonly metrics: AgentMetrics;
  readonly tailMetrics: TailMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** What `__host__` is compared with. */
  readonly hostname: string;
  /** `limits_config.max_line_size` in bytes; 0 is no limit. */
  readonly lineBytesMax: number;
  readonly reading: { readonly syncPeriodMs: number; readonly pollMinMs: number; readonly pollMaxMs: number };
  /** How pipelines are built; `-inspect` has its own way. */
  readonly compile?: typeof compilePipeline;
}

/** The pipeline of a scrape config. @throws ConfigError for stages that cannot be built */
export function buildPipeline(
  scrape: ScrapeConfig,
  index: number,
  context: Omit<JobContext, "sink" | "positions" | "tailMetrics" | "hostname" | "lineBytesMax" | "reading">,
) {
  const log = context.log.child({ job: scrape.job_name });
  const path: ConfigPath = ["scrape_configs", index, "pipeline_stages"];
  return (context.compile ?? compileTapped)(
    scrape.pipeline_stages,
    {
      now: () => context.clock.nowMs(),
      random: Math.random,
      registry: context.registry,
      jobName: scrape.job_name,
      dropped: context.metrics.lineDropped,
      debug: (fields, text) => log.debug(fields, text),
      warn: (fields, text) => log.warn(fields, text),
    },
    path,
  );
}

export class ScrapeJob {
  readonly scrape: ScrapeConfig;
  readonly #context: JobContext;
  readonly #set: TargetSet;
  readonly #log: Log;
  #pipeline: SharedPipeline;
  #discoveries: Discovery[] = [];
  #targets = new Map<string, Target>();
  readonly #source: ScrapeSource | undefined;
  /** Targets are opened and stopped one after the other, in the order they were told of. */
  #work: Promise<void> = Promise.resolve();
  /** Targets that are read to their end after discovery has withdrawn them. */
  readonly #closing = new Set<Promise<void>>();
  #stopped = false;

  /** Builds everything and touches nothing. @throws ConfigError, RegexError */
  constructor(scrape: ScrapeConfig, index: number, context: JobContext) {
    this.scrape = scrape;
    this.#context = context;
    this.#log = context.log.child({ job: scrape.job_name });
    this.#pipeline = new SharedPipeline(buildPipeline(scrape, index, context));
    this.#set = new TargetSet({
      relabel: compileRelabel(scrape.relabel_configs ?? []),
      hostname: context.hostname,
      onDropped: (reason) => context.metrics.targetFailed(reason),
    });
    const key = sourceKeyOf(scrape);
    if (key !== undefined) this.#source = new ScrapeSource(key, scrape, this.#pipeline, { ...context, log: this.#log });
  }

  /** Files are handed over while they are open. A source may hold what its successor needs, such as an address, so it ends first. */
  get readsFiles(): boolean {
    return this.#source === undefined;
  }

  get ready(): boolean {
    return this.targets.some((target) => target.ready);
  }

  get targets(): readonly Target[] {
    return this.#source?.targets ?? [...this.#targets.values()];
  }

  /** Where entries of its pipeline may be watched. */
  get taps(): readonly TapPoint[] {
    return this.#pipeline.taps;
  }

  /** What waits on disk for its acknowledgement, if the job has that. */
  get spool(): Target | undefined {
    return this.#source?.spool;
  }

  get dropped(): readonly DroppedTarget[] {
    return this.#source?.dropped ?? this.#set.dropped;
  }

  /**
   * Begins to discover and to read. A former job whose entries take the same way lends its pipeline and its open targets: those that
   * are found again are not touched, the others end. Where nothing can be kept, the former job ends first, and `settle` waits for what
   * it has handed out.
   */
  async start(former?: ScrapeJob, settle?: () => Promise<void>): Promise<void> {
    const adopting = former?.readsFiles === true && this.readsFiles && sameReading(former.scrape, this.scrape);
    if (adopting) await this.#adopt(former);
    else if (former !== undefined) {
      await former.stop({ drain: false });
      await settle?.();
    }
    if (this.#source !== undefined) return this.#source.start({ retrying: settle !== undefined });
    this.#discoveries = await openDiscoveries(this.scrape, this.#log, this.#context);
    const first: TargetSetChange[] = [];
    let begun = false;
    await Promise.all(
      this.#discoveries.map((discovery, i) =>
        discovery.start((groups) => {
          const change = this.#set.update(i, groups);
          if (begun) this.#work = this.#work.then(() => this.#apply(change));
          else first.push(change);
        }),
      ),
    );
    begun = true;
    this.#work = this.#begin(first, settle);
    await this.#work;
  }

  /** What the discoveries told first: adopted targets that were not found end before others of the same files are opened. */
  async #begin(changes: readonly TargetSetChange[], settle: (() => Promise<void>) | undefined): Promise<void> {
    const lost = [...this.#targets.keys()].filter((key) => !this.#set.found.has(key));
    await Promise.all(lost.map((key) => this.#close(key)));
    if (lost.length > 0) await settle?.();
    for (const change of changes) await this.#apply(change);
  }

  async stop(options: { readonly drain: boolean }): Promise<void> {
    this.#stopped = true;
    await this.#source?.stop(options);
    await Promise.all(this.#discoveries.map((discovery) => discovery.stop()));
    await this.#work;
    await Promise.all([...this.#closing, ...[...this.#targets.keys()].map((key) => this.#close(key, options))]);
  }

  async #adopt(former: ScrapeJob): Promise<void> {
    former.#stopped = true;
    await Promise.all(former.#discoveries.map((discovery) => discovery.stop()));
    await former.#work;
    this.#pipeline = former.#pipeline;
    this.#targets = former.#targets;
    former.#targets = new Map();
  }

  async #apply({ appeared, gone }: TargetSetChange): Promise<void> {
    if (this.#stopped) return;
    // Of the same files with other labels: where the one ends the other goes on, and no line is read twice.
    const taken = new Set(appeared.map(filesOf));
    for (const target of gone) if (taken.has(filesOf(target))) await this.#close(target.key);
    // A target that is gone from discovery may still have unread lines on disk.
    for (const { key } of gone.filter((target) => !taken.has(filesOf(target)))) {
      const closing = this.#close(key, { drain: true }).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
    for (const found of appeared) if (!this.#targets.has(found.key)) await this.#open(found);
  }

  async #open(found: FoundTarget): Promise<void> {
    try {
      const file = await openFile(found, this.scrape, this.#pipeline, this.#context, this.#log);
      this.#targets.set(found.key, fileAsTarget(file, found));
      this.#context.metrics.targetsActive.inc(1);
      this.#log.info({ path: found.pathGlob, labels: found.labels.toString() }, "reading target");
    } catch (error) {
      this.#context.metrics.targetFailed("error");
      this.#log.error({ path: found.pathGlob, error: messageOf(error) }, "target not opened");
    }
  }

  async #close(key: string, options: { readonly drain: boolean } = { drain: false }): Promise<void> {
    const target = this.#targets.get(key);
    if (target === undefined) return;
    this.#targets.delete(key);
    this.#context.metrics.targetsActive.inc(-1);
    try {
      await target.stop(options);
    } catch (error) {
      this.#log.error({ target: key, error: messageOf(error) }, "target did not stop well");
    }
  }
}

function filesOf({ pathGlob, excludeGlob }: FoundTarget): string {
  return JSON.stringify([pathGlob, excludeGlob]);
}

/** Whether entries of a path would take the same way, so that open targets may stay open. */
function sameReading(a: ScrapeConfig, b: ScrapeConfig): boolean {
  const way = ({ pipeline_stages, encoding, decompression }: ScrapeConfig): string =>
    JSON.stringify([pipeline_stages ?? [], encoding, decompression]);
  return way(a) === way(b);
}

async function openFile(
  found: FoundTarget,
  scrape: ScrapeConfig,
  pipeline: SharedPipeline,
  context: JobContext,
  log: Log,
): Promise<FileTarget> {
  const { openFileTarget } = await import("./targets/file-target.ts");
  return openFileTarget({
    pathGlob: found.pathGlob,
    excludeGlob: found.excludeGlob,
    labels: found.labels,
    pipeline: () => pipeline.lease(),
    sink: context.sink,
    positions: context.positions,
    options: { encoding: scrape.encoding, ...decompressionOf(scrape), ...context.reading },
    clock: context.clock,
    log,
    metrics: context.tailMetrics,
  });
}

function decompressionOf({ decompression }: ScrapeConfig): { readonly decompression?: Decompression } {
  if (decompression?.enabled !== true) return {};
  return { decompression: { format: decompression.format, initialDelayMs: decompression.initial_delay } };
}

function fileAsTarget(file: FileTarget, { labels, discovered }: FoundTarget): Target {
  return {
    kind: "File",
    labels,
    discovered,
    get ready() {
      return file.ready;
    },
    details: () => file.details(),
    stop: (options) => file.stop(options),
  };
}
