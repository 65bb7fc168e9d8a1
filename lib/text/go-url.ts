// Which texts Go's net/url takes for a URL.

/** What Go's url.Parse refuses, in its words; undefined for what it takes, which is nearly everything. */
export function goUrlFault(written: string): string | undefined {
  if (/[\0-\x1f\x7f]/.test(written)) return "invalid control character in URL";
  if (written.startsWith(":")) return "missing protocol scheme";
  const [, scheme, rest = ""] = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(.*)$/s.exec(written)!;
  if (scheme === undefined && /^[^/?#]*:/.test(rest)) return "first path segment in URL cannot contain colon";
  if (/%(?![0-9a-fA-F]{2})/.test(rest.replace(/[?].*$/s, ""))) return "invalid URL escape";
  if (!rest.startsWith("//")) return undefined;
  const authority = /^\/\/([^/?#]*)/.exec(rest)![1]!;
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return hostFault(host);
}

function hostFault(host: string): string | undefined {
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]");
    if (end < 0) return "missing ']' in host";
    return portFault(host.slice(end + 1));
  }
  const stray = /[^\w.~!$&'()*+,;=:[\]<>"%\u0080-\u{10ffff}-]/u.exec(host)?.[0];
  if (stray !== undefined) return `invalid character ${JSON.stringify(stray)} in host name`;
  const colon = host.lastIndexOf(":");
  return colon < 0 ? undefined : portFault(host.slice(colon));
}

function portFault(port: string): string | undefined {
  return port === "" || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;
}
