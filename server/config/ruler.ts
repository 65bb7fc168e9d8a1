// The ruler's blocks of the configuration: ruler, ruler_storage, and the parts of both that limits may override per tenant. Names and
// defaults: Loki's, reference "Ruler"; of remote write clients Prometheus'. Keys that a tenant may override have no default here: the
// ruler's settings (server/ruler/settings.ts) fill them in when base and override are laid over each other.

import { z } from "zod";
import { bool, count, goDurationMs, noEffect, noEffects, promDurationMs, stringList, text } from "./fields.ts";
import { relabelConfigs } from "./relabel.ts";

const ONE_PROCESS = "one process evaluates every rule";
const OTHER_STORES = "rules are kept on the local disk in this version";
const ONE_CONNECTION = "samples of a tenant are sent in order, by one connection per client";

/** A key that must not be ignored, because what it asks for would not happen. */
const refused = (reason: string) => z.undefined({ error: reason }).optional();
const NO_SUCH_LOGIN = "this way to authenticate is not part of this version: use basic_auth, authorization or headers";

/** One address of an HTTP server. */
const httpUrl = text().refine((url) => /^https?:\/\/[^/]/.test(url) && URL.canParse(url), {
  error: "expected a URL such as http://host:9090/path",
});
/** Several, comma separated. */
const httpUrls = text().refine((urls) => urls.split(",").every((url) => url.trim() === "" || httpUrl.safeParse(url.trim()).success), {
  error: "expected URLs such as http://alertmanager:9093, comma separated",
});
const headers = z.record(z.string(), text());

const tlsClient = z.strictObject({
  ca_file: text().optional(),
  cert_file: text().optional(),
  key_file: text().optional(),
  server_name: text().optional(),
  insecure_skip_verify: bool().optional(),
  ...noEffects("Node's own bounds hold", ["min_version", "max_version"]),
});

/** Settings of one remote write client, none of them filled in: `clients.<id>`, and what an override changes of it. */
export const remoteWriteClient = z.strictObject({
  url: httpUrl.optional(),
  name: text().optional(),
  remote_timeout: promDurationMs().optional(),
  headers: headers.optional(),
  write_relabel_configs: relabelConfigs().optional(),
  basic_auth: z.strictObject({ username: text().optional(), password: text().optional(), password_file: text().optional() }).optional(),
  authorization: z
    .strictObject({ type: text().optional(), credentials: text().optional(), credentials_file: text().optional() })
    .optional(),
  bearer_token: text().optional(),
  bearer_token_file: text().optional(),
  tls_config: tlsClient.optional(),
  follow_redirects: bool().optional(),
  queue_config: z
    .strictObject({
      max_samples_per_send: count().min(1).optional(),
      batch_send_deadline: promDurationMs().optional(),
      min_backoff: promDurationMs().optional(),
      max_backoff: promDurationMs().optional(),
      retry_on_http_429: bool().optional(),
      sample_age_limit: promDurationMs().optional(),
      capacity: noEffect("samples wait on the disk: ruler.wal"),
      ...noEffects(ONE_CONNECTION, ["min_shards", "max_shards"]),
    })
    .optional(),
  oauth2: refused(NO_SUCH_LOGIN),
  sigv4: refused(NO_SUCH_LOGIN),
  azuread: refused(NO_SUCH_LOGIN),
  google_iam: refused(NO_SUCH_LOGIN),
  proxy_url: refused("remote write through a proxy is not part of this version"),
  ...noEffects("rules make plain samples", [
    "metadata_config",
    "send_exemplars",
    "send_native_histograms",
    "enable_http2",
    "protobuf_message",
    "round_robin_dns",
  ]),
  ...noEffects("remote write through a proxy is not part of this version", ["no_proxy", "proxy_from_environment", "proxy_connect_header"]),
});
export type RemoteWriteClientConfig = z.output<typeof remoteWriteClient>;

const alertmanagerClient = z.strictObject({
  tls_cert_path: text().optional(),
  tls_key_path: text().optional(),
  tls_ca_path: text().optional(),
  tls_server_name: text().optional(),
  tls_insecure_skip_verify: bool().optional(),
  basic_auth_username: text().optional(),
  basic_auth_password: text().optional(),
  type: text().optional(),
  credentials: text().optional(),
  credentials_file: text().optional(),
  ...noEffects("Node's own bounds hold", ["tls_cipher_suites", "tls_min_version"]),
});

const alertmanagerFields = {
  alertmanager_url: httpUrls.optional(),
  enable_alertmanager_discovery: bool().optional(),
  alertmanager_refresh_interval: goDurationMs().optional(),
  enable_alertmanager_v2: bool().optional(),
  alert_relabel_configs: relabelConfigs().optional(),
  notification_queue_capacity: count().min(1).optional(),
  notification_timeout: goDurationMs().optional(),
  alertmanager_client: alertmanagerClient.optional(),
};

