// Azure Event Hubs speak Kafka's protocol: TLS, and the connection string as the password of a user of that name.
// https://learn.microsoft.com/azure/event-hubs/azure-event-hubs-apache-kafka-overview

import type { z } from "zod";
import type { azureEventHubsSchema } from "../../config/rare-blocks.ts";
import { GROUP_DEFAULT, type KafkaSettings, withPort } from "../kafka/settings.ts";
import { chooseTopics } from "../kafka/topics.ts";

export type AzureEventHubsConfig = z.infer<ReturnType<typeof azureEventHubsSchema>>;

const USER = "$ConnectionString";
const PORT = 9093;

/** @throws Error naming the key that is missing */
export function azureSettings(config: AzureEventHubsConfig): KafkaSettings {
  const { fully_qualified_namespace: namespace, connection_string: connection, event_hubs: hubs } = config;
  if (namespace === "") throw new Error(`fully_qualified_namespace is empty: expected one such as name.servicebus.windows.net:${PORT}`);
  if (hubs.length === 0) throw new Error("event_hubs is empty: name one or more");
  if (connection === "") throw new Error("connection_string is empty: take it from the namespace's shared access policies");
  return {
    brokers: [withPort(namespace, PORT)],
    groupId: config.group_id || GROUP_DEFAULT,
    choose: chooseTopics(hubs),
    assignors: ["range", "roundrobin"],
    tls: {},
    sasl: { mechanism: "plain", username: USER, password: connection },
    labels: config.labels,
    useIncomingTimestamp: config.use_incoming_timestamp,
    warnings: [],
  };
}
