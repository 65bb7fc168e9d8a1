// Limits per tenant: limits_config, overlaid with the tenant's part of the overrides file, which is read again while the server runs.

import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import type { Clock } from "../../lib/runtime/clock.ts";
import { checkConfig, parseYaml } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { type Limits, limitsSchema } from "./limits.ts";

const overridesSchema = z.strictObject({
  overrides: z.record(z.string(), z.record(z.string(), z.unknown()).nullable()).nullish(),
  configs: z.unknown().optional(),
  multi_kv_config: z.unknown().optional(),
});

export interface TenantLimits {
  of(tenant: string): Limits;
  /** limits_config: what holds for a tenant without overrides. */
  readonly global: Limits;
  /** The overrides as they were read last, for /runtime_config. */
  readonly overrides: Readonly<Record<string, unknown>>;
  close(): void;
}

/** @param base limits_config as the file has it, before defaults: an override of one key leaves the others as they are there */
export function watchTenantLimits(
  base: Limits,
  rawBase: unknown,
  options: { file: string; periodMs: number; clock: Clock; log: Log },
): TenantLimits {
  const { file, log } = options;
  let byTenant = new Map<string, Limits>();
  let raw: Record<string, unknown> = {};
  let seen = "";
  const timer = file === "" ? undefined : setInterval(load, options.periodMs);
  timer?.unref();
  load();
  return {
    of: (tenant) => byTenant.get(tenant) ?? base,
    global: base,
    get overrides() {
      return raw;
    },
    close: () => clearInterval(timer),
  };

  function load(): void {
    if (file === "") return;
    const stat = statSync(file, { throwIfNoEntry: false });
    const version = stat === undefined ? "absent" : `${stat.mtimeMs}:${stat.size}:${stat.ino}`;
    if (version === seen) return;
    seen = version;
    if (stat === undefined) {
      log.warn({ file }, "runtime_config.file does not exist: limits_config holds for every tenant");
      byTenant = new Map();
      raw = {};
      return;
    }
    try {
      [byTenant, raw] = readOverrides(file, rawBase);
      log.info({ file, tenants: byTenant.size }, "overrides loaded");
    } catch (error) {
      log.error({ file, error: messageOf(error) }, "overrides not loaded, the former ones stay");
    }
  }
}

function readOverrides(file: string, rawBase: unknown): [Map<string, Limits>, Record<string, unknown>] {
  const document = parseYaml(readFileSync(file, "utf8"), file);
  const { overrides } = checkConfig(document, overridesSchema);
  const byTenant = new Map<string, Limits>();
  for (const [tenant, limits] of Object.entries(overrides ?? {})) {
    byTenant.set(tenant, checkConfig(document, limitsSchema, { ...(rawBase as object), ...limits }, ["overrides", tenant]));
  }
  return [byTenant, overrides ?? {}];
}
