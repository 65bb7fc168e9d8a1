// Everything that can happen to an API server and to the way to it. After each fault: what was known stayed known, and in the end the
// targets are the server's pods again, by uid, none of another node and none left over.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { FakeApiServer, type Fault, type SeenRequest, status } from "./fake-api-server.ts";
import { bindPod, createPod, deletePod, labelPod } from "./test-api.ts";
import { nameOnly, until, type Viewing, type ViewOptions, view } from "./viewing.ts";

let folder: string;
let certificates: Certificates;
let api: FakeApiServer;
let seen: Viewing | undefined;
/** Pods that are to be seen, by name. */
let uids: Map<string, string>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
  certificates = makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  api = await new FakeApiServer(certificates).start();
  uids = new Map();
});
afterEach(async () => {
  api.fault = undefined;
  api.thaw();
  await seen?.stop();
  await api.stop();
  seen = undefined;
});

async function add(...names: string[]): Promise<void> {
  for (const name of names) uids.set(name, await createPod(api, { name, node: "node-1" }));
}
function insert(count: number): void {
  for (let i = 0; i < count; i++) {
    const metadata = { name: `pod-${i}`, namespace: "default" };
    uids.set(metadata.name, api.insert("pods", { metadata, spec: { nodeName: "node-1", containers: [{ name: "main" }] }, status: {} }));
  }
}
/** Selected by node in the configuration itself: such a list does not come from the server's memory, which has no pages. */
const EVERYWHERE = { selectors: [{ role: "pod", field: "spec.nodeName=node-1" }] };
async function remove(name: string): Promise<void> {
  await deletePod(api, name);
  uids.delete(name);
}
const wanted = (): string[] => [...uids].map(([name, uid]) => `${name}=${uid}`).sort();
const inStep = (): Promise<void> => until(`${wanted()}`, () => JSON.stringify(seen!.pods()) === JSON.stringify(wanted()));
async function begin(options: ViewOptions = {}): Promise<Viewing> {
  await createPod(api, { name: "elsewhere", node: "node-2" });
  await add("a", "b");
  seen = await view(api, options);
  await inStep();
  return seen;
}
/** Requests of a kind are answered so, `times` over. */
function failing(kind: SeenRequest["kind"], times: number, answer: (response: ServerResponse, request: SeenRequest) => void): Fault {
  let left = times;
  return (request, response) => {
    if (request.kind !== kind || left-- <= 0) return false;
    answer(response, request);
    return true;
  };
}

describe("ordinary life", () => {
  test("pods come, change and go", async () => {
    await begin();
    await add("c");
    await remove("a");
    await labelPod(api, "b", { app: "x" });
    await until("label", () => seen!.pods(({ labels }) => labels.__meta_kubernetes_pod_label_app ?? "").includes("x"));
    await inStep();
  });
  test("a pod that is bound later comes at its binding", async () => {
    await begin();
    uids.set("late", await createPod(api, { name: "late" }));
    await bindPod(api, "late", "node-1");
    await inStep();
  });
  test("the start is done when the first list is told", async () => {
    await add("a");
    seen = await view(api, { speed: 1 });
    expect(seen.pods()).toEqual(wanted());
  });
  test("what comes in one piece is told in one update", async () => {
    await add("c", "d", "e", "f");
    await begin();
    expect(seen!.updates()).toBe(1);
  });
  test("a pod that comes and goes in one piece is told of all the same", async () => {
    await begin({ timing: { lingerMs: 20_000 } });
    await until("watch", () => api.watchCount === 1);
    const metadata = { name: "brief", namespace: "default", uid: "brief-uid", resourceVersion: "500" };
    const object = { metadata, spec: { nodeName: "node-1", containers: [{ name: "main" }] }, status: {} };
    api.tellWatches(["ADDED", "DELETED"].map((type) => `${JSON.stringify({ type, object })}\n`).join(""));
    await until("brief", () => seen!.pods(nameOnly).includes("brief"));
    await inStep();
  });
  test("a list of many pages is taken whole", async () => {
    insert(1100);
    seen = await view(api, { config: EVERYWHERE });
    await inStep();
    expect(api.count("list")).toBe(3);
  });
  test("a watch that ends in time is gone on with, without a new list", async () => {
    await begin({ timing: { watchSeconds: 1 } });
    api.endWatches();
    await add("c");
    await inStep();
    expect(seen!.logged.filter((line) => line.includes("level=warn"))).toEqual([]);
    expect(api.seen.filter(({ kind, parameters }) => kind === "list" && parameters.limit !== "1").length).toBe(1);
  });
  test("a watch takes its selectors and asks for bookmarks", async () => {
    await begin();
    await until("watch", () => api.watchCount === 1);
    const { parameters } = api.seen.find(({ kind }) => kind === "watch")!;
    expect(parameters).toMatchObject({ fieldSelector: "spec.nodeName=node-1", allowWatchBookmarks: "true", timeoutSeconds: "290" });
  });
  test("bookmarks move the version on", async () => {
    await begin();
    await until("watch", () => api.watchCount === 1);
    api.tellWatches(`{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"777"}}}\n`, "end");
    await until("second watch", () => api.count("watch") > 1 || api.seen.some(({ parameters }) => parameters.resourceVersion === "777"));
    expect(api.seen.at(-1)!.parameters.resourceVersion).toBe("777");
  });
});

