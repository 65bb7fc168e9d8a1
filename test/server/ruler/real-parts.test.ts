// The whole way with real programs: lines are pushed, rules count them, a real Alertmanager has the alert and loses it again, a real
// Prometheus has the samples, also those of the time it was away.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { freePort, isReady, type Program, startSkald, until } from "../../e2e/processes.ts";

const isInstalled = (program: string): boolean => spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
const missing = ["prometheus", "prometheus-alertmanager"].filter((program) => !isInstalled(program));

const folder = mkdtempSync(join(tmpdir(), "skald-real-rules-"));
const children: ChildProcess[] = [];
const programs: Program[] = [];

afterAll(async () => {
  await Promise.all([...children.map((child) => end(child)), ...programs.map((program) => program.stop("SIGKILL"))]);
  rmSync(folder, { recursive: true, force: true });
});

function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: "ignore" });
  children.push(child);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

async function get<T>(url: string): Promise<T | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
  return response?.ok ? ((await response.json()) as T) : undefined;
}

async function post(url: string, body: string, type = "application/json"): Promise<number> {
  return (await fetch(url, { method: "POST", body, headers: { "content-type": type } })).status;
}

interface AlertmanagerAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly generatorURL: string;
}
interface PrometheusAnswer {
  readonly data: { readonly result: { readonly metric: Record<string, string>; readonly values: [number, string][] }[] };
}

describe.skipIf(missing.length > 0)(
  `rules with a real Alertmanager and Prometheus (not installed: ${missing.join(", ") || "none"})`,
  () => {
    test("an alert fires and resolves; samples are recorded, none is lost while Prometheus is away", { timeout: 60_000 }, async () => {
      const [skaldPort, alertmanagerPort, prometheusPort] = [await freePort(), await freePort(), await freePort()];
      writeFileSync(join(folder, "am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n");
      writeFileSync(join(folder, "prom.yml"), "global: {}\n");
      writeFileSync(join(folder, "skald.yaml"), skaldConfig(skaldPort, alertmanagerPort, prometheusPort));
      mkdirSync(join(folder, "rules/fake"), { recursive: true });
      writeFileSync(join(folder, "rules/fake/rules.yaml"), RULES);
      const startPrometheus = (): ChildProcess =>
        start("prometheus", [
          `--config.file=${join(folder, "prom.yml")}`,
          `--storage.tsdb.path=${join(folder, "prom-data")}`,
          `--web.listen-address=127.0.0.1:${prometheusPort}`,
          "--web.enable-remote-write-receiver",
        ]);
      const prometheus = startPrometheus();
      start("prometheus-alertmanager", [
        `--config.file=${join(folder, "am.yml")}`,
        `--storage.path=${join(folder, "am-data")}`,
        `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
        "--cluster.listen-address=",
      ]);
      programs.push(startSkald(["server", `-config.file=${join(folder, "skald.yaml")}`], join(folder, "skald.log")));
      await until("server ready", () => isReady(skaldPort));

      const alerts = () => get<AlertmanagerAlert[]>(`http://127.0.0.1:${alertmanagerPort}/api/v2/alerts?active=true`);
      const samples = (query: string) =>
        get<PrometheusAnswer>(`http://127.0.0.1:${prometheusPort}/api/v1/query?query=${encodeURIComponent(query)}`).then(
          (answer) => answer?.data.result ?? [],
        );
      await pushErrors(skaldPort, 5);

      await until("the alert is in Alertmanager", async () => (await alerts())?.length === 1);
      const [alert] = (await alerts())!;
      expect(alert).toMatchObject({
        labels: { alertname: "Errors", app: "shop", severity: "page", cluster: "test" },
        annotations: { summary: "5 errors in shop" },
      });
      expect(alert!.generatorURL).toMatch(/^http:\/\/grafana\/explore\?left=/);
      await until("samples are in Prometheus", async () => (await samples("app:errors:count{team='a'}[1m]")).length === 1);
      expect((await samples("app:errors:count{team='a'}[1m]"))[0]).toMatchObject({
        metric: { __name__: "app:errors:count", app: "shop", team: "a" },
        values: expect.arrayContaining([[expect.any(Number), "5"]]) as unknown,
      });

      await end(prometheus);
      await until("samples wait", async () => (await metric(skaldPort, "loki_ruler_wal_prometheus_remote_storage_samples_pending")) >= 2);
      startPrometheus();
      await until(
        "samples are sent",
        async () => (await metric(skaldPort, "loki_ruler_wal_prometheus_remote_storage_samples_pending")) === 0,
      );
      const times = (await samples("app:errors:count{team='a'}[1m]"))[0]!.values.map(([time]) => Math.round(time));
      const gaps = times.slice(1).filter((time, i) => time - times[i]! > 1);
      expect(gaps).toEqual([]);

      await until("the alert is resolved", async () => (await alerts())?.length === 0, 30_000);
      await until("the series has ended", async () => (await samples("app:errors:count")).length === 0);
      for (const name of ["failed_total", "dropped_total"])
        expect(await metric(skaldPort, `loki_ruler_wal_prometheus_remote_storage_samples_${name}`)).toBe(0);
      expect(await metric(skaldPort, "loki_prometheus_notifications_dropped_total")).toBe(0);
    });
  },
);

const RULES = `groups:
  - name: errors
    interval: 1s
    rules:
      - record: app:errors:count
        expr: sum by (app) (count_over_time({app="shop"} |= "error" [8s]))
        labels: {team: a}
      - alert: Errors
        expr: sum by (app) (count_over_time({app="shop"} |= "error" [8s])) > 1
        for: 1s
        labels: {severity: page}
        annotations: {summary: "{{ $value }} errors in {{ $labels.app }}"}
`;

function skaldConfig(port: number, alertmanagerPort: number, prometheusPort: number): string {
  return `auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, log_level: warn}
common: {path_prefix: ${join(folder, "data")}}
ruler:
  storage: {type: local, local: {directory: ${join(folder, "rules")}}}
  alertmanager_url: http://127.0.0.1:${alertmanagerPort}
  external_url: http://grafana/
  external_labels: {cluster: test}
  resend_delay: 2s
  remote_write:
    enabled: true
    clients:
      prom:
        url: http://127.0.0.1:${prometheusPort}/api/v1/write
        queue_config: {batch_send_deadline: 500ms, max_backoff: 500ms}
`;
}

async function pushErrors(port: number, count: number): Promise<void> {
  const values = Array.from({ length: count }, (_, i) => [`${BigInt(Date.now()) * 1_000_000n + BigInt(i)}`, `error ${i}`]);
  const body = JSON.stringify({ streams: [{ stream: { app: "shop" }, values }] });
  expect(await post(`http://127.0.0.1:${port}/loki/api/v1/push`, body)).toBe(204);
}

/** The sum of a metric's values; -1 when it is not there. */
async function metric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "gm"))].map(([, value]) => Number(value));
  return values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0);
}
