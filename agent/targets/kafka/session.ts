// One membership in a consumer group, from joining to leaving: messages become batches, acknowledged offsets are committed.
//
// A member that stays in the group over a rebalance goes on behind what it has handed on, for the partitions it keeps; the library would
// begin at what is committed. A member that was put out comes back under another id: others may have had its partitions, so it begins
// at what is committed, and what it still has in flight commits nothing.

import type { Consumer, EachBatchPayload } from "kafkajs";
import { type Clock, within } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { InFlightBudget } from "../../tail/in-flight-budget.ts";
import { cleanLines } from "../clean-lines.ts";
import type { Intake } from "../intake.ts";
import type { Message, Messages, Origin } from "./messages.ts";
import { Partition } from "./partition.ts";

const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
/** What a message costs beside its value. */
const MESSAGE_OVERHEAD_BYTES = 64;
const BATCH_BYTES_MAX = 256 * 1024;
const COMMIT_PERIOD_MS = 1_000;
/** How often the group hears of a member that waits for room; the library sends no more than its own interval. */
const HEARTBEAT_MS = 1_000;
/** What is in flight has this long to be acknowledged before partitions are given away; the group waits for 60 s. */
const REBALANCE_DRAIN_MS = 5_000;
const LEAVE_DRAIN_MS = 3_000;
const LEAVE_MS = 5_000;
const POLL_MS = 20;

/** What is used of the library's consumer. */
export type GroupConsumer = Pick<Consumer, "connect" | "subscribe" | "run" | "commitOffsets" | "seek" | "pause" | "disconnect"> & {
  on(event: "consumer.group_join", listener: (event: { payload: GroupJoined }) => void): unknown;
  on(event: "consumer.rebalancing", listener: () => void): unknown;
  on(event: "consumer.crash", listener: (event: { payload: { error: Error } }) => void): unknown;
};

export interface GroupJoined {
  readonly memberId: string;
  readonly memberAssignment: Readonly<Record<string, readonly number[]>>;
}

export interface SessionOptions {
  readonly consumer: GroupConsumer;
  readonly groupId: string;
  readonly messages: Messages;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Log;
  readonly onPartitionsChanged: () => void;
  readonly inFlightBytesMax?: number;
}

