// consulagent_sd_configs: the services of one Consul agent, asked of the agent itself at each `refresh_interval`. Promtail's own; its
// labels are those of the catalogue's discovery with `consulagent`.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { ApiClient } from "../../client/api-client.ts";
import { tlsOf } from "../../client-settings.ts";
import type { ConsulAgentSdConfig } from "../../config/discoveries.ts";
import type { DiscoveredLabels, Discovery, TargetGroup } from "../discovery.ts";
import { joinHostPort, safeLabelName } from "../meta-labels.ts";
import { PeriodicDiscovery } from "../periodic.ts";
import { type ConsulService, joinTags, openConsul } from "./consul-api.ts";

const TIMEOUT_MS = 30_000;
const PREFIX = "__meta_consulagent_";
/** The agent's health endpoint says how a service is by the status: warning and critical, with the same body as 200. */
const UNHEALTHY = [429, 503];

/** Of `GET /v1/agent/self`. */
interface AgentSelf {
  readonly Config?: { readonly Datacenter?: string; readonly NodeName?: string };
  readonly Member?: { readonly Addr?: string };
  readonly Meta?: Readonly<Record<string, unknown>> | null;
}

/** One item of `GET /v1/agent/health/service/name/<name>`. */
interface ServiceHealth {
  readonly AggregatedStatus?: string;
  readonly Service?: ConsulService;
}

export function consulAgentDiscovery(config: ConsulAgentSdConfig, log: Log, options: { readonly clock?: Clock } = {}): Discovery {
  const { tls_config: tls, server, scheme, token, username, password } = config;
  const http = { followRedirects: true, ...(tls && { tls: tlsOf(tls) }) };
  const shared = { clock: options.clock ?? systemClock, log };
  const client = openConsul({ server, scheme, token, username, password, pathPrefix: "" }, http, shared);
  return new PeriodicDiscovery({
    kind: "consulagent",
    intervalMs: config.refresh_interval,
    log,
    clock: options.clock,
    ask: (signal) => askAgent(client, config, signal),
    close: () => client.close(),
  });
}

async function askAgent(client: ApiClient, config: ConsulAgentSdConfig, signal: AbortSignal): Promise<{ groups: TargetGroup[] }> {
  const get = async (path: string, statuses: readonly number[] = []) => client.json(path, { signal, timeoutMs: TIMEOUT_MS, statuses });
  const services = Object.values(((await get("/v1/agent/services")).body ?? {}) as Record<string, ConsulService>);
  const { services: wanted, tags } = config;
  const names = services
    .filter(({ Service = "" }) => wanted.length === 0 || wanted.includes(Service))
    .filter(({ Tags }) => tags.every((tag) => (Tags ?? []).includes(tag)))
    .map(({ Service = "" }) => Service);
  const self = ((await get("/v1/agent/self")).body ?? {}) as AgentSelf;
  const groups: TargetGroup[] = [];
  for (const name of new Set(names)) {
    // 404: the service went away between the two questions.
    const answer = await get(`/v1/agent/health/service/name/${encodeURIComponent(name)}`, [...UNHEALTHY, 404]);
    if (answer.status === 404 || !Array.isArray(answer.body)) continue;
    groups.push({
      source: name,
      targets: (answer.body as ServiceHealth[]).map((health) => labelsOf(health, self, config.tag_separator)),
      labels: { [`${PREFIX}service`]: name, [`${PREFIX}dc`]: config.datacenter || (self.Config?.Datacenter ?? "") },
    });
  }
  return { groups };
}

function labelsOf({ AggregatedStatus, Service: service = {} }: ServiceHealth, self: AgentSelf, separator: string): DiscoveredLabels {
  const { Addr: nodeAddress = "" } = self.Member ?? {};
  const labels: Record<string, string> = {
    __address__: joinHostPort(service.Address || nodeAddress, service.Port ?? 0),
    [`${PREFIX}address`]: nodeAddress,
    [`${PREFIX}node`]: self.Config?.NodeName ?? "",
    [`${PREFIX}tags`]: joinTags(service.Tags, separator),
    [`${PREFIX}service_address`]: service.Address ?? "",
    [`${PREFIX}service_port`]: String(service.Port ?? 0),
    [`${PREFIX}service_id`]: service.ID ?? "",
    [`${PREFIX}health`]: AggregatedStatus ?? "",
  };
  for (const [name, value] of Object.entries(self.Meta ?? {})) {
    if (typeof value === "string") labels[`${PREFIX}metadata_${safeLabelName(name)}`] = value;
  }
  for (const [name, value] of Object.entries(service.Meta ?? {})) labels[`${PREFIX}service_metadata_${safeLabelName(name)}`] = value;
  for (const [name, { Address = "", Port = 0 }] of Object.entries(service.TaggedAddresses ?? {})) {
    labels[`${PREFIX}tagged_address_${safeLabelName(name)}`] = `${Address}:${Port}`;
  }
  return labels;
}
