// A node whose pods come, log, rotate, restart and go without pause: no line is lost, each has its namespace, pod and container, a new
// pod's first line is there soon, and memory stays bounded. Small here; at full size with SKALD_FAULTS_MINUTES=10 SKALD_FAULTS_PODS=200,
// where SKALD_FAULTS_REPORT names a file for the figures.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { PushServer } from "../agent/client/harness.ts";
import { makeCertificates } from "../agent/discovery/kubernetes/certificates.ts";
import { FakeApiServer } from "../agent/discovery/kubernetes/fake-api-server.ts";
import { createPod, deletePod, runPod } from "../agent/discovery/kubernetes/test-api.ts";
import { type ArrivedLine, ContainerLog, parseEntry } from "./pod-logs.ts";
import { freePort, isReady, type Program, sleep, startSkald, until } from "./processes.ts";

const MINUTES = Number(process.env.SKALD_FAULTS_MINUTES ?? 0.1);
const PODS = Number(process.env.SKALD_FAULTS_PODS ?? 12);
const SEED = Number(process.env.SKALD_FAULTS_SEED ?? 20261126);
const FULL = PODS >= 100;
/** Where others keep the machine busy, the time until a line is there would be theirs. */
const PRIORITY = FULL && process.getuid?.() === 0 ? ["nice", "-n", "-15"] : [];
const CONTAINERS = ["app", "proxy", "metrics"];
const TICK_MS = 250;
/** Kubelet takes a deleted pod's folder away some time after the pod. */
const FOLDER_KEPT_MS = 5_000;
/** The same of a pod that the API never told of: the agent finds it when it looks through the node's folders. */
const UNSEEN_KEPT_MS = 30_000;
/** It looks every ten seconds whether a log is to be rotated, and restarts what has run for a while. */
const YOUNG_MS = 2_000;

interface LivePod {
  readonly name: string;
  readonly logs: readonly ContainerLog[];
  readonly madeMs: number;
}

