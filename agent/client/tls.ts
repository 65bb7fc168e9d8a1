// TLS of a client as Prometheus' `tls_config` describes it, for Node's agents.

import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { TlsOptions } from "./client-options.ts";
import { NODE_TLS_VERSIONS } from "./tls-versions.ts";

export interface NodeTlsOptions extends SecureContextOptions {
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** @throws Error naming the key and the file that cannot be read, or used */
export function readTls(tls: TlsOptions | undefined): NodeTlsOptions {
  if (tls === undefined) return {};
  const ca = tls.ca || read(tls.caFile, "ca_file");
  const cert = tls.cert || read(tls.certFile, "cert_file");
  const key = tls.key || read(tls.keyFile, "key_file");
  const minVersion = NODE_TLS_VERSIONS[tls.minVersion ?? ""];
  const maxVersion = NODE_TLS_VERSIONS[tls.maxVersion ?? ""];
  const options: NodeTlsOptions = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(minVersion !== undefined && { minVersion }),
    ...(maxVersion !== undefined && { maxVersion }),
    // OpenSSL 3 offers nothing below TLS 1.2 at its usual level of security.
    ...((minVersion === "TLSv1" || minVersion === "TLSv1.1") && { ciphers: "DEFAULT@SECLEVEL=0" }),
    ...(tls.serverName !== "" && { servername: tls.serverName }),
    rejectUnauthorized: !tls.insecureSkipVerify,
  };
  checkUse(options, tls);
  return options;
}

/** Node would say nothing of an authority that is none, and of the rest with the first connection only. */
function checkUse(options: NodeTlsOptions, tls: TlsOptions): void {
  const { ca, minVersion, maxVersion } = options;
  if (ca !== undefined && !hasCertificate(String(ca))) {
    throw new Error(`${tls.ca ? "ca" : `ca_file ${tls.caFile}`} has no certificate that can be read: it must be PEM`);
  }
  if (minVersion !== undefined && maxVersion !== undefined && minVersion > maxVersion) {
    throw new Error(`min_version ${tls.minVersion} is above max_version ${tls.maxVersion}`);
  }
  if (options.cert === undefined) return;
  try {
    createSecureContext(options);
  } catch (error) {
    const cert = tls.cert ? "cert" : `cert_file ${tls.certFile}`;
    const key = tls.key ? "key" : `key_file ${tls.keyFile}`;
    throw new Error(`${cert} and ${key} cannot be used: ${messageOf(error)}`);
  }
}

function hasCertificate(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  return blocks.some((block) => {
    try {
      return new X509Certificate(block).raw.length > 0;
    } catch {
      return false;
    }
  });
}

function read(path: string, key: string): Buffer | undefined {
  if (path === "") return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`could not read ${key} ${path}: ${messageOf(error)}`);
  }
}

/** Changes when one of the files is replaced or written. */
export function stampOfTls({ caFile, certFile, keyFile }: TlsOptions): string {
  const stamps = [caFile, certFile, keyFile].map((path) => {
    const stat = path === "" ? undefined : statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "-" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  });
  return stamps.join(";");
}
