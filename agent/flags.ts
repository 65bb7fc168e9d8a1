// The agent's command line: Promtail's flags, each with the configuration key it overrides, and a few of our own (-strict).

import { FlagError, type FlagSpec, type ParsedFlags, parseFlags } from "../lib/runtime/flags.ts";
import { parseConfigBytes } from "../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../lib/text/duration.ts";
import { Plain } from "./config/written.ts";

type Kind = "text" | "int" | "float" | "bool" | "duration" | "size";

interface ConfigFlag {
  readonly kind: Kind;
  /** Dotted key of the configuration file. */
  readonly key: string;
  readonly help: string;
  readonly default?: string;
}

const configFlag = (kind: Kind, key: string, help: string, standard?: string): ConfigFlag =>
  standard === undefined ? { kind, key, help } : { kind, key, help, default: standard };

const DEPRECATED = "Deprecated: use the block clients.";

/** Flags that override a key of the file. */
const CONFIG_FLAGS: Readonly<Record<string, ConfigFlag>> = {
  "positions.file": configFlag("text", "positions.filename", "Where positions are kept.", "/var/log/positions.yaml"),
  "positions.sync-period": configFlag("duration", "positions.sync_period", "How often positions are written.", "10s"),
  "positions.ignore-invalid-yaml": configFlag("bool", "positions.ignore_invalid_yaml", "Treat a broken positions file as empty."),
  "target.sync-period": configFlag("duration", "target_config.sync_period", "How often paths are matched anew.", "10s"),
  stdin: configFlag("bool", "target_config.stdin", "Read standard input instead of the targets of the configuration, and end with it."),
  "file-watch.min_poll_frequency": configFlag(
    "duration",
    "global.file_watch_config.min_poll_frequency",
    "Poll interval after a change.",
    "250ms",
  ),
  "file-watch.max_poll_frequency": configFlag(
    "duration",
    "global.file_watch_config.max_poll_frequency",
    "Longest poll interval of an idle file.",
    "250ms",
  ),
  "limit.readline-rate": configFlag("float", "limits_config.readline_rate", "Lines per second, over all files.", "10000"),
  "limit.readline-burst": configFlag("int", "limits_config.readline_burst", "Lines that may come at once.", "10000"),
  "limit.readline-rate-enabled": configFlag("bool", "limits_config.readline_rate_enabled", "Limit the rate of lines."),
  "limit.readline-rate-drop": configFlag(
    "bool",
    "limits_config.readline_rate_drop",
    "Drop lines above the rate instead of waiting.",
    "true",
  ),
  "max-streams": configFlag("int", "limits_config.max_streams", "Streams per batch and tenant; 0 is no limit.", "0"),
  "max-line-size": configFlag("size", "limits_config.max_line_size", "Longest line that is sent; 0 is no limit.", "0"),
  "max-line-size-truncate": configFlag("bool", "limits_config.max_line_size_truncate", "Cut longer lines instead of dropping them."),
  "client.url": configFlag("text", "client.url", `URL that entries are pushed to. ${DEPRECATED}`),
  "client.name": configFlag("text", "client.name", `Name of the client. ${DEPRECATED}`),
  "client.batch-wait": configFlag("duration", "client.batchwait", `Longest time a batch waits. ${DEPRECATED}`, "1s"),
  "client.batch-size-bytes": configFlag("int", "client.batchsize", `Largest batch. ${DEPRECATED}`, "1048576"),
  "client.max-retries": configFlag("int", "client.backoff_config.max_retries", `Tries of a batch. ${DEPRECATED}`, "10"),
  "client.min-backoff": configFlag("duration", "client.backoff_config.min_period", `Shortest wait between tries. ${DEPRECATED}`, "500ms"),
  "client.max-backoff": configFlag("duration", "client.backoff_config.max_period", `Longest wait between tries. ${DEPRECATED}`, "5m0s"),
  "client.timeout": configFlag("duration", "client.timeout", `Longest time of a request. ${DEPRECATED}`, "10s"),
  "client.tenant-id": configFlag("text", "client.tenant_id", `Tenant of the entries. ${DEPRECATED}`),
  "client.drop-rate-limited-batches": configFlag("bool", "client.drop_rate_limited_batches", `Drop a batch answered by 429. ${DEPRECATED}`),
  "client.stream-lag-labels": configFlag("text", "options.stream_lag_labels", "Without effect, as in Promtail 3."),
  "server.disable": configFlag("bool", "server.disable", "Do not listen on HTTP."),
  "server.profiling_enabled": configFlag("bool", "server.profiling_enabled", "Without effect here."),
  "server.register-instrumentation": configFlag("bool", "server.register_instrumentation", "Serve /metrics.", "true"),
  "server.enable-runtime-reload": configFlag("bool", "server.enable_runtime_reload", "Reload the configuration on /reload."),
  "server.enable-tap": configFlag("bool", "server.enable_tap", "Show log lines on /tap to other machines too."),
  "server.health-check-target": configFlag("bool", "server.health_check_target", "Let /ready depend on the targets.", "true"),
  "server.graceful-shutdown-timeout": configFlag("duration", "server.graceful_shutdown_timeout", "Longest time to end.", "30s"),
  "server.http-listen-address": configFlag("text", "server.http_listen_address", "Address to listen on; empty is every one."),
  "server.http-listen-port": configFlag("int", "server.http_listen_port", "Port to listen on; 0 is any free one.", "80"),
  "server.http-listen-network": configFlag("text", "server.http_listen_network", "Without effect here.", "tcp"),
  "server.http-conn-limit": configFlag("int", "server.http_listen_conn_limit", "Without effect here.", "0"),
  "server.http-read-timeout": configFlag("duration", "server.http_server_read_timeout", "Longest time to read a request.", "30s"),
  "server.http-write-timeout": configFlag("duration", "server.http_server_write_timeout", "Longest time to answer.", "30s"),
  "server.http-idle-timeout": configFlag("duration", "server.http_server_idle_timeout", "Longest idle time of a connection.", "2m0s"),
  "server.http-tls-cert-path": configFlag("text", "server.http_tls_config.cert_file", "Certificate of the HTTP server."),
  "server.http-tls-key-path": configFlag("text", "server.http_tls_config.key_file", "Key of the HTTP server."),
  "server.http-tls-client-auth": configFlag("text", "server.http_tls_config.client_auth_type", "How clients are verified."),
  "server.http-tls-ca-path": configFlag("text", "server.http_tls_config.client_ca_file", "Authority of clients' certificates."),
  "server.path-prefix": configFlag("text", "server.http_path_prefix", "Prefix of every HTTP path."),
  "server.grpc-listen-address": configFlag("text", "server.grpc_listen_address", "Without effect: there is no gRPC server."),
  "server.grpc-listen-port": configFlag("int", "server.grpc_listen_port", "Without effect: there is no gRPC server.", "9095"),
  "server.grpc-listen-network": configFlag("text", "server.grpc_listen_network", "Without effect: there is no gRPC server.", "tcp"),
  "server.grpc-conn-limit": configFlag("int", "server.grpc_listen_conn_limit", "Without effect: there is no gRPC server.", "0"),
  "server.grpc-max-recv-msg-size-bytes": configFlag(
    "int",
    "server.grpc_server_max_recv_msg_size",
    "Without effect: there is no gRPC server.",
    "4194304",
  ),
  "server.grpc-max-send-msg-size-bytes": configFlag(
    "int",
    "server.grpc_server_max_send_msg_size",
    "Without effect: there is no gRPC server.",
    "4194304",
  ),
  "server.grpc-max-concurrent-streams": configFlag(
    "int",
    "server.grpc_server_max_concurrent_streams",
    "Without effect: there is no gRPC server.",
    "100",
  ),
  "log.level": configFlag("text", "server.log_level", "Only messages of this level and above: debug, info, warn, error.", "info"),
  "log.format": configFlag("text", "server.log_format", "Format of messages: logfmt, json.", "logfmt"),
};

