// `gcplog` with `subscription_type: pull`: messages are acknowledged to Google when their entries are safe, so that what is not is sent
// again.

import type { Registry } from "prom-client";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { backoffMs } from "../../client/backoff.ts";
import { counter, gauge } from "../../metric.ts";
import type { Source, SourceContext } from "../source.ts";
import { GcpEntries } from "./gcp-entries.ts";
import { GcpMessageError, readLogEntry } from "./log-entry.ts";
import type { GcplogConfig } from "./open-gcplog.ts";
import type { PubsubMessage, Subscription } from "./pubsub.ts";

const BACKOFF = { minMs: 1_000, maxMs: 10_000, retriesMax: 0 };
/** Google waits with an empty answer as a rule, but need not. */
const EMPTY_PAUSE_MS = 250;
/** A subscription's deadline is ten seconds by default: entries that take longer to be safe get more time. */
const EXTEND_PERIOD_MS = 5_000;
const EXTEND_SECONDS = 60;

export class PullTarget implements Source {
  readonly dropped = [];
  readonly #config: GcplogConfig;
  readonly #context: SourceContext;
  readonly #subscription: Subscription;
  readonly #labels: LabelSet;
  readonly #reader: GcpEntries;
  readonly #metrics: ReturnType<typeof openPullMetrics>;
  readonly #ending = new AbortController();
  /** Rejects when the target is to end. */
  readonly #ended: Promise<never>;
  readonly #running: Promise<void>;
  #entries = 0;
  #failure = "";

  constructor(config: GcplogConfig, context: SourceContext, subscription: Subscription) {
    this.#config = config;
    this.#context = context;
    this.#subscription = subscription;
    this.#labels = LabelSet.fromObject(config.labels);
    this.#reader = new GcpEntries(config, context);
    this.#metrics = openPullMetrics(context.registry, config);
    this.#ended = new Promise((_, reject) => {
      this.#ending.signal.addEventListener("abort", () => reject(new Error("the agent is ending")), { once: true });
    });
    this.#ended.catch(() => {});
    this.#running = this.#run();
  }

  get targets(): Source["targets"] {
    return [
      {
        kind: "Gcplog",
        labels: this.#labels,
        discovered: {},
        ready: true,
        details: () => ({
          project: this.#config.project_id,
          subscription: this.#config.subscription,
          entries: this.#entries,
          ...(this.#failure === "" ? {} : { error: this.#failure }),
        }),
        stop: (how) => this.stop(how),
      },
    ];
  }

  async stop(_options: { readonly drain: boolean }): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#context;
    for (let failures = 0; !this.#ending.signal.aborted; ) {
      try {
        await this.#pullOnce();
        failures = 0;
        this.#failure = "";
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        this.#failure = messageOf(error);
        this.#metrics.failed();
        const waitMs = Math.round(backoffMs(++failures, BACKOFF, Math.random));
        log.error({ subscription: this.#config.subscription, error: this.#failure, retry_ms: waitMs }, "could not pull from Pub/Sub");
        await clock.sleep(waitMs, this.#ending.signal);
      }
    }
  }

  async #pullOnce(): Promise<void> {
    const messages = await this.#subscription.pull(this.#ending.signal);
    this.#metrics.polled(this.#context.clock.nowMs());
    if (messages.length === 0) return this.#context.clock.sleep(EMPTY_PAUSE_MS, this.#ending.signal);
    const ackIds = messages.map(({ ackId }) => ackId);
    const batch = this.#read(messages);
    const { liveCount } = batch;
    await this.#secure(batch, ackIds);
    await this.#subscription.acknowledge(ackIds, this.#ending.signal);
    this.#entries += liveCount;
    this.#metrics.taken(liveCount);
  }

  /** Messages that are no entries are counted and acknowledged, or they would come for ever. */
  #read(messages: readonly PubsubMessage[]): EntryBatch {
    const batch = new EntryBatch();
    for (const { data } of messages) {
      try {
        this.#reader.add(batch, readLogEntry(data, new Map(), this.#reader.options));
      } catch (error) {
        if (!(error instanceof GcpMessageError)) throw error;
        this.#metrics.failed();
        this.#context.log.debug({ error: error.message }, "a message of Pub/Sub is no log entry");
      }
    }
    return batch;
  }

  async #secure(batch: EntryBatch, ackIds: readonly string[]): Promise<void> {
    if (batch.liveCount === 0) return;
    const { clock, intake } = this.#context;
    const done = new AbortController();
    const safe = intake.secure(batch).finally(() => done.abort());
    const extending = (async () => {
      while (!done.signal.aborted) {
        await clock.sleep(EXTEND_PERIOD_MS, done.signal);
        if (!done.signal.aborted) await this.#subscription.extend(ackIds, EXTEND_SECONDS, this.#ending.signal);
      }
    })();
    // Without more time the messages come twice, and that is all.
    extending.catch(() => {});
    safe.catch(() => {});
    await Promise.race([safe, this.#ended]);
  }
}

function openPullMetrics(registry: Registry, { project_id: project, subscription: target }: GcplogConfig) {
  const entries = counter(registry, "promtail_gcplog_target_entries_total", "Help number of successful entries sent to the gcplog target", [
    "project",
  ]);
  const errors = counter(
    registry,
    "promtail_gcplog_target_parsing_errors_total",
    "Total number of parsing errors while receiving gcplog messages",
    ["project"],
  );
  const lastScrape = gauge(
    registry,
    "promtail_gcplog_target_last_success_scrape",
    "Timestamp of the specific target's last successful poll",
    ["project", "target"],
  );
  return {
    taken: (count: number) => entries.inc({ project }, count),
    polled: (nowMs: number) => lastScrape.set({ project, target }, Math.floor(nowMs / 1_000)),
    failed: () => errors.inc({ project }),
  };
}