describe("versions", () => {
  test("410 in the stream: lists anew, and what vanished goes", async () => {
    await begin();
    await until("watch", () => api.watchCount === 1);
    await api.stop();
    api.compact();
    await api.start();
    await Promise.all([add("c"), remove("a")]);
    api.compact();
    await inStep();
  });
  test("410 as an answer to the watch", async () => {
    api.fault = failing("watch", 1, (response) => status(response, 410, "too old resource version", "Expired"));
    await begin();
    await add("c");
    await inStep();
  });
  test("a page token that has expired: the list begins again", async () => {
    insert(700);
    let asked = 0;
    api.fault = ({ kind, parameters }) => {
      if (kind === "list" && parameters.continue !== undefined && asked++ === 0) api.compact();
      return false;
    };
    seen = await view(api, { config: EVERYWHERE });
    await inStep();
  });
  test("deleted and made again under the same name while away: the new uid replaces the old one", async () => {
    await begin();
    await api.stop();
    await api.start();
    await remove("a");
    await add("a");
    api.compact();
    await inStep();
  });
  test("a restored etcd is noticed, and its pods replace those it never had", async () => {
    await begin();
    await add("c", "d", "e");
    await inStep();
    await api.stop();
    api.loseEtcd();
    await api.start();
    uids.clear();
    await add("z");
    await inStep();
    expect(seen!.logged.join("")).toContain("listing anew");
  });
});