const folder = mkdtempSync(join(tmpdir(), "skald-churn-"));
let agent: Program | undefined;
afterAll(async () => {
  await agent?.stop("SIGKILL");
  if (process.env.SKALD_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

test(`${PODS} pods, churned for ${MINUTES * 60} s (seed ${SEED})`, { timeout: 120_000 + MINUTES * 60_000 * 1.5 }, async () => {
  const random = seededRandom(SEED);
  const api = await new FakeApiServer(makeCertificates(folder)).start();
  const sink = await PushServer.open();
  const port = await freePort();
  const cluster = new Cluster(api, random);
  const tally = new Tally();
  for (let i = 0; i < PODS; i++) await cluster.add();
  writeFileSync(join(folder, "agent.yaml"), agentConfig(api, sink.url, port));
  agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"), {
    within: PRIORITY,
    env: { HOSTNAME: "node-1" },
  });
  await until("agent ready", () => isReady(port), 30_000);
  await until("the first lines", () => tally.take(sink) >= PODS, 30_000);
  cluster.settled();

  const memory = new Memory(agent.pid);
  const endMs = Date.now() + MINUTES * 60_000;
  while (Date.now() < endMs) {
    const startedMs = Date.now();
    await cluster.tick();
    tally.take(sink);
    memory.look();
    await sleep(Math.max(10, TICK_MS - (Date.now() - startedMs)));
  }
  await until(
    "every line",
    () => {
      tally.take(sink);
      return tally.count >= cluster.written;
    },
    30_000,
  ).catch(() => {});
  const lost = cluster.all.flatMap(({ logs }) => logs).filter((log) => tally.of(log).size !== log.written);
  const shown = lost.slice(0, 5).map((log) => `${log.place.pod}/${log.place.container}: ${missingOf(tally.of(log), log.written)}`);
  const firstMs = tally.firstLatencies(cluster.lateLogs);
  const report =
    `${PODS} pods x ${CONTAINERS.length} containers, ${MINUTES} min: ${cluster.made} pods made, ${cluster.deleted} deleted, ` +
    `${cluster.unseen} never in the API, ${cluster.restarts} restarts, ${cluster.rotations} rotations; ${cluster.written} lines, ` +
    `${cluster.written - tally.count} lost, ${tally.repeated} repeated; first line after ${percentile(firstMs, 0.5)} ms (p50), ` +
    `${percentile(firstMs, 0.99)} ms (p99), ${firstMs.at(-1)} ms (longest); memory ${memory.report()}`;
  if (process.env.SKALD_FAULTS_REPORT !== undefined) appendFileSync(process.env.SKALD_FAULTS_REPORT, `${report}\n`);
  expect(shown, `${report}\n${readFileSync(join(folder, "agent.log"), "utf8").slice(-4000)}`).toEqual([]);
  expect(tally.wrongLabels).toEqual([]);
  expect([lost.length, tally.repeated]).toEqual([0, 0]);
  if (FULL) expect(percentile(firstMs, 0.99), report).toBeLessThanOrEqual(1_000);
  if (FULL) expect(memory.mostBytes, report).toBeLessThanOrEqual(150 * 1024 * 1024);
  await agent.stop();
  await Promise.all([api.stop(), sink.close()]);
});

/** The node's pods, in the API and on the disk. */
class Cluster {
  made = 0;
  deleted = 0;
  unseen = 0;
  restarts = 0;
  rotations = 0;
  readonly all: LivePod[] = [];
  /** Logs of containers that came while the agent was running. */
  lateLogs: ContainerLog[] = [];
  #live: LivePod[] = [];
  readonly #api: FakeApiServer;
  readonly #random: () => number;

  constructor(api: FakeApiServer, random: () => number) {
    this.#api = api;
    this.#random = random;
  }

  get written(): number {
    return this.all.reduce((sum, { logs }) => sum + logs.reduce((lines, log) => lines + log.written, 0), 0);
  }

  settled(): void {
    this.lateLogs = [];
  }

  async add(): Promise<void> {
    const name = `pod-${++this.made}`;
    const pod = { name, node: "node-1", containers: CONTAINERS, labels: { app: name } };
    const uid = await createPod(this.#api, pod);
    this.#begin(name, uid);
    await runPod(this.#api, pod);
  }

  /** It came and went while nobody told of it. */
  addUnseen(): void {
    const uid = `00000000-0000-4000-8000-${String(++this.unseen).padStart(12, "0")}`;
    const { logs } = this.#begin(`unseen-${this.unseen}`, uid);
    this.lateLogs = this.lateLogs.filter((log) => !logs.includes(log));
    this.#live.pop();
    setTimeout(() => logs[0]!.remove(), UNSEEN_KEPT_MS).unref();
  }

  #begin(name: string, uid: string): LivePod {
    const logs = CONTAINERS.map((container) => new ContainerLog(folder, { namespace: "default", pod: name, uid, container }));
    for (const log of logs) log.write();
    const pod: LivePod = { name, logs, madeMs: Date.now() };
    this.lateLogs.push(...logs);
    this.all.push(pod);
    this.#live.push(pod);
    return pod;
  }

  /** Every container logs now and then; a few pods come and go, restart and rotate. */
  async tick(): Promise<void> {
    for (const { logs } of this.#live) for (const log of logs) if (this.#random() < 0.2) log.write(1 + Math.floor(this.#random() * 3));
    for (let i = 0; i < Math.ceil(PODS / 100); i++) {
      const pod = this.#any();
      const container = pod.logs[Math.floor(this.#random() * CONTAINERS.length)]!;
      if (Date.now() - pod.madeMs < YOUNG_MS) continue;
      container.write(2);
      if (this.#random() < 0.5) {
        container.rotate();
        this.rotations++;
      } else {
        container.restart();
        this.restarts++;
      }
      container.write(1);
    }
    if (this.#random() < 0.5) await this.#replace();
    if (this.#random() < 0.05) this.addUnseen();
  }

  async #replace(): Promise<void> {
    const pod = this.#any();
    this.#live = this.#live.filter((other) => other !== pod);
    for (const log of pod.logs) log.write(2);
    await deletePod(this.#api, pod.name);
    this.deleted++;
    setTimeout(() => pod.logs[0]!.remove(), FOLDER_KEPT_MS).unref();
    await this.add();
  }

  #any(): LivePod {
    return this.#live[Math.floor(this.#random() * this.#live.length)]!;
  }
}

/** What arrived, by container. */
class Tally {
  count = 0;
  repeated = 0;
  readonly wrongLabels: ArrivedLine[] = [];
  readonly #lines = new Map<string, Set<number>>();
  readonly #firstMs = new Map<string, number>();

  /** Returns how many lines there are. */
  take(sink: PushServer): number {
    for (const { entries, atMs } of sink.requests.splice(0)) for (const entry of entries) this.#add(parseEntry(entry), atMs);
    return this.count;
  }

  #add(line: ArrivedLine, atMs: number): void {
    const { from, n, labels, writtenMs } = line;
    if (`${labels.namespace}/${labels.pod}/${labels.container}` !== from && this.wrongLabels.length < 10) this.wrongLabels.push(line);
    const lines = this.#lines.get(from) ?? new Set();
    this.#lines.set(from, lines);
    if (lines.has(n)) this.repeated++;
    else this.count++;
    lines.add(n);
    if (n === 1) this.#firstMs.set(from, atMs - writtenMs);
  }

  of({ place: { namespace, pod, container } }: ContainerLog): ReadonlySet<number> {
    return this.#lines.get(`${namespace}/${pod}/${container}`) ?? new Set();
  }

  firstLatencies(logs: readonly ContainerLog[]): number[] {
    const found = logs.map(({ place: { namespace, pod, container } }) => this.#firstMs.get(`${namespace}/${pod}/${container}`));
    return found.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  }
}

class Memory {
  mostBytes = 0;
  readonly #pid: number;
  readonly #seen: number[] = [];

  constructor(pid: number) {
    this.#pid = pid;
  }

  look(): void {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#pid}/status`, "utf8"))?.[1];
    const bytes = Number(kib) * 1024;
    this.#seen.push(bytes);
    this.mostBytes = Math.max(this.mostBytes, bytes);
  }

  report(): string {
    const mib = (bytes: number | undefined): string => `${Math.round((bytes ?? 0) / 1024 / 1024)} MiB`;
    return `${mib(this.#seen[0])} at first, ${mib(this.mostBytes)} at most, ${mib(this.#seen.at(-1))} at last`;
  }
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

function missingOf(got: ReadonlySet<number>, last: number): string {
  const missing = Array.from({ length: last }, (_, i) => i + 1).filter((n) => !got.has(n));
  return `${missing.length} of ${last}, ${missing[0]}..${missing.at(-1)}`;
}

function agentConfig(api: FakeApiServer, url: string, port: number): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "${url}", batchwait: 100ms}]
scrape_configs:
  - job_name: pods
    pipeline_stages: [{cri: {}}]
    kubernetes_sd_configs:
      - {role: pod, api_server: "${api.url}", bearer_token: ${api.token}, tls_config: {ca_file: ${api.caFile}}, pod_log_directory: ${folder}/pods}
    relabel_configs:
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
      - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
      - {source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, target_label: __path__, replacement: '${folder}/pods/*$1/*.log'}
`;
}
