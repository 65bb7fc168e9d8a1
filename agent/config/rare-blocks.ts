// The blocks of a scrape config that few files have: sources that are not files. Loaded only when a file has one of them (or a
// discovery, whose schemas are in discoveries.ts).

import { z } from "zod";
import { discoverySchemas } from "./discoveries.ts";
import { bool, goDuration, int, labels, oneOf, promDuration, text, textList } from "./fields.ts";
import { tlsSchema } from "./http-client.ts";
import type { RareBlock } from "./scrape-config.ts";
import { serverSchema } from "./server.ts";

const KAFKA_MECHANISMS = ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

export const journalSchema = () =>
  z.strictObject({
    max_age: text().default(""),
    json: bool().default(false),
    labels: labels().prefault({}),
    path: text().default(""),
    matches: text().default(""),
    /** Ours: a journal namespace, as journalctl's option of that name takes it. */
    namespace: text().default(""),
    /** Ours: what the agent itself logs is sent too. */
    include_own_entries: bool().default(false),
  });

export const syslogSchema = () =>
  z.strictObject({
    listen_address: text().default(""),
    listen_protocol: text().default(""),
    idle_timeout: goDuration().prefault("2m"),
    label_structured_data: bool().default(false),
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
    use_rfc5424_message: bool().default(false),
    syslog_format: text().default(""),
    max_message_length: int(0).default(0),
    tls_config: tlsSchema().optional(),
  });

export const lokiPushApiSchema = () =>
  z.strictObject({
    server: serverSchema().prefault({}),
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
  });

export const windowsEventsSchema = () =>
  z.strictObject({
    locale: int(0).default(0),
    eventlog_name: text().default(""),
    xpath_query: text().default(""),
    use_incoming_timestamp: bool().default(false),
    bookmark_path: text().default(""),
    poll_interval: goDuration().prefault("3s"),
    exclude_event_data: bool().default(false),
    exclude_event_message: bool().default(false),
    exclude_user_data: bool().default(false),
    labels: labels().prefault({}),
  });

const kafkaSasl = () =>
  z.strictObject({
    mechanism: oneOf(KAFKA_MECHANISMS).default(""),
    user: text().default(""),
    password: text().default(""),
    use_tls: bool().default(false),
    ...tlsSchema().shape,
  });

export const kafkaSchema = () =>
  z.strictObject({
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
    brokers: textList().prefault([]),
    group_id: text().default("promtail"),
    topics: textList().prefault([]),
    version: text().default("2.2.1"),
    assignor: text().default("range"),
    authentication: z
      .strictObject({
        type: oneOf(["", "none", "ssl", "sasl"]).default(""),
        tls_config: tlsSchema().optional(),
        sasl_config: kafkaSasl().optional(),
      })
      .optional(),
  });

export const azureEventHubsSchema = () =>
  z.strictObject({
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
    disallow_custom_messages: bool().default(false),
    fully_qualified_namespace: text().default(""),
    event_hubs: textList().prefault([]),
    connection_string: text().default(""),
    group_id: text().default("promtail"),
  });

export const gelfSchema = () =>
  z.strictObject({
    listen_address: text().default("0.0.0.0:12201"),
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
  });

export const cloudflareSchema = () =>
  z.strictObject({
    api_token: text().default(""),
    zone_id: text().default(""),
    labels: labels().prefault({}),
    workers: int(0).default(3),
    pull_range: promDuration().prefault("1m"),
    fields_type: text().default("default"),
    additional_fields: textList().prefault([]),
  });

export const gcplogSchema = () =>
  z.strictObject({
    project_id: text().default(""),
    subscription: text().default(""),
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
    subscription_type: text().default("pull"),
    server: serverSchema().prefault({}),
    push_timeout: goDuration().prefault("0s"),
    use_full_line: bool().default(false),
  });

export const herokuDrainSchema = () =>
  z.strictObject({
    server: serverSchema().prefault({}),
    labels: labels().prefault({}),
    use_incoming_timestamp: bool().default(false),
  });

const SCHEMAS: Readonly<Record<RareBlock, () => z.ZodType>> = {
  journal: journalSchema,
  syslog: syslogSchema,
  loki_push_api: lokiPushApiSchema,
  windows_events: windowsEventsSchema,
  kafka: kafkaSchema,
  azure_event_hubs: azureEventHubsSchema,
  gelf: gelfSchema,
  cloudflare: cloudflareSchema,
  gcplog: gcplogSchema,
  heroku_drain: herokuDrainSchema,
  ...discoverySchemas,
};

/** The schema of a block's value; for a discovery, of the whole list. */
export function rareSchema(key: RareBlock): z.ZodType {
  return SCHEMAS[key]();
}
