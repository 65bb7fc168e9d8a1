// Reads topics as a member of a consumer group, for as long as the agent runs: looks for topics, joins, and joins again when topics have
// come or gone, or when the brokers were away.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { orAborted } from "../../../lib/runtime/or-aborted.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import type { TargetFailure } from "../../agent-metrics.ts";
import { backoffMs } from "../../client/backoff.ts";
import type { DroppedTarget } from "../../discovery/target-set.ts";
import type { Intake } from "../intake.ts";
import type { Source } from "../source.ts";
import type { Target } from "../target.ts";
import type { Messages } from "./messages.ts";
import type { Partition } from "./partition.ts";
import { type GroupConsumer, GroupSession } from "./session.ts";
import type { TopicChoice } from "./topics.ts";

/** As Promtail's. */
const TOPICS_REFRESH_MS = 30_000;
const RETRY = { minMs: 500, maxMs: 10_000, retriesMax: 0 };
/** A membership that has lasted this long was well: the next failure counts as the first. */
const WELL_MS = 60_000;

/** The cluster, as far as it is used. */
export interface Cluster {
  listTopics(): Promise<readonly string[]>;
  consumer(): GroupConsumer;
}

export interface KafkaSourceOptions {
  readonly kind: string;
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly choose: TopicChoice;
  readonly messages: Messages;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onTargetsChanged: () => void;
  readonly onTargetFailed: (reason: TargetFailure) => void;
}

export class KafkaSource implements Source {
  readonly dropped: readonly DroppedTarget[] = [];
  readonly #options: KafkaSourceOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #session: GroupSession | undefined;

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get targets(): readonly Target[] {
    return (this.#session?.partitions ?? []).map((partition) => this.#targetOf(this.#session!, partition));
  }

  /** What is behind the last acknowledged message is for the next start, drained or not. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, random, onTargetFailed } = this.#options;
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      const startedMs = clock.nowMs();
      try {
        await this.#readWhileTopicsStay();
        failures = 0;
      } catch (error) {
        failures = clock.nowMs() - startedMs >= WELL_MS ? 1 : failures + 1;
        const waitMs = Math.round(backoffMs(failures, RETRY, random));
        log.error({ error: messageOf(error), retry_ms: waitMs }, "could not read from Kafka, trying again");
        onTargetFailed("error");
        await clock.sleep(waitMs, this.#stop.signal);
      }
    }
  }

  /** Returns when other topics are to be read, or the source stops. @throws Error when brokers are away or refuse */
  async #readWhileTopicsStay(): Promise<void> {
    const topics = await this.#find();
    if (this.#stop.signal.aborted) return;
    if (topics.length === 0) {
      this.#options.log.warn({}, "the cluster has none of the topics");
      return this.#options.clock.sleep(TOPICS_REFRESH_MS, this.#stop.signal);
    }
    const { cluster, groupId, messages, intake, clock, log, onTargetsChanged } = this.#options;
    const session = new GroupSession({
      consumer: cluster.consumer(),
      groupId,
      messages,
      intake,
      clock,
      log,
      onPartitionsChanged: onTargetsChanged,
    });
    this.#session = session;
    try {
      log.info({ topics }, "reading topics");
      await Promise.race([orAborted(session.join(topics), this.#stop.signal), session.crashed]);
      await Promise.race([this.#topicsChange(topics), session.crashed]);
    } finally {
      await session.leave();
      this.#session = undefined;
      onTargetsChanged();
    }
  }

  async #topicsChange(topics: readonly string[]): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(TOPICS_REFRESH_MS, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        const found = await this.#find();
        if (this.#stop.signal.aborted) return;
        if (found.join() !== topics.join()) return log.info({ topics: found }, "topics have come or gone");
      } catch (error) {
        log.warn({ error: messageOf(error) }, "could not look for topics, keeping those that are read");
      }
    }
  }

  async #find(): Promise<string[]> {
    // Brokers that are away would hold up the end.
    return this.#options.choose((await orAborted(this.#options.cluster.listTopics(), this.#stop.signal)) ?? []);
  }

  #targetOf(session: GroupSession, partition: Partition): Target {
    const { messages, kind } = this.#options;
    const origin = session.originOf(partition);
    return {
      kind,
      labels: messages.labelsOf(origin) ?? LabelSet.of([]),
      discovered: messages.discovered(origin),
      ready: true,
      details: () => ({
        topic: partition.topic,
        partition: partition.partition,
        member_id: session.memberId,
        group_id: origin.groupId,
        offset: partition.next ?? "",
      }),
      stop: async () => {},
    };
  }
}
