import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AlertingState } from "../../../server/ruler/evaluate-alerting.ts";
import { readRuleGroup } from "../../../server/ruler/read-rules.ts";
import type { Ruler } from "../../../server/ruler/ruler.ts";
import { type FakeRemote, fakeRemote, settle } from "./fake-remote.ts";
import { type RulerLab, rulerLab } from "./ruler-lab.ts";

let lab: RulerLab;
beforeEach(() => {
  lab = rulerLab();
});
afterEach(() => lab.close());

const group = (name: string, rule = "{alert: A, expr: vector(1)}", interval = "10s") =>
  readRuleGroup(`name: ${name}\ninterval: ${interval}\nrules: [${rule}]`);
const stateOf = (ruler: Ruler, tenant = "t"): string => {
  const work = ruler.runners(tenant)[0]?.rules[0]?.work;
  return work instanceof AlertingState ? work.state : "none";
};

describe("rules", () => {
  test("a group that the API writes is evaluated at once, of its tenant only, until it is removed", async () => {
    const ruler = await lab.open();
    await ruler.setGroup("t1", "ns", group("g"));
    await lab.pass(30);
    expect(new Set(lab.asked.map(({ tenant }) => tenant))).toEqual(new Set(["t1"]));
    expect(lab.asked).toHaveLength(3);
    expect(await ruler.removeGroup("t1", "ns", "g")).toBe(true);
    await lab.pass(30);
    expect(lab.asked).toHaveLength(3);
    expect(ruler.runners("t1")).toEqual([]);
  });
  test("files are looked at every poll interval", async () => {
    const ruler = await lab.open({ poll_interval: "15s" });
    mkdirSync(join(lab.folder, "rules/fake"), { recursive: true });
    writeFileSync(join(lab.folder, "rules/fake/a.yaml"), "groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]");
    await lab.clock.advance(15_000);
    await settle(() => ruler.runners("fake").length === 1);
    expect(ruler.runners("fake")[0]).toMatchObject({ namespace: "a.yaml", group: { name: "g" } });
  });
  test("names with semicolons are kept apart", async () => {
    const ruler = await lab.open();
    await ruler.setGroup("t", "a;b", group("c"));
    await ruler.setGroup("t", "a", group("b;c"));
    expect(ruler.runners("t")).toHaveLength(2);
  });
  test("tenants may be left out", async () => {
    const ruler = await lab.open({ disabled_tenants: "t1" });
    await ruler.setGroup("t1", "ns", group("g"));
    await ruler.setGroup("t2", "ns", group("g"));
    expect([ruler.runners("t1").length, ruler.runners("t2").length]).toEqual([0, 1]);
  });
  test("limits are held in Loki's words; a group that is replaced counts once", async () => {
    const ruler = await lab.open({}, { ruler_max_rule_groups_per_tenant: 1, ruler_max_rules_per_rule_group: 1 });
    await ruler.setGroup("t", "ns", group("g"));
    await ruler.setGroup("t", "ns", group("g"));
    await expect(ruler.setGroup("t", "ns", group("h"))).rejects.toThrow("per-user rule groups limit (limit: 1 actual: 2) exceeded");
    await expect(ruler.setGroup("t", "ns", group("g", "{record: a, expr: vector(1)}, {record: b, expr: vector(1)}"))).rejects.toThrow(
      "per-user rules per rule group limit (limit: 1 actual: 2) exceeded",
    );
  });
  test("a thousand groups are evaluated, each once per interval", async () => {
    mkdirSync(join(lab.folder, "rules/t"), { recursive: true });
    const groups = Array.from({ length: 1000 }, (_, i) => `  - {name: g${i}, interval: 1m, rules: [{record: r, expr: vector(${i})}]}`);
    writeFileSync(join(lab.folder, "rules/t/many.yaml"), `groups:\n${groups.join("\n")}\n`);
    const ruler = await lab.open();
    expect(ruler.runners("t")).toHaveLength(1000);
    for (let i = 0; i < 60; i++) await lab.clock.advance(1000);
    await settle(() => lab.asked.length >= 1000);
    expect(new Set(lab.asked.map(({ expr }) => expr)).size).toBe(1000);
  });
});

