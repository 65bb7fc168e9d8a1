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

/** What the schema takes as any text. @throws Error naming the key */
export function syslogSettings(config: SyslogConfig): SyslogSettings {
  return {
    address: parseListenAddress(config.listen_address, "listen_address"),
    protocol: oneOf("listen_protocol", config.listen_protocol || "tcp", ["tcp", "udp"]),
    format: oneOf("syslog_format", config.syslog_format || "rfc5424", ["rfc5424", "rfc3164"]),
  };
}

function oneOf<T extends string>(key: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new Error(`${key} ${JSON.stringify(value)} is not one of ${allowed.join(", ")}`);
  return found;
}
