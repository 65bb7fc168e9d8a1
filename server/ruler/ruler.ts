// The ruler: every tenant's rule groups, read from disk, evaluated in this process, their alerts sent to Alertmanagers and their samples to
// remotes.

import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Limits } from "../config/limits.ts";
import type { RulerConfig } from "../config/ruler.ts";
import { AlertStore } from "./alert-store.ts";
import type { GroupRunner } from "./group-runner.ts";
import type { RuleQuery } from "./query.ts";
import { RemoteWrite } from "./remote-write/remote-write.ts";
import { RuleStore } from "./rule-store.ts";
import { createRulerMetrics } from "./ruler-metrics.ts";
import { groupKey, type PlacedGroup, type RuleGroup } from "./rules.ts";
import { alertmanagerSettings, remoteWriteSettings } from "./settings.ts";
import { TenantRules } from "./tenant-rules.ts";
import { Turnstile } from "./turnstile.ts";

export interface RulerOptions {
  readonly config: RulerConfig;
  readonly limitsOf: (tenant: string) => Limits;
  readonly query: RuleQuery;
  readonly folders: RulerFolders;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

export interface RulerFolders {
  readonly rules: string;
  /** The rules folder is Loki's `local` store: nothing but files of somebody's. */
  readonly rulesReadOnly: boolean;
  readonly alerts: string;
  readonly samples: string;
}

/** Groups of a tenant evaluated at a time: each has a query scanning. Queries that run into their time-out hold up nobody else's. */
const EVALUATIONS_MAX = 8;

/** A change that a tenant's limits forbid, in Loki's words. */
export class RuleLimitError extends Error {
  override readonly name = "RuleLimitError";
}

/** Reads the rules and begins to evaluate them. @throws when the rules folder cannot be read */
export async function openRuler(options: RulerOptions): Promise<Ruler> {
  const ruler = new Ruler(options);
  await ruler.start();
  return ruler;
}

export class Ruler {
  readonly #options: RulerOptions;
  readonly #store: RuleStore;
  readonly #alerts: AlertStore;
  readonly #remoteWrite: RemoteWrite;
  readonly #newTenant: (tenant: string) => TenantRules;
  readonly #tenants = new Map<string, TenantRules>();
  readonly #stop = new AbortController();
  #polling: Promise<void> | undefined;

  constructor(options: RulerOptions) {
    const { config, limitsOf, folders, clock, log } = options;
    const metrics = createRulerMetrics(options.registry);
    this.#options = options;
    this.#store = new RuleStore({
      folder: folders.rules,
      readOnly: folders.rulesReadOnly,
      log,
      onRead: (user, complete) => metrics.reloadSuccessful.set({ user }, complete ? 1 : 0),
    });
    this.#alerts = new AlertStore(folders.alerts, { clock, log });
    this.#remoteWrite = new RemoteWrite({
      folder: folders.samples,
      ageMaxMs: config.wal.max_age,
      settingsOf: (tenant) => remoteWriteSettings(config, tenant, limitsOf(tenant)),
      clock,
      log,
      metrics,
    });
    this.#newTenant = (tenant) =>
      new TenantRules({
        tenant,
        group: {
          query: options.query,
          clock,
          log,
          metrics,
          turnstile: new Turnstile(EVALUATIONS_MAX),
          defaultIntervalMs: config.evaluation_interval,
          resendDelayMs: config.resend_delay,
          graceMs: config.for_grace_period,
          externalUrl: config.external_url,
          externalLabels: config.external_labels,
          groupLabel: !config.disable_rule_group_label,
          evaluationDelayMs: () => limitsOf(tenant).ruler_evaluation_delay_duration,
          record: (samples) => this.#remoteWrite.append(tenant, samples),
        },
        alertmanager: () => alertmanagerSettings(config, limitsOf(tenant)),
        datasourceUid: config.datasource_uid,
        alerts: this.#alerts,
        toleranceMs: config.for_outage_tolerance,
        clock,
        log,
      });
  }

  async start(): Promise<void> {
    await this.#store.load();
    await this.#remoteWrite.resume();
    await this.#syncAll();
    this.#polling = this.#poll();
  }

  /** The rules API changes nothing: rules are files (Loki's `local` store). */
  get readOnly(): boolean {
    return this.#store.readOnly;
  }

  /** A tenant's groups as they are kept. */
  groups(tenant: string): readonly PlacedGroup[] {
    return this.#store.groups(tenant);
  }

  /** A tenant's groups at work. */
  runners(tenant: string): readonly GroupRunner[] {
    return this.#tenants.get(tenant)?.runners ?? [];
  }

  /** Keeps a group and evaluates it from now on. @throws RuleError, RuleLimitError */
  async setGroup(tenant: string, namespace: string, group: RuleGroup): Promise<void> {
    this.#checkLimits(tenant, namespace, group);
    await this.#store.set(tenant, namespace, group);
    await this.#sync(tenant);
  }

  /** @returns false when there is no such group */
  async removeGroup(tenant: string, namespace: string, name: string): Promise<boolean> {
    const removed = await this.#store.removeGroup(tenant, namespace, name);
    await this.#sync(tenant);
    return removed;
  }

  /** @returns false when there is no such namespace */
  async removeNamespace(tenant: string, namespace: string): Promise<boolean> {
    const removed = await this.#store.removeNamespace(tenant, namespace);
    await this.#sync(tenant);
    return removed;
  }

  /** Breaks off evaluations, gives alerts a moment to be sent, leaves states and samples on disk. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#polling;
    await Promise.all([...this.#tenants.values()].map((tenant) => tenant.close()));
    await this.#alerts.close();
    await this.#remoteWrite.close();
  }

  #checkLimits(tenant: string, namespace: string, { name, rules }: RuleGroup): void {
    const { ruler_max_rules_per_rule_group: rulesMax, ruler_max_rule_groups_per_tenant: groupsMax } = this.#options.limitsOf(tenant);
    if (rulesMax > 0 && rules.length > rulesMax)
      throw new RuleLimitError(`per-user rules per rule group limit (limit: ${rulesMax} actual: ${rules.length}) exceeded`);
    const keys = new Set(this.groups(tenant).map((placed) => groupKey(placed.namespace, placed.group.name)));
    keys.add(groupKey(namespace, name));
    if (groupsMax > 0 && keys.size > groupsMax)
      throw new RuleLimitError(`per-user rule groups limit (limit: ${groupsMax} actual: ${keys.size}) exceeded`);
  }

  async #poll(): Promise<void> {
    const { clock, config, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(config.poll_interval, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        await this.#store.load();
        await this.#syncAll();
      } catch (error) {
        log.error({ folder: this.#options.folders.rules, error: messageOf(error) }, "rules cannot be read, those that were read go on");
      }
    }
  }

  async #syncAll(): Promise<void> {
    for (const tenant of new Set([...this.#store.tenants(), ...this.#tenants.keys()])) await this.#sync(tenant);
  }

  async #sync(tenant: string): Promise<void> {
    if (this.#stop.signal.aborted || !this.#isOurs(tenant)) return;
    const groups = this.#store.groups(tenant);
    let rules = this.#tenants.get(tenant);
    if (rules === undefined && groups.length === 0) return;
    if (rules === undefined) this.#tenants.set(tenant, (rules = this.#newTenant(tenant)));
    await rules.sync(groups);
  }

  #isOurs(tenant: string): boolean {
    const { enabled_tenants: enabled, disabled_tenants: disabled } = this.#options.config;
    return (enabled.length === 0 || enabled.includes(tenant)) && !disabled.includes(tenant);
  }
}
