import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import type { AlertingState } from "../../../server/ruler/evaluate-alerting.ts";
import type { RecordedSample } from "../../../server/ruler/evaluate-recording.ts";
import { GroupRunner } from "../../../server/ruler/group-runner.ts";
import type { Sample } from "../../../server/ruler/query.ts";
import { readRuleGroup } from "../../../server/ruler/read-rules.ts";
import { createRulerMetrics } from "../../../server/ruler/ruler-metrics.ts";
import { Turnstile } from "../../../server/ruler/turnstile.ts";
import { silentLog } from "../../silent-log.ts";
import { settle } from "./fake-remote.ts";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1) + 12_345;
const ONE: readonly Sample[] = [{ labels: { names: ["job"], values: ["a"] }, value: 1 }];

function lab(
  options: { query?: (expr: string, timeMs: number, signal: AbortSignal) => Promise<readonly Sample[]>; delayMs?: number } = {},
) {
  const clock = manualClock(START);
  const registry = new Registry();
  const asked: { expr: string; timeMs: number }[] = [];
  const told: string[] = [];
  const recorded: RecordedSample[] = [];
  const context = {
    tenant: "t",
    query: async (_: string, expr: string, timeMs: number, signal: AbortSignal) => {
      asked.push({ expr, timeMs });
      return options.query === undefined ? ONE : options.query(expr, timeMs, signal);
    },
    clock,
    log: silentLog,
    metrics: createRulerMetrics(registry),
    turnstile: new Turnstile(1),
    defaultIntervalMs: MINUTE,
    resendDelayMs: MINUTE,
    graceMs: 0,
    externalUrl: "",
    externalLabels: {},
    groupLabel: true,
    evaluationDelayMs: () => options.delayMs ?? 0,
    notify: (alerts: readonly { state: string }[], expr: string, validUntilMs: number) =>
      void told.push(...alerts.map(({ state }) => `${state} ${expr} ${validUntilMs - clock.nowMs()}`)),
    record: async (samples: readonly RecordedSample[]) => void recorded.push(...samples),
    alertsMoved: () => {},
  };
  const metric = async (name: string): Promise<number> =>
    (await registry.getSingleMetric(`loki_prometheus_${name}`)!.get()).values[0]?.value ?? 0;
  const runner = (yaml: string): GroupRunner => new GroupRunner({ namespace: "ns", group: readRuleGroup(yaml) }, context);
  return { clock, registry, asked, told, recorded, metric, runner };
}

const ALERT = "name: g\nrules: [{alert: A, expr: vector(1)}]";
const RECORD = "name: g\nrules: [{record: r, expr: vector(1)}]";

