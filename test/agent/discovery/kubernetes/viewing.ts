// A discovery at work in a test: what it has told, by pod, against a server that may misbehave.

import { Registry } from "prom-client";
import type { KubernetesSdConfig } from "../../../../agent/config/discoveries.ts";
import { kubernetesSdSchema } from "../../../../agent/config/discoveries.ts";
import { keepAsWritten } from "../../../../agent/config/written.ts";
import type { Discovery, TargetGroup } from "../../../../agent/discovery/discovery.ts";
import type { ViewTiming } from "../../../../agent/discovery/kubernetes/cluster-view.ts";
import { kubernetesDiscovery } from "../../../../agent/discovery/kubernetes/kubernetes.ts";
import { type Clock, systemClock } from "../../../../lib/runtime/clock.ts";
import { parseYaml } from "../../../../lib/runtime/config-file.ts";
import { createLog } from "../../../../lib/runtime/log.ts";
import type { TestApi } from "./test-api.ts";

/** Time that runs faster, for back-off and grace periods. */
export function fastClock(factor: number): Clock {
  const startMs = Date.now();
  return {
    nowMs: () => startMs + (Date.now() - startMs) * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}

export interface Viewing {
  readonly discovery: Discovery;
  readonly told: ReadonlyMap<string, TargetGroup>;
  /** How often something was told. */
  readonly updates: () => number;
  readonly logged: readonly string[];
  /** `name=uid`, or what `shown` gives, sorted. */
  pods(shown?: (group: TargetGroup) => string): string[];
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface ViewOptions {
  readonly node?: string;
  readonly config?: object;
  readonly timing?: ViewTiming;
  readonly rootFolder?: string;
  readonly speed?: number;
}

export function configFor(api: TestApi, more: object = {}): KubernetesSdConfig {
  const way = { api_server: api.url, bearer_token: api.token, tls_config: { ca_file: api.caFile } };
  return kubernetesSdSchema().parse(written({ role: "pod", ...way, pod_log_directory: "", ...more }));
}

/** A block as it comes from a file. */
export function written(config: object): unknown {
  return parseYaml(JSON.stringify(config), "test.yaml", keepAsWritten).value;
}

export async function view(api: TestApi, options: ViewOptions = {}): Promise<Viewing> {
  const { node = "node-1", timing = {}, rootFolder = "", speed = 50 } = options;
  const told = new Map<string, TargetGroup>();
  const logged: string[] = [];
  const registry = new Registry();
  let updates = 0;
  const discovery = kubernetesDiscovery(
    configFor(api, options.config),
    createLog({ write: (line) => logged.push(line) }),
    { hostname: node, registry, clock: fastClock(speed) },
    { timing: { lingerMs: 0, ...timing }, rootFolder },
  );
  await discovery.start((groups) => {
    updates++;
    for (const group of groups) {
      if (group.targets.length === 0) told.delete(group.source);
      else told.set(group.source, group);
    }
  });
  return {
    discovery,
    told,
    updates: () => updates,
    logged,
    pods: (shown = nameAndUid) => [...told.values()].map(shown).sort(),
    metric: async (name) => {
      const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    stop: () => discovery.stop(),
  };
}

const nameAndUid = ({ labels }: TargetGroup): string => `${labels.__meta_kubernetes_pod_name}=${labels.__meta_kubernetes_pod_uid}`;

export const nameOnly = ({ labels }: TargetGroup): string => labels.__meta_kubernetes_pod_name ?? "";

export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadlineMs = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
