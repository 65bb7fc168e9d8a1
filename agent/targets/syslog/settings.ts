import type { z } from "zod";
import type { syslogSchema } from "../../config/rare-blocks.ts";
import { type ListenAddress, parseListenAddress } from "../listen-address.ts";

export type SyslogConfig = z.infer<ReturnType<typeof syslogSchema>>;
export type SyslogFormat = "rfc5424" | "rfc3164";

export interface SyslogSettings {
  readonly address: ListenAddress;
  readonly protocol: "tcp" | "udp";
  readonly format: SyslogFormat;
}

const FORMATS: readonly string[] = ["rfc5424", "rfc3164"];

/** What the schema takes as any text. Without an address a free port is listened on, as in Promtail. @throws Error naming the key */
export function syslogSettings(config: SyslogConfig): SyslogSettings {
  return {
    address: parseListenAddress(config.listen_address || ":0", "listen_address"),
    protocol: oneOf("listen_protocol", config.listen_protocol || "tcp", ["tcp", "udp"]),
    format: config.syslog_format === "rfc3164" ? "rfc3164" : "rfc5424",
  };
}

/** What the settings say that is taken for something else; each text begins with its key. */
export function syslogWarnings(config: SyslogConfig): string[] {
  const warnings: string[] = [];
  if (config.listen_address === "") warnings.push("listen_address is empty: a free port is listened on, another one after each start");
  if (config.syslog_format !== "" && !FORMATS.includes(config.syslog_format)) {
    warnings.push(`syslog_format ${JSON.stringify(config.syslog_format)} is not one of ${FORMATS.join(", ")}: rfc5424 is read`);
  }
  return warnings;
}

function oneOf<T extends string>(key: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new Error(`${key} ${JSON.stringify(value)} is not one of ${allowed.join(", ")}`);
  return found;
}
