// The agent's own metrics, by Promtail's names. Those of files, positions and clients are beside the code that counts them; each is
// taken from the registry when it is already there, so that a reload counts on.

import type { Registry } from "prom-client";
import { VERSION } from "../lib/runtime/version.ts";
import { counter, gauge } from "./metric.ts";

/** Why a discovered target is not read. */
export const TARGET_FAILURES = ["dropped", "wrong_host", "no_path", "exists", "error"] as const;
export type TargetFailure = (typeof TARGET_FAILURES)[number];

export interface AgentMetrics {
  readonly targetsActive: { inc(count: number): void };
  readonly targetFailed: (reason: TargetFailure) => void;
  readonly lineDropped: (reason: string, count?: number) => void;
  readonly reloaded: (success: boolean) => void;
}

export function openAgentMetrics(registry: Registry): AgentMetrics {
  const active = gauge(registry, "promtail_targets_active_total", "Number of active total.");
  const failed = counter(registry, "promtail_targets_failed_total", "Number of failed targets.", ["reason"]);
  const dropped = counter(registry, "logentry_dropped_lines_total", "A count of all log lines dropped as a result of a pipeline stage", [
    "reason",
  ]);
  const success = counter(registry, "promtail_config_reload_success_total", "Number of reload success times.");
  const fail = counter(registry, "promtail_config_reload_fail_total", "Number of reload fail times.");
  addBuildInfo(registry);
  addProcessMetrics(registry);
  return {
    targetsActive: active,
    targetFailed: (reason) => failed.inc({ reason }),
    lineDropped: (reason, count = 1) => dropped.inc({ reason }, count),
    reloaded: (worked) => (worked ? success : fail).inc(),
  };
}

function addBuildInfo(registry: Registry): void {
  const help = "A metric with a constant '1' value labeled by version, and the platform the agent runs on.";
  const info = gauge(registry, "promtail_build_info", help, ["version", "goversion", "goos", "goarch"]);
  info.set({ version: VERSION, goversion: `node ${process.version}`, goos: process.platform, goarch: process.arch }, 1);
}

/** What dashboards ask of every process, read only when asked for. */
function addProcessMetrics(registry: Registry): void {
  const cpu = gauge(registry, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  const memory = gauge(registry, "process_resident_memory_bytes", "Resident memory size in bytes.");
  const heap = gauge(registry, "nodejs_heap_used_bytes", "Bytes of JavaScript objects.");
  const started = gauge(registry, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  started.set(Math.round(Date.now() / 1000 - process.uptime()));
  const read = (): void => {
    const usage = process.cpuUsage();
    cpu.set((usage.user + usage.system) / 1e6);
    const { rss, heapUsed } = process.memoryUsage();
    memory.set(rss);
    heap.set(heapUsed);
  };
  refreshers.set(registry, read);
}

const refreshers = new WeakMap<Registry, () => void>();

const WITH_SIGN = (_: string, before: string, sign: string): string => `${before}${sign || "+"}Inf`;

/**
 * The exposition of all metrics, the process's own brought up to date, as Promtail's has it: labels in the order of their names, and nothing of
 * metrics that have no series.
 */
export async function printMetrics(registry: Registry): Promise<string> {
  refreshers.get(registry)?.();
  const text = (await registry.metrics())
    .replace(/^# HELP [^\n]*\n# TYPE [^\n]*\n+(?![^#])/gm, "")
    .replace(/^(?!#)(.* )(-?)Infinity$/gm, WITH_SIGN);
  return text.replace(
    /^([a-zA-Z_:][\w:]*)\{([^\n]*)\} (?=[^}\n]*$)/gm,
    (_, name: string, labels: string) => `${name}{${sortLabels(labels)}} `,
  );
}

function sortLabels(text: string): string {
  const labels = text.match(/\w+="(?:[^"\\]|\\.)*"/g) ?? [];
  // The bound of a bucket stands last.
  const key = (label: string): string => (label.startsWith('le="') ? "~" : label.slice(0, label.indexOf("=")));
  return labels.length < 2 ? text : labels.sort((a, b) => (key(a) < key(b) ? -1 : 1)).join(",");
}
