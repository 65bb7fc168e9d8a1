import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { rulerSchema } from "../../../server/config/ruler.ts";
import type { Alert } from "../../../server/ruler/alert.ts";
import { explorePath, Notifier } from "../../../server/ruler/notifier.ts";
import { createRulerMetrics } from "../../../server/ruler/ruler-metrics.ts";
import { alertmanagerSettings } from "../../../server/ruler/settings.ts";
import { silentLog } from "../../silent-log.ts";
import { type FakeRemote, fakeRemote, settle } from "./fake-remote.ts";

const START = Date.UTC(2026, 0, 1);
let remote: FakeRemote;
let registry: Registry;
const open: Notifier[] = [];

beforeEach(async () => {
  remote = await fakeRemote();
  registry = new Registry();
});
afterEach(async () => {
  await remote.close();
  await Promise.all(open.splice(0).map((notifier) => notifier.close()));
});

function notifierOf(ruler: object, limits: object = {}): Notifier {
  const config = rulerSchema.parse({ alertmanager_url: remote.url, ...ruler });
  const notifier = new Notifier({
    tenant: "t1",
    settings: alertmanagerSettings(config, limitsSchema.parse(limits)),
    externalUrl: config.external_url,
    externalLabels: config.external_labels,
    datasourceUid: config.datasource_uid,
    clock: manualClock(START),
    log: silentLog,
    metrics: createRulerMetrics(registry),
    lookUp: async (name) => {
      expect(name).toBe("_web._tcp.am.example");
      return [{ name: "127.0.0.1", port: Number(new URL(remote.url).port) }];
    },
  });
  open.push(notifier);
  return notifier;
}

const alert = (labels: Record<string, string> = { alertname: "A", job: "a" }, fields: Partial<Alert> = {}): Alert => ({
  labels: { names: Object.keys(labels), values: Object.values(labels) },
  annotations: [["summary", "s"]],
  state: "firing",
  value: 1,
  activeAtMs: START - 120_000,
  firedAtMs: START - 60_000,
  resolvedAtMs: 0,
  lastSentAtMs: 0,
  keepFiringSinceMs: 0,
  ...fields,
});