/** Where alerts go, none of it filled in: part of `ruler`, and `ruler_alertmanager_config` of a tenant. */
export const alertmanagerConfig = z.strictObject(alertmanagerFields);
export type AlertmanagerConfig = z.output<typeof alertmanagerConfig>;

const OBJECT_STORES = ["s3", "gcs", "azure", "swift", "cos", "bos", "alibabacloud"] as const;
/** What may be named as the kind of store; all but `local` mean the folder that the rules API writes. */
const STORE_KINDS = ["", "local", "filesystem", ...OBJECT_STORES] as const;

export const rulerSchema = z.strictObject({
  ...alertmanagerFields,
  enable_api: bool().default(true),
  external_url: text().default(""),
  datasource_uid: text().default(""),
  external_labels: z.record(z.string(), text()).default({}),
  evaluation_interval: goDurationMs().prefault("1m"),
  poll_interval: goDurationMs().prefault("1m"),
  for_outage_tolerance: goDurationMs().prefault("1h"),
  for_grace_period: goDurationMs().prefault("10m"),
  resend_delay: goDurationMs().prefault("1m"),
  enabled_tenants: stringList().prefault([]),
  disabled_tenants: stringList().prefault([]),
  disable_rule_group_label: bool().default(false),
  storage: z
    .strictObject({
      type: z.enum(STORE_KINDS).default(""),
      local: z.strictObject({ directory: text().default("") }).prefault({}),
      ...noEffects(OTHER_STORES, [...OBJECT_STORES, "hedging"]),
    })
    .prefault({}),
  wal: z
    .strictObject({
      dir: text().default(""),
      max_age: goDurationMs().prefault("4h"),
      ...noEffects("what was sent is removed at once", ["truncate_frequency", "min_age"]),
    })
    .prefault({}),
  remote_write: z
    .strictObject({
      enabled: bool().default(false),
      client: remoteWriteClient.optional(),
      clients: z.record(z.string(), remoteWriteClient).default({}),
      add_org_id_header: bool().default(true),
      config_refresh_period: noEffect("overrides hold from the next evaluation on"),
    })
    .prefault({}),
  ...noEffects(ONE_PROCESS, [
    "ruler_client",
    "enable_sharding",
    "sharding_strategy",
    "sharding_algo",
    "search_pending_for",
    "flush_period",
    "ring",
    "evaluation",
    "wal_cleaner",
  ]),
  rule_path: noEffect("no copies of rules are made"),
  query_stats_enabled: noEffect("every query is logged at debug level"),
});
export type RulerConfig = z.output<typeof rulerSchema>;

export const rulerStorageSchema = z.strictObject({
  backend: z.enum(STORE_KINDS).default(""),
  local: z.strictObject({ directory: text().default("") }).prefault({}),
  filesystem: z.strictObject({ dir: text().default("") }).prefault({}),
  ...noEffects(OTHER_STORES, [...OBJECT_STORES, "storage_prefix", "cache"]),
});
export type RulerStorageConfig = z.output<typeof rulerStorageSchema>;

/** Keys of limits_config, and of a tenant's overrides. */
export const rulerLimits = {
  ruler_evaluation_delay_duration: promDurationMs().prefault("0s"),
  ruler_max_rules_per_rule_group: count().default(0),
  ruler_max_rule_groups_per_tenant: count().default(0),
  ruler_alertmanager_config: alertmanagerConfig.optional(),
  ruler_remote_write_disabled: bool().default(false),
  ruler_remote_write_config: z.record(z.string(), remoteWriteClient).optional(),
  ruler_remote_write_url: httpUrl.optional(),
  ruler_remote_write_timeout: promDurationMs().optional(),
  ruler_remote_write_headers: headers.optional(),
  ruler_remote_write_relabel_configs: relabelConfigs().optional(),
  ruler_remote_write_queue_max_samples_per_send: count().min(1).optional(),
  ruler_remote_write_queue_batch_send_deadline: promDurationMs().optional(),
  ruler_remote_write_queue_min_backoff: promDurationMs().optional(),
  ruler_remote_write_queue_max_backoff: promDurationMs().optional(),
  ruler_remote_write_queue_retry_on_ratelimit: bool().optional(),
  ruler_remote_write_sigv4_config: refused(NO_SUCH_LOGIN),
  ruler_remote_write_queue_capacity: noEffect("samples wait on the disk: ruler.wal"),
  ...noEffects(ONE_CONNECTION, ["ruler_remote_write_queue_min_shards", "ruler_remote_write_queue_max_shards"]),
  ...noEffects(ONE_PROCESS, [
    "ruler_tenant_shard_size",
    "ruler_remote_evaluation_timeout",
    "ruler_remote_evaluation_max_response_size",
    "ruler_enable_wal_replay",
  ]),
};
