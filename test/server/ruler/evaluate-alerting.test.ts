import { describe, expect, test } from "vitest";
import { RESOLVED_RETENTION_MS } from "../../../server/ruler/alert.ts";
import { type AlertingContext, AlertingState } from "../../../server/ruler/evaluate-alerting.ts";
import type { Sample } from "../../../server/ruler/query.ts";
import type { AlertingRule } from "../../../server/ruler/rules.ts";

const MINUTE = 60_000;

const context: AlertingContext = {
  nowMs: 0,
  query: async () => [],
  externalLabels: {},
  externalUrl: "",
  graceMs: 10 * MINUTE,
  onTemplateError: () => {},
};

function alerting(fields: Partial<AlertingRule> = {}): AlertingState {
  return new AlertingState({
    kind: "alerting",
    name: "A",
    expr: "q",
    labels: [],
    forMs: 0,
    keepFiringForMs: 0,
    annotations: [],
    ...fields,
  });
}

const series = (labels: Record<string, string>, value = 1): Sample => ({
  labels: { names: Object.keys(labels), values: Object.values(labels) },
  value,
});
const HOLDS = [series({ job: "a" })];

/** The state after each evaluation, a minute apart: `1` the expression holds, `0` it does not. */
async function states(state: AlertingState, pattern: string): Promise<string[]> {
  const seen: string[] = [];
  for (const [minute, holds] of [...pattern].entries()) {
    await state.evaluate(holds === "1" ? HOLDS : [], minute * MINUTE, 0, context);
    seen.push(state.state);
  }
  return seen;
}

for (const [name, fields, pattern, wanted] of [
  ["without for it fires at once", {}, "01", "inactive firing"],
  ["it is pending until for is over", { forMs: 2 * MINUTE }, "1111", "pending pending firing firing"],
  ["a gap begins for anew", { forMs: 2 * MINUTE }, "110111", "pending pending inactive pending pending firing"],
  ["it resolves at the first evaluation without it", {}, "10", "firing inactive"],
  ["it keeps firing for a while", { keepFiringForMs: 2 * MINUTE }, "10001", "firing firing firing inactive firing"],
  [
    "keep firing begins anew when it holds again",
    { keepFiringForMs: 2 * MINUTE },
    "1001001",
    "firing firing firing firing firing firing firing",
  ],
  ["a pending alert does not keep", { forMs: MINUTE, keepFiringForMs: MINUTE }, "10", "pending inactive"],
] as const) {
  test(name, async () => expect((await states(alerting(fields), pattern)).join(" ")).toBe(wanted));
}

describe("labels and annotations", () => {
  test("rule labels win over the result's, templates see the result's, alertname is the rule's", async () => {
    const state = alerting({
      labels: [
        ["alertname", "other"],
        ["job", "{{ $labels.job }}-x"],
        ["gone", "{{ $labels.nope }}"],
      ],
      annotations: [["summary", "{{ $labels.job }} {{ $value }}"]],
    });
    await state.evaluate([series({ __name__: "m", job: "a", pod: "p" }, 3)], 0, 0, context);
    expect(state.alerts[0]).toMatchObject({
      labels: { names: ["alertname", "job", "pod"], values: ["A", "a-x", "p"] },
      annotations: [["summary", "a 3"]],
      value: 3,
    });
  });
  test("value and annotations of an active alert follow the result", async () => {
    const state = alerting({ annotations: [["v", "{{ $value }}"]] });
    await state.evaluate([series({ job: "a" }, 1)], 0, 0, context);
    await state.evaluate([series({ job: "a" }, 2)], MINUTE, 0, context);
    expect(state.alerts[0]).toMatchObject({ value: 2, annotations: [["v", "2"]], activeAtMs: 0, firedAtMs: 0 });
  });
  test("two series that become one alert are an error", async () =>
    await expect(
      alerting({ labels: [["job", "same"]] }).evaluate([series({ job: "a" }), series({ job: "b" })], 0, 0, context),
    ).rejects.toThrow("vector contains metrics with the same labelset after applying alert labels"));
  test("more alerts than the limit are an error, and none is kept", async () => {
    const state = alerting();
    await expect(state.evaluate([series({ job: "a" }), series({ job: "b" })], 0, 1, context)).rejects.toThrow(
      "exceeded limit of 1 with 2 alerts",
    );
    expect(state.alerts).toEqual([]);
  });
});