async function metric(name: string): Promise<number> {
  const { values } = await registry.getSingleMetric(name)!.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

async function sent(notifier: Notifier, alerts: readonly Alert[]): Promise<Record<string, unknown>[]> {
  notifier.send(alerts, 'vector(1) > "x"', START + 240_000);
  await remote.requests(1);
  return JSON.parse(remote.received[0]!.body.toString()) as Record<string, unknown>[];
}

describe("a request", () => {
  test("has what Alertmanager's API asks for, and who the tenant is", async () => {
    const notifier = notifierOf({ external_url: "http://grafana/", external_labels: { cluster: "c1", job: "ext" }, datasource_uid: "u1" });
    expect(await sent(notifier, [alert()])).toEqual([
      {
        labels: { cluster: "c1", job: "a", alertname: "A" },
        annotations: { summary: "s" },
        startsAt: "2025-12-31T23:59:00.000Z",
        endsAt: "2026-01-01T00:04:00.000Z",
        generatorURL: `http://grafana${explorePath('vector(1) > "x"', "u1")}`,
      },
    ]);
    expect(remote.received[0]).toMatchObject({
      path: "/api/v2/alerts",
      headers: { "content-type": "application/json", "x-scope-orgid": "t1" },
    });
  });
  test("a resolved alert ends when it was resolved", async () =>
    expect(await sent(notifierOf({}), [alert(undefined, { state: "inactive", resolvedAtMs: START - 1000 })])).toMatchObject([
      { endsAt: "2025-12-31T23:59:59.000Z" },
    ]));
  test("the link leads to Explore with the query in it", () =>
    expect(explorePath('sum(rate({a="b"}[5m])) > 1', "uid")).toBe(
      "/explore?left=%7B%22queries%22%3A%5B%7B%22expr%22%3A%22sum%28rate%28%7Ba%3D%5C%22b%5C%22%7D%5B5m%5D%29%29+%5Cu003e+1%22%2C%22queryType%22%3A%22range%22%2C%22datasource%22%3A%7B%22type%22%3A%22loki%22%2C%22uid%22%3A%22uid%22%7D%7D%5D%7D",
    ));
  test("relabelling changes and drops alerts", async () => {
    const notifier = notifierOf({
      alert_relabel_configs: [
        { source_labels: ["job"], regex: "b", action: "drop" },
        { source_labels: ["job"], target_label: "team", replacement: "team-$1" },
      ],
    });
    const got = await sent(notifier, [alert({ job: "b" }), alert({ job: "a" })]);
    expect(got.map(({ labels }) => labels)).toEqual([{ job: "a", team: "team-a" }]);
  });
  test("64 alerts go into one", async () => {
    const notifier = notifierOf({});
    expect(
      await sent(
        notifier,
        Array.from({ length: 100 }, () => alert()),
      ),
    ).toHaveLength(64);
    await remote.requests(2);
    expect(JSON.parse(remote.received[1]!.body.toString())).toHaveLength(36);
  });
  for (const [name, client, header] of [
    ["basic auth", { basic_auth_username: "u", basic_auth_password: "p" }, `Basic ${Buffer.from("u:p").toString("base64")}`],
    ["a token", { credentials: "abc" }, "Bearer abc"],
    ["a token of another type", { type: "Token", credentials: "abc" }, "Token abc"],
  ] as const) {
    test(`${name} is sent`, async () => {
      await sent(notifierOf({ alertmanager_client: client }), [alert()]);
      expect(remote.received[0]!.headers.authorization).toBe(header);
    });
  }
  test("credentials of the URL are sent", async () => {
    await sent(notifierOf({ alertmanager_url: remote.url.replace("//", "//u:p@") }), [alert()]);
    expect(remote.received[0]!.headers.authorization).toBe(`Basic ${Buffer.from("u:p").toString("base64")}`);
  });
  test("a tenant's own Alertmanager is asked, the rest stays as it is", async () => {
    const notifier = notifierOf(
      { alertmanager_url: "http://127.0.0.1:1", alertmanager_client: { credentials: "abc" } },
      { ruler_alertmanager_config: { alertmanager_url: `${remote.url}/am/`, enable_alertmanager_v2: false } },
    );
    await sent(notifier, [alert()]);
    expect(remote.received[0]).toMatchObject({ path: "/am/api/v1/alerts", headers: { authorization: "Bearer abc" } });
  });
  test("Alertmanagers are found by SRV records", async () => {
    await sent(notifierOf({ alertmanager_url: "http://_web._tcp.am.example/x", enable_alertmanager_discovery: true }), [alert()]);
    expect(remote.received[0]!.path).toBe("/x/api/v2/alerts");
  });
});

describe("an Alertmanager in trouble", () => {
  test("that answers 500 costs the batch, and is counted", async () => {
    remote.answer = () => 500;
    await sent(notifierOf({}), [alert(), alert()]);
    await settle(() => remote.received.length === 1);
    await settle(() => true);
    await expect.poll(() => metric("loki_prometheus_notifications_dropped_total")).toBe(2);
    expect(await metric("loki_prometheus_notifications_errors_total")).toBe(2);
  });
  test("does not matter when another takes the alerts", async () => {
    const notifier = notifierOf({ alertmanager_url: `http://127.0.0.1:1,${remote.url}` });
    await sent(notifier, [alert()]);
    await expect.poll(() => metric("loki_prometheus_notifications_sent_total")).toBe(2);
    await expect.poll(() => metric("loki_prometheus_notifications_errors_total")).toBe(1);
    expect(await metric("loki_prometheus_notifications_dropped_total")).toBe(0);
  });
  test("that hangs is given up after the time-out, and the queue stays within its bound", async () => {
    remote.answer = () => "hang";
    const notifier = notifierOf({ notification_timeout: "100ms", notification_queue_capacity: 5 });
    for (let i = 0; i < 4; i++) {
      notifier.send(
        Array.from({ length: 3 }, (_, n) => alert({ n: `${i}-${n}` })),
        "x",
        START,
      );
    }
    await remote.requests(2);
    const [first, second] = remote.received.map(({ body }) =>
      (JSON.parse(body.toString()) as { labels: { n: string } }[]).map(({ labels }) => labels.n),
    );
    expect(first).toEqual(["0-0", "0-1", "0-2"]);
    expect(second).toEqual(["2-1", "2-2", "3-0", "3-1", "3-2"]);
    await expect.poll(() => metric("loki_prometheus_notifications_dropped_total")).toBe(12);
  });
  test("that is nowhere is no Alertmanager: nothing is queued or counted", async () => {
    notifierOf({ alertmanager_url: "" }).send([alert()], "x", START);
    expect(await metric("loki_prometheus_notifications_dropped_total")).toBe(0);
  });
  test("an SRV name of the wrong form is told, alerts are dropped and counted", async () => {
    notifierOf({ alertmanager_url: "http://am.example", enable_alertmanager_discovery: true }).send([alert()], "x", START);
    await expect.poll(() => metric("loki_prometheus_notifications_dropped_total")).toBe(1);
  });
});
