import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { apiBehaviour } from "./api-behaviour.ts";
import { makeCertificates } from "./certificates.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { RealApiServer, realApiMissing } from "./real-api-server.ts";
import { createPod, deletePod, must, runPod } from "./test-api.ts";
import { nameOnly, until, view } from "./viewing.ts";

const folder = mkdtempSync(join(tmpdir(), "kubernetes-api-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the tests' own API server", () => {
  let api: FakeApiServer | undefined;
  afterAll(() => api?.stop());
  apiBehaviour(
    async () => {
      api = await new FakeApiServer(makeCertificates(folder)).start();
      return api;
    },
    async () => api!.compact(),
  );
});

describe.skipIf(realApiMissing !== undefined)(`the real API server${realApiMissing === undefined ? "" : ` (${realApiMissing})`}`, () => {
  let api: RealApiServer;
  afterAll(() => api?.stop());
  apiBehaviour(
    async () => {
      api = await new RealApiServer(join(folder, "real")).start();
      await until("namespace default", async () => (await must(api, "GET", "/api/v1/namespaces")).body.items.some(isDefault), 30_000);
      return api;
    },
    async () => {
      // A new server's memory begins where it starts.
      await api.stopServer("SIGTERM");
      await api.startServer();
    },
  );

  test("targets of every role, through a restart", { timeout: 60_000 }, async () => {
    const roles = ["pod", "node", "service", "endpoints", "endpointslice", "ingress"] as const;
    await makeOneOfEach(api);
    const views = await Promise.all(roles.map((role) => view(api, { config: { role }, speed: 5 })));
    const targets = (i: number): number => [...views[i]!.told.values()].flatMap((group) => group.targets).length;
    await until("all roles", () => roles.every((_, i) => targets(i) > 0), 20_000);
    const [pods] = views;
    await until("address", () => pods!.pods(({ labels }) => `${labels.__meta_kubernetes_pod_ip}`).includes("10.244.0.7"));
    await api.stopServer("SIGKILL");
    await api.startServer();
    await createPod(api, { name: "after", node: "node-1" });
    await deletePod(api, "web");
    await until("in step", () => JSON.stringify(pods!.pods(nameOnly)) === '["after"]', 20_000);
    await Promise.all(views.map((each) => each.stop()));
    expect(views.flatMap(({ logged }) => logged).filter((line) => line.includes("could not make targets"))).toEqual([]);
  });
});

const isDefault = (namespace: { metadata: { name: string } }): boolean => namespace.metadata.name === "default";

async function makeOneOfEach(api: RealApiServer): Promise<void> {
  const post = (path: string, body: object) => must(api, "POST", path, { body });
  await post("/api/v1/nodes", { metadata: { name: "node-1" } });
  const status = { addresses: [{ type: "InternalIP", address: "10.0.0.1" }], daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } };
  await must(api, "PATCH", "/api/v1/nodes/node-1/status", { body: { status }, type: "application/strategic-merge-patch+json" });
  await createPod(api, { name: "web", node: "node-1" });
  await runPod(api, { name: "web" });
  await post("/api/v1/namespaces/default/services", {
    metadata: { name: "web" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  });
  const targetRef = { kind: "Pod", name: "web", namespace: "default" };
  const subsets = [{ addresses: [{ ip: "10.244.0.7", targetRef }], ports: [{ port: 80 }] }];
  await post("/api/v1/namespaces/default/endpoints", { metadata: { name: "web" }, subsets });
  const slice = {
    metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ port: 80 }],
  };
  await post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    ...slice,
    endpoints: [{ addresses: ["10.244.0.7"], targetRef }],
  });
  const backend = { service: { name: "web", port: { number: 80 } } };
  const rules = [{ host: "web.example", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }];
  await post("/apis/networking.k8s.io/v1/namespaces/default/ingresses", { metadata: { name: "web" }, spec: { rules } });
}
