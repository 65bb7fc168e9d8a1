import type { SecureVersion } from "node:tls";

/** Versions of TLS as Prometheus' configuration names them, and as Node does. */
export const NODE_TLS_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: "TLSv1",
  TLS11: "TLSv1.1",
  TLS12: "TLSv1.2",
  TLS13: "TLSv1.3",
};

export const TLS_VERSIONS: readonly string[] = Object.keys(NODE_TLS_VERSIONS);
