// Every fault of an API server, provoked on the real one: SKALD_FAULTS_KUBERNETES=1, after node scripts/build-kubernetes.mjs. After each,
// the targets are the server's pods again, by uid, none of another node and none left over. SKALD_FAULTS_REPORT names a file for the
// outcomes; docs/reliability-kubernetes.md has those of a run.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { makeCertificates } from "./certificates.ts";
import { RealApiServer, type RealOptions, realApiMissing } from "./real-api-server.ts";
import { createPod, deletePod, labelPod, must, send, type TestApi } from "./test-api.ts";
import { until, type Viewing, type ViewOptions, view } from "./viewing.ts";

const asked = process.env.SKALD_FAULTS_KUBERNETES !== undefined;
const folder = mkdtempSync(join(tmpdir(), "kubernetes-faults-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BINDING = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" };
// The real server takes three seconds to say that a version is too large.
const TIMING = { answerMs: 8_000, watchSeconds: 4, watchLateMs: 2_000 };
const NODE = "node-1";
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!asked || realApiMissing !== undefined)(
  `the real API server${asked ? "" : " (SKALD_FAULTS_KUBERNETES=1 asks for it)"}`,
  () => {
    let api: RealApiServer;
    let seen: Viewing;
    /** Views of one server are one, with the first one's log. */
    const logged: readonly string[] = [];
    let uids: Map<string, string>;
    let runs = 0;
    afterEach(async () => {
      await seen?.stop();
      await api.stop();
    });

    async function open(options: RealOptions & { readonly view?: ViewOptions } = {}, as?: Partial<TestApi>): Promise<void> {
      api = await new RealApiServer(join(folder, `run-${runs++}`), options).start();
      const isThere = async (): Promise<boolean> => (await send(api, "GET", "/api/v1/namespaces/default")).status === 200;
      await until("namespace default", isThere, 30_000);
      uids = new Map();
      await createPod(api, { name: "elsewhere", node: "node-2" });
      for (const name of ["a", "b", "c"]) await add(name);
      const seeing = { url: api.url, token: api.token, caFile: api.caFile, ca: api.ca, ...as };
      seen = await view(seeing, { speed: 5, timing: TIMING, ...options.view });
      await inStep();
    }
    async function add(name: string): Promise<void> {
      uids.set(name, await createPod(api, { name, node: NODE }));
    }
    async function remove(name: string): Promise<void> {
      await deletePod(api, name);
      uids.delete(name);
    }
    const wanted = (): string[] => [...uids].map(([name, uid]) => `${name}=${uid}`).sort();
    const inStep = (): Promise<void> => until(`${wanted()}`, () => JSON.stringify(seen.pods()) === JSON.stringify(wanted()), 60_000);

    /** What is known stays through the fault; then a change is made and arrives, without anything missed, twice or left over. */
    const fault = (name: string, options: Parameters<typeof open>[0], provoke: () => Promise<void>, mend: () => Promise<void>): void =>
      test(name, { timeout: 180_000 }, async () => {
        await open(options);
        const known = seen.pods();
        await provoke();
        expect(seen.pods()).toEqual(known);
        await mend();
        const mendedMs = Date.now();
        await add("later");
        await remove("a");
        await inStep();
        report(name, Date.now() - mendedMs);
      });
    function report(name: string, ms: number): void {
      const said = new Set(
        logged.flatMap((line) => /error="?([^"]{1,70})/.exec(line)?.[1] ?? /reason="?([^"]{1,70})/.exec(line)?.[1] ?? []),
      );
      const row = `| ${name} | ${uids.size} of ${uids.size} | ${(ms / 1000).toFixed(1)} s | ${[...said].slice(0, 3).join("; ") || "nothing"} |\n`;
      if (process.env.SKALD_FAULTS_REPORT !== undefined) appendFileSync(process.env.SKALD_FAULTS_REPORT, row);
    }
    const none = async (): Promise<void> => {};
    const restart = async (): Promise<void> => api.startServer();

    fault("watch closed in time, again and again", {}, () => pause(9_000), none);
    fault("crash (SIGKILL), started again", {}, () => api.stopServer("SIGKILL"), restart);
    fault("SIGTERM, started again", {}, () => api.stopServer("SIGTERM"), restart);
    fault("410 after a restart: changed while away", {}, none, async () => {
      await seen.stop();
      await add("meanwhile");
      await remove("b");
      await add("b");
      await api.stopServer("SIGTERM");
      await api.startServer();
      seen = await view(api, { speed: 5, timing: TIMING });
    });
    fault("410 after compaction", { flags: ["--etcd-compaction-interval=5s", "--watch-cache=false"] }, none, async () => {
      await seen.stop();
      for (let second = 0; second < 16; second++) {
        await labelPod(api, "c", { round: String(second) });
        await pause(1_000);
      }
      seen = await view(api, { speed: 5, timing: TIMING });
    });
    const freeze = async (): Promise<void> => {
      api.signalServer("SIGSTOP");
      await pause(15_000);
    };
    fault("frozen (SIGSTOP 15 s)", {}, freeze, async () => api.signalServer("SIGCONT"));
    const freezeEtcd = async (): Promise<void> => {
      api.signalEtcd("SIGSTOP");
      await pause(10_000);
    };
    fault("etcd stuck (SIGSTOP 10 s)", {}, freezeEtcd, async () => api.signalEtcd("SIGCONT"));
    fault("etcd lost, versions lower", {}, none, async () => {
      for (let i = 0; i < 60; i++) await labelPod(api, "c", { round: String(i) });
      await until("later version", () => seen.pods().length === 3);
      await pause(1_000);
      await api.loseEtcd();
      await until("namespace default", async () => (await send(api, "GET", "/api/v1/namespaces/default")).status === 200, 30_000);
      uids.clear();
      await add("a");
      await add("b");
    });
    fault("another CA and certificate", {}, none, async () => {
      const file = api.caFile;
      const other = makeCertificates(folder, "other");
      await api.stopServer("SIGKILL");
      api.useCertificates(other);
      await api.startServer();
      await until("refusal", () => /certificate/.test(seen.logged.join("")), 20_000);
      writeFileSync(file, readFileSync(other.caFile));
    });

    const rights = async (): Promise<void> => {
      const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }];
      await must(api, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", { body: { metadata: { name: "reader" }, rules } });
      await bind();
    };
    const bind = async (): Promise<void> => {
      const subjects = [{ kind: "User", name: "agent", apiGroup: BINDING.apiGroup }];
      const body = { metadata: { name: "reader" }, roleRef: BINDING, subjects };
      await must(api, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { body });
    };
    test("rights taken away and given back", { timeout: 120_000 }, async () => {
      await open({ tokens: ["agenttoken,agent,agent-uid"] });
      await seen.stop();
      await rights();
      seen = await view({ ...asTestApi(api), token: "agenttoken" }, { speed: 5, timing: TIMING });
      await inStep();
      await must(api, "DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reader");
      await until("refusal", () => seen.logged.join("").includes("needs get, list and watch"), 30_000);
      expect(seen.pods()).toEqual(wanted());
      await bind();
      const mendedMs = Date.now();
      await add("later");
      await inStep();
      report("RBAC taken away and given back", Date.now() - mendedMs);
    });
    test("a token that dies, and another in its file", { timeout: 120_000 }, async () => {
      await open();
      await seen.stop();
      const post = (path: string, body: object) => must(api, "POST", path, { body });
      await post("/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "agent" } });
      const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }];
      await post("/apis/rbac.authorization.k8s.io/v1/clusterroles", { metadata: { name: "reader" }, rules });
      const subjects = [{ kind: "ServiceAccount", name: "agent", namespace: "default" }];
      await post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { metadata: { name: "reader" }, roleRef: BINDING, subjects });
      const tokenFor = async (secret: string): Promise<string> => {
        const { uid } = (await post("/api/v1/namespaces/default/secrets", { metadata: { name: secret } })).body.metadata;
        const boundObjectRef = { kind: "Secret", apiVersion: "v1", name: secret, uid };
        const path = "/api/v1/namespaces/default/serviceaccounts/agent/token";
        return (await post(path, { spec: { boundObjectRef } })).body.status.token as string;
      };
      const file = join(folder, "agent-token");
      writeFileSync(file, await tokenFor("first"));
      seen = await view(api, { speed: 5, timing: TIMING, config: { bearer_token: undefined, bearer_token_file: file } });
      await inStep();
      await must(api, "DELETE", "/api/v1/namespaces/default/secrets/first");
      await until("refusal", () => seen.logged.join("").includes("401"), 40_000);
      expect(seen.pods()).toEqual(wanted());
      writeFileSync(file, await tokenFor("second"));
      const mendedMs = Date.now();
      await add("later");
      await inStep();
      report("token dies, a new one in its file", Date.now() - mendedMs);
    });
    test("429", { timeout: 120_000 }, async () => {
      const flags = ["--enable-priority-and-fairness=false", "--max-requests-inflight=1", "--max-mutating-requests-inflight=1"];
      await open({ flags, tokens: ["agenttoken,agent,agent-uid"] });
      await seen.stop();
      await rights();
      const asAgent = { ...asTestApi(api), token: "agenttoken" };
      seen = await view(asAgent, { speed: 5, timing: TIMING });
      await inStep();
      const crowd = Array.from({ length: 400 }, () => send(asAgent, "GET", "/api/v1/pods").then(({ status }) => status));
      const beganMs = Date.now();
      expect((await Promise.all(crowd)).filter((status) => status === 429).length).toBeGreaterThan(0);
      await add("later");
      await inStep();
      report("429 for a crowd of requests", Date.now() - beganMs);
    });
  },
);

function asTestApi({ url, token, caFile, ca }: TestApi): TestApi {
  return { url, token, caFile, ca };
}
