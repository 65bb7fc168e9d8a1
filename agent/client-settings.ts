// From the configuration's `clients[]` to what a client wants to know.

import type { ClientOptions } from "./client/client-options.ts";
import type { ClientConfig } from "./config/clients.ts";

/** Promtail starts with a URL it cannot send to (`${LOKI_URL}`, not expanded) and fails at each try; so do we, and a warning says why. */
function sendableUrl(url: string): string {
  return URL.canParse(url) ? url : `invalid:${encodeURIComponent(url)}`;
}

export function clientOptionsOf(config: ClientConfig): ClientOptions {
  const { basic_auth: basic, authorization, oauth2, tls_config: tls, backoff_config: backoff } = config;
  return {
    name: config.name,
    url: sendableUrl(config.url),
    tenantId: config.tenant_id,
    batchWaitMs: config.batchwait,
    batchBytes: config.batchsize,
    headers: config.headers ?? {},
    followRedirects: config.follow_redirects,
    backoff: { minMs: backoff.min_period, maxMs: backoff.max_period, retriesMax: backoff.max_retries },
    dropRateLimitedBatches: config.drop_rate_limited_batches,
    externalLabels: config.external_labels,
    timeoutMs: config.timeout,
    ...(basic && { basicAuth: { username: basic.username, password: basic.password ?? "", passwordFile: basic.password_file ?? "" } }),
    ...(config.bearer_token && { bearerToken: config.bearer_token }),
    ...(config.bearer_token_file && { bearerTokenFile: config.bearer_token_file }),
    ...(authorization && {
      authorization: {
        type: authorization.type ?? "Bearer",
        credentials: authorization.credentials ?? "",
        credentialsFile: authorization.credentials_file ?? "",
      },
    }),
    ...(oauth2 && {
      oauth2: {
        clientId: oauth2.client_id,
        clientSecret: oauth2.client_secret ?? "",
        clientSecretFile: oauth2.client_secret_file ?? "",
        scopes: oauth2.scopes ?? [],
        tokenUrl: oauth2.token_url,
        endpointParams: oauth2.endpoint_params ?? {},
      },
    }),
    ...(tls && {
      tls: {
        caFile: tls.ca_file ?? "",
        certFile: tls.cert_file ?? "",
        keyFile: tls.key_file ?? "",
        serverName: tls.server_name ?? "",
        insecureSkipVerify: tls.insecure_skip_verify,
      },
    }),
    ...(config.proxy_url && { proxyUrl: config.proxy_url }),
  };
}
