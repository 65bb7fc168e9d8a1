// How Prometheus makes labels of what it discovers.

/** A name with an underscore for each character that no label name may have (`com.docker.compose.service`). */
export function safeLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/gu, "_");
}

/** `host:port`, with brackets about an IPv6 address. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