describe("the server is away", () => {
  test("for a while: what is known stays, and what happened meanwhile is caught up with", async () => {
    await begin();
    await api.stop();
    await until("failures", async () => (await seen!.metric("prometheus_sd_kubernetes_failures_total")) >= 3);
    expect(seen!.pods()).toEqual(wanted());
    await api.start();
    await add("c");
    await remove("a");
    await inStep();
  });
  test("from the start on: the start does not wait for it", async () => {
    await api.stop();
    seen = await view(api, {});
    expect(seen.pods()).toEqual([]);
    await api.start();
    await add("a");
    await inStep();
  });
  test("tries grow apart up to a minute", async () => {
    await begin();
    api.fault = (request, response) => {
      status(response, 500, `no ${request.kind}`);
      return true;
    };
    api.endWatches();
    await until("failures", async () => (await seen!.metric("prometheus_sd_kubernetes_failures_total")) >= 5);
    const waits = seen!.logged.flatMap((line) => [...line.matchAll(/again_in_ms=(\d+)/g)].map(([, ms]) => Number(ms)));
    for (const [i, ms] of waits.slice(0, 5).entries()) {
      expect(ms).toBeGreaterThanOrEqual(1000 * 2 ** i);
      expect(ms).toBeLessThanOrEqual(2000 * 2 ** i);
    }
    api.fault = undefined;
    await add("c");
    await inStep();
  });
  test("frozen before an answer", async () => {
    await begin({ timing: { answerMs: 200 } });
    api.freeze();
    api.endWatches();
    await until("failure", () => seen!.logged.join("").includes("no answer within 200 ms"));
    expect(seen!.pods()).toEqual(wanted());
    api.thaw();
    await add("c");
    await inStep();
  });
  test("frozen under an open watch: it is given up when it is overdue", async () => {
    await begin({ timing: { answerMs: 200, watchSeconds: 1, watchLateMs: 200 } });
    await until("watch", () => api.watchCount === 1);
    api.freeze();
    await until("failure", () => seen!.logged.join("").includes("the server is frozen"));
    api.thaw();
    await add("c");
    await inStep();
  });
  test("half-closed: headers, and then nothing of the list", async () => {
    api.fault = failing("list", 1, (response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.write('{"kind":"PodList",');
    });
    await add("a");
    seen = await view(api, { timing: { answerMs: 200 } });
    await inStep();
    expect(seen.logged.join("")).toContain("sent nothing more for 200 ms");
  });
  test("slow lists that go on are waited for", async () => {
    api.fault = failing("list", 1, (response) => {
      const text = JSON.stringify({ kind: "PodList", metadata: { resourceVersion: "100" }, items: [] });
      response.writeHead(200, { "Content-Type": "application/json" });
      for (const [i, letter] of [...text].entries()) setTimeout(() => response.write(letter), i * 8);
      setTimeout(() => response.end(), text.length * 8);
    });
    seen = await view(api, { timing: { answerMs: 300 } });
    await add("a");
    await inStep();
    expect(seen.logged.join("")).not.toContain("level=warn");
  });
});

describe("nonsense", () => {
  const cases: readonly [name: string, text: string, how: "end" | "cut" | undefined][] = [
    ["a line that is not JSON", "no json at all\n", undefined],
    ["a line that is cut off", '{"type":"ADDED","object":{"kind":"Po', "cut"],
    ["a stream that ends within a line", '{"type":"ADDED","object":{"kind":"Po', "end"],
    ["an object without metadata", '{"type":"ADDED","object":{"kind":"Pod"}}\n', undefined],
    ["an unknown kind of event", '{"type":"RENAMED","object":{"metadata":{"name":"x","uid":"u","resourceVersion":"1"}}}\n', undefined],
    ["an error within the stream", '{"type":"ERROR","object":{"code":500,"message":"etcd is unhappy"}}\n', "end"],
    ["nothing but null", "null\n", undefined],
  ];
  for (const [name, text, how] of cases) {
    test(`in a watch: ${name}`, async () => {
      await begin();
      await until("watch", () => api.watchCount === 1);
      api.tellWatches(text, how);
      await add("c");
      await inStep();
    });
  }
  for (const body of ["<html>proxy</html>", "{}", '{"metadata":{"resourceVersion":"5"},"items":[{}]}', "[]", "null"]) {
    test(`as a list: ${body}`, async () => {
      api.fault = failing("list", 1, (response) => response.end(body));
      await add("a");
      seen = await view(api);
      await inStep();
    });
  }
  test("an object that no targets can be made of spoils no other", async () => {
    await begin();
    await until("watch", () => api.watchCount === 1);
    const odd = { kind: "Pod", metadata: { name: "odd", namespace: "default", uid: "odd", resourceVersion: "101" } };
    api.tellWatches(`${JSON.stringify({ type: "ADDED", object: odd })}\n`);
    await add("c");
    await inStep();
    expect(seen!.logged.join("")).toContain("could not make targets");
  });
  test("a server that closes each watch at once is not asked without pause", async () => {
    api.fault = failing("watch", Number.POSITIVE_INFINITY, (response) => {
      response.writeHead(200);
      response.end('{"type":"ERROR","object":{"code":500,"message":"no"}}\n');
    });
    await begin();
    await until("failures", async () => (await seen!.metric("prometheus_sd_kubernetes_failures_total")) >= 4);
    const [first, second, third] = api.seen.filter(({ kind }) => kind === "watch").map(({ atMs }) => atMs);
    // Of time that runs fifty times as fast: one second, then two.
    expect(second! - first!).toBeGreaterThanOrEqual(18);
    expect(third! - second!).toBeGreaterThanOrEqual(38);
  });
});

