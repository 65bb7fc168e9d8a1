// dns_sd_configs: the records of names, asked for at each `refresh_interval`.
// Labels: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#dns_sd_config
//
// As in Prometheus, a name that does not exist has no targets, while a name that nobody can tell of keeps those it had. Names are tried
// with the search domains of resolv.conf, in its order (resolv.conf(5)), which Node's resolver leaves to its caller.

import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { DnsSdConfig } from "../config/discoveries.ts";
import type { DiscoveredLabels, Discovery, TargetGroup } from "./discovery.ts";
import { joinHostPort } from "./meta-labels.ts";
import { PeriodicDiscovery } from "./periodic.ts";

const TIMEOUT_MS = 5_000;
const TRIES = 2;
/** The server knows the name and has no such record, or knows that there is no such name. */
const ABSENT = new Set(["ENODATA", "ENOTFOUND"]);
const PREFIX = "__meta_dns_";

export interface DnsOptions {
  readonly clock?: Clock;
  /** `host:port` of servers to ask instead of the system's. */
  readonly servers?: readonly string[];
  readonly resolvConf?: string;
}

export function dnsDiscovery(config: DnsSdConfig, log: Log, options: DnsOptions = {}): Discovery {
  return new PeriodicDiscovery({
    kind: "dns",
    intervalMs: config.refresh_interval,
    log,
    clock: options.clock,
    ask: async (signal) => {
      const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
      if (options.servers !== undefined) resolver.setServers(options.servers);
      const search = parseSearch(await readFile(options.resolvConf ?? "/etc/resolv.conf", "utf8").catch(() => ""));
      const cancel = (): void => resolver.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      const asked = await Promise.all(config.names.map((name) => askName(name, config, resolver, search, log)));
      signal.removeEventListener("abort", cancel);
      return {
        groups: asked.filter((group) => group !== undefined),
        kept: config.names.filter((_name, i) => asked[i] === undefined),
      };
    },
  });
}

/** Undefined when some of its forms could not be asked for and none was found. */
async function askName(name: string, config: DnsSdConfig, resolver: Resolver, search: Search, log: Log): Promise<TargetGroup | undefined> {
  let failure: unknown;
  for (const full of namesToTry(name, search)) {
    try {
      const records = await lookUp(full, config, resolver);
      return { source: name, targets: records.map((record) => ({ ...EMPTY, ...record, [`${PREFIX}name`]: name })), labels: {} };
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "ECANCELLED") return undefined;
      if (code === "ENODATA") return { source: name, targets: [], labels: {} };
      if (!ABSENT.has(code)) failure = error;
    }
  }
  if (failure === undefined) return { source: name, targets: [], labels: {} };
  log.error({ name, error: messageOf(failure) }, "name could not be resolved, its former targets stay");
  return undefined;
}

/** Prometheus sets all of them, most of them empty. */
const EMPTY: DiscoveredLabels = Object.fromEntries(
  ["srv_record_target", "srv_record_port", "mx_record_target", "ns_record_target"].map((name) => [PREFIX + name, ""]),
);

/** @throws Error with a code of Node's resolver */
async function lookUp(name: string, { type, port }: DnsSdConfig, resolver: Resolver): Promise<DiscoveredLabels[]> {
  const at = (host: string, portOf: number): DiscoveredLabels => ({ __address__: joinHostPort(host.replace(/\.$/, ""), portOf) });
  switch (type.toUpperCase()) {
    case "A":
      return (await resolver.resolve4(name)).map((address) => at(address, port));
    case "AAAA":
      return (await resolver.resolve6(name)).map((address) => at(address, port));
    case "MX":
      return (await resolver.resolveMx(name)).map(({ exchange }) => ({
        ...at(exchange, port),
        [`${PREFIX}mx_record_target`]: rooted(exchange),
      }));
    case "NS":
      return (await resolver.resolveNs(name)).map((host) => ({ ...at(host, port), [`${PREFIX}ns_record_target`]: rooted(host) }));
    default:
      return (await resolver.resolveSrv(name)).map((record) => ({
        ...at(record.name, record.port),
        [`${PREFIX}srv_record_target`]: rooted(record.name),
        [`${PREFIX}srv_record_port`]: String(record.port),
      }));
  }
}

/** Records name hosts with a dot at the end, which Node takes off and Prometheus shows. */
function rooted(host: string): string {
  return host.endsWith(".") ? host : `${host}.`;
}

export interface Search {
  readonly domains: readonly string[];
  /** Names with that many dots are tried as they are first. */
  readonly dots: number;
}

/** The last `search` or `domain` line counts. */
export function parseSearch(resolvConf: string): Search {
  let domains: string[] = [];
  let dots = 1;
  for (const line of resolvConf.split("\n")) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (word === "search") domains = rest;
    else if (word === "domain") domains = rest.slice(0, 1);
    else if (word === "options") {
      const given = rest.map((option) => /^ndots:(\d+)$/.exec(option)?.[1]).find((value) => value !== undefined);
      if (given !== undefined) dots = Number(given);
    }
  }
  return { domains, dots };
}

export function namesToTry(name: string, { domains, dots }: Search): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const searched = domains.map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
  return name.split(".").length - 1 >= dots ? [name, ...searched] : [...searched, name];
}
