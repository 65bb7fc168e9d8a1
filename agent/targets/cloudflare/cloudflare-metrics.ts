import type { Registry } from "prom-client";
import { counter, gauge } from "../../metric.ts";

export type CloudflareMetrics = ReturnType<typeof createCloudflareMetrics>;

export function createCloudflareMetrics(registry: Registry) {
  return {
    entries: counter(registry, "promtail_cloudflare_target_entries_total", "Entries pulled from Cloudflare."),
    lastEnd: gauge(
      registry,
      "promtail_cloudflare_target_last_requested_end_timestamp",
      "End of the last time range pulled from Cloudflare, in seconds since 1970.",
    ),
    skippedSeconds: counter(
      registry,
      "promtail_cloudflare_target_skipped_seconds_total",
      "Time whose logs were gone at Cloudflare before they were pulled.",
    ),
  };
}
