// An alerting rule at work: its query's answer becomes alerts with labels and annotations, and the alerts move through their states.

import { compareCodePoints } from "../../lib/text/go-quote.ts";
import { labelsKey, type ResultLabels } from "../query/series-table.ts";
import { type Alert, isActive, isDue, moveAlert, newAlert, resumeAlert } from "./alert.ts";
import type { Sample } from "./query.ts";
import type { AlertingRule } from "./rules.ts";
import { AlertTemplate, type AlertTemplateContext } from "./template.ts";

export interface AlertingContext extends AlertTemplateContext {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
  readonly graceMs: number;
  /** A template could not be expanded. */
  readonly onTemplateError: (message: string) => void;
}

/** Alerts of a rule as they were when the server ended. */
export interface SavedAlerts {
  readonly lastEvalMs: number;
  readonly alerts: readonly Alert[];
}

interface RuleText {
  readonly name: string;
  readonly template: AlertTemplate;
}

export class AlertingState {
  readonly rule: AlertingRule;
  readonly #labels: readonly RuleText[];
  readonly #annotations: readonly RuleText[];
  #alerts = new Map<string, Alert>();
  /** Set until the first evaluation after a restart. */
  #resumeFromMs: number | undefined;

  constructor(rule: AlertingRule) {
    this.rule = rule;
    const compiled = ([name, text]: readonly [string, string]): RuleText => ({ name, template: new AlertTemplate(rule.name, text) });
    this.#labels = rule.labels.map(compiled);
    this.#annotations = rule.annotations.map(compiled);
  }

  /** Pending, firing and lately resolved ones. */
  get alerts(): readonly Alert[] {
    return [...this.#alerts.values()];
  }

  /** `firing` if any alert is, else `pending` if any is, else `inactive`. */
  get state(): Alert["state"] {
    const states = new Set(this.alerts.map(({ state }) => state));
    return states.has("firing") ? "firing" : states.has("pending") ? "pending" : "inactive";
  }

  /** Goes on with the alerts of the rule that this one replaces. */
  takeOver(former: AlertingState): void {
    this.#alerts = former.#alerts;
    this.#resumeFromMs = former.#resumeFromMs;
  }

  restore({ lastEvalMs, alerts }: SavedAlerts): void {
    for (const alert of alerts) this.#alerts.set(labelsKey(alert.labels), { ...alert });
    this.#resumeFromMs = lastEvalMs;
  }

  /** @throws Error when two series get the same labels, or there are more alerts than the limit allows */
  async evaluate(samples: readonly Sample[], atMs: number, limit: number, context: AlertingContext): Promise<void> {
    const found = await this.#alertsOf(samples, atMs, context);
    this.#resume(atMs, context.graceMs);
    for (const [key, alert] of found) {
      const known = this.#alerts.get(key);
      if (known === undefined || !isActive(known)) this.#alerts.set(key, alert);
      else {
        known.value = alert.value;
        known.annotations = alert.annotations;
      }
    }
    for (const [key, alert] of this.#alerts) if (!moveAlert(alert, found.has(key), atMs, this.rule)) this.#alerts.delete(key);
    const active = this.alerts.filter(isActive).length;
    if (limit > 0 && active > limit) {
      this.#alerts.clear();
      throw new Error(`exceeded limit of ${limit} with ${active} alerts`);
    }
  }

  /** The alerts to tell now; they count as told. */
  takeDue(atMs: number, resendDelayMs: number): Alert[] {
    const due = this.alerts.filter((alert) => isDue(alert, atMs, resendDelayMs));
    for (const alert of due) alert.lastSentAtMs = atMs;
    return due.map((alert) => ({ ...alert }));
  }

  /** All firing alerts as resolved: the rule is going away for good. */
  resolveAll(atMs: number): Alert[] {
    const firing = this.alerts.filter(({ state }) => state === "firing");
    this.#alerts.clear();
    return firing.map((alert) => ({ ...alert, state: "inactive", resolvedAtMs: atMs }));
  }

  #resume(atMs: number, graceMs: number): void {
    if (this.#resumeFromMs === undefined) return;
    for (const alert of this.#alerts.values()) resumeAlert(alert, this.#resumeFromMs, atMs, this.rule.forMs, graceMs);
    this.#resumeFromMs = undefined;
  }

  async #alertsOf(samples: readonly Sample[], atMs: number, context: AlertingContext): Promise<Map<string, Alert>> {
    const { rule } = this;
    const found = new Map<string, Alert>();
    for (const { labels: result, value } of samples) {
      const labels = new Map(result.names.map((name, i) => [name, result.values[i]!]));
      const data = { labels: new Map(labels), value, externalLabels: context.externalLabels, externalUrl: context.externalUrl };
      const expand = ({ template }: RuleText): Promise<string> => template.expand(data, context, context.onTemplateError);
      labels.delete("__name__");
      for (const text of this.#labels) setLabel(labels, text.name, await expand(text));
      labels.set("alertname", rule.name);
      const annotations: (readonly [string, string])[] = [];
      for (const text of this.#annotations) annotations.push([text.name, await expand(text)]);
      const alert = newAlert(toResultLabels(labels), annotations, value, atMs);
      const key = labelsKey(alert.labels);
      if (found.has(key)) throw new Error("vector contains metrics with the same labelset after applying alert labels");
      found.set(key, alert);
    }
    return found;
  }
}

/** An empty value is no label. */
export function setLabel(labels: Map<string, string>, name: string, value: string): void {
  if (value === "") labels.delete(name);
  else labels.set(name, value);
}

export function toResultLabels(labels: ReadonlyMap<string, string>): ResultLabels {
  const names = [...labels.keys()].sort(compareCodePoints);
  return { names, values: names.map((name) => labels.get(name)!) };
}