const own = (kind: "string" | "boolean", help: string): FlagSpec => ({ kind, help });

export const AGENT_FLAGS: Readonly<Record<string, FlagSpec>> = {
  "config.file": own("string", "YAML file to load; of several, with commas between, the first that exists."),
  "config.expand-env": own("boolean", "Replace $" + "{VAR} in the file by environment variables."),
  "check-syntax": own("boolean", "Check the file, pipelines and relabelling included, and end with status 0 or 1."),
  strict: own("boolean", "With -check-syntax: what has no effect is an error too."),
  "dry-run": own("boolean", "Print entries instead of sending them; positions are not written."),
  inspect: own("boolean", "Print what each stage changes."),
  "inspect.every-stage": own("boolean", "As -inspect, with the stages of which Promtail shows nothing: json, drop, match, multiline …"),
  "print-config-stderr": own("boolean", "Print the effective configuration, without secrets, on standard error."),
  "log-config-reverse-order": own("boolean", "Log the effective configuration, last line first."),
  "client.external-labels": own("string", "Labels for every entry of every client, as name=value,name2=value2."),
  version: own("boolean", "Print the version."),
  help: own("boolean", "Print this."),
  h: own("boolean", "Print this."),
  ...Object.fromEntries(
    Object.entries(CONFIG_FLAGS).map(([name, flag]): [string, FlagSpec] => [
      name,
      {
        kind: flag.kind === "bool" ? "boolean" : "string",
        help: flag.help,
        ...(flag.default === undefined ? {} : { default: flag.default }),
      },
    ]),
  ),
};

