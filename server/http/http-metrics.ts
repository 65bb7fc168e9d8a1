// Request metrics under Loki's names; dashboards match on its route labels (`loki_api_v1_query_range`).

import { Gauge, Histogram, type Registry } from "prom-client";
import { VERSION } from "../../lib/runtime/version.ts";

export interface HttpMetrics {
  observe(route: string, method: string, status: number, seconds: number): void;
}

export function createHttpMetrics(registry: Registry): HttpMetrics {
  const duration = new Histogram({
    name: "loki_request_duration_seconds",
    help: "Time from a request's arrival to the end of its answer.",
    labelNames: ["method", "route", "status_code", "ws"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100],
    registers: [registry],
  });
  const build = new Gauge({
    name: "loki_build_info",
    help: "Version of the program.",
    labelNames: ["version", "revision", "branch", "goversion"],
    registers: [registry],
  });
  build.set({ version: VERSION, revision: "", branch: "", goversion: "" }, 1);
  return {
    observe(route, method, status, seconds) {
      duration.observe({ method, route: routeLabel(route), status_code: String(status), ws: "false" }, seconds);
    },
  };
}

function routeLabel(path: string): string {
  return (
    path
      .replace(/^\//, "")
      .replace(/[{}]/g, "")
      .replace(/[^a-zA-Z0-9]+/g, "_") || "root"
  );
}
