// One rule group at work: evaluated at fixed points in time, its rules one after the other, so that a rule sees what its group's earlier
// ones found. What an evaluation finds goes to the notifier and to remote write.

import { createHash } from "node:crypto";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Alert } from "./alert.ts";
import { type AlertingContext, AlertingState, type SavedAlerts } from "./evaluate-alerting.ts";
import { type RecordedSample, RecordingState } from "./evaluate-recording.ts";
import type { RuleQuery } from "./query.ts";
import type { GroupLabels, RulerMetrics } from "./ruler-metrics.ts";
import { groupKey, groupLabel, groupVersion, type PlacedGroup, type RuleGroup, ruleIdentities } from "./rules.ts";
import type { Turnstile } from "./turnstile.ts";

/** A rule and how its last evaluation went. */
export interface RuleStatus {
  readonly work: AlertingState | RecordingState;
  health: "unknown" | "ok" | "err";
  lastError: string;
  /** 0: never. */
  lastEvalMs: number;
  evalSeconds: number;
}

/** What all groups of a tenant share. */
export interface GroupContext {
  readonly tenant: string;
  readonly query: RuleQuery;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RulerMetrics;
  /** Lets so many groups be evaluated at a time. */
  readonly turnstile: Turnstile;
  readonly defaultIntervalMs: number;
  readonly resendDelayMs: number;
  readonly graceMs: number;
  readonly externalUrl: string;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly groupLabel: boolean;
  /** ruler_evaluation_delay_duration, now. */
  readonly evaluationDelayMs: () => number;
  /** @param validUntilMs until when a firing alert counts that is not told again */
  readonly notify: (alerts: readonly Alert[], expr: string, validUntilMs: number) => void;
  /** Keeps samples for the remote. Never rejects: what is lost is counted. */
  readonly record: (samples: readonly RecordedSample[]) => Promise<void>;
  /** The alerts have changed, or a while has passed. */
  readonly alertsMoved: () => void;
}

/** The longest a timer can be set for is 24.8 days. */
const SLEEP_MS_MAX = 86_400_000;

/** An alert outlives so many evaluations that fail, or that no Alertmanager hears of. */
const VALID_INTERVALS = 4;

