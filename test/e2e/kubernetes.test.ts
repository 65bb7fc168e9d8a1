// The agent as a DaemonSet runs it, with the Promtail Helm chart's configuration to the letter but for the port and the client's URL: the
// real process, in a mount namespace where /var/log and /run are the test's own, so that it finds its service account, the pods' folders
// and its positions where the configuration says.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { PushServer } from "../agent/client/harness.ts";
import { makeCertificates } from "../agent/discovery/kubernetes/certificates.ts";
import { FakeApiServer } from "../agent/discovery/kubernetes/fake-api-server.ts";
import { createPod, deletePod, type PodSpec, runPod } from "../agent/discovery/kubernetes/test-api.ts";
import { ContainerLog, parseEntry } from "./pod-logs.ts";
import { freePort, isReady, type Program, startSkald, until } from "./processes.ts";

const CHART = fileURLToPath(new URL("../../examples/kubernetes/promtail.yaml", import.meta.url));
const UNSHARE = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--mount"];

function whyNoNamespace(): string | undefined {
  try {
    execFileSync(UNSHARE[0]!, [...UNSHARE.slice(1), "mount", "--bind", tmpdir(), tmpdir()], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `no mount namespace can be made here: ${String(error).split("\n")[0]}`;
  }
}
const missing = whyNoNamespace();

const root = mkdtempSync(join(tmpdir(), "skald-kubernetes-"));
const certificates = makeCertificates(root);
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
let logs: string;
let api: FakeApiServer;
let sink: PushServer;
let port: number;
let agent: Program | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(root, "node-"));
  logs = join(folder, "log");
  const account = join(folder, "run/secrets/kubernetes.io/serviceaccount");
  for (const each of [join(logs, "pods"), join(folder, "run/promtail"), account]) mkdirSync(each, { recursive: true });
  api = await new FakeApiServer(certificates).start();
  sink = await PushServer.open();
  port = await freePort();
  writeFileSync(join(account, "token"), api.token);
  writeFileSync(join(account, "ca.crt"), certificates.ca);
  writeFileSync(join(account, "namespace"), "monitoring");
  const chart = readFileSync(CHART, "utf8");
  const config = chart.replace("http_listen_port: 3101", `http_listen_port: ${port}`).replace("http://loki-gateway", sink.origin);
  expect(config.split("\n").filter((line, i) => line !== chart.split("\n")[i]).length).toBe(2);
  writeFileSync(join(folder, "promtail.yaml"), config);
});
afterEach(async () => {
  await agent?.stop("SIGKILL");
  await Promise.all([api.stop(), sink.close()]);
});

async function startAgent(): Promise<void> {
  const mounts = `mount --bind "${logs}" /var/log && mount --bind "${folder}/run" /run && exec "$@"`;
  agent = startSkald(["agent", `-config.file=${folder}/promtail.yaml`], join(folder, "agent.log"), {
    within: [...UNSHARE, "sh", "-c", mounts, "sh"],
    env: { HOSTNAME: "node-1", KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: new URL(api.url).port },
  });
  await until("agent ready", () => isReady(port));
}

/** A pod in the API and its containers' folders. */
async function makePod(pod: PodSpec): Promise<ContainerLog[]> {
  const uid = await createPod(api, { node: "node-1", ...pod });
  await runPod(api, pod);
  return (pod.containers ?? ["main"]).map((container) => containerLog(pod.name, uid, container));
}
const containerLog = (pod: string, uid: string, container = "main"): ContainerLog =>
  new ContainerLog(logs, { namespace: "default", pod, uid, container });

