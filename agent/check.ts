// `-check-syntax` builds what a start would build, and starts nothing.

import { systemClock } from "../lib/runtime/clock.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import { silentLog } from "../lib/runtime/log.ts";
import { Registry } from "../lib/runtime/metrics.ts";
import { openAgentMetrics } from "./agent-metrics.ts";
import type { AgentConfig } from "./config/schema.ts";
import { compileRelabel } from "./relabel.ts";
import { buildPipeline } from "./scrape-job.ts";

/** @returns one message per scrape config that cannot be built */
export async function tryToBuild(config: AgentConfig): Promise<string[]> {
  const registry = new Registry();
  const context = { registry, metrics: openAgentMetrics(registry), clock: systemClock, log: silentLog };
  return config.scrape_configs.flatMap((scrape, i) => {
    try {
      buildPipeline(scrape, i, context);
      compileRelabel(scrape.relabel_configs ?? []);
      return [];
    } catch (error) {
      return [`scrape_configs[${i}] (job_name ${scrape.job_name}): ${messageOf(error)}`];
    }
  });
}
