// The block as the client library wants it, and what Promtail refuses of it.

import type { SASLOptions } from "kafkajs";
import type { z } from "zod";
import { readTls } from "../../client/tls.ts";
import { tlsOf } from "../../client-settings.ts";
import type { TlsConfig } from "../../config/http-client.ts";
import type { kafkaSchema } from "../../config/rare-blocks.ts";
import { chooseTopics, type TopicChoice } from "./topics.ts";

export type KafkaConfig = z.infer<ReturnType<typeof kafkaSchema>>;

export const GROUP_DEFAULT = "promtail";
const PORT_DEFAULT = 9092;

export type AssignorName = "range" | "roundrobin";

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly groupId: string;
  readonly choose: TopicChoice;
  /** In the order of preference: a group uses one that all its members have. */
  readonly assignors: readonly AssignorName[];
  readonly tls: ReturnType<typeof readTls> | undefined;
  readonly sasl: SASLOptions | undefined;
  /** The block's own labels. */
  readonly labels: Readonly<Record<string, string>>;
  readonly useIncomingTimestamp: boolean;
  /** What is accepted and does not do what its writer expects. */
  readonly warnings: readonly string[];
}

/** @throws Error for a block that Promtail would not start with, naming the key; for files of TLS that cannot be read */
export function kafkaSettings(config: KafkaConfig): KafkaSettings {
  if (config.brokers.length === 0) throw new Error("brokers is empty: name one or more, as host:port");
  if (config.topics.length === 0) throw new Error("topics is empty: name one or more, or patterns that begin with ^");
  if (config.version !== "" && !/^\d+\.\d+\.\d+(\.\d+)?$/.test(config.version)) {
    throw new Error(`version: invalid version ${JSON.stringify(config.version)}: expected one such as 2.2.1`);
  }
  const { assignors, warnings } = assignorsOf(config.assignor);
  return {
    brokers: config.brokers.map((broker) => withPort(broker)),
    groupId: config.group_id || GROUP_DEFAULT,
    choose: chooseTopics(config.topics),
    assignors,
    ...authenticationOf(config.authentication ?? { type: "" }),
    labels: config.labels,
    useIncomingTimestamp: config.use_incoming_timestamp,
    warnings,
  };
}

export function withPort(broker: string, port = PORT_DEFAULT): string {
  return /:\d+$/.test(broker) ? broker : `${broker}:${port}`;
}

function assignorsOf(name: string): Pick<KafkaSettings, "assignors" | "warnings"> {
  if (name === "roundrobin") return { assignors: ["roundrobin", "range"], warnings: [] };
  if (name === "range" || name === "") return { assignors: ["range", "roundrobin"], warnings: [] };
  if (name !== "sticky") throw new Error(`unrecognized consumer group partition assignor: ${name}: it is range, roundrobin or sticky`);
  const warning =
    "assignor sticky is not known here, range and roundrobin are offered: a group whose other members know sticky alone cannot be joined";
  return { assignors: ["range", "roundrobin"], warnings: [warning] };
}

function authenticationOf({ type, tls_config: tls, sasl_config: sasl }: NonNullable<KafkaConfig["authentication"]>) {
  if (type === "" || type === "none") return { tls: undefined, sasl: undefined };
  if (type === "ssl") return { tls: tls === undefined ? {} : tlsOptions(tls, "tls_config"), sasl: undefined };
  if (sasl === undefined) throw new Error("authentication.type is sasl and there is no sasl_config: add one with user and password");
  const mechanism = { "": "plain", PLAIN: "plain", "SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512" } as const;
  return {
    tls: sasl.use_tls ? tlsOptions(sasl, "sasl_config") : undefined,
    sasl: { mechanism: mechanism[sasl.mechanism as keyof typeof mechanism], username: sasl.user, password: sasl.password },
  };
}

function tlsOptions(tls: TlsConfig, key: string): ReturnType<typeof readTls> {
  if ((tls.cert_file ?? tls.cert ?? "") !== "" && (tls.key_file ?? tls.key ?? "") === "") {
    throw new Error(`authentication.${key}: cert without key: both are needed, or neither`);
  }
  return readTls(tlsOf(tls));
}