const arrived = () => sink.requests.flatMap(({ entries }) => entries).map(parseEntry);
/** The labels of a container's lines, which are to be there from 1 on, in order, and once. */
function labelsOf({ place, written }: ContainerLog): Record<string, string> {
  const lines = arrived().filter(({ from }) => from === `${place.namespace}/${place.pod}/${place.container}`);
  expect(lines.map(({ n }) => n)).toEqual(Array.from({ length: written }, (_, i) => i + 1));
  const { filename: _, ...labels } = lines[0]!.labels;
  for (const line of lines) expect(line.labels).toMatchObject(labels);
  return labels;
}
const allArrived = (...each: ContainerLog[]): Promise<void> => {
  const want = each.reduce((sum, { written }) => sum + written, 0);
  return until(`${want} lines`, () => arrived().length >= want);
};

describe.skipIf(missing !== undefined)(`the Helm chart's configuration${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("pods of every kind, with the chart's labels", async () => {
    const web = await makePod({ name: "web-5d8f9c7b6d-x7k2p", containers: ["app", "proxy"], labels: { "app.kubernetes.io/name": "web" } });
    const plain = await makePod({ name: "plain" });
    // The API's mirror of a static pod has another uid than its folder.
    const hash = "0123456789abcdef0123456789abcdef";
    await createPod(api, { name: "etcd-node-1", node: "node-1", annotations: { "kubernetes.io/config.hash": hash } });
    const etcd = containerLog("etcd-node-1", hash);
    await createPod(api, { name: "elsewhere", node: "node-2" });
    const before = [...web, ...plain, etcd];
    for (const log of before) log.write(3);
    await startAgent();
    await allArrived(...before);
    const late = await makePod({ name: "late", labels: { app: "late-app", instance: "blue" } });
    const gone = containerLog("gone", "11111111-2222-3333-4444-555555555555");
    for (const log of [...before, ...late, gone]) log.write(2);
    await allArrived(...before, ...late, gone);
    const common = { namespace: "default", node_name: "node-1", stream: "stdout" };
    expect(labelsOf(web[0]!)).toEqual({ ...common, app: "web", job: "default/web", pod: "web-5d8f9c7b6d-x7k2p", container: "app" });
    expect(labelsOf(web[1]!)).toEqual({ ...common, app: "web", job: "default/web", pod: "web-5d8f9c7b6d-x7k2p", container: "proxy" });
    expect(labelsOf(plain[0]!)).toEqual({ ...common, app: "plain", job: "default/plain", pod: "plain", container: "main" });
    expect(labelsOf(etcd)).toEqual({ ...common, app: "etcd-node-1", job: "default/etcd-node-1", pod: "etcd-node-1", container: "main" });
    const want = { ...common, app: "late-app", job: "default/late-app", instance: "blue", pod: "late", container: "main" };
    expect(labelsOf(late[0]!)).toEqual(want);
    // The API has never had it: its path has to do.
    expect(labelsOf(gone)).toEqual({ ...common, app: "gone", job: "default/gone", pod: "gone", container: "main" });
  });

  test("rotation, restarts, deletion and a SIGKILL lose nothing", async () => {
    const all = await makePod({ name: "busy", containers: ["a", "b", "c"] });
    await startAgent();
    for (let round = 0; round < 4; round++) {
      for (const log of all) {
        log.write(50);
        log.rotate();
        log.write(50);
      }
      if (round === 1) {
        await agent!.stop("SIGKILL");
        for (const log of all) log.write(50);
        await startAgent();
      }
      all[round % 3]!.restart();
      await allArrived(...all.slice(0, 1));
    }
    for (const log of all) log.write(100);
    await deletePod(api, "busy");
    const lines = (log: ContainerLog): Set<number> =>
      new Set(arrived().flatMap(({ from, n }) => (from.endsWith(`/${log.place.container}`) ? [n] : [])));
    await until("all lines", () => all.every((log) => lines(log).size === log.written));
    // What was on its way at the SIGKILL may come twice, and nothing else.
    const repeated = arrived().length - all.reduce((sum, log) => sum + log.written, 0);
    expect(repeated).toBeLessThanOrEqual(3 * 200);
    const active = /promtail_targets_active_total (\d+)/;
    const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await until("no target left over", async () => active.exec(await metrics())?.[1] === "0");
  });
});
