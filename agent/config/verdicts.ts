// What a well-formed configuration still says wrong: what stops a start, and what Promtail ignores in silence.

import type { ConfigIssue, ConfigPath } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { isLabelName } from "../../lib/wire/labels.ts";
import { DISCOVERY_KEYS } from "../discovery/open.ts";
import { openEncoding } from "../tail/text-encoding.ts";
import { SOURCE_KEYS } from "../targets/open-sources.ts";
import type { ClientConfig } from "./clients.ts";
import type { ProxyConfig } from "./http-client.ts";
import { DURATIONS } from "./print.ts";
import type { AgentConfig } from "./schema.ts";
import { fileDiscoveriesOf, RARE_DISCOVERIES, RARE_SOURCES, type RareBlock, type ScrapeConfig } from "./scrape-config.ts";
import { sourceRefusals, sourceWarnings } from "./source-verdicts.ts";
import { whyUnsupported } from "./unsupported.ts";

/** Rare blocks that can be run; the others are checked, and refused at start. */
export const SUPPORTED_BLOCKS: ReadonlySet<RareBlock> = new Set<RareBlock>([...DISCOVERY_KEYS, ...SOURCE_KEYS]);

const SOURCE_ORDER: readonly RareBlock[] = [...RARE_SOURCES.filter((key) => key !== "heroku_drain"), "docker_sd_configs", "heroku_drain"];

const DECOMPRESSIONS = ["gz", "z", "bz2"];

const warning = (path: ConfigPath, message: string): ConfigIssue => ({ severity: "warning", path, message });
const error = (path: ConfigPath, message: string): ConfigIssue => ({ severity: "error", path, message });

/** Faults that stop a start. `config.clients` is complete, names included. */
export function refusalsOf(config: AgentConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (config.clients.length === 0) issues.push(error(["clients"], "at least one client config must be provided: add clients with a url"));
  const names = new Set<string>();
  for (const [i, client] of config.clients.entries()) {
    if (client.url === "") issues.push(error(["clients", i], `clients[${i}]: client needs target URL: set url`));
    if (names.has(client.name)) {
      issues.push(error(["clients", i], `duplicate client configs are not allowed, found duplicate for name: ${client.name}`));
    }
    names.add(client.name);
  }
  issues.push(...sharedDeadLetters(config));
  for (const [i, scrape] of config.scrape_configs.entries()) {
    const path = ["scrape_configs", i];
    // Standard input takes the place of all targets, so that none is needed.
    if (!config.target_config.stdin && !hasTarget(scrape)) {
      const name = JSON.stringify(scrape.job_name);
      issues.push(error(path, `no valid target scrape config defined for ${name}: name what it reads, for instance static_configs`));
    }
    issues.push(...sourceRefusals(scrape, path));
    for (const key of rareKeysOf(scrape)) {
      if (SUPPORTED_BLOCKS.has(key)) continue;
      issues.push(error([...path, key], `scrape_configs[${i}].${key}: ${whyUnsupported(key)}`));
    }
  }
  return issues;
}

function sharedDeadLetters({ clients }: AgentConfig): ConfigIssue[] {
  const seen = new Set<string>();
  const issues: ConfigIssue[] = [];
  for (const [i, { dead_letter: deadLetter }] of clients.entries()) {
    if (deadLetter === undefined) continue;
    if (seen.has(deadLetter.path)) {
      issues.push(
        error(["clients", i, "dead_letter", "path"], `dead_letter.path ${deadLetter.path} is another client's: each needs its own`),
      );
    }
    seen.add(deadLetter.path);
  }
  return issues;
}

/** The sources of a scrape config, in the order in which they are looked for. */
function sourcesOf(scrape: ScrapeConfig): RareBlock[] {
  return SOURCE_ORDER.filter((key) => scrape[key] !== undefined);
}

function hasTarget(scrape: ScrapeConfig): boolean {
  return fileDiscoveriesOf(scrape).length > 0 || sourcesOf(scrape).length > 0;
}

/** Sources beside files are not opened, so they need not be supported. */
function rareKeysOf(scrape: ScrapeConfig): RareBlock[] {
  const read = fileDiscoveriesOf(scrape).length > 0 ? RARE_DISCOVERIES : [...RARE_DISCOVERIES, ...RARE_SOURCES];
  return read.filter((key) => scrape[key] !== undefined);
}

/** Keys that are accepted and change nothing, or not what their writer expects. */
export function warningsOf(config: AgentConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (config.client !== undefined) issues.push(warning(["client"], "client is deprecated: use clients, a list"));
  if (config.tracing.enabled) issues.push(warning(["tracing", "enabled"], "tracing has no effect"));
  if (config.wal.enabled)
    issues.push(warning(["wal", "enabled"], "wal has no effect: positions follow acknowledgements, and files are the log"));
  if (config.server.profiling_enabled) issues.push(warning(["server", "profiling_enabled"], "profiling_enabled has no effect"));
  if (config.options.stream_lag_labels !== undefined)
    issues.push(warning(["options", "stream_lag_labels"], "stream_lag_labels has no effect"));
  for (const [i, client] of config.clients.entries()) issues.push(...clientWarnings(client, ["clients", i]));
  if (config.clients.length > 0 && config.clients.every((client) => client.optional)) {
    issues.push(warning(["clients"], "every client is optional: positions wait for none of them, and what none has taken is lost"));
  }
  for (const path of instants(config, [])) {
    issues.push(warning(path, `${path.at(-1)} is less than a microsecond: without a unit a duration is nanoseconds, write 5s`));
  }
  for (const [i, scrape] of config.scrape_configs.entries()) issues.push(...scrapeWarnings(scrape, ["scrape_configs", i]));
  return issues;
}

