// kubernetes_sd_configs: targets of a cluster's objects. Scrape configs with equal configurations share one view of the cluster, and a
// view outlives a reload, so that targets are found again without asking anew, and also while the API is away.

import { setFlagsFromString } from "node:v8";
import type { Log } from "../../../lib/runtime/log.ts";
import type { KubernetesSdConfig } from "../../config/discoveries.ts";
import type { Discovery, DiscoveryContext, TargetGroup } from "../discovery.ts";
import { ClusterView, type ClusterViewOptions } from "./cluster-view.ts";
import { openKubernetesMetrics } from "./kubernetes-metrics.ts";

/** A view that nobody looks at is kept this long: a reload takes it up again. */
const KEPT_MS = 60_000;

const views = new Map<string, ClusterView>();

// Targets that come and go leave garbage, which is taken out before the heap has doubled. Without such targets this would cost a fifth
// more processor time for nothing.
setFlagsFromString("--heap-growing-percent=30");

export function kubernetesDiscovery(
  config: KubernetesSdConfig,
  log: Log,
  { hostname, registry, clock }: DiscoveryContext,
  forTests: Pick<ClusterViewOptions, "timing" | "rootFolder"> = {},
): Discovery {
  const key = JSON.stringify([hostname, config]);
  const open = (): ClusterView =>
    new ClusterView({ config, hostname, clock, random: Math.random, log, metrics: openKubernetesMetrics(registry), ...forTests });
  let view: ClusterView | undefined;
  let listener: (groups: readonly TargetGroup[]) => void = () => {};
  return {
    kind: "kubernetes",
    async start(update) {
      listener = update;
      view = views.get(key) ?? open();
      views.set(key, view);
      await view.subscribe(listener);
    },
    async stop() {
      await view?.unsubscribe(listener);
      const left = view;
      if (left === undefined || left.hasListeners) return;
      setTimeout(() => {
        if (!left.hasListeners && views.get(key) === left) views.delete(key);
      }, KEPT_MS).unref();
    },
  };
}