describe("a restart in the middle of for", () => {
  const FOR = "{alert: A, expr: vector(1), for: 1m}";
  test("goes on where it was; the time away does not count", async () => {
    let ruler = await lab.open({ for_grace_period: "0s" });
    await ruler.setGroup("t", "ns", group("g", FOR));
    await lab.pass(45);
    expect(stateOf(ruler)).toBe("pending");
    await ruler.close();
    await lab.clock.advance(600_000);
    ruler = await lab.open({ for_grace_period: "0s" });
    await lab.pass(15);
    expect(stateOf(ruler)).toBe("pending");
    await lab.pass(25);
    expect(stateOf(ruler)).toBe("firing");
  });
  test("killed without a word, it still knows what was a second ago", async () => {
    const killed = await lab.open({ for_grace_period: "0s" });
    await killed.setGroup("t", "ns", group("g", FOR));
    await lab.pass(45);
    const file = join(lab.folder, "alerts/t.json");
    const lastEval = `"lastEvalMs":${killed.runners("t")[0]!.lastEvalMs}`;
    await settle(() => existsSync(file) && readFileSync(file, "utf8").includes(lastEval));
    // What is on disk at this moment is all that the next server has.
    const next = rulerLab(lab.clock.nowMs());
    cpSync(lab.folder, next.folder, { recursive: true });
    const ruler = await next.open({ for_grace_period: "0s" });
    await next.pass(40);
    expect(stateOf(ruler)).toBe("firing");
    await next.close();
  });
  test("a firing alert goes on firing, also when its server was away longer than for", async () => {
    let ruler = await lab.open();
    await ruler.setGroup("t", "ns", group("g", FOR));
    await lab.pass(80);
    expect(stateOf(ruler)).toBe("firing");
    await ruler.close();
    await lab.clock.advance(600_000);
    ruler = await lab.open();
    expect(stateOf(ruler)).toBe("firing");
    await lab.pass(11);
    expect(stateOf(ruler)).toBe("firing");
  });
  test("after too long an outage it begins anew", async () => {
    let ruler = await lab.open();
    await ruler.setGroup("t", "ns", group("g", FOR));
    await lab.pass(80);
    await ruler.close();
    await lab.clock.advance(2 * 3_600_000);
    ruler = await lab.open({ for_outage_tolerance: "1h" });
    await lab.pass(11);
    expect(stateOf(ruler)).toBe("pending");
  });
  test("what was resolved and forgotten is not remembered", async () => {
    let ruler = await lab.open();
    await ruler.setGroup("t", "ns", group("g"));
    await lab.pass(11);
    await ruler.close();
    ruler = await lab.open();
    lab.answer = () => [];
    await lab.pass(11);
    await lab.clock.advance(16 * 60_000);
    await lab.pass(11);
    await ruler.close();
    expect(JSON.parse(readFileSync(join(lab.folder, "alerts/t.json"), "utf8"))).toEqual({ version: 1, groups: {} });
  });
  test("a damaged file of alerts is told, and the server starts", async () => {
    mkdirSync(join(lab.folder, "alerts"), { recursive: true });
    writeFileSync(join(lab.folder, "alerts/t.json"), '{"version":1,"groups":{"g":{"x":{}}}}');
    const ruler = await lab.open();
    await ruler.setGroup("t", "ns", group("g", FOR));
    await lab.pass(11);
    expect(stateOf(ruler)).toBe("pending");
  });
});

describe("to the outside", () => {
  let remote: FakeRemote;
  beforeEach(async () => {
    remote = await fakeRemote();
  });
  afterEach(() => remote.close());

  test("alerts reach the Alertmanager, a removed group's are resolved", async () => {
    const ruler = await lab.open({ alertmanager_url: remote.url });
    await ruler.setGroup("t", "ns", group("g"));
    await lab.pass(11);
    await remote.requests(1);
    await ruler.removeNamespace("t", "ns");
    await remote.requests(2);
    const [firing, resolved] = remote.received.map(({ body }) => (JSON.parse(body.toString()) as { endsAt: string }[])[0]!);
    expect(Date.parse(firing!.endsAt)).toBeGreaterThan(lab.clock.nowMs());
    expect(Date.parse(resolved!.endsAt)).toBe(lab.clock.nowMs());
  });
  test("an Alertmanager that hangs holds up neither evaluations nor the end", async () => {
    remote.answer = () => "hang";
    const ruler = await lab.open({ alertmanager_url: remote.url, resend_delay: "1s" });
    await ruler.setGroup("t", "ns", group("g"));
    await lab.pass(60);
    expect(lab.asked.length).toBeGreaterThanOrEqual(5);
    let closed = false;
    void ruler.close().then(() => (closed = true));
    for (let turn = 0; turn < 2000 && !closed; turn++) {
      await lab.pass(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(closed).toBe(true);
  });
  test("a query that times out is an error of its rule, and the next evaluation comes", async () => {
    lab.answer = () => new Error("request timed out");
    const ruler = await lab.open();
    await ruler.setGroup("t", "ns", group("g"));
    await lab.pass(21);
    expect(ruler.runners("t")[0]!.rules[0]).toMatchObject({ health: "err", lastError: "request timed out" });
    expect(lab.asked).toHaveLength(2);
  });
});
