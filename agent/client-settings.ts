// From the configuration's `clients[]` to what a client wants to know.

import type { ClientOptions, HeaderSources, HttpOptions, OAuth2Options, TlsOptions } from "./client/client-options.ts";
import type { CredentialOptions } from "./client/credentials.ts";
import type { ProxyOptions } from "./client/proxy.ts";
import type { ClientConfig } from "./config/clients.ts";
import type { HttpClientConfig, ProxyConfig, TlsConfig } from "./config/http-client.ts";

/** Promtail starts with a URL it cannot send to (`${LOKI_URL}`, not expanded) and fails at each try; so do we, and a warning says why. */
function sendableUrl(url: string): string {
  return URL.canParse(url) ? url : `invalid:${encodeURIComponent(url)}`;
}

export function clientOptionsOf(config: ClientConfig): ClientOptions {
  const { backoff_config: backoff, dead_letter: deadLetter } = config;
  return {
    name: config.name,
    url: sendableUrl(config.url),
    tenantId: config.tenant_id,
    batchWaitMs: config.batchwait,
    batchBytes: config.batchsize,
    headers: config.headers ?? {},
    backoff: { minMs: backoff.min_period, maxMs: backoff.max_period, retriesMax: backoff.max_retries },
    dropRateLimitedBatches: config.drop_rate_limited_batches,
    externalLabels: config.external_labels,
    timeoutMs: config.timeout,
    optional: config.optional,
    ...(deadLetter && { deadLetter: { path: deadLetter.path, maxBytes: deadLetter.max_bytes } }),
    ...httpOf(config),
  };
}

/** What clients and discoveries have in common: how to reach a server, and how to authenticate. */
export function httpOf(config: HttpClientConfig): HttpOptions {
  const proxy = proxyOf(config);
  return {
    followRedirects: config.follow_redirects,
    ...credentialsOf(config),
    ...(config.http_headers && { httpHeaders: headersOf(config.http_headers) }),
    ...(config.tls_config && { tls: tlsOf(config.tls_config) }),
    ...(proxy && { proxy }),
  };
}

export function credentialsOf(config: Pick<HttpClientConfig, CredentialKey>): CredentialOptions {
  const { basic_auth: basic, authorization, oauth2, bearer_token, bearer_token_file } = config;
  return {
    ...(basic && {
      basicAuth: {
        username: basic.username,
        usernameFile: basic.username_file ?? "",
        password: basic.password ?? "",
        passwordFile: basic.password_file ?? "",
      },
    }),
    ...(bearer_token && { bearerToken: bearer_token }),
    ...(bearer_token_file && { bearerTokenFile: bearer_token_file }),
    ...(authorization && {
      authorization: {
        type: authorization.type ?? "Bearer",
        credentials: authorization.credentials ?? "",
        credentialsFile: authorization.credentials_file ?? "",
      },
    }),
    ...(oauth2 && { oauth2: oauth2Of(oauth2) }),
  };
}

type CredentialKey = "basic_auth" | "authorization" | "oauth2" | "bearer_token" | "bearer_token_file";

function oauth2Of(config: NonNullable<HttpClientConfig["oauth2"]>): OAuth2Options {
  const proxy = proxyOf(config);
  return {
    clientId: config.client_id,
    clientSecret: config.client_secret ?? "",
    clientSecretFile: config.client_secret_file ?? "",
    scopes: config.scopes ?? [],
    tokenUrl: config.token_url,
    endpointParams: config.endpoint_params ?? {},
    ...(config.tls_config && { tls: tlsOf(config.tls_config) }),
    ...(proxy && { proxy }),
  };
}

/** `tls_config` as it is written, for `readTls`. */
export function tlsOf(config: TlsConfig): TlsOptions {
  return {
    ca: config.ca ?? "",
    cert: config.cert ?? "",
    key: config.key ?? "",
    caFile: config.ca_file ?? "",
    certFile: config.cert_file ?? "",
    keyFile: config.key_file ?? "",
    serverName: config.server_name ?? "",
    insecureSkipVerify: config.insecure_skip_verify,
    minVersion: config.min_version ?? "",
    maxVersion: config.max_version ?? "",
  };
}

function proxyOf(config: ProxyConfig): ProxyOptions | undefined {
  const url = config.proxy_url ?? "";
  const fromEnvironment = config.proxy_from_environment ?? false;
  if (url === "" && !fromEnvironment) return undefined;
  return { url, fromEnvironment, noProxy: config.no_proxy ?? "", connectHeaders: config.proxy_connect_header ?? {} };
}

function headersOf(config: NonNullable<HttpClientConfig["http_headers"]>): Record<string, HeaderSources> {
  return Object.fromEntries(
    Object.entries(config).map(([name, { values = [], secrets = [], files = [] }]) => [name, { values, secrets, files }]),
  );
}
