// The block `server`, of the agent itself and of sources that listen on HTTP (loki_push_api, gcplog push, heroku_drain).

import { z } from "zod";
import { once } from "../../lib/runtime/once.ts";
import { bool, goDuration, int, oneOf, text } from "./fields.ts";

const httpTlsSchema = once(() =>
  z.strictObject({
    cert: text().optional(),
    key: text().optional(),
    client_ca: text().optional(),
    cert_file: text().default(""),
    key_file: text().default(""),
    client_auth_type: text().default(""),
    client_ca_file: text().default(""),
  }),
);

const port = (standard: number) => int(0, 65_535).default(standard);

const clusterValidationSchema = () =>
  z.strictObject({
    label: text().default(""),
    grpc: z.strictObject(protocolValidation()).prefault({}),
    http: z
      .strictObject({ ...protocolValidation(), excluded_paths: text().default(""), excluded_user_agents: text().default("") })
      .prefault({}),
  });

const protocolValidation = () => ({ enabled: bool().default(false), soft_validation: bool().default(false) });

/** Accepted and without effect here: there is no gRPC server, and the listener is Node's. */
const withoutEffect = () => ({
  http_listen_network: text().default("tcp"),
  http_listen_conn_limit: int(0).default(0),
  grpc_listen_network: text().default("tcp"),
  grpc_listen_address: text().default(""),
  grpc_listen_port: port(9095),
  grpc_listen_conn_limit: int(0).default(0),
  grpc_collect_max_streams_by_conn: bool().default(true),
  grpc_tls_config: httpTlsSchema().prefault({}),
  proxy_protocol_enabled: bool().default(false),
  tls_cipher_suites: text().default(""),
  tls_min_version: text().default(""),
  report_grpc_codes_in_instrumentation_label_enabled: bool().default(false),
  http_server_read_header_timeout: goDuration().prefault("0s"),
  http_log_closed_connections_without_response_enabled: bool().default(false),
  grpc_server_max_recv_msg_size: int().default(4_194_304),
  grpc_server_max_send_msg_size: int().default(4_194_304),
  grpc_server_max_concurrent_streams: int().default(100),
  grpc_server_max_connection_idle: goDuration().prefault("2562047h47m16.854775807s"),
  grpc_server_max_connection_age: goDuration().prefault("2562047h47m16.854775807s"),
  grpc_server_max_connection_age_grace: goDuration().prefault("2562047h47m16.854775807s"),
  grpc_server_keepalive_time: goDuration().prefault("2h"),
  grpc_server_keepalive_timeout: goDuration().prefault("20s"),
  grpc_server_min_time_between_pings: goDuration().prefault("5m"),
  grpc_server_ping_without_stream_allowed: bool().default(false),
  grpc_server_num_workers: int().default(0),
  grpc_server_num_stream_workers: int().default(0),
  grpc_server_stats_tracking_enabled: bool().default(true),
  grpc_server_recv_buffer_pools_enabled: bool().default(false),
  grpc_server_read_buffer_size: int().default(32_768),
  grpc_server_write_buffer_size: int().default(32_768),
  log_source_ips_enabled: bool().default(false),
  log_source_ips_full: bool().default(false),
  log_source_ips_header: text().default(""),
  log_source_ips_regex: text().default(""),
  log_request_headers: bool().default(false),
  log_request_at_info_level_enabled: bool().default(false),
  log_request_exclude_headers_list: text().default(""),
  trace_request_headers: bool().default(false),
  trace_request_exclude_headers_list: text().default(""),
  create_new_traces: bool().default(false),
  cluster_validation: clusterValidationSchema().prefault({}),
});

export const serverSchema = () =>
  z.strictObject({
    disable: bool().default(false),
    http_listen_address: text().default(""),
    http_listen_port: port(80),
    http_tls_config: httpTlsSchema().prefault({}),
    http_path_prefix: text().default(""),
    http_server_read_timeout: goDuration().prefault("30s"),
    http_server_write_timeout: goDuration().prefault("30s"),
    http_server_idle_timeout: goDuration().prefault("2m"),
    register_instrumentation: bool().default(true),
    graceful_shutdown_timeout: goDuration().prefault("30s"),
    /** Everything but `json` is logfmt, as in Promtail. */
    log_format: text().default("logfmt"),
    log_level: oneOf(["debug", "info", "warn", "error"]).default("info"),
    external_url: text().default(""),
    health_check_target: bool().default(true),
    profiling_enabled: bool().default(false),
    enable_runtime_reload: bool().default(false),
    /** Beyond Promtail: shows log lines on /tap to other machines too. */
    enable_tap: bool().default(false),
    ...withoutEffect(),
  });

export type ServerConfig = z.infer<ReturnType<typeof serverSchema>>;