describe("when a group is evaluated", () => {
  test("at points an interval apart, which stay through restarts", async () => {
    const { clock, asked, runner } = lab();
    const first = runner(RECORD);
    first.start();
    for (let i = 0; i < 3 * 60; i++) await clock.advance(1000);
    await first.stop();
    const again = runner(RECORD);
    again.start();
    for (let i = 0; i < 60; i++) await clock.advance(1000);
    await again.stop();
    const times = asked.map(({ timeMs }) => timeMs);
    expect(times).toHaveLength(4);
    expect(new Set(times.map((time) => time % MINUTE)).size).toBe(1);
    expect(times.map((time) => Math.floor((time - times[0]!) / MINUTE))).toEqual([0, 1, 2, 3]);
  });
  test("many groups are spread over the interval", async () => {
    const { clock, asked, runner } = lab();
    const runners = Array.from({ length: 500 }, (_, i) => runner(`name: g${i}\nrules: [{record: r, expr: vector(1)}]`));
    for (const one of runners) one.start();
    await clock.advance(MINUTE / 2);
    await settle(() => asked.length > 150);
    const half = asked.length;
    expect(half).toBeLessThan(350);
    await clock.advance(MINUTE / 2);
    await settle(() => asked.length === 500);
    await Promise.all(runners.map((one) => one.stop()));
  });
  test("points that pass while it is at work are missed and counted", async () => {
    let finish: (() => void) | undefined;
    const { clock, asked, runner, metric } = lab({
      query: () => new Promise((resolve) => (finish = () => resolve(ONE))),
    });
    const one = runner(RECORD);
    one.start();
    await clock.advance(MINUTE);
    await settle(() => asked.length === 1);
    await clock.advance(3.5 * MINUTE);
    finish!();
    await settle(() => asked.length === 2);
    const passed = Math.floor((clock.nowMs() - asked[0]!.timeMs) / MINUTE);
    expect(asked[1]!.timeMs - asked[0]!.timeMs).toBe(passed * MINUTE);
    expect(await metric("rule_group_iterations_missed_total")).toBe(passed - 1);
    finish!();
    await one.stop();
  });
  test("stopping breaks a query off, and that is no failure", async () => {
    const { clock, asked, runner, metric } = lab({
      query: (_, __, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("cancelled")))),
    });
    const one = runner(RECORD);
    one.start();
    await clock.advance(MINUTE);
    await settle(() => asked.length === 1);
    await one.stop();
    expect(await metric("rule_evaluation_failures_total")).toBe(0);
  });
  test("the query looks as far back as limits and group say; samples carry the evaluation's time", async () => {
    const { asked, recorded, runner } = lab({ delayMs: 5000 });
    await runner(`query_offset: 10s\n${RECORD}`).evaluate(START);
    expect(asked).toEqual([{ expr: "vector(1)", timeMs: START - 15_000 }]);
    expect(recorded).toMatchObject([{ timeMs: START, value: 1 }]);
  });
});

describe("what an evaluation does", () => {
  test("a firing alert is told, valid for four intervals", async () => {
    const { told, runner } = lab();
    await runner(ALERT).evaluate(START);
    expect(told).toEqual([`firing vector(1) ${4 * MINUTE}`]);
  });
  test("a query that fails is the rule's error; the other rules go on", async () => {
    const { recorded, runner, metric } = lab({
      query: async (expr) => {
        if (expr === "vector(2)") throw new Error("request timed out");
        return ONE;
      },
    });
    const one = runner("name: g\nrules: [{record: a, expr: vector(2)}, {record: b, expr: vector(1)}]");
    await one.evaluate(START);
    expect(one.rules.map(({ health, lastError }) => `${health} ${lastError}`)).toEqual(["err request timed out", "ok "]);
    expect(recorded).toHaveLength(1);
    expect(await metric("rule_evaluation_failures_total")).toBe(1);
    expect(await metric("rule_evaluations_total")).toBe(2);
    expect(await metric("rule_group_rules")).toBe(2);
  });
  test("an error leaves alerts as they are", async () => {
    let broken = false;
    const { runner } = lab({
      query: async () => {
        if (broken) throw new Error("away");
        return ONE;
      },
    });
    const one = runner(ALERT);
    await one.evaluate(START);
    broken = true;
    await one.evaluate(START + MINUTE);
    expect((one.rules[0]!.work as AlertingState).state).toBe("firing");
  });
});

describe("when a group changes", () => {
  test("rules that are still in it keep their alerts, those that are gone resolve and end", async () => {
    const { told, recorded, runner } = lab();
    const before = runner(
      "name: g\nrules: [{alert: A, expr: vector(1), for: 1m}, {alert: B, expr: vector(1)}, {record: r, expr: vector(1)}]",
    );
    await before.evaluate(START - MINUTE);
    const after = runner("name: g\nrules: [{alert: C, expr: vector(1)}, {alert: A, expr: vector(2), for: 1m}]");
    await after.takeOver(before);
    expect(told).toEqual([expect.stringMatching(/^firing/), "inactive vector(1) 0"]);
    expect(recorded.at(-1)).toMatchObject({ value: "stale" });
    await after.evaluate(START);
    expect(after.rules.map(({ work }) => (work as AlertingState).state)).toEqual(["firing", "firing"]);
  });
  test("a group that is gone leaves no metrics", async () => {
    const { registry, runner } = lab();
    const one = runner(RECORD);
    await one.evaluate(START);
    await one.retire();
    expect(await registry.metrics()).not.toContain('rule_group="ns;g"');
  });
});
