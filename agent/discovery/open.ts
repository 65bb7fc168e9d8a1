// The discoveries of a scrape config. Those that few use are loaded only when they are configured.

import type { Log } from "../../lib/runtime/log.ts";
import type { RareBlock, ScrapeConfig } from "../config/scrape-config.ts";
import type { Discovery, DiscoveryContext } from "./discovery.ts";
import { staticDiscovery } from "./static.ts";

/** Makes a discovery of one item of its block, checked by the schema. @throws Error when it cannot begin */
export type OpenDiscovery = (config: never, log: Log, context: DiscoveryContext) => Discovery;

const DISCOVERIES: Readonly<Partial<Record<RareBlock, () => Promise<OpenDiscovery>>>> = {
  kubernetes_sd_configs: async () => (await import("./kubernetes/kubernetes.ts")).kubernetesDiscovery,
  consul_sd_configs: async () => (await import("./consul/catalog.ts")).consulDiscovery,
  consulagent_sd_configs: async () => (await import("./consul/agent.ts")).consulAgentDiscovery,
  dns_sd_configs: async () => (await import("./dns.ts")).dnsDiscovery,
  http_sd_configs: async () => (await import("./http.ts")).httpDiscovery,
};

/** The blocks that name a discovery of file targets. */
export const DISCOVERY_KEYS = Object.keys(DISCOVERIES) as readonly RareBlock[];

export async function openDiscoveries(scrape: ScrapeConfig, log: Log, context: DiscoveryContext): Promise<Discovery[]> {
  const discoveries: Discovery[] = [];
  if (scrape.static_configs !== undefined) discoveries.push(staticDiscovery(scrape.static_configs));
  if (scrape.file_sd_configs !== undefined) {
    const { fileDiscovery } = await import("./file.ts");
    discoveries.push(...scrape.file_sd_configs.map((config) => fileDiscovery(config, log)));
  }
  for (const key of DISCOVERY_KEYS) {
    if (scrape[key] === undefined) continue;
    const open = await DISCOVERIES[key]!();
    discoveries.push(...(scrape[key] as readonly never[]).map((config) => open(config, log, context)));
  }
  return discoveries;
}
