// The ways to a server, and folders of pods that it does not have.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseFolder } from "../../../../agent/discovery/kubernetes/pod-directories.ts";
import { makeCertificates } from "./certificates.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { createPod, deletePod } from "./test-api.ts";
import { nameOnly, until, type Viewing, view } from "./viewing.ts";

let folder: string;
let api: FakeApiServer;
let seen: Viewing | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kubernetes-way-"));
  api = await new FakeApiServer(makeCertificates(folder)).start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  api.thaw();
  await seen?.stop();
  await api.stop();
  rmSync(folder, { recursive: true });
});

const NO_WAY = { api_server: undefined, bearer_token: undefined, tls_config: undefined };
const sees = (...names: string[]): Promise<void> => until(names.join(), () => seen!.pods(nameOnly).join() === names.join());

describe("the way to the server", () => {
  test("inside a cluster, with the service account's folder", async () => {
    const account = join(folder, "var/run/secrets/kubernetes.io/serviceaccount");
    mkdirSync(account, { recursive: true });
    writeFileSync(join(account, "token"), api.token);
    writeFileSync(join(account, "ca.crt"), api.ca);
    writeFileSync(join(account, "namespace"), "own");
    vi.stubEnv("KUBERNETES_SERVICE_HOST", "127.0.0.1");
    vi.stubEnv("KUBERNETES_SERVICE_PORT", new URL(api.url).port);
    await createPod(api, { name: "a", node: "node-1", namespace: "own" });
    await createPod(api, { name: "b", node: "node-1", namespace: "also" });
    await createPod(api, { name: "c", node: "node-1", namespace: "other" });
    const namespaces = { own_namespace: true, names: ["also"] };
    seen = await view(api, { rootFolder: folder, config: { ...NO_WAY, namespaces } });
    await sees("a", "b");
  });
  test("outside of one, without another way: says what is missing", async () => {
    vi.stubEnv("KUBERNETES_SERVICE_HOST", "");
    seen = await view(api, { config: NO_WAY });
    expect(seen.logged.join("")).toContain("outside a cluster, give api_server or kubeconfig_file");
  });
  test("by a kubeconfig, also one that comes later", async () => {
    const file = join(folder, "kubeconfig");
    await createPod(api, { name: "a", node: "node-1" });
    seen = await view(api, { config: { ...NO_WAY, kubeconfig_file: file } });
    await until("a word", () => seen!.logged.join("").includes("cannot begin"));
    const clusters = [{ name: "c", cluster: { server: api.url, "certificate-authority": api.caFile } }];
    const users = [{ name: "u", user: { token: api.token } }];
    const contexts = [{ name: "x", context: { cluster: "c", user: "u" } }];
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "Config", clusters, users, contexts, "current-context": "x" }));
    await sees("a");
  });
  test("by basic authentication and extra headers", async () => {
    let headers: object = {};
    api.fault = (request, response) => {
      headers = response.req.headers;
      return request.kind === "write";
    };
    const config = { bearer_token: undefined, basic_auth: { username: "u", password: "p" }, http_headers: { "X-Team": { values: ["a"] } } };
    seen = await view(api, { config });
    expect(headers).toMatchObject({ authorization: "Basic dTpw", "x-team": "a" });
  });
});

