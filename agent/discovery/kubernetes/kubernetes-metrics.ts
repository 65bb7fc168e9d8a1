// Metrics of Kubernetes discovery: Prometheus' own two, and when the API was last known to be in step.

import type { Registry } from "prom-client";
import { counter, gauge } from "../../metric.ts";
import type { Resource } from "./roles/role.ts";

export interface KubernetesMetrics {
  readonly event: (resource: Resource, event: "add" | "update" | "delete") => void;
  readonly failed: () => void;
  readonly synced: (path: string, nowMs: number) => void;
}

/** Events are counted by role, as Prometheus counts them. */
const ROLE_OF: Readonly<Record<Resource, string>> = {
  pods: "pod",
  nodes: "node",
  services: "service",
  endpoints: "endpoints",
  endpointslices: "endpointslice",
  ingresses: "ingress",
  namespaces: "namespace",
};

export function openKubernetesMetrics(registry: Registry): KubernetesMetrics {
  const events = counter(registry, "prometheus_sd_kubernetes_events_total", "The number of Kubernetes events handled.", ["role", "event"]);
  const failures = counter(registry, "prometheus_sd_kubernetes_failures_total", "The number of failed WATCH/LIST requests.");
  const synced = gauge(
    registry,
    "promtail_kubernetes_last_synced_timestamp_seconds",
    "When the Kubernetes API last confirmed that what is known of it is in step.",
    ["path"],
  );
  return {
    event: (resource, event) => events.inc({ role: ROLE_OF[resource], event }),
    failed: () => failures.inc(),
    synced: (path, nowMs) => synced.set({ path }, nowMs / 1000),
  };
}
