import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readRuleGroup } from "../../../server/ruler/read-rules.ts";
import { RuleStore } from "../../../server/ruler/rule-store.ts";
import { silentLog } from "../../silent-log.ts";

let folder: string;
let reads: Record<string, boolean>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-rules-"));
  reads = {};
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function openStore(readOnly = false): Promise<RuleStore> {
  const store = new RuleStore({ folder, readOnly, log: silentLog, onRead: (tenant, complete) => (reads[tenant] = complete) });
  await store.load();
  return store;
}

const group = (name: string) => readRuleGroup(`name: ${JSON.stringify(name)}\nrules: [{record: r, expr: vector(1)}]`);
const shown = (store: RuleStore, tenant = "t"): string[] =>
  store.groups(tenant).map(({ namespace, group: { name } }) => `${namespace}/${name}`);
let written = 0;
function write(path: string, text: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
  // Two writes within a tick of the file system's clock would look alike.
  utimesSync(join(folder, path), 1_000_000, 1_000_000 + ++written);
}
const file = (...names: string[]): string =>
  `groups:\n${names.map((name) => `  - {name: ${name}, rules: [{record: r, expr: vector(1)}]}\n`).join("")}`;

describe("files of somebody's", () => {
  test("each is a namespace of its tenant, in order; hidden ones and folders of no tenant are left out", async () => {
    write("t/b.yaml", file("z", "a"));
    write("t/a.yml", file("one"));
    write("t/.hidden.yaml", "broken: [");
    write("a b/x.yaml", file("x"));
    write("stray.yaml", file("x"));
    const store = await openStore();
    expect(store.tenants()).toEqual(["t"]);
    expect(shown(store)).toEqual(["a.yml/one", "b.yaml/z", "b.yaml/a"]);
  });
  test("a mounted Kubernetes map is read through its links", async () => {
    write("t/..2026/rules.yaml", file("a"));
    symlinkSync("..2026", join(folder, "t/..data"));
    symlinkSync("..data/rules.yaml", join(folder, "t/rules.yaml"));
    expect(shown(await openStore())).toEqual(["rules.yaml/a"]);
  });
  test("a change is seen by the next look, a broken one leaves the former groups, one that is gone takes them along", async () => {
    write("t/a.yaml", file("one"));
    write("t/b.yaml", file("other"));
    const store = await openStore();
    write("t/a.yaml", file("two"));
    await store.load();
    expect(shown(store)).toEqual(["a.yaml/two", "b.yaml/other"]);
    expect(reads).toEqual({ t: true });
    write("t/a.yaml", "groups: [{name: three, rules: [{}]}]");
    await store.load();
    expect(shown(store)).toEqual(["a.yaml/two", "b.yaml/other"]);
    expect(reads).toEqual({ t: false });
    rmSync(join(folder, "t/a.yaml"));
    await store.load();
    expect(shown(store)).toEqual(["b.yaml/other"]);
    rmSync(join(folder, "t"), { recursive: true });
    await store.load();
    expect(store.tenants()).toEqual([]);
  });
  test("their namespace cannot be changed", async () => {
    write("t/a.yaml", file("one"));
    const store = await openStore();
    await expect(store.set("t", "a.yaml", group("two"))).rejects.toThrow(
      /namespace a.yaml is the file .*t\/a.yaml: change its groups there/,
    );
    await expect(store.removeGroup("t", "a.yaml", "one")).rejects.toThrow("change its groups there");
    await expect(store.removeNamespace("t", "a.yaml")).rejects.toThrow("change its groups there");
  });
  test("a folder that is not there has no rules", async () => {
    rmSync(folder, { recursive: true });
    expect((await openStore()).tenants()).toEqual([]);
  });
});

describe("groups of the API", () => {
  test("outlive the store, whatever their names", async () => {
    const names = ["a", "..", "a/b", "../../x", "é %41", "."];
    const store = await openStore();
    for (const name of names) await store.set("t", name, group(name));
    const wanted = names.map((name) => `${name}/${name}`).sort();
    expect(shown(store).sort()).toEqual(wanted);
    const again = await openStore();
    expect(shown(again).sort()).toEqual(wanted);
    expect(readdirSync(folder)).toEqual(["t"]);
    for (const name of names) expect(await again.removeGroup("t", name, name)).toBe(true);
    expect(readdirSync(join(folder, "t"))).toEqual([]);
    expect(shown(await openStore())).toEqual([]);
  });
  test("one of the same name is replaced", async () => {
    const store = await openStore();
    await store.set("t", "ns", group("a"));
    await store.set("t", "ns", { ...group("a"), limit: 3 });
    expect((await openStore()).groups("t")).toMatchObject([{ namespace: "ns", group: { name: "a", limit: 3 } }]);
  });
  test("a namespace goes with all its groups, and no other", async () => {
    const store = await openStore();
    for (const [namespace, name] of [
      ["n1", "a"],
      ["n1", "b"],
      ["n2", "a"],
    ] as const)
      await store.set("t", namespace, group(name));
    expect(await store.removeNamespace("t", "n1")).toBe(true);
    expect(await store.removeNamespace("t", "n1")).toBe(false);
    expect(await store.removeGroup("t", "n2", "nope")).toBe(false);
    expect(shown(await openStore())).toEqual(["n2/a"]);
    expect(existsSync(join(folder, "t/n1"))).toBe(false);
  });
  test("a name too long for a file is refused", async () =>
    await expect((await openStore()).set("t", "é".repeat(40), group("a"))).rejects.toThrow(
      "the name of the namespace takes 240 characters when percent-encoded, limit 200; use a shorter one",
    ));
  test("the local store does not look at them", async () => {
    await (await openStore()).set("t", "ns", group("a"));
    write("t/f.yaml", file("x"));
    expect(shown(await openStore(true))).toEqual(["f.yaml/x"]);
  });
});
