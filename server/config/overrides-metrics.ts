// The tenants' limits as metrics, under the names of Loki's overrides exporter: what limits_config says, and where a tenant's differ.

import { Gauge, type Registry } from "prom-client";
import { isDuration } from "./fields.ts";
import { type Limits, limitsSchema } from "./limits.ts";

const NS_PER_MS = 1_000_000;

/** @param tenants the limits of those that have overrides, as they are when the metrics are read */
export function exportOverrides(registry: Registry, defaults: Limits, tenants: () => ReadonlyMap<string, Limits>): void {
  const registers = [registry];
  const usual = numbersOf(defaults);
  new Gauge({
    name: "loki_overrides_defaults",
    help: "Limits of limits_config: times in nanoseconds, sizes in bytes, switches as 0 and 1.",
    labelNames: ["limit_name"],
    registers,
    collect() {
      for (const [limit_name, value] of usual) this.set({ limit_name }, value);
    },
  });
  new Gauge({
    name: "loki_overrides",
    help: "Limits of tenants that differ from limits_config.",
    labelNames: ["limit_name", "user"],
    registers,
    collect() {
      this.reset();
      for (const [user, limits] of tenants()) {
        for (const [limit_name, value] of numbersOf(limits)) if (value !== usual.get(limit_name)) this.set({ limit_name, user }, value);
      }
    },
  });
}

function numbersOf(limits: Limits): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === "boolean") numbers.set(name, value ? 1 : 0);
    else if (typeof value === "number")
      numbers.set(name, isDuration(limitsSchema.shape[name as keyof Limits]) ? Math.round(value * NS_PER_MS) : value);
  }
  return numbers;
}
