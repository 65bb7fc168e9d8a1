// `http_tls_config` of a `server` block.

import { readFileSync } from "node:fs";
import type { HttpServerOptions } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { ServerConfig } from "../config/server.ts";

/**
 * @param block the block's name for errors: `server`, `loki_push_api.server`
 * @returns undefined when it asks for no certificate
 * @throws Error naming the file that cannot be read
 */
export function readTls(config: ServerConfig["http_tls_config"], block: string): HttpServerOptions["tls"] {
  const name = `${block}.http_tls_config`;
  const cert = config.cert ?? readPem(config.cert_file, name);
  const key = config.key ?? readPem(config.key_file, name);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error(`${name} needs both cert_file and key_file`);
  const ca = config.client_ca ?? readPem(config.client_ca_file, name);
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    requestCert: !["", "NoClientCert"].includes(config.client_auth_type),
    rejectUnauthorized: config.client_auth_type === "RequireAndVerifyClientCert",
  };
}

function readPem(file: string, name: string): string | undefined {
  if (file === "") return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`cannot read ${file} of ${name}: ${messageOf(error)}`);
  }
}
