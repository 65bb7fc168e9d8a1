// The discoveries of a scrape config. Those that few use are loaded only when they are configured.

import type { Log } from "../../lib/runtime/log.ts";
import type { ScrapeConfig } from "../config/scrape-config.ts";
import type { Discovery } from "./discovery.ts";
import { staticDiscovery } from "./static.ts";

export async function openDiscoveries(scrape: ScrapeConfig, log: Log): Promise<Discovery[]> {
  const discoveries: Discovery[] = [];
  if (scrape.static_configs !== undefined) discoveries.push(staticDiscovery(scrape.static_configs));
  if (scrape.file_sd_configs !== undefined) {
    const { fileDiscovery } = await import("./file.ts");
    discoveries.push(...scrape.file_sd_configs.map((config) => fileDiscovery(config, log)));
  }
  return discoveries;
}