export interface AgentFlags {
  readonly configFiles: readonly string[];
  readonly expandEnv: boolean;
  readonly checkSyntax: boolean;
  readonly strict: boolean;
  readonly dryRun: boolean;
  readonly inspect: boolean;
  readonly inspectEveryStage: boolean;
  readonly printConfig: boolean;
  readonly logConfig: boolean;
  readonly version: boolean;
  readonly help: boolean;
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Values by dotted key, which win over the file's. */
  readonly overrides: ReadonlyMap<string, string | Plain>;
}

/** @throws FlagError for an unknown flag, an argument that is no flag, or a value its flag cannot take */
export function parseAgentFlags(args: readonly string[]): AgentFlags {
  const parsed: ParsedFlags = parseFlags(args, AGENT_FLAGS);
  if (parsed.rest.length > 0) throw new FlagError(`unexpected argument ${JSON.stringify(parsed.rest[0])}: the agent takes flags only`);
  const { given } = parsed;
  const on = (name: string): boolean => given.get(name) === "true";
  const overrides = new Map<string, string | Plain>();
  for (const [name, value] of given) {
    const flag = CONFIG_FLAGS[name];
    if (flag !== undefined) overrides.set(flag.key, readValue(name, flag.kind, value));
  }
  return {
    configFiles: (given.get("config.file") ?? "").split(",").filter((file) => file !== ""),
    expandEnv: on("config.expand-env"),
    checkSyntax: on("check-syntax"),
    strict: on("strict"),
    dryRun: on("dry-run"),
    inspect: on("inspect") || on("inspect.every-stage"),
    inspectEveryStage: on("inspect.every-stage"),
    printConfig: on("print-config-stderr"),
    logConfig: on("log-config-reverse-order"),
    version: on("version"),
    help: on("help") || on("h"),
    externalLabels: readLabels(given.get("client.external-labels") ?? ""),
    overrides,
  };
}

function readValue(name: string, kind: Kind, value: string): string | Plain {
  const refuse = (reason: string): never => {
    throw new FlagError(`invalid value ${JSON.stringify(value)} for flag -${name}: ${reason}`);
  };
  switch (kind) {
    case "text":
      return value;
    case "bool":
      return new Plain(value === "true");
    case "int":
      return /^[+-]?\d+$/.test(value) ? new Plain(Number(value), value) : refuse("parse error");
    case "float":
      return value.trim() !== "" && Number.isFinite(Number(value)) ? new Plain(Number(value), value) : refuse("parse error");
    case "duration":
      return attempt(() => parseGoDurationNs(value)) ? value : refuse("parse error");
    case "size":
      return attempt(() => parseConfigBytes(value)) ? value : refuse("not a size such as 256kb");
  }
}

function attempt(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function readLabels(value: string): Record<string, string> {
  const pairs = value.split(",").filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1)
        throw new FlagError(`invalid value ${JSON.stringify(value)} for flag -client.external-labels: expected name=value,name2=value2`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
