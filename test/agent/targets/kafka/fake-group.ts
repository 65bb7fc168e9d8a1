// The client library's consumer as the source uses it, with brokers that are two maps: messages and committed offsets. A group that lives
// in it can be given and rebalanced at will.

import type { EachBatchPayload } from "kafkajs";
import type { GroupConsumer, GroupJoined } from "../../../../agent/targets/kafka/session.ts";

export interface FakeMessage {
  readonly value: string | null;
  readonly key?: string;
  readonly timestampMs?: number;
}

type Listener = (event: { payload: never }) => void;

export class FakeLog {
  readonly #messages = new Map<string, FakeMessage[]>();
  readonly committed = new Map<string, number>();
  readonly commits: string[] = [];

  append(topic: string, partition: number, ...values: (string | FakeMessage)[]): void {
    const key = `${topic}/${partition}`;
    const log = this.#messages.get(key) ?? [];
    this.#messages.set(key, log);
    log.push(...values.map((value) => (typeof value === "string" ? { value } : value)));
  }

  read(key: string, from: number, count: number): FakeMessage[] {
    return (this.#messages.get(key) ?? []).slice(from, from + count);
  }

  /** The topic is deleted and made anew. */
  clear(topic: string, partition: number): void {
    this.#messages.delete(`${topic}/${partition}`);
    this.committed.delete(`${topic}/${partition}`);
  }
}

export class FakeConsumer {
  readonly #log: FakeLog;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #next = new Map<string, number>();
  #eachBatch: ((payload: EachBatchPayload) => Promise<void>) | undefined;
  assigned: string[] = [];
  batchMax = 100;
  heartbeats = 0;
  /** Thrown by the next heartbeat. */
  heartbeatError: Error | undefined;
  commitError: Error | undefined;
  paused = false;
  disconnected = false;
  subscribed: readonly string[] = [];

  constructor(log: FakeLog) {
    this.#log = log;
  }

  get asConsumer(): GroupConsumer {
    return this as unknown as GroupConsumer;
  }

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  async connect(): Promise<void> {}

  async subscribe({ topics }: { topics: readonly string[] }): Promise<void> {
    this.subscribed = topics;
  }

  async run({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }): Promise<void> {
    this.#eachBatch = eachBatch;
  }

  seek({ topic, partition, offset }: { topic: string; partition: number; offset: string }): void {
    this.#next.set(`${topic}/${partition}`, Number(offset));
  }

  pause(): void {
    this.paused = true;
  }

  async disconnect(): Promise<void> {
    this.disconnected = true;
  }

  async commitOffsets(offsets: readonly { topic: string; partition: number; offset: string }[]): Promise<void> {
    if (this.commitError !== undefined) throw this.commitError;
    for (const { topic, partition, offset } of offsets) {
      this.#log.committed.set(`${topic}/${partition}`, Number(offset));
      this.#log.commits.push(`${topic}/${partition} ${offset}`);
    }
  }

  /** The group gives this member these partitions, as `topic/partition`; reading begins where the group has committed. */
  join(memberId: string, ...keys: readonly string[]): void {
    this.assigned = [...keys];
    this.#next.clear();
    for (const key of keys) this.#next.set(key, this.#log.committed.get(key) ?? 0);
    const memberAssignment: Record<string, number[]> = {};
    for (const key of keys) {
      const [topic = "", partition] = key.split("/");
      (memberAssignment[topic] ??= []).push(Number(partition));
    }
    this.emit("consumer.group_join", { memberId, memberAssignment } satisfies GroupJoined);
  }

  emit(event: string, payload: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener({ payload: payload as never });
  }

  /** One round over the partitions, as the library does it. @throws what a handler throws */
  async fetch(): Promise<void> {
    for (const key of this.assigned) {
      const from = this.#next.get(key)!;
      const messages = this.paused ? [] : this.#log.read(key, from, this.batchMax);
      if (messages.length > 0) await this.#eachBatch!(this.#payload(key, from, messages));
    }
  }

  #payload(key: string, from: number, messages: readonly FakeMessage[]): EachBatchPayload {
    const [topic = "", partition] = key.split("/");
    const batch = {
      topic,
      partition: Number(partition),
      messages: messages.map(({ value, key: messageKey, timestampMs }, i) => ({
        offset: String(from + i),
        timestamp: String(timestampMs ?? -1),
        key: messageKey === undefined ? null : Buffer.from(messageKey),
        value: value === null ? null : Buffer.from(value, "latin1"),
      })),
      highWatermark: String(this.#log.read(key, 0, 1_000_000).length),
      lastOffset: () => String(from + messages.length - 1),
    };
    const payload = {
      batch,
      isStale: () => false,
      resolveOffset: (offset: string) => {
        this.#next.set(key, Number(offset) + 1);
      },
      heartbeat: async () => {
        this.heartbeats++;
        const error = this.heartbeatError;
        this.heartbeatError = undefined;
        if (error !== undefined) throw error;
      },
    };
    return payload as unknown as EachBatchPayload;
  }
}

export function rebalancing(): Error {
  return Object.assign(new Error("The group is rebalancing, so a rejoin is needed"), { type: "REBALANCE_IN_PROGRESS" });
}
