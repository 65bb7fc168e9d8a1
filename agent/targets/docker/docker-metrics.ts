import type { Registry } from "prom-client";
import { counter } from "../../metric.ts";

export interface DockerMetrics {
  /** An entry was handed to the pipeline. */
  entry(): void;
  /** An entry had no time; it gets that of the entry before it. */
  untimed(): void;
  /** An entry was longer than entries may be, and is cut. */
  cut(): void;
}

export function createDockerMetrics(registry: Registry): DockerMetrics {
  const entries = counter(registry, "promtail_docker_target_entries_total", "Entries of containers handed to pipelines.");
  const errors = counter(registry, "promtail_docker_target_parsing_errors_total", "Entries of containers without a time that can be read.");
  const cut = counter(registry, "promtail_docker_target_truncated_lines_total", "Entries of containers cut to the longest line.");
  return { entry: () => entries.inc(), untimed: () => errors.inc(), cut: () => cut.inc() };
}
