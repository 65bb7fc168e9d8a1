// Has streams scanned: on the main thread when it is little, by worker threads when it is much.

import { kernels } from "../../lib/kernels/index.ts";
import type { StreamPages } from "../page.ts";
import type { QueryEngineOptions, RunningQuery } from "./engine.ts";
import { type LogPartial } from "./entry-keeper.ts";
import { type LogPlan, type MetricPlan, windowsOf } from "./plan.ts";
import { addStats, createScanControl } from "./scan-control.ts";
import { LogScan } from "./scan-log.ts";
import { type MetricPartial, MetricScan } from "./scan-metric.ts";

export interface ScanWorkers {
  readonly count: number;
}

export interface Scanner {
  metric(plan: MetricPlan, streams: readonly StreamPages[], query: RunningQuery): Promise<readonly MetricPartial[]>;
  log(plan: LogPlan, streams: readonly StreamPages[], query: RunningQuery): Promise<LogPartial>;
  close(): Promise<void>;
}

export function createScanner(options: QueryEngineOptions): Scanner {
  return {
    async metric(plan, streams, query) {
      const control = createScanControl(() => query.throwIfStopped(), true);
      const scan = new MetricScan(plan, windowsOf(plan), options.openReader(), kernels, control);
      for (const stream of streams) await scan.addStream(stream);
      addStats(query.stats, control.stats);
      return [scan.partial()];
    },
    async log(plan, streams, query) {
      const control = createScanControl(() => query.throwIfStopped(), true);
      const scan = new LogScan(plan, options.openReader(), kernels, control);
      const entries = await scan.scan(streams, 0);
      addStats(query.stats, control.stats);
      return entries;
    },
    close: async () => {},
  };
}
