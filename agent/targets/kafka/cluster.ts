// The client library, set up: kafkajs, which needs no native code and speaks to brokers of every version from 0.10 to 4
// (docs/decisions/0009-kafka-client.md).

import kafkajs, { type LogEntry } from "kafkajs";
import type { Log } from "../../../lib/runtime/log.ts";
import { ASSIGNORS } from "./assignors.ts";
import { registerCodecs } from "./codecs.ts";
import type { Cluster } from "./kafka-source.ts";
import type { GroupConsumer } from "./session.ts";
import type { KafkaSettings } from "./settings.ts";

const CONNECT_MS = 10_000;
/** As Promtail's: so long do partitions of a member that was killed wait for another. */
const SESSION_MS = 10_000;
/** Idle brokers answer a fetch after this long; it is also how long stopping waits. */
const FETCH_WAIT_MS = 500;
/** How soon partitions that were added to a topic are seen. */
const METADATA_AGE_MS = 60_000;
/** Of one answer, and of one partition in it; a single larger batch still comes. */
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
const PARTITION_BYTES_MAX = 1024 * 1024;
/** Tries of one request; what fails for longer ends the membership, and the source begins another. */
const REQUEST_RETRIES = 3;

export function openCluster(settings: KafkaSettings, log: Log): Cluster {
  registerCodecs();
  const kafka = new kafkajs.Kafka({
    clientId: "skald",
    brokers: [...settings.brokers],
    connectionTimeout: CONNECT_MS,
    authenticationTimeout: CONNECT_MS,
    ...(settings.tls === undefined ? {} : { ssl: settings.tls }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl }),
    retry: { retries: REQUEST_RETRIES },
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => (entry) => relay(entry, log),
  });
  return {
    listTopics: async () => {
      const admin = kafka.admin();
      try {
        await admin.connect();
        return await admin.listTopics();
      } finally {
        await admin.disconnect();
      }
    },
    consumer: () =>
      kafka.consumer({
        groupId: settings.groupId,
        partitionAssigners: settings.assignors.map((name) => ASSIGNORS[name]),
        sessionTimeout: SESSION_MS,
        maxWaitTimeInMs: FETCH_WAIT_MS,
        maxBytes: FETCH_BYTES_MAX,
        maxBytesPerPartition: PARTITION_BYTES_MAX,
        metadataMaxAge: METADATA_AGE_MS,
        // Promtail reads topics that exist, and so does this.
        allowAutoTopicCreation: false,
        retry: { retries: REQUEST_RETRIES, restartOnFailure: () => Promise.resolve(false) },
      }) as GroupConsumer,
  };
}

/** The library tells of every failed try; what comes of them is logged by the source. */
function relay({ level, namespace, log: entry }: LogEntry, log: Log): void {
  const { message, broker, topic, partition, error } = entry as Record<string, unknown>;
  const fields = { part: namespace, broker, topic, partition, ...(typeof error === "string" ? { error } : {}) };
  const text = `kafka: ${String(message)}`;
  if (level > kafkajs.logLevel.WARN) log.debug(fields, text);
  else log.warn(fields, text);
}