/** Where durations of less than a microsecond stand: nobody means them. */
function instants(value: unknown, path: ConfigPath): ConfigPath[] {
  if (typeof value === "number") return value > 0 && value < 1e-3 && DURATIONS.test(String(path.at(-1))) ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, i) => instants(item, [...path, i]));
  return Object.entries(value).flatMap(([key, inner]) => (key === "pipeline_stages" ? [] : instants(inner, [...path, key])));
}

function clientWarnings(client: ClientConfig, path: ConfigPath): ConfigIssue[] {
  const issues = labelNameIssues(client.external_labels, [...path, "external_labels"]);
  if (client.url !== "" && !/^https?:\/\/[^/]/i.test(client.url)) {
    const example = "a URL such as http://host:3100/loki/api/v1/push is needed";
    issues.push(warning([...path, "url"], `nothing can be sent to ${JSON.stringify(client.url)}: ${example}`));
  }
  if (client.stream_lag_labels !== undefined) issues.push(warning([...path, "stream_lag_labels"], "stream_lag_labels has no effect"));
  issues.push(...references(client, path).map((place) => warning(place, `${place.at(-1)} ${NO_SECRETS_MANAGER}`)));
  issues.push(...proxyWarnings(client, path), ...proxyWarnings(client.oauth2 ?? {}, [...path, "oauth2"]));
  return issues;
}

const NO_SECRETS_MANAGER = "has no effect: there is no manager of secrets to ask; use a file";

/** Where secrets are named that a manager of secrets has. */
function references(block: object, path: ConfigPath): ConfigPath[] {
  return Object.entries(block).flatMap(([key, value]) => {
    if (typeof value === "object" && value !== null && REFERRING.has(key)) return references(value, [...path, key]);
    return key.endsWith("_ref") && value !== undefined ? [[...path, key]] : [];
  });
}

const REFERRING: ReadonlySet<string> = new Set(["basic_auth", "authorization", "oauth2", "tls_config"]);

function proxyWarnings({ proxy_url: url = "" }: ProxyConfig, path: ConfigPath): ConfigIssue[] {
  const scheme = /^([a-zA-Z][\w+.-]*):\/\//.exec(url)?.[1] ?? "http";
  if (url === "" || /^https?$/i.test(scheme)) return [];
  return [warning([...path, "proxy_url"], `nothing can be sent through a proxy of the kind ${scheme}: http and https can be used`)];
}

function scrapeWarnings(scrape: ScrapeConfig, path: ConfigPath): ConfigIssue[] {
  const issues = sourceWarnings(scrape, path);
  for (const [k, group] of (scrape.static_configs ?? []).entries()) {
    issues.push(...labelNameIssues(group.labels, [...path, "static_configs", k, "labels"]));
  }
  for (const [k, rule] of (scrape.relabel_configs ?? []).entries()) {
    const names = [...(rule.source_labels ?? []), ...(rule.target_label.includes("$") ? [] : [rule.target_label])];
    for (const name of names.filter((each) => each !== "" && !isLabelName(each))) {
      issues.push(
        warning(
          [...path, "relabel_configs", k],
          `${JSON.stringify(name)} is no label name that Loki takes: letters, digits and underscores only`,
        ),
      );
    }
  }
  try {
    openEncoding(scrape.encoding);
  } catch (error) {
    issues.push(warning([...path, "encoding"], `${messageOf(error)}; nothing will be read`));
  }
  const decompression = scrape.decompression;
  if (decompression?.enabled === true && !DECOMPRESSIONS.includes(decompression.format)) {
    issues.push(
      warning(
        [...path, "decompression", "format"],
        `unknown format ${JSON.stringify(decompression.format)}: nothing will be read; it is one of ${DECOMPRESSIONS.join(", ")}`,
      ),
    );
  }
  issues.push(...ignoredTargets(scrape, path));
  return issues;
}

function ignoredTargets(scrape: ScrapeConfig, path: ConfigPath): ConfigIssue[] {
  const files = fileDiscoveriesOf(scrape);
  const sources = sourcesOf(scrape);
  const read = files.length > 0 ? files : sources.slice(0, 1);
  const ignored = files.length > 0 ? sources : sources.slice(1);
  if (ignored.length === 0) return [];
  const verb = read.length === 1 ? "is" : "are";
  return [warning(path, `a scrape config has one kind of target: ${read.join(", ")} ${verb} read, ${ignored.join(", ")} ignored`)];
}

function labelNameIssues(labels: Readonly<Record<string, string>>, path: ConfigPath): ConfigIssue[] {
  return Object.keys(labels)
    .filter((name) => !isLabelName(name))
    .map((name) =>
      warning([...path, name], `${JSON.stringify(name)} is no label name that Loki takes: letters, digits and underscores only`),
    );
}
