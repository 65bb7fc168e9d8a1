// How to reach an HTTP server: the keys that clients and discoveries have in common (Prometheus' HTTP client configuration).

import type { z } from "zod";
import { z as zod } from "zod";
import { once } from "../../lib/runtime/once.ts";
import { TLS_VERSIONS } from "../client/tls-versions.ts";
import { bool, goDuration, text, textList, textMap, url } from "./fields.ts";

const tlsVersion = () =>
  text().refine((version) => version === "" || TLS_VERSIONS.includes(version), {
    error: ({ input }) => `unknown TLS version: ${input}; it is one of ${TLS_VERSIONS.join(", ")}`,
  });

export const tlsSchema = once(() =>
  zod.strictObject({
    ca: text().optional(),
    cert: text().optional(),
    key: text().optional(),
    ca_file: text().optional(),
    cert_file: text().optional(),
    key_file: text().optional(),
    ca_ref: text().optional(),
    cert_ref: text().optional(),
    key_ref: text().optional(),
    server_name: text().optional(),
    insecure_skip_verify: bool().default(false),
    min_version: tlsVersion().optional(),
    max_version: tlsVersion().optional(),
  }),
);

export type TlsConfig = z.infer<ReturnType<typeof tlsSchema>>;

const proxyFields = () => ({
  proxy_url: url().optional(),
  no_proxy: text().optional(),
  proxy_from_environment: bool().optional(),
  proxy_connect_header: zod.record(zod.string(), textList()).optional(),
});

export type ProxyConfig = z.infer<z.ZodObject<ReturnType<typeof proxyFields>>>;

const httpHeaderSchema = () =>
  zod.strictObject({ values: textList().optional(), secrets: textList().optional(), files: textList().optional() });

export const basicAuthSchema = () =>
  zod.strictObject({
    username: text().default(""),
    username_file: text().optional(),
    username_ref: text().optional(),
    password: text().optional(),
    password_file: text().optional(),
    password_ref: text().optional(),
  });

const oauth2Schema = () =>
  zod.strictObject({
    client_id: text().default(""),
    client_secret: text().optional(),
    client_secret_file: text().optional(),
    client_secret_ref: text().optional(),
    scopes: textList().optional(),
    token_url: text().default(""),
    endpoint_params: textMap().optional(),
    tls_config: tlsSchema().optional(),
    ...proxyFields(),
  });

const authorizationSchema = () =>
  zod.strictObject({
    type: text().optional(),
    credentials: text().optional(),
    credentials_file: text().optional(),
    credentials_ref: text().optional(),
  });

/** Fields to spread into a block. */
export const httpClientFields = () => ({
  basic_auth: basicAuthSchema().optional(),
  authorization: authorizationSchema().optional(),
  oauth2: oauth2Schema().optional(),
  bearer_token: text().optional(),
  bearer_token_file: text().optional(),
  tls_config: tlsSchema().optional(),
  follow_redirects: bool().default(true),
  enable_http2: bool().default(true),
  ...proxyFields(),
  http_headers: zod.record(zod.string(), httpHeaderSchema()).optional(),
});

export const backoffSchema = (defaults: { min: string; max: string; retries: number }, intField: z.ZodType<number>) =>
  zod.strictObject({
    min_period: goDuration().prefault(defaults.min),
    max_period: goDuration().prefault(defaults.max),
    max_retries: intField.default(defaults.retries),
  });

export type HttpClientConfig = z.infer<z.ZodObject<ReturnType<typeof httpClientFields>>>;

const given = (...values: unknown[]): number => values.filter((value) => value !== undefined && value !== "").length;

/** What prometheus/common refuses, in its words: more than one way to authenticate, settings of a proxy without one … */
export function httpClientFaults(client: HttpClientConfig): string[] {
  const faults = [...authFaults(client), ...proxyFaults(client), ...tlsFaults(client.tls_config), ...headerFaults(client)];
  return client.oauth2 === undefined ? faults : [...faults, ...proxyFaults(client.oauth2), ...tlsFaults(client.oauth2.tls_config)];
}

