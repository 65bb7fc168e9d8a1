// Limits per tenant: limits_config, overlaid with the tenant's part of the overrides file, which is read again while the server runs. A file
// that cannot be read or is wrong changes nothing: the limits that were read last stay. At the start there are none, and to run on
// limits_config alone could delete what a tenant's own retention keeps: the server does not start then, as Loki does not.

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { Gauge, type Registry } from "prom-client";
import { z } from "zod";
import { checkConfig, parseYaml } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { noEffectReason } from "./fields.ts";
import { type Limits, limitsSchema } from "./limits.ts";
import { exportOverrides } from "./overrides-metrics.ts";

const overridesSchema = z.strictObject({
  overrides: z.record(z.string(), z.record(z.string(), z.unknown()).nullable()).nullish(),
  configs: z.unknown().optional(),
  multi_kv_config: z.unknown().optional(),
});

export interface TenantLimits {
  of(tenant: string): Limits;
  /** limits_config: what holds for a tenant without overrides. */
  readonly global: Limits;
  /** The overrides as they were read last, by tenant; undefined when there is no file for them. */
  readonly overrides: Overrides | undefined;
  /** Those that differ from what holds without them. */
  readonly differences: Overrides | undefined;
  close(): void;
}

export type Overrides = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface OverridesOptions {
  /** Empty: none. */
  readonly file: string;
  readonly periodMs: number;
  readonly log: Log;
  readonly registry: Registry;
}

interface Loaded {
  readonly limits: ReadonlyMap<string, Limits>;
  readonly raw: Overrides;
}

/**
 * @param base limits_config
 * @param rawBase the same as the file has it, before defaults: an override of one key leaves the others as they are there
 * @throws ConfigError, or the error of reading the file, when it cannot be loaded at the start
 */
export function watchTenantLimits(base: Limits, rawBase: unknown, { file, periodMs, log, registry }: OverridesOptions): TenantLimits {
  exportOverrides(registry, base, () => loaded.limits);
  let loaded: Loaded = { limits: new Map(), raw: {} };
  if (file === "") return { of: () => base, global: base, overrides: undefined, differences: undefined, close: () => {} };
  const warned = new Set<string>();
  const metrics = createMetrics(registry);
  let seen = "";
  load();
  const timer = setInterval(reload, periodMs);
  timer.unref();
  return {
    of: (tenant) => loaded.limits.get(tenant) ?? base,
    global: base,
    get overrides() {
      return loaded.raw;
    },
    get differences() {
      return differencesOf(loaded, base);
    },
    close: () => clearInterval(timer),
  };

  function load(): void {
    const { mtimeMs, ctimeMs, size, ino } = statSync(file);
    const version = `${mtimeMs}:${ctimeMs}:${size}:${ino}`;
    if (version === seen) return;
    // Noted first: a file that is wrong is wrong once, not at each look.
    seen = version;
    const text = readFileSync(file, "utf8");
    loaded = readOverrides(text, file, rawBase, loaded);
    metrics.loaded(text);
    log.info({ file, tenants: loaded.limits.size }, "overrides loaded");
    warnOfEffectless();
  }

  /** Each key once, whatever tenants have it. */
  function warnOfEffectless(): void {
    for (const [tenant, own] of Object.entries(loaded.raw)) {
      for (const key of Object.keys(own)) {
        const reason = noEffectReason(limitsSchema.shape[key as keyof Limits]);
        if (reason === undefined || warned.has(key)) continue;
        warned.add(key);
        log.warn({ file, tenant, key }, `override has no effect: ${reason}`);
      }
    }
  }

  function reload(): void {
    const before = seen;
    try {
      load();
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (isGone) seen = "gone";
      metrics.failed();
      if (seen !== before) log.error({ file, error: messageOf(error) }, "overrides not loaded, the former ones stay");
    }
  }
}

/** Limits that are what they were stay the same object: counts and rates that go with them live on. */
function readOverrides(text: string, file: string, rawBase: unknown, former: Loaded): Loaded {
  const document = parseYaml(text, file);
  const { overrides } = checkConfig(document, overridesSchema);
  const limits = new Map<string, Limits>();
  const raw: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const [tenant, own] of Object.entries(overrides ?? {})) {
    raw[tenant] = own ?? {};
    const known = isDeepStrictEqual(former.raw[tenant], raw[tenant]) ? former.limits.get(tenant) : undefined;
    limits.set(tenant, known ?? checkConfig(document, limitsSchema, { ...(rawBase as object), ...own }, ["overrides", tenant]));
  }
  return { limits, raw };
}

function differencesOf({ limits, raw }: Loaded, base: Limits): Overrides {
  const differs = (tenant: string, key: string): boolean =>
    !isDeepStrictEqual(limits.get(tenant)?.[key as keyof Limits], base[key as keyof Limits]);
  return Object.fromEntries(
    Object.entries(raw).map(([tenant, own]) => [tenant, Object.fromEntries(Object.entries(own).filter(([key]) => differs(tenant, key)))]),
  );
}

function createMetrics(registry: Registry): { loaded: (text: string) => void; failed: () => void } {
  const registers = [registry];
  const successful = new Gauge({
    name: "loki_runtime_config_last_reload_successful",
    help: "Whether the overrides file was good when it was looked at last.",
    registers,
  });
  const hash = new Gauge({
    name: "loki_runtime_config_hash",
    help: "Hash of the overrides file that is in effect.",
    labelNames: ["sha256"],
    registers,
  });
  return {
    loaded(text) {
      successful.set(1);
      hash.reset();
      hash.set({ sha256: createHash("sha256").update(text).digest("hex") }, 1);
    },
    failed: () => successful.set(0),
  };
}
