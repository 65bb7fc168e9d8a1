import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Discovery, TargetGroup } from "../../../agent/discovery/discovery.ts";
import { fileDiscovery } from "../../../agent/discovery/file.ts";
import { createLog } from "../../../lib/runtime/log.ts";

let folder: string;
let discovery: Discovery | undefined;
let told: Map<string, TargetGroup>;
let logged: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-sd-"));
  told = new Map();
  logged = [];
});
afterEach(async () => {
  await discovery?.stop();
  rmSync(folder, { recursive: true });
});

async function start(...files: string[]): Promise<void> {
  discovery = fileDiscovery(
    { files: files.map((file) => join(folder, file)), refresh_interval: 60_000 },
    createLog({ write: (line) => logged.push(line) }),
  );
  await discovery.start((groups) => {
    for (const group of groups) {
      if (group.targets.length === 0) told.delete(group.source);
      else told.set(group.source, group);
    }
  });
}

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const shown = (): object =>
  Object.fromEntries([...told].map(([source, group]) => [source.slice(folder.length + 1), [group.targets, group.labels]]));
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}

describe("reads", () => {
  test("yaml", async () => {
    write("a.yml", "- targets: [x, y]\n  labels: {job: a, n: 1.50}\n- targets: [z]\n");
    await start("a.yml");
    expect(shown()).toEqual({
      "a.yml:0": [[{ __address__: "x" }, { __address__: "y" }], { job: "a", n: "1.50", __meta_filepath: join(folder, "a.yml") }],
      "a.yml:1": [[{ __address__: "z" }], { __meta_filepath: join(folder, "a.yml") }],
    });
  });
  test("json with tabs", async () => {
    write("a.json", '[\n\t{"targets": ["x"], "labels": {"__path__": "/a"}}\n]');
    await start("a.json");
    expect(shown()).toEqual({ "a.json:0": [[{ __address__: "x" }], { __path__: "/a", __meta_filepath: join(folder, "a.json") }] });
  });
  test("json with keys in any case, of the groups alone", async () => {
    write("a.json", '[{"Targets": ["x"], "LABELS": {"Job": "a"}}]');
    write("b.yml", "- Targets: [x]\n");
    await start("a.json", "b.yml");
    expect(shown()).toEqual({ "a.json:0": [[{ __address__: "x" }], { Job: "a", __meta_filepath: join(folder, "a.json") }] });
  });
  test("files by a star", async () => {
    for (const name of ["a-1.json", "a-2.json", "b.json", "a-3.yaml"]) write(name, '[{"targets": ["x"]}]');
    await start("a-*.json");
    expect(Object.keys(shown())).toEqual(["a-1.json:0", "a-2.json:0"]);
  });
  test("files by a star, those with a dot in front too", async () => {
    for (const name of [".a.json", ".json", "b.json"]) write(name, '[\n\t{"targets": ["x"]}\n]');
    await start("*.json");
    expect(Object.keys(shown())).toEqual([".a.json:0", ".json:0", "b.json:0"]);
  });
  test("nothing of a broken file, and says where it is broken", async () => {
    write("a.yml", "- targets: [x]\n  label: {}\n");
    write("b.yml", "- targets: [x]\n");
    await start("*.yml");
    expect(Object.keys(shown())).toEqual(["b.yml:0"]);
    expect(logged.join()).toMatch(/a\.yml:2:3: unknown key/);
  });
  test("nothing where there is no file", async () => {
    await start("nope/*.yml");
    expect(shown()).toEqual({});
  });
});

describe("sees", () => {
  test("a change by rename, a shorter list, a file that goes", async () => {
    write("a.json", '[{"targets": ["x"]}, {"targets": ["y"]}]');
    await start("*.json");
    write("new", '[{"targets": ["z"]}]');
    renameSync(join(folder, "new"), join(folder, "a.json"));
    await until(() => JSON.stringify([...told.values()].map((group) => group.targets)) === '[[{"__address__":"z"}]]');
    rmSync(join(folder, "a.json"));
    await until(() => told.size === 0);
  });
  test("a broken change, and keeps what it had", async () => {
    write("a.json", '[{"targets": ["x"]}]');
    await start("*.json");
    write("a.json", '[{"targets"');
    await until(() => logged.some((line) => line.includes("the former ones stay")));
    expect(told.size).toBe(1);
  });
});