export class GroupRunner {
  readonly namespace: string;
  readonly group: RuleGroup;
  readonly key: string;
  readonly version: string;
  readonly intervalMs: number;
  readonly rules: readonly RuleStatus[];
  lastEvalMs = 0;
  evalSeconds = 0;
  readonly #name: string;
  readonly #context: GroupContext;
  readonly #labels: GroupLabels;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor({ namespace, group }: PlacedGroup, context: GroupContext) {
    this.namespace = namespace;
    this.group = group;
    this.key = groupKey(namespace, group.name);
    this.#name = groupLabel(namespace, group.name);
    this.version = groupVersion(group);
    this.intervalMs = group.intervalMs ?? context.defaultIntervalMs;
    this.rules = group.rules.map((rule) => ({
      work: rule.kind === "alerting" ? new AlertingState(rule) : new RecordingState(rule),
      health: "unknown",
      lastError: "",
      lastEvalMs: 0,
      evalSeconds: 0,
    }));
    this.#context = context;
    this.#labels = { user: context.tenant, rule_group: context.groupLabel ? this.#name : "" };
    context.metrics.groupInterval.set(this.#labels, this.intervalMs / 1000);
    context.metrics.groupRules.set(this.#labels, group.rules.length);
    context.metrics.iterationsMissed.inc(this.#labels, 0);
    context.metrics.evaluationFailures.inc(this.#labels, 0);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when an evaluation in flight has been broken off. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Goes on with the states of a group that this one replaces, and ends those of rules that are gone. Both must be at rest. */
  async takeOver(former: GroupRunner): Promise<void> {
    const formerIds = ruleIdentities(former.group.rules);
    const taken = new Set<RuleStatus>();
    for (const [i, identity] of ruleIdentities(this.group.rules).entries()) {
      const old = former.rules[formerIds.indexOf(identity)];
      const { work } = this.rules[i]!;
      if (old === undefined) continue;
      if (work instanceof AlertingState && old.work instanceof AlertingState) work.takeOver(old.work);
      if (work instanceof RecordingState && old.work instanceof RecordingState) work.takeOver(old.work);
      const { health, lastError, lastEvalMs, evalSeconds } = old;
      Object.assign(this.rules[i]!, { health, lastError, lastEvalMs, evalSeconds });
      taken.add(old);
    }
    this.lastEvalMs = former.lastEvalMs;
    this.evalSeconds = former.evalSeconds;
    await former.#end(former.rules.filter((rule) => !taken.has(rule)));
  }

  /** The group is gone: its firing alerts are resolved, its series end. */
  async retire(): Promise<void> {
    await this.#end(this.rules);
    if (this.#context.groupLabel) this.#context.metrics.forgetGroup(this.#labels);
  }

  async #end(rules: readonly RuleStatus[]): Promise<void> {
    const { clock, notify, record } = this.#context;
    const atMs = clock.nowMs();
    const ends: RecordedSample[] = [];
    for (const { work } of rules) {
      if (work instanceof RecordingState) ends.push(...work.endAll(atMs));
      else {
        const resolved = work.resolveAll(atMs);
        if (resolved.length > 0) notify(resolved, work.rule.expr, atMs);
      }
    }
    if (ends.length > 0) await record(ends);
  }

  /** Alerts of each alerting rule by its identity, for a restart. */
  savedAlerts(): Map<string, SavedAlerts> {
    const saved = new Map<string, SavedAlerts>();
    for (const [i, identity] of ruleIdentities(this.group.rules).entries()) {
      const { work, lastEvalMs } = this.rules[i]!;
      if (work instanceof AlertingState && work.alerts.length > 0) saved.set(identity, { lastEvalMs, alerts: work.alerts });
    }
    return saved;
  }

  restoreAlerts(saved: ReadonlyMap<string, SavedAlerts>): void {
    for (const [i, identity] of ruleIdentities(this.group.rules).entries()) {
      const alerts = saved.get(identity);
      const rule = this.rules[i]!;
      if (alerts === undefined || !(rule.work instanceof AlertingState)) continue;
      rule.work.restore(alerts);
      rule.lastEvalMs = alerts.lastEvalMs;
    }
  }

  async #run(): Promise<void> {
    const { clock, turnstile, metrics } = this.#context;
    const { signal } = this.#stop;
    let atMs = this.#firstSlot(clock.nowMs());
    for (;;) {
      for (let leftMs = atMs - clock.nowMs(); leftMs > 0 && !signal.aborted; leftMs = atMs - clock.nowMs())
        await clock.sleep(Math.min(leftMs, SLEEP_MS_MAX), signal);
      if (signal.aborted) return;
      const slotMs = atMs;
      await turnstile.pass(() => this.evaluate(slotMs), signal);
      if (signal.aborted) return;
      const slots = Math.max(1, Math.floor((clock.nowMs() - atMs) / this.intervalMs));
      metrics.iterationsMissed.inc(this.#labels, slots - 1);
      metrics.iterations.inc(this.#labels, slots - 1);
      atMs += slots * this.intervalMs;
    }
  }

  /**
   * The first point in time to evaluate at. They are multiples of the interval, moved by a part of it that hangs on the group's name:
   * a group keeps its points through restarts, and thousands of groups do not meet at the full minute.
   */
  #firstSlot(nowMs: number): number {
    const hash = createHash("sha256").update(`${this.#context.tenant}\u0000${this.key}`).digest().readUIntBE(0, 6);
    const offsetMs = hash % this.intervalMs;
    return Math.ceil((nowMs - offsetMs) / this.intervalMs) * this.intervalMs + offsetMs;
  }

  /** Evaluates all rules as of a point in time. Never rejects: what fails is the rule's last error. */
  async evaluate(atMs: number): Promise<void> {
    const { metrics, record, alertsMoved } = this.#context;
    const started = performance.now();
    const recorded: RecordedSample[] = [];
    metrics.iterations.inc(this.#labels);
    for (const rule of this.rules) {
      if (this.#stop.signal.aborted) return;
      await this.#evaluateRule(rule, atMs, recorded);
    }
    if (recorded.length > 0) await record(recorded);
    if (this.rules.some(({ work }) => work instanceof AlertingState)) alertsMoved();
    this.lastEvalMs = atMs;
    this.evalSeconds = (performance.now() - started) / 1000;
    metrics.groupSeconds.observe(this.evalSeconds);
    metrics.groupLastDuration.set(this.#labels, this.evalSeconds);
    metrics.groupLastTime.set(this.#labels, atMs / 1000);
    metrics.groupLastSamples.set(this.#labels, recorded.length);
  }

  async #evaluateRule(status: RuleStatus, atMs: number, recorded: RecordedSample[]): Promise<void> {
    const { metrics, log, tenant } = this.#context;
    const { work } = status;
    const started = performance.now();
    metrics.evaluations.inc(this.#labels);
    try {
      const samples = await this.#ask(work.rule.expr, atMs);
      if (work instanceof AlertingState) await this.#evaluateAlerts(work, samples, atMs);
      else recorded.push(...work.evaluate(samples, atMs, this.group.limit));
      status.health = "ok";
      status.lastError = "";
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      status.health = "err";
      status.lastError = messageOf(error);
      metrics.evaluationFailures.inc(this.#labels);
      log.warn({ tenant, group: this.#name, rule: work.rule.name, error: messageOf(error) }, "rule evaluation failed");
    } finally {
      status.lastEvalMs = atMs;
      status.evalSeconds = (performance.now() - started) / 1000;
      metrics.evaluationSeconds.observe(status.evalSeconds);
    }
  }

  async #evaluateAlerts(work: AlertingState, samples: Awaited<ReturnType<RuleQuery>>, atMs: number): Promise<void> {
    const { tenant, log, graceMs, externalLabels, externalUrl, resendDelayMs, notify } = this.#context;
    const context: AlertingContext = {
      nowMs: atMs,
      query: (expr) => this.#ask(expr, atMs),
      externalLabels,
      externalUrl,
      graceMs,
      onTemplateError: (error) => log.warn({ tenant, group: this.#name, rule: work.rule.name, error }, "a template of an alert failed"),
    };
    await work.evaluate(samples, atMs, this.group.limit, context);
    const due = work.takeDue(atMs, resendDelayMs);
    if (due.length > 0) notify(due, work.rule.expr, atMs + VALID_INTERVALS * Math.max(resendDelayMs, this.intervalMs));
  }

  #ask(expr: string, atMs: number): ReturnType<RuleQuery> {
    const behindMs = this.#context.evaluationDelayMs() + this.group.queryOffsetMs;
    return this.#context.query(this.#context.tenant, expr, atMs - behindMs, this.#stop.signal);
  }
}
