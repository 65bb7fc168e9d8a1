// static_configs: groups that stand in the configuration. Without `targets` a group counts as one on localhost.

import type { StaticConfig } from "../config/scrape-config.ts";
import type { Discovery, TargetGroup } from "./discovery.ts";

export function staticDiscovery(configs: readonly StaticConfig[]): Discovery {
  const groups = configs.map(
    ({ targets, labels }, i): TargetGroup => ({
      source: String(i),
      targets: (targets === undefined || targets.length === 0 ? ["localhost"] : targets).map((address) => ({ __address__: address })),
      labels,
    }),
  );
  return {
    kind: "static",
    start: async (update) => update(groups),
    stop: async () => {},
  };
}
