// The effective configuration as YAML: defaults filled in, times and sizes in Go's spelling, secrets masked.

import { stringify } from "yaml";
import { printConfigBytes } from "../../lib/text/byte-size.ts";
import { printGoDuration } from "../../lib/text/duration.ts";
import { type ClientConfig, nameOfClient } from "./clients.ts";
import type { AgentConfig } from "./schema.ts";

/** Keys whose value is milliseconds here and a duration in the file. */
export const DURATIONS =
  /^(sync_period|min_poll_frequency|max_poll_frequency|batchwait|timeout|min_period|max_period|initial_delay|refresh_interval|idle_timeout|poll_interval|pull_range|push_timeout|graceful_shutdown_timeout|http_server_\w+_timeout|grpc_server_(max_connection_\w+|keepalive_\w+|min_time_\w+)|cleanSegmentsOlderThan|minReadFrequency|maxReadFrequency|drainTimeout)$/;
const SIZES = /^(max_line_size|max_bytes)$/;
const SECRETS =
  /^(password|bearer_token|client_secret|credentials|api_token|token|auth_token|connection_string|secret_key|key|application_credential_secret)$/;
const SECRET_HEADERS = /^(authorization|proxy-authorization|cookie|x-api-key)$/i;
const MASK = "<secret>";

/** @returns YAML text in the order of the schema */
export function printConfig(config: AgentConfig): string {
  return print({ ...config, clients: config.clients.map(asWritten) });
}

/** One client, without what is empty in it. */
export function printClient(client: ClientConfig): string {
  return print(asWritten(client), withoutEmpty);
}

/** As Go prints YAML: lists stand where their key does. */
function print(block: object, select: (value: unknown) => unknown = (value) => value): string {
  return stringify(select(readable(block, "")), { aliasDuplicateObjects: false, indentSeq: false, lineWidth: 0, version: "1.1" });
}

/** Without the name and `optional` that nobody has set. */
function asWritten(client: ClientConfig): object {
  const { name, optional, ...rest } = client;
  const isDigest = name === nameOfClient({ ...client, name: "" });
  return { ...(isDigest ? {} : { name }), ...rest, ...(optional && { optional }) };
}

function withoutEmpty(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withoutEmpty(inner)] as const);
  return Object.fromEntries(
    entries.filter(([, inner]) => inner !== "" && !(typeof inner === "object" && inner !== null && Object.keys(inner).length === 0)),
  );
}

function readable(value: unknown, key: string): unknown {
  // Keys in stages are names that users gave to what they extract.
  if (key === "pipeline_stages") return value;
  if (typeof value === "number")
    return DURATIONS.test(key) ? printGoDuration(value * 1e6) : SIZES.test(key) ? printConfigBytes(value) : value;
  if (typeof value === "string") return value !== "" && SECRETS.test(key) ? MASK : /url$/.test(key) ? withoutPassword(value) : value;
  if (Array.isArray(value)) return value.map((item) => readable(item, ""));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  if (key === "proxy_connect_header" || key === "http_headers")
    return Object.fromEntries(entries.map(([name, inner]) => [name, maskHeader(inner)]));
  if (key === "headers") return Object.fromEntries(entries.map(([name, inner]) => [name, SECRET_HEADERS.test(name) ? MASK : inner]));
  if (key === "labels" || key === "external_labels") return value;
  return Object.fromEntries(entries.map(([name, inner]) => [name, readable(inner, name)]));
}

/** Values for a proxy, and secrets of a header, are masked; a header's plain values and files are not. */
function maskHeader(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(() => MASK);
  const { secrets, ...rest } = value as { readonly secrets?: readonly string[] };
  return secrets === undefined ? rest : { ...rest, secrets: secrets.map(() => MASK) };
}

/** The password of a URL, as Go's Redacted writes it. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-zA-Z][\w+.-]*:\/\/[^/?#@:]*):[^/?#@]*@/, "$1:xxxxx@");
}
