export interface ListenAddress {
  /** Undefined: every address of the machine, IPv6 and IPv4. */
  readonly host: string | undefined;
  readonly port: number;
}

/**
 * `host:port` as Go's net package takes it: `:514`, `0.0.0.0:514`, `[::1]:514`, `localhost:514`.
 *
 * @param key names the setting in errors. @throws Error
 */
export function parseListenAddress(text: string, key: string): ListenAddress {
  const wrong = (why: string): Error =>
    new Error(`${key} ${JSON.stringify(text)}: ${why}; it is host:port, such as 0.0.0.0:1514 or [::1]:1514`);
  if (text === "") throw wrong("no address to listen on");
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (match === null) throw wrong(/:.*:/.test(text) ? "an IPv6 address stands in square brackets" : "no port");
  const [, bracketed, plain, portText = ""] = match;
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port > 65_535) throw wrong("the port is a number from 0 to 65535");
  const host = bracketed ?? plain ?? "";
  return { host: host === "" ? undefined : host, port };
}

/** An address as text, IPv4 as such where the socket is one of IPv6. */
export function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice("::ffff:".length) : address;
}

export function printAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
