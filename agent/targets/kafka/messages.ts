// From messages of a partition to batches of entries: the line, the time, and the labels that the rules make of topic, partition, member,
// group and key.

import type { Registry } from "prom-client";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { createNanoClock } from "../../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import type { EntryRelabel } from "../../entry-relabel.ts";
import { counter } from "../../metric.ts";

const KEY_LABEL = "__meta_kafka_message_key";
/** What an empty key is called. */
const NO_KEY = "none";

export interface Message {
  readonly offset: string;
  /** Milliseconds since 1970, -1 when it has none. */
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

type Time = readonly [sec: number, nanos: number];

export interface ParsedEntry {
  readonly line: Uint8Array;
  /** Internal labels beside those of the message. */
  readonly labels?: readonly (readonly [name: string, value: string])[];
  /** Its own, for `use_incoming_timestamp`. */
  readonly time?: Time | undefined;
}

/** What a message holds: its entries, and how many parts of it were refused. */
export interface ParsedMessage {
  readonly entries: readonly ParsedEntry[];
  readonly refusedCount: number;
}

export type ParseMessage = (value: Buffer) => ParsedMessage;

/** Where messages come from: their common labels. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly memberId: string;
  readonly groupId: string;
}

export interface MessageOptions {
  readonly relabel: EntryRelabel;
  /** The block's own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly useIncomingTimestamp: boolean;
  readonly parse: ParseMessage;
  readonly registry: Registry;
  readonly clock: Clock;
}

const EMPTY = Buffer.alloc(0);

/** A message is one line, whatever is in it. */
export const parsePlain: ParseMessage = (value) => ({ entries: [{ line: value }], refusedCount: 0 });

export class Messages {
  readonly #options: MessageOptions;
  readonly #now: () => Time;
  readonly #entries;
  readonly #errors;
  /** Whether a rule may look at what differs from message to message. */
  readonly #readsKeys: boolean;

  constructor(options: MessageOptions) {
    this.#options = options;
    this.#now = createNanoClock(() => options.clock.nowMs());
    const { registry, relabel } = options;
    this.#readsKeys = relabel.reads?.has(KEY_LABEL) ?? true;
    this.#entries = counter(registry, "promtail_kafka_target_entries_total", "Entries read from Kafka.");
    this.#errors = counter(registry, "promtail_kafka_target_errors_total", "Messages or parts of them that were not sent.", ["error"]);
  }

  /** Labels of a partition and the block, before the rules. */
  discovered({ topic, partition, memberId, groupId }: Origin): Record<string, string> {
    return {
      __meta_kafka_topic: topic,
      __meta_kafka_partition: String(partition),
      __meta_kafka_member_id: memberId,
      __meta_kafka_group_id: groupId,
      ...this.#options.labels,
    };
  }

  /** Labels after the rules; undefined when a rule drops the entry. */
  labelsOf(origin: Origin, more: Iterable<readonly [string, string]> = []): LabelSet | undefined {
    return this.#options.relabel.labelsOf(new Map([...Object.entries(this.discovered(origin)), ...more]));
  }

  /** Adds what a message holds. What is not added is counted. */
  add(batch: EntryBatch, { key, value, timestamp }: Message, origin: Origin): void {
    const { entries, refusedCount } = this.#options.parse(value ?? EMPTY);
    if (refusedCount > 0) this.#errors.inc({ error: "not_a_resource_log" }, refusedCount);
    const keyText = this.#readsKeys && key !== null && key.length > 0 ? key.toString("utf8") : NO_KEY;
    for (const entry of entries) {
      const labels = this.labelsOf(origin, [[KEY_LABEL, keyText], ...(entry.labels ?? [])]);
      if (labels === undefined || labels.size === 0) {
        this.#errors.inc({ error: "empty_labels" });
        continue;
      }
      const [sec, nanos] = this.#timeOf(entry, timestamp);
      batch.setTime(batch.addText(entry.line, 0, 0, labels), sec, nanos);
      this.#entries.inc();
    }
  }

  #timeOf(entry: ParsedEntry, timestamp: string): Time {
    if (!this.#options.useIncomingTimestamp) return this.#now();
    if (entry.time !== undefined) return entry.time;
    const ms = Number(timestamp);
    if (!Number.isSafeInteger(ms) || ms < 0) return this.#now();
    const sec = Math.floor(ms / 1000);
    return [sec, (ms - sec * 1000) * 1e6];
  }
}
