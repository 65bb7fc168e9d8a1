// Which proxy a request goes through. The rules are those of Go's golang.org/x/net/http/httpproxy, which Promtail uses: with a list of
// exceptions or the environment, the loopback is always reached directly; a bare `proxy_url` is used for every host.

import { BlockList, isIP, isIPv6 } from "node:net";

export interface ProxyOptions {
  /** Empty: none, unless the environment names one. */
  readonly url: string;
  /** `no_proxy`: names, addresses, networks with commas between; `*` is every host. */
  readonly noProxy: string;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or the same in small letters. */
  readonly fromEnvironment: boolean;
  /** Sent to the proxy when a tunnel is asked for. */
  readonly connectHeaders: Readonly<Record<string, readonly string[]>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error when the proxy's address is malformed or of a kind that cannot be used */
export function proxyFor(target: URL, options: ProxyOptions, env: Environment = process.env): URL | undefined {
  if (!options.fromEnvironment) {
    if (options.url === "" || (options.noProxy !== "" && isExempt(target, options.noProxy))) return undefined;
    return parseProxyUrl(options.url);
  }
  const named = (name: string): string => env[name] || env[name.toLowerCase()] || "";
  const url = named(target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  return url === "" || isExempt(target, named("NO_PROXY")) ? undefined : parseProxyUrl(url);
}

/** As Go reads it: a host without a scheme is one of HTTP. */
export function parseProxyUrl(written: string): URL {
  const text = /^[a-zA-Z][\w+.-]*:\/\//.test(written) ? written : `http://${written}`;
  if (!URL.canParse(text)) throw new Error(`malformed address of a proxy: ${JSON.stringify(written)}`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`a proxy of the kind ${url.protocol.slice(0, -1)} cannot be used: http and https can`);
  }
  return url;
}

function isExempt(target: URL, noProxy: string): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || isLoopback(host)) return true;
  return noProxy
    .split(",")
    .map((rule) => rule.trim().toLowerCase())
    .some((rule) => rule !== "" && matches(rule, host, port));
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") ? isIP(host) === 4 : host === "::1";
}

function matches(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  if (rule.includes("/")) return isInNetwork(host, rule);
  const [, name, onlyPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(rule) ?? [undefined, rule, undefined];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const wanted = name!.replace(/^\[|\]$/g, "");
  if (isIP(wanted) !== 0) return wanted === host;
  // `example.com` is the host and what is under it; `.example.com` and `*.example.com` only what is under it.
  if (wanted.startsWith(".") || wanted.startsWith("*.")) return host.endsWith(wanted.replace(/^\*/, ""));
  return host === wanted || host.endsWith(`.${wanted}`);
}

function isInNetwork(host: string, network: string): boolean {
  const [address = "", bits = ""] = network.split("/");
  if (isIP(host) === 0 || isIP(host) !== isIP(address) || !/^\d+$/.test(bits)) return false;
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  if (Number(bits) > (family === "ipv6" ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}