export class GroupSession {
  readonly #options: SessionOptions;
  readonly #partitions = new Map<string, Partition>();
  readonly #leaving = new AbortController();
  readonly #budget: InFlightBudget;
  #memberId = "";
  #topics: readonly string[] = [];
  /** Resolves when the last batch has found room. */
  #room: Promise<unknown> = Promise.resolve();
  #committing: Promise<void> = Promise.resolve();
  #rejectCrashed: (error: Error) => void = () => {};
  #hasCrashed = false;
  #timer: NodeJS.Timeout | undefined;
  /** Rejects when the library has given up; never resolves. */
  readonly crashed: Promise<never>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#budget = new InFlightBudget(options.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX);
    this.crashed = new Promise((_, reject) => {
      this.#rejectCrashed = reject;
    });
    this.crashed.catch(() => {});
  }

  get memberId(): string {
    return this.#memberId;
  }

  get partitions(): readonly Partition[] {
    return [...this.#partitions.values()];
  }

  originOf({ topic, partition }: Pick<Partition, "topic" | "partition">): Origin {
    return { topic, partition, memberId: this.#memberId, groupId: this.#options.groupId };
  }

  /** @throws the library's error when no broker can be reached */
  async join(topics: readonly string[]): Promise<void> {
    const { consumer } = this.#options;
    this.#topics = topics;
    consumer.on("consumer.group_join", ({ payload }) => this.#joined(payload));
    consumer.on("consumer.rebalancing", () => void this.#commit());
    consumer.on("consumer.crash", ({ payload }) => this.#crash(payload.error));
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    this.#timer = setInterval(() => void this.#commit(), COMMIT_PERIOD_MS);
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#take(payload),
    });
  }

  /** Takes nothing more, waits a little for what is in flight, commits, and leaves the group. Never rejects. */
  async leave(): Promise<void> {
    const { consumer, clock, log } = this.#options;
    this.#leaving.abort();
    clearInterval(this.#timer);
    try {
      if (this.#memberId !== "" && !this.#hasCrashed) {
        consumer.pause(this.#topics.map((topic) => ({ topic })));
        await this.#settle(LEAVE_DRAIN_MS);
        await within(this.#commit(), LEAVE_MS, clock);
      }
      await within(consumer.disconnect(), LEAVE_MS, clock);
    } catch (error) {
      log.warn({ error: messageOf(error) }, "did not leave the consumer group well; it will notice");
    }
    this.#partitions.clear();
  }

  #joined({ memberId, memberAssignment }: GroupJoined): void {
    const { log, groupId, onPartitionsChanged } = this.#options;
    const stayed = memberId === this.#memberId;
    const former = new Map(this.#partitions);
    this.#memberId = memberId;
    this.#partitions.clear();
    for (const [topic, partitions] of Object.entries(memberAssignment)) {
      for (const partition of partitions) {
        const key = keyOf(topic, partition);
        const kept = stayed ? former.get(key) : undefined;
        this.#partitions.set(key, kept ?? new Partition(topic, partition, (sizeBytes) => this.#budget.release(sizeBytes)));
        if (kept?.next !== undefined) this.#options.consumer.seek({ topic, partition, offset: String(kept.next) });
      }
    }
    log.info({ group: groupId, member: memberId, partitions: this.#partitions.size }, "joined consumer group");
    onPartitionsChanged();
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch, isStale } = payload;
    const partition = this.#partitions.get(keyOf(batch.topic, batch.partition));
    if (partition === undefined || isStale()) return;
    partition.begin(Number(batch.messages[0]!.offset), Number(batch.highWatermark));
    try {
      await this.#takeFrom(partition, payload);
      partition.interrupted = false;
    } catch (error) {
      partition.interrupted = true;
      throw error;
    }
  }

  async #takeFrom(partition: Partition, { batch, heartbeat, resolveOffset }: EachBatchPayload): Promise<void> {
    const messages: readonly Message[] = batch.messages;
    const next = partition.next!;
    for (let from = messages.findIndex(({ offset }) => Number(offset) >= next); from >= 0 && from < messages.length; ) {
      // Where a rebalance has ended the wait for room, the batch before still waits.
      await this.#alive(this.#room, heartbeat);
      await this.#alive(this.#budget.room(this.#leaving.signal), heartbeat);
      if (this.#leaving.signal.aborted) return;
      from = this.#hand(messages, from, partition, Number(batch.lastOffset()) + 1);
    }
    await this.#alive(this.#room, heartbeat);
    resolveOffset(batch.lastOffset());
    await this.#heartbeat(heartbeat);
  }

  /** Hands on a batch of messages from index `from` on; returns the index behind them. @param end the offset behind all of them */
  #hand(messages: readonly Message[], from: number, partition: Partition, end: number): number {
    const origin = this.originOf(partition);
    const batch = new EntryBatch(new Uint8Array(4_096), 64, 0);
    let to = from;
    let sizeBytes = 0;
    for (; to < messages.length && sizeBytes < BATCH_BYTES_MAX; to++) {
      const message = messages[to]!;
      this.#options.messages.add(batch, message, origin);
      sizeBytes += (message.value?.length ?? 0) + MESSAGE_OVERHEAD_BYTES;
    }
    cleanLines(batch);
    this.#budget.take(sizeBytes);
    batch.tickets.push(partition.issue(to === messages.length ? end : Number(messages[to]!.offset), sizeBytes));
    this.#room = this.#options.intake.consume(batch).catch((error: unknown) => {
      this.#options.log.error({ error: messageOf(error), ...origin }, "messages could not be handed on");
      this.#crash(error instanceof Error ? error : new Error(messageOf(error)));
    });
    return to;
  }

  #crash(error: Error): void {
    this.#hasCrashed = true;
    this.#rejectCrashed(error);
  }

  /** Waits for work, and tells the group meanwhile that this member is alive. @throws the library's error when the group rebalances */
  async #alive(work: Promise<unknown>, heartbeat: () => Promise<void>): Promise<void> {
    let done = false;
    const waiting = work.then(() => {
      done = true;
    });
    await Promise.resolve();
    while (!done && !this.#leaving.signal.aborted) {
      await within(waiting, HEARTBEAT_MS, this.#options.clock);
      if (!done) await this.#heartbeat(heartbeat);
    }
  }

  async #heartbeat(heartbeat: () => Promise<void>): Promise<void> {
    try {
      await heartbeat();
    } catch (error) {
      if ((error as { type?: string }).type === "REBALANCE_IN_PROGRESS") {
        await this.#settle(REBALANCE_DRAIN_MS);
        await this.#commit();
      }
      throw error;
    }
  }

  /** Waits until everything that was handed on is acknowledged, but no longer than `ms`. */
  async #settle(ms: number): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.nowMs() + ms;
    while (clock.nowMs() < deadlineMs && this.partitions.some(({ settled }) => !settled)) await clock.sleep(POLL_MS);
  }

  /** Tells the group what is acknowledged; what could not be told is told with the next. */
  #commit(): Promise<void> {
    this.#committing = this.#committing.then(async () => {
      const moved = this.partitions.flatMap((partition) => {
        const offset = partition.toCommit;
        return offset === undefined ? [] : [{ partition, offset }];
      });
      if (moved.length === 0) return;
      try {
        await this.#options.consumer.commitOffsets(
          moved.map(({ partition: { topic, partition }, offset }) => ({ topic, partition, offset: String(offset) })),
        );
        for (const { partition, offset } of moved) partition.told(offset);
      } catch (error) {
        this.#options.log.warn({ error: messageOf(error), partitions: moved.length }, "offsets could not be committed yet");
      }
    });
    return this.#committing;
  }
}

const keyOf = (topic: string, partition: number): string => `${partition} ${topic}`;
