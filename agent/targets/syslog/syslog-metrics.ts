import type { Counter, Registry } from "prom-client";
import { counter } from "../../metric.ts";

/** Why a message that was received is not sent. */
export type SyslogDrop = "in_flight_limit" | "socket_buffer" | "relabel" | "unconfirmed" | "connection_limit";

/** Promtail's metrics of syslog, and our own of what it leaves unsaid. */
export interface SyslogMetrics {
  readonly entries: Counter<never>;
  readonly parsingErrors: Counter<never>;
  readonly emptyMessages: Counter<never>;
  /** `connection_limit` counts connections, of which nothing was read; `socket_buffer` and `in_flight_limit` count datagrams. */
  readonly dropped: Counter<"reason">;
}

export function openSyslogMetrics(registry: Registry): SyslogMetrics {
  return {
    entries: counter(registry, "promtail_syslog_target_entries_total", "Total number of successful entries sent to the syslog target"),
    parsingErrors: counter(
      registry,
      "promtail_syslog_target_parsing_errors_total",
      "Total number of parsing errors while receiving syslog messages",
    ),
    emptyMessages: counter(registry, "promtail_syslog_empty_messages_total", "Total number of empty messages receiving from syslog"),
    dropped: counter(registry, "promtail_syslog_target_dropped_total", "Messages (or connections) that were received and not sent.", [
      "reason",
    ]),
  };
}
