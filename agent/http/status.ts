// What the pages show of a running agent, as plain objects: the same for a page and its JSON twin.

import { printConfig } from "../config/print.ts";
import type { AgentConfig } from "../config/schema.ts";
import type { ScrapeJob } from "../scrape-job.ts";

/** What the HTTP server may ask of the agent. */
export interface AgentView {
  readonly config: AgentConfig;
  readonly jobs: readonly ScrapeJob[];
  readonly ready: boolean;
  reload(): Promise<void>;
}

export interface TargetStatus {
  readonly kind: string;
  readonly ready: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly discovered: Readonly<Record<string, string>>;
  readonly details: unknown;
}

export interface JobStatus {
  readonly job: string;
  readonly targets: readonly TargetStatus[];
  /** At most 100 of them; `droppedCount` counts all. */
  readonly dropped: readonly { readonly reason: string; readonly text: string; readonly discovered: Readonly<Record<string, string>> }[];
  readonly droppedCount: number;
}

const DROPPED_SHOWN_MAX = 100;

export function jobsStatus(view: AgentView): JobStatus[] {
  return view.jobs.map((job) => ({
    job: job.scrape.job_name,
    targets: job.targets.map((target) => ({
      kind: target.kind,
      ready: target.ready,
      labels: target.labels.toObject(),
      discovered: target.discovered,
      details: target.details(),
    })),
    dropped: job.dropped.slice(0, DROPPED_SHOWN_MAX),
    droppedCount: job.dropped.length,
  }));
}

export const configText = (view: AgentView): string => printConfig(view.config);
