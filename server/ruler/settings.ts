// What holds for a tenant: the ruler's block with the tenant's overrides laid over it, and defaults where neither says anything.
// Defaults are Loki's, of remote write clients Prometheus', but that a 429 is asked again: it says nothing against the samples.

import type { RelabelConfig } from "../../lib/text/relabel.ts";
import type { Limits } from "../config/limits.ts";
import type { AlertmanagerConfig, RemoteWriteClientConfig, RulerConfig } from "../config/ruler.ts";
import type { HttpAccess, Login } from "./http-sender.ts";

export interface AlertmanagerSettings {
  /** Where alerts are posted, without the API's path; none: alerts go nowhere. */
  readonly urls: readonly string[];
  /** The hosts of `urls` are SRV records, looked up this often. */
  readonly discovery: boolean;
  readonly refreshMs: number;
  readonly apiPath: string;
  readonly relabel: readonly RelabelConfig[];
  readonly queueCapacity: number;
  readonly access: HttpAccess;
}

export function alertmanagerSettings(ruler: RulerConfig, limits: Limits): AlertmanagerSettings {
  const own = limits.ruler_alertmanager_config ?? {};
  const pick = <K extends keyof AlertmanagerConfig>(key: K): AlertmanagerConfig[K] => own[key] ?? ruler[key];
  const client = { ...ruler.alertmanager_client, ...own.alertmanager_client };
  return {
    urls: (pick("alertmanager_url") ?? "").split(",").flatMap((url) => url.trim() || []),
    discovery: pick("enable_alertmanager_discovery") ?? false,
    refreshMs: pick("alertmanager_refresh_interval") ?? 60_000,
    apiPath: (pick("enable_alertmanager_v2") ?? true) ? "/api/v2/alerts" : "/api/v1/alerts",
    relabel: pick("alert_relabel_configs") ?? [],
    queueCapacity: pick("notification_queue_capacity") ?? 10_000,
    access: {
      headers: {},
      login: loginOf({
        username: client.basic_auth_username,
        password: client.basic_auth_password,
        type: client.type,
        credentials: client.credentials,
        credentialsFile: client.credentials_file,
      }),
      tls: {
        caFile: client.tls_ca_path ?? "",
        certFile: client.tls_cert_path ?? "",
        keyFile: client.tls_key_path ?? "",
        serverName: client.tls_server_name ?? "",
        insecureSkipVerify: client.tls_insecure_skip_verify ?? false,
      },
      followRedirects: true,
      timeoutMs: pick("notification_timeout") ?? 10_000,
    },
  };
}

export interface RemoteWriteSettings {
  readonly id: string;
  readonly url: string;
  readonly relabel: readonly RelabelConfig[];
  readonly samplesPerSendMax: number;
  readonly batchDeadlineMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly retryOnRateLimit: boolean;
  /** Samples older than this are not sent; 0: whatever their age. */
  readonly ageLimitMs: number;
  readonly access: HttpAccess;
}

/** The id of ruler.remote_write.client, which came before `clients`. */
const FIRST_CLIENT = "default";

/** Where a tenant's samples go; nowhere when remote write is off. */
export function remoteWriteSettings({ remote_write: base }: RulerConfig, tenant: string, limits: Limits): RemoteWriteSettings[] {
  if (!base.enabled || limits.ruler_remote_write_disabled) return [];
  const clients = { ...(base.client !== undefined && { [FIRST_CLIENT]: base.client }), ...base.clients };
  return Object.entries(clients)
    .map(([id, client]) => clientSettings(id, laidOver(client, oldOverrides(limits), limits.ruler_remote_write_config?.[id])))
    .filter(({ url }) => url !== "")
    .map((settings) => (base.add_org_id_header ? withHeader(settings, "X-Scope-OrgID", tenant) : settings));
}

function withHeader(settings: RemoteWriteSettings, name: string, value: string): RemoteWriteSettings {
  return { ...settings, access: { ...settings.access, headers: { ...settings.access.headers, [name]: value } } };
}

/** The overrides from before `ruler_remote_write_config`, which hold for every client. */
function oldOverrides(limits: Limits): RemoteWriteClientConfig {
  return {
    url: limits.ruler_remote_write_url,
    remote_timeout: limits.ruler_remote_write_timeout,
    headers: limits.ruler_remote_write_headers,
    write_relabel_configs: limits.ruler_remote_write_relabel_configs,
    queue_config: {
      max_samples_per_send: limits.ruler_remote_write_queue_max_samples_per_send,
      batch_send_deadline: limits.ruler_remote_write_queue_batch_send_deadline,
      min_backoff: limits.ruler_remote_write_queue_min_backoff,
      max_backoff: limits.ruler_remote_write_queue_max_backoff,
      retry_on_http_429: limits.ruler_remote_write_queue_retry_on_ratelimit,
    },
  };
}

function laidOver(...layers: readonly (RemoteWriteClientConfig | undefined)[]): RemoteWriteClientConfig {
  const given = layers.map((layer) => withoutUndefined(layer ?? {}));
  return {
    ...Object.assign({}, ...given),
    queue_config: Object.assign({}, ...given.map(({ queue_config }) => withoutUndefined(queue_config ?? {}))),
  };
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T;
}

function clientSettings(id: string, client: RemoteWriteClientConfig): RemoteWriteSettings {
  const queue = client.queue_config ?? {};
  const tls = client.tls_config ?? {};
  return {
    id,
    url: client.url ?? "",
    relabel: client.write_relabel_configs ?? [],
    samplesPerSendMax: queue.max_samples_per_send ?? 2000,
    batchDeadlineMs: queue.batch_send_deadline ?? 5000,
    minBackoffMs: queue.min_backoff ?? 30,
    maxBackoffMs: queue.max_backoff ?? 5000,
    retryOnRateLimit: queue.retry_on_http_429 ?? true,
    ageLimitMs: queue.sample_age_limit ?? 0,
    access: {
      headers: client.headers ?? {},
      login: loginOf({
        username: client.basic_auth?.username,
        password: client.basic_auth?.password,
        passwordFile: client.basic_auth?.password_file,
        type: client.authorization?.type,
        credentials: client.authorization?.credentials ?? client.bearer_token,
        credentialsFile: client.authorization?.credentials_file ?? client.bearer_token_file,
      }),
      tls: {
        caFile: tls.ca_file ?? "",
        certFile: tls.cert_file ?? "",
        keyFile: tls.key_file ?? "",
        serverName: tls.server_name ?? "",
        insecureSkipVerify: tls.insecure_skip_verify ?? false,
      },
      followRedirects: client.follow_redirects ?? true,
      timeoutMs: client.remote_timeout ?? 30_000,
    },
  };
}

interface LoginFields {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly type?: string | undefined;
  readonly credentials?: string | undefined;
  readonly credentialsFile?: string | undefined;
}

function loginOf({ username, password, passwordFile, type, credentials, credentialsFile }: LoginFields): Login {
  if (username !== undefined || password !== undefined || passwordFile !== undefined)
    return { kind: "basic", username: username ?? "", password: password ?? "", passwordFile: passwordFile ?? "" };
  if (credentials !== undefined || credentialsFile !== undefined)
    return { kind: "token", type: type ?? "Bearer", credentials: credentials ?? "", credentialsFile: credentialsFile ?? "" };
  return { kind: "none" };
}
