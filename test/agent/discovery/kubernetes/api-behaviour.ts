// What discovery relies on in an API server, asked of it directly: the real one shows that it is so, and that the tests' own is alike.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, bindPod, createPod, deletePod, labelPod, must, podsPath, runPod, send, type TestApi } from "./test-api.ts";
import { until } from "./viewing.ts";

interface WatchLine {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: objects of the API as tests read them
  readonly object: any;
}

/** @param forget makes the server lose its memory of changes */
export function apiBehaviour(open: () => Promise<TestApi>, forget: () => Promise<void>): void {
  let api: TestApi;
  let abort: AbortController;
  beforeAll(async () => {
    api = await open();
    abort = new AbortController();
  }, 90_000);
  afterAll(() => abort.abort());

  const list = (query: string): Promise<Answer> => send(api, "GET", `/api/v1/pods?${query}`);
  const version = async (): Promise<string> => (await list("limit=1")).body.metadata.resourceVersion as string;
  async function watch(query: string): Promise<{ lines: WatchLine[]; ended: Promise<Answer> }> {
    const lines: WatchLine[] = [];
    const onLine = (line: string): void => void lines.push(JSON.parse(line) as WatchLine);
    const ended = send(api, "GET", `/api/v1/pods?watch=true&${query}`, { onLine, signal: abort.signal });
    ended.catch(() => {});
    return { lines, ended };
  }
  const shown = (lines: readonly WatchLine[]): string[] => lines.map(({ type, object }) => `${type} ${object.metadata.name}`);

  test("a list has a version, and its items a uid and no kind", async () => {
    await createPod(api, { name: "listed", node: "n1", initContainers: ["init"] });
    const { body } = await list("fieldSelector=spec.nodeName=n1");
    expect(body.metadata.resourceVersion).toMatch(/^\d+$/);
    const [item] = body.items;
    expect([item.kind, item.metadata.name, item.metadata.namespace, item.status.phase]).toEqual([
      undefined,
      "listed",
      "default",
      "Pending",
    ]);
    expect(item.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(item.metadata.resourceVersion).toMatch(/^\d+$/);
  });
  test("a list comes in pages of one version", async () => {
    for (const name of ["page-1", "page-2", "page-3"]) await createPod(api, { name, node: "pages" });
    const first = await list("fieldSelector=spec.nodeName=pages&limit=2");
    const rest = await list(`fieldSelector=spec.nodeName=pages&limit=2&continue=${encodeURIComponent(first.body.metadata.continue)}`);
    expect([first.body.items.length, rest.body.items.length, rest.body.metadata.continue ?? ""]).toEqual([2, 1, ""]);
    expect(rest.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });
  test("a watch by node sees its pods come, change and go, and no others", async () => {
    const { lines } = await watch(`fieldSelector=spec.nodeName=n2&resourceVersion=${await version()}`);
    await createPod(api, { name: "other", node: "n1" });
    await createPod(api, { name: "own", node: "n2" });
    await runPod(api, { name: "own" });
    await createPod(api, { name: "later" });
    await bindPod(api, "later", "n2");
    await labelPod(api, "later", { app: "x" });
    await deletePod(api, "own");
    await until("events", () => shown(lines).includes("DELETED own"));
    // How often a pod changes on its way is the server's matter.
    const steps = (name: string): string[] => [
      ...new Set(lines.filter(({ object }) => object.metadata.name === name).map(({ type }) => type)),
    ];
    expect([steps("own"), steps("later"), steps("other")]).toEqual([["ADDED", "MODIFIED", "DELETED"], ["ADDED", "MODIFIED"], []]);
    const last = lines.at(-1)!;
    expect([last.object.kind, last.object.status.phase]).toEqual(["Pod", "Running"]);
    expect(Number(last.object.metadata.resourceVersion)).toBeGreaterThan(Number(lines[0]!.object.metadata.resourceVersion));
  });
  test("a pod that is deleted with grace is changed first", async () => {
    await createPod(api, { name: "graceful", node: "n3" });
    const { lines } = await watch(`fieldSelector=spec.nodeName=n3&resourceVersion=${await version()}`);
    await must(api, "DELETE", `${podsPath()}/graceful`);
    await until("event", () => lines.length > 0);
    expect([lines[0]!.type, typeof lines[0]!.object.metadata.deletionTimestamp]).toEqual(["MODIFIED", "string"]);
    await deletePod(api, "graceful");
    await until("deleted", () => lines.at(-1)!.type === "DELETED");
  });
  test("a watch goes on from any version that is still there", async () => {
    const from = await version();
    await createPod(api, { name: "missed", node: "n4" });
    const { lines } = await watch(`fieldSelector=spec.nodeName=n4&resourceVersion=${from}`);
    await until("event", () => lines.length > 0);
    expect(shown(lines)).toEqual(["ADDED missed"]);
  });
  test("a watch ends when its time is up", async () => {
    const { ended } = await watch(`resourceVersion=${await version()}&timeoutSeconds=1`);
    expect((await ended).status).toBe(200);
  });
  test("of a version that is gone: status 200, and 410 in the stream", async () => {
    const from = await version();
    await createPod(api, { name: "unseen" });
    await forget();
    const { lines, ended } = await watch(`resourceVersion=${from}`);
    expect((await ended).status).toBe(200);
    expect(lines.map(({ type, object }) => [type, object.kind, object.code])).toEqual([["ERROR", "Status", 410]]);
  });
  test("of a version to come: 504 ResourceVersionTooLarge for a list", async () => {
    const { status, body } = await list("limit=1&resourceVersion=999999999");
    expect([status, body.details.causes[0].reason]).toEqual([504, "ResourceVersionTooLarge"]);
  });
  test("of a version to come: silence for a watch", async () => {
    const { ended } = await watch("resourceVersion=999999999&timeoutSeconds=1");
    const { status, text } = await ended;
    // Newer servers say that the version is too large.
    expect([status, text === "" || text.includes("Too large resource version")]).toEqual([status === 504 ? 504 : 200, true]);
  });
  test("a pod by its name, and one that there is not", async () => {
    await createPod(api, { name: "by-name" });
    const there = await send(api, "GET", `${podsPath()}/by-name`);
    const missing = await send(api, "GET", `${podsPath()}/no-such-pod`);
    expect([there.status, there.body.kind, missing.status, missing.body.reason]).toEqual([200, "Pod", 404, "NotFound"]);
  });
  test("a field selector that is not known: 400", async () => {
    const { status, body } = await list("fieldSelector=spec.colour=red");
    expect([status, body.kind]).toEqual([400, "Status"]);
    expect(body.message).toContain("field label not supported: spec.colour");
  });
  test("a wrong token: 401", async () => {
    const { status, body } = await send(api, "GET", "/api/v1/pods", { token: "wrong" });
    expect([status, body.kind, body.message]).toEqual([401, "Status", "Unauthorized"]);
  });
  test("a name that is taken: 409", async () => {
    await createPod(api, { name: "taken" });
    await expect(createPod(api, { name: "taken" })).rejects.toThrow(/409.*AlreadyExists/);
  });
}
