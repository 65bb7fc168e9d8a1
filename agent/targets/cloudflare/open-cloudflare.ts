import type { Source, SourceContext } from "../source.ts";
import { createCloudflareMetrics } from "./cloudflare-metrics.ts";
import { CloudflareTarget } from "./cloudflare-target.ts";
import { CLOUDFLARE_URL } from "./logpull.ts";
import { type CloudflareConfig, cloudflareSettings } from "./settings.ts";

/** @param url of the API, for tests @throws Error naming the key that is missing or wrong */
export async function openCloudflare(config: CloudflareConfig, context: SourceContext, url = CLOUDFLARE_URL): Promise<Source> {
  const settings = cloudflareSettings(config);
  const { clock, log, intake, positions, registry, relabel, onTargetFailed } = context;
  const labels = relabel.labelsOf(new Map(Object.entries(settings.labels)));
  if (labels === undefined) throw new Error("relabel_configs drop every entry: their labels are those of the block, and no others");
  const target = new CloudflareTarget({
    settings,
    labels,
    logpull: { url, token: settings.token, zone: settings.zone, fields: settings.fields, nowMs: () => clock.nowMs() },
    intake,
    positions,
    metrics: createCloudflareMetrics(registry),
    clock,
    log,
    random: Math.random,
    onFailed: () => onTargetFailed("error"),
  });
  return { targets: [target], dropped: [], stop: () => target.stop() };
}
