// The source of a scrape config at work: opened, tried again while the agent runs, and stopped before its intake.

import { messageOf } from "../lib/runtime/invariant.ts";
import { LabelSet } from "../lib/wire/labels.ts";
import type { RareBlock, ScrapeConfig } from "./config/scrape-config.ts";
import type { DroppedTarget } from "./discovery/target-set.ts";
import { EntryRelabel } from "./entry-relabel.ts";
import type { JobContext } from "./scrape-job.ts";
import type { SharedPipeline } from "./shared-pipeline.ts";
import type { Spool } from "./spool/spool.ts";
import { Intake } from "./targets/intake.ts";
import { openSource } from "./targets/open-sources.ts";
import type { Source } from "./targets/source.ts";
import type { Target } from "./targets/target.ts";

/** A source that could not begin when the configuration was reloaded is tried again after this long. */
const RETRY_MS = 5_000;

export class ScrapeSource {
  readonly #key: RareBlock;
  readonly #scrape: ScrapeConfig;
  readonly #pipeline: SharedPipeline;
  readonly #context: JobContext;
  readonly #relabel: EntryRelabel;
  readonly #ending = new AbortController();
  #intake: Intake | undefined;
  #spool: Spool | undefined;
  #source: Source | undefined;
  #opening: Promise<void> = Promise.resolve();
  /** Targets that are counted as active. */
  #countedTargets = 0;

  /** Builds everything and touches nothing. @throws RegexError */
  constructor(key: RareBlock, scrape: ScrapeConfig, pipeline: SharedPipeline, context: JobContext) {
    this.#key = key;
    this.#scrape = scrape;
    this.#pipeline = pipeline;
    this.#context = context;
    this.#relabel = new EntryRelabel(scrape.relabel_configs ?? []);
  }

  get targets(): readonly Target[] {
    return this.#source?.targets ?? [];
  }

  /** Its spool, once there is anything in it, as a row among the targets. */
  get spool(): Target | undefined {
    const spool = this.#spool;
    if (spool === undefined || !spool.isOpen) return undefined;
    return {
      kind: "Spool",
      labels: LabelSet.EMPTY,
      discovered: {},
      ready: !spool.isFailing,
      details: () => spool.details(),
      stop: async () => {},
    };
  }

  get dropped(): readonly DroppedTarget[] {
    return this.#source?.dropped ?? [];
  }

  /** @param how retrying: what cannot begin now is tried again instead of failing. @throws Error when it cannot begin */
  async start(how: { readonly retrying: boolean }): Promise<void> {
    const { sink, clock, log, spools } = this.#context;
    this.#spool = await spools?.open(this.#scrape.job_name);
    const spool = this.#spool === undefined ? {} : { spool: this.#spool };
    this.#intake = new Intake({ pipeline: this.#pipeline.lease(), sink, clock, log, ...spool });
    await this.#intake.start();
    try {
      await this.#open();
    } catch (error) {
      this.#context.metrics.targetFailed("error");
      if (!how.retrying) throw new Error(`scrape config ${JSON.stringify(this.#scrape.job_name)}, ${this.#key}: ${messageOf(error)}`);
      this.#opening = this.#retry(error);
    }
  }

  async stop(options: { readonly drain: boolean }): Promise<void> {
    this.#ending.abort();
    await this.#opening;
    await this.#source?.stop(options);
    await this.#intake?.stop();
    this.#source = undefined;
    this.#countTargets();
  }

  async #open(): Promise<void> {
    const { positions, registry, clock, log, metrics, lineBytesMax } = this.#context;
    this.#source = await openSource(this.#key, this.#scrape, {
      jobName: this.#scrape.job_name,
      relabel: this.#relabel,
      intake: this.#intake!,
      positions,
      registry,
      clock,
      log,
      lineBytesMax,
      onTargetFailed: metrics.targetFailed,
      onTargetsChanged: () => this.#countTargets(),
    });
    this.#countTargets();
    log.info({ source: this.#key }, "reading source");
  }

  #countTargets(): void {
    const { length } = this.targets;
    this.#context.metrics.targetsActive.inc(length - this.#countedTargets);
    this.#countedTargets = length;
  }

  async #retry(failure: unknown): Promise<void> {
    const { clock, log } = this.#context;
    for (let error = failure; !this.#ending.signal.aborted; ) {
      log.error({ source: this.#key, error: messageOf(error), retry_ms: RETRY_MS }, "source could not begin, trying again");
      await clock.sleep(RETRY_MS, this.#ending.signal);
      if (this.#ending.signal.aborted) return;
      try {
        return await this.#open();
      } catch (again) {
        error = again;
      }
    }
  }
}
