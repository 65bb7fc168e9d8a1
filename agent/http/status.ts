// What the pages show of a running agent, as plain objects: the same for a page and its JSON twin.

import { printConfig } from "../config/print.ts";
import type { AgentConfig } from "../config/schema.ts";
import type { ScrapeJob } from "../scrape-job.ts";
import type { Target } from "../targets/target.ts";

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
  /** What waits on disk to be acknowledged, where there is such a thing. */
  readonly spool?: TargetStatus;
  /** At most 100 of them; `droppedCount` counts all. */
  readonly dropped: readonly { readonly reason: string; readonly text: string; readonly discovered: Readonly<Record<string, string>> }[];
  readonly droppedCount: number;
}

const DROPPED_SHOWN_MAX = 100;

export function jobsStatus(view: AgentView): JobStatus[] {
  return view.jobs.map((job) => ({
    job: job.scrape.job_name,
    targets: job.targets.map(targetStatus),
    ...(job.spool === undefined ? {} : { spool: targetStatus(job.spool) }),
    dropped: job.dropped.slice(0, DROPPED_SHOWN_MAX),
    droppedCount: job.dropped.length,
  }));
}

function targetStatus(target: Target): TargetStatus {
  const { kind, ready, discovered } = target;
  return { kind, ready, labels: target.labels.toObject(), discovered, details: target.details() };
}

export const configText = (view: AgentView): string => printConfig(view.config);