function authFaults(client: HttpClientConfig): string[] {
  const faults: string[] = [];
  const { basic_auth: basic, authorization, oauth2, bearer_token, bearer_token_file } = client;
  if (given(bearer_token, bearer_token_file) > 1) faults.push("at most one of bearer_token & bearer_token_file must be configured");
  if (given(basic, oauth2) > 0 && given(bearer_token, bearer_token_file) > 0)
    faults.push("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  if (basic !== undefined) {
    if (given(basic.username, basic.username_file, basic.username_ref) > 1)
      faults.push("at most one of basic_auth username, username_file & username_ref must be configured");
    if (given(basic.password, basic.password_file, basic.password_ref) > 1)
      faults.push("at most one of basic_auth password, password_file & password_ref must be configured");
  }
  if (authorization !== undefined) {
    if (given(bearer_token, bearer_token_file) > 0) faults.push("authorization is not compatible with bearer_token & bearer_token_file");
    if (given(authorization.credentials, authorization.credentials_file, authorization.credentials_ref) > 1)
      faults.push("at most one of authorization credentials, credentials_file & credentials_ref must be configured");
    if (/^basic$/i.test(authorization.type?.trim() ?? ""))
      faults.push('authorization type cannot be set to "basic", use "basic_auth" instead');
    if (given(basic, oauth2) > 0) faults.push("at most one of basic_auth, oauth2 & authorization must be configured");
  } else if (given(basic, oauth2) > 1) faults.push("at most one of basic_auth, oauth2 & authorization must be configured");
  if (oauth2 !== undefined) {
    if (oauth2.client_id === "") faults.push("oauth2 client_id must be configured");
    if (oauth2.token_url === "") faults.push("oauth2 token_url must be configured");
    if (given(oauth2.client_secret, oauth2.client_secret_file, oauth2.client_secret_ref) > 1)
      faults.push("at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured");
  }
  return faults;
}

function proxyFaults(client: ProxyConfig): string[] {
  const { proxy_url, no_proxy, proxy_from_environment: fromEnvironment, proxy_connect_header: headers } = client;
  const faults: string[] = [];
  if (Object.keys(headers ?? {}).length > 0 && given(proxy_url) === 0 && fromEnvironment !== true)
    faults.push("if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  if (fromEnvironment === true && given(proxy_url) > 0)
    faults.push("if proxy_from_environment is configured, proxy_url must not be configured");
  if (fromEnvironment === true && given(no_proxy) > 0)
    faults.push("if proxy_from_environment is configured, no_proxy must not be configured");
  if (proxy_url === undefined && fromEnvironment !== true && given(no_proxy) > 0)
    faults.push("if no_proxy is configured, proxy_url must also be configured");
  return faults;
}

function tlsFaults(tls: TlsConfig | undefined): string[] {
  if (tls === undefined) return [];
  const { ca, ca_file, ca_ref, cert, cert_file, cert_ref, key, key_file, key_ref } = tls;
  const faults: string[] = [];
  if (given(ca, ca_file, ca_ref) > 1) faults.push("at most one of ca, ca_file & ca_ref must be configured");
  if (given(cert, cert_file, cert_ref) > 1) faults.push("at most one of cert, cert_file & cert_ref must be configured");
  if (given(key, key_file, key_ref) > 1) faults.push("at most one of key, key_file & key_ref must be configured");
  if (given(cert, cert_file, cert_ref) > 0 && given(key, key_file, key_ref) === 0)
    faults.push("exactly one of key or key_file must be configured when a client certificate is configured");
  if (given(key, key_file, key_ref) > 0 && given(cert, cert_file, cert_ref) === 0)
    faults.push("exactly one of cert or cert_file must be configured when a client key is configured");
  return faults;
}

const RESERVED_HEADERS =
  /^(authorization|host|content-encoding|content-length|content-type|user-agent|connection|keep-alive|proxy-authenticate|proxy-authorization|www-authenticate|accept-encoding|x-prometheus-remote-(write|read)-version|x-prometheus-scrape-timeout-seconds|x-amz-(date|security-token|content-sha256))$/i;

function headerFaults({ http_headers: headers = {} }: HttpClientConfig): string[] {
  return Object.keys(headers)
    .filter((name) => RESERVED_HEADERS.test(name))
    .map((name) => `setting header ${JSON.stringify(name)} is not allowed`);
}