describe("folders of pods", () => {
  const UID = "11111111-2222-3333-4444-555555555555";
  const make = (name: string, ...containers: string[]): void => {
    for (const container of containers) mkdirSync(join(folder, "pods", name, container), { recursive: true });
  };
  const begin = async (more: object = {}): Promise<void> => {
    mkdirSync(join(folder, "pods"), { recursive: true });
    seen = await view(api, { config: { pod_log_directory: join(folder, "pods"), ...more } });
  };
  /** Some looks at the folders have found nothing to tell. */
  const looks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 250));

  test("one that the API does not know is told of by its path, until it is gone", async () => {
    make(`shop_web-1_${UID}`, "app", "proxy");
    await begin();
    await sees("web-1");
    const [group] = [...seen!.told.values()];
    expect(group!.labels).toEqual({
      __meta_kubernetes_namespace: "shop",
      __meta_kubernetes_pod_name: "web-1",
      __meta_kubernetes_pod_uid: UID,
      __meta_kubernetes_pod_node_name: "node-1",
    });
    expect(group!.targets.map((target) => target.__meta_kubernetes_pod_container_name)).toEqual(["app", "proxy"]);
    rmSync(join(folder, "pods", `shop_web-1_${UID}`), { recursive: true });
    await until("withdrawn", () => seen!.told.size === 0);
  });
  test("one of a pod that is known is not", async () => {
    const uid = await createPod(api, { name: "known", node: "node-1" });
    const hash = "0123456789abcdef0123456789abcdef";
    await createPod(api, { name: "static", node: "node-1", annotations: { "kubernetes.io/config.hash": hash } });
    make(`default_known_${uid}`, "main");
    make(`default_static_${hash}`, "main");
    await begin();
    await looks();
    expect([...seen!.told.keys()].filter((source) => source.startsWith("folder/"))).toEqual([]);
    expect(api.count("get")).toBe(0);
  });
  test("one that the API has and the watch has not told of yet is waited for", async () => {
    const uid = await createPod(api, { name: "slow", node: "node-1" });
    make(`default_slow_${uid}`, "main");
    api.fault = (request, response) => {
      if (request.kind !== "list") return false;
      response.end(JSON.stringify({ metadata: { resourceVersion: "100" }, items: [] }));
      return true;
    };
    api.freeze();
    const beginning = begin();
    await looks();
    api.thaw();
    await beginning;
    await sees("slow");
    expect([...seen!.told.keys()]).toEqual([`pod/${uid}`]);
  });
  test("while the API does not answer, nothing is told for five minutes; then its answer replaces the path's", async () => {
    const uid = await createPod(api, { name: "a", node: "node-1" });
    make(`default_a_${uid}`, "main");
    await api.stop();
    mkdirSync(join(folder, "pods"), { recursive: true });
    seen = await view(api, { speed: 500, config: { pod_log_directory: join(folder, "pods") } });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(seen.pods()).toEqual([]);
    await sees("a");
    expect([...seen.told.keys()]).toEqual([`folder/default_a_${uid}`]);
    await api.start();
    await until("the API's", () => [...seen!.told.keys()].join() === `pod/${uid}`);
  });
  test("of other namespaces, and where pods are selected: not looked at", async () => {
    make(`shop_web-1_${UID}`, "app");
    await begin({ namespaces: { names: ["other"] } });
    await looks();
    expect(seen!.told.size).toBe(0);
    await seen!.stop();
    await begin({ selectors: [{ role: "pod", label: "a=b" }] });
    await looks();
    expect(seen!.told.size).toBe(0);
  });
  test("a pod that was told of and is deleted does not come back by its path", async () => {
    const uid = await createPod(api, { name: "a", node: "node-1" });
    make(`default_a_${uid}`, "main");
    await begin();
    await sees("a");
    await deletePod(api, "a");
    await until("withdrawn", () => seen!.told.size === 0);
    await looks();
    expect(seen!.told.size).toBe(0);
  });
  for (const [name, want] of [
    [`shop_web-1.x_${UID}`, { namespace: "shop", pod: "web-1.x", uid: UID }],
    [
      "kube-system_etcd_0123456789abcdef0123456789abcdef",
      { namespace: "kube-system", pod: "etcd", uid: "0123456789abcdef0123456789abcdef" },
    ],
    [UID, undefined],
    ["shop_web", undefined],
    [`shop_web_${UID}.tmp`, undefined],
    [`Shop_web_${UID}`, undefined],
  ] as const) {
    test(`name ${name}`, () => expect(parseFolder(name)).toEqual(want && { name, ...want }));
  }
});