describe("rights", () => {
  test("a token that is withdrawn, and a new one in its file", async () => {
    const file = join(folder, "token");
    writeFileSync(file, "first");
    api.tokens.add("first");
    await begin({ config: { bearer_token: undefined, bearer_token_file: file } });
    api.tokens.delete("first");
    api.endWatches();
    await until("refusal", () => seen!.logged.join("").includes("401"));
    expect(seen!.pods()).toEqual(wanted());
    api.tokens.add("second");
    writeFileSync(file, "second");
    await add("c");
    await inStep();
  });
  test("taken away and given back", async () => {
    await begin();
    api.forbidden.add(api.token);
    api.endWatches();
    await until("refusal", () => seen!.logged.join("").includes("needs get, list and watch"));
    expect(seen!.pods()).toEqual(wanted());
    api.forbidden.delete(api.token);
    await add("c");
    await inStep();
  });
  test("a selector that the server does not know is told as a mistake of the configuration", async () => {
    seen = await view(api, { config: { selectors: [{ role: "pod", field: "spec.colour=red" }] } });
    const text = "field label not supported: spec.colour; check role, selectors and namespaces";
    await until("refusal", () => seen!.logged.join("").includes(text));
  });
  test("429: waits as long as the server says", async () => {
    api.fault = failing("list", 1, (response) => {
      response.writeHead(429, { "Retry-After": "3" });
      response.end("Too many requests, please try again later.");
    });
    await add("a");
    seen = await view(api);
    await inStep();
    expect(seen.logged.join("")).toContain("again_in_ms=3000");
  });
  test("another CA, and then its file", async () => {
    const file = join(folder, "ca-in-use");
    writeFileSync(file, certificates.ca);
    await begin({ config: { tls_config: { ca_file: file } } });
    await api.stop();
    const other = makeCertificates(folder, "other");
    api.ca = other.ca;
    await api.start(other);
    await until("refusal", () => /certificate/.test(seen!.logged.join("")));
    expect(seen!.pods()).toEqual(wanted());
    writeFileSync(file, other.ca);
    await add("c");
    await inStep();
  });
});

describe("the end", () => {
  test("is quiet, with a watch open, and nothing is told afterwards", async () => {
    await begin();
    await until("watch", () => api.watchCount === 1);
    await seen!.stop();
    const before = seen!.updates();
    await add("c");
    await until("watch closed", () => api.watchCount === 0);
    expect(seen!.updates()).toBe(before);
    expect(seen!.logged.filter((line) => /level=(warn|error)/.test(line))).toEqual([]);
  });
  test("comes while nothing answers", async () => {
    await begin({ timing: { answerMs: 60_000 } });
    api.freeze();
    api.endWatches();
    await until("request", () => api.watchCount === 0);
    await seen!.stop();
  });
  test("a view is taken up again by the next one, also while the server is away", async () => {
    await begin();
    await seen!.stop();
    await api.stop();
    const next = await view(api);
    expect(next.pods()).toEqual(wanted());
    await api.start();
    await add("c");
    await remove("a");
    await until("in step", () => JSON.stringify(next.pods()) === JSON.stringify(wanted()));
    await next.stop();
  });
  test("equal configurations share one watch", async () => {
    await begin();
    const other = await view(api);
    expect(other.pods()).toEqual(wanted());
    await until("watch", () => api.watchCount === 1);
    expect(api.count("list")).toBe(1);
    await other.stop();
    await add("c");
    await inStep();
  });
  test("a deleted pod's targets stay a little", async () => {
    await begin({ timing: { lingerMs: 20_000 } });
    await remove("a");
    await add("c");
    await until("c", () => seen!.pods(nameOnly).includes("c"));
    expect(seen!.pods(nameOnly)).toEqual(["a", "b", "c"]);
    await inStep();
  });
});
