// The rule groups of one tenant at work, and where their alerts go.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import type { Alert } from "./alert.ts";
import type { AlertStore, TenantAlerts } from "./alert-store.ts";
import type { SavedAlerts } from "./evaluate-alerting.ts";
import { type GroupContext, GroupRunner } from "./group-runner.ts";
import { Notifier } from "./notifier.ts";
import { groupKey, groupVersion, type PlacedGroup } from "./rules.ts";
import type { AlertmanagerSettings } from "./settings.ts";

export interface TenantRulesOptions {
  readonly tenant: string;
  readonly group: Omit<GroupContext, "tenant" | "notify" | "alertsMoved">;
  /** The tenant's Alertmanagers, now. */
  readonly alertmanager: () => AlertmanagerSettings;
  readonly datasourceUid: string;
  readonly alerts: AlertStore;
  readonly toleranceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class TenantRules {
  readonly #options: TenantRulesOptions;
  readonly #context: GroupContext;
  readonly #runners = new Map<string, GroupRunner>();
  /** Alerts of the last run, until their group is there. */
  #saved: Map<string, ReadonlyMap<string, SavedAlerts>> = new Map();
  #savedRead = false;
  #notifier: Notifier;
  #notifierSettings: string;
  readonly #turns = new OneAtATime();

  constructor(options: TenantRulesOptions) {
    this.#options = options;
    const settings = options.alertmanager();
    this.#notifier = this.#openNotifier(settings);
    this.#notifierSettings = JSON.stringify(settings);
    this.#context = {
      ...options.group,
      tenant: options.tenant,
      notify: (alerts: readonly Alert[], expr, validUntilMs) => this.#notifier.send(alerts, expr, validUntilMs),
      alertsMoved: () => options.alerts.changed(options.tenant, () => this.#alerts()),
    };
  }

  /** By namespace and name. */
  get runners(): readonly GroupRunner[] {
    return [...this.#runners.values()];
  }

  /** Runs exactly these groups. A group that has changed keeps the states of rules that are still in it. */
  sync(groups: readonly PlacedGroup[]): Promise<void> {
    return this.#turns.run(async () => {
      await this.#syncNotifier();
      if (!this.#savedRead) this.#saved = new Map(await this.#options.alerts.read(this.#options.tenant, this.#options.toleranceMs));
      this.#savedRead = true;
      const wanted = new Map(groups.map((placed) => [groupKey(placed.namespace, placed.group.name), placed]));
      for (const [key, runner] of this.#runners) {
        if (wanted.has(key)) continue;
        this.#runners.delete(key);
        await runner.stop();
        await runner.retire();
        this.#context.alertsMoved();
      }
      for (const [key, placed] of wanted) await this.#syncGroup(key, placed);
    });
  }

  /** Ends all evaluations and leaves the alerts for the next run. */
  close(): Promise<void> {
    return this.#turns.run(async () => {
      await Promise.all(this.runners.map((runner) => runner.stop()));
      if (this.#savedRead) this.#context.alertsMoved();
      await this.#notifier.close();
    });
  }

  async #syncGroup(key: string, placed: PlacedGroup): Promise<void> {
    const former = this.#runners.get(key);
    if (former?.version === groupVersion(placed.group)) return;
    await former?.stop();
    const runner = new GroupRunner(placed, this.#context);
    if (former !== undefined) await runner.takeOver(former);
    const saved = this.#saved.get(key);
    if (saved !== undefined) runner.restoreAlerts(saved);
    this.#saved.delete(key);
    this.#runners.set(key, runner);
    runner.start();
  }

  async #syncNotifier(): Promise<void> {
    const settings = this.#options.alertmanager();
    const text = JSON.stringify(settings);
    if (text === this.#notifierSettings) return;
    const former = this.#notifier;
    this.#notifier = this.#openNotifier(settings);
    this.#notifierSettings = text;
    await former.close();
  }

  #openNotifier(settings: AlertmanagerSettings): Notifier {
    const { tenant, group, datasourceUid, clock, log } = this.#options;
    const { externalUrl, externalLabels, metrics } = group;
    return new Notifier({ tenant, settings, externalUrl, externalLabels, datasourceUid, clock, log, metrics });
  }

  /** What there is to keep: of groups that run, and of those that were not seen yet. */
  #alerts(): TenantAlerts {
    return new Map([...this.#saved, ...[...this.#runners].map(([key, runner]) => [key, runner.savedAlerts()] as const)]);
  }
}