describe("what is told", () => {
  const told = (state: AlertingState, atMs: number): string[] => state.takeDue(atMs, MINUTE).map(({ state: now }) => now);
  test("a firing alert at once and after the resend delay, a resolved one at once and again", async () => {
    const state = alerting();
    const start = 1000 * MINUTE;
    await state.evaluate(HOLDS, start, 0, context);
    expect(told(state, start)).toEqual(["firing"]);
    expect(told(state, start + 30_000)).toEqual([]);
    expect(told(state, start + MINUTE + 1)).toEqual(["firing"]);
    await state.evaluate([], start + MINUTE + 2, 0, context);
    expect(told(state, start + MINUTE + 2)).toEqual(["inactive"]);
    expect(told(state, start + MINUTE + 3)).toEqual([]);
    expect(told(state, start + 3 * MINUTE)).toEqual(["inactive"]);
  });
  test("a resolved alert is forgotten after a quarter of an hour", async () => {
    const state = alerting();
    await state.evaluate(HOLDS, 0, 0, context);
    await state.evaluate([], MINUTE, 0, context);
    await state.evaluate([], MINUTE + RESOLVED_RETENTION_MS, 0, context);
    expect(state.alerts).toHaveLength(1);
    await state.evaluate([], MINUTE + RESOLVED_RETENTION_MS + 1, 0, context);
    expect(state.alerts).toEqual([]);
  });
  test("a pending alert is not told", async () => {
    const state = alerting({ forMs: MINUTE });
    await state.evaluate(HOLDS, 0, 0, context);
    expect(told(state, 0)).toEqual([]);
  });
});

describe("after a restart", () => {
  /** Minutes until it fires, from the restart on; evaluations are a minute apart. */
  async function firesAfter(forMs: number, heldMs: number, awayMs: number): Promise<number> {
    const before = alerting({ forMs });
    const start = 1000 * MINUTE;
    for (let t = 0; t <= heldMs; t += MINUTE) await before.evaluate(HOLDS, start + t, 0, context);
    const after = alerting({ forMs });
    after.restore({ lastEvalMs: start + heldMs, alerts: before.alerts });
    for (let minutes = 0; minutes < 200; minutes++) {
      await after.evaluate(HOLDS, start + heldMs + awayMs + minutes * MINUTE, 0, context);
      if (after.state === "firing") return minutes;
    }
    return -1;
  }
  for (const [name, forMinutes, heldMinutes, awayMinutes, wanted] of [
    ["the rest of a short for is left", 5, 3, 4, 2],
    ["time away does not count", 60, 20, 30, 40],
    ["a long for leaves at least the grace period", 60, 59, 1, 10],
    ["what fired goes on firing", 5, 5, 4, 0],
  ] as const) {
    test(name, async () => expect(await firesAfter(forMinutes * MINUTE, heldMinutes * MINUTE, awayMinutes * MINUTE)).toBe(wanted));
  }
  test("an alert that ended while the server was away is resolved", async () => {
    const before = alerting();
    await before.evaluate(HOLDS, MINUTE, 0, context);
    before.takeDue(MINUTE, MINUTE);
    const after = alerting();
    after.restore({ lastEvalMs: MINUTE, alerts: before.alerts });
    await after.evaluate([], 3 * MINUTE, 0, context);
    expect(after.takeDue(3 * MINUTE, MINUTE)).toMatchObject([{ state: "inactive", resolvedAtMs: 3 * MINUTE }]);
  });
});
