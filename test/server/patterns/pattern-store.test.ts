import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseSelector } from "../../../lib/logql/index.ts";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { type PatternSeries, PatternStore } from "../../../server/patterns/pattern-store.ts";
import { pushOf } from "../storage-entries.ts";

const NOW_SEC = 1_700_000_000;
const parent = mkdtempSync(join(tmpdir(), "skald-patterns-"));
const folder = join(parent, "patterns");
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const clock = manualClock(NOW_SEC * 1000);
const logged: string[] = [];
const log = createLog({ write: (line) => void logged.push(line) });
const open = (): Promise<PatternStore> => PatternStore.open({ folder, clock, log });

function learn(
  store: PatternStore,
  tenant: string,
  labels: Record<string, string>,
  line: (i: number) => string,
  { level, aheadSec = 0 }: { level?: string; aheadSec?: number } = {},
): void {
  const entries = Array.from({ length: 40 }, (_, i) => ({
    labels,
    sec: NOW_SEC - i + aheadSec,
    nanos: 0,
    line: line(i),
    ...(level === undefined ? {} : { metadata: [["detected_level", level]] as const }),
  }));
  store.learn(tenant, pushOf(entries));
}

function select(store: PatternStore, tenant: string, query = '{app="a"}'): PatternSeries[] {
  return store.select(tenant, parseSelector(query), { startSec: NOW_SEC - 3600, endSec: NOW_SEC, stepSec: 60 });
}

test("patterns outlive a restart: text, level, counts, and lines go on joining them", async () => {
  const before = await open();
  learn(before, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`, { level: "info" });
  learn(before, "one", { app: "a" }, (i) => `level=warn msg="a b" id=${i}`, { level: "warn" });
  // More ways down the tree than there may be: the last words go the way of what varies.
  learn(before, "one", { app: "a" }, (i) => `${String.fromCharCode(97 + (i % 20))} joins the others`);
  learn(before, "a/b: no tenant's name, still a file's", { app: "a" }, (i) => `call(${i}, "x ${i}") done`);
  const learnt = select(before, "one");
  expect(learnt.map(({ pattern, level }) => [pattern, level])).toContainEqual(["user <_> came from <_>", "info"]);
  expect(learnt.map(({ pattern, level }) => [pattern, level])).toContainEqual(["level=warn msg=a b id=<_>", "warn"]);
  await before.close();

  const after = await open();
  expect(select(after, "one")).toEqual(learnt);
  expect(select(after, "a/b: no tenant's name, still a file's")).toHaveLength(1);
  expect(select(after, "two")).toEqual([]);
  for (const store of [before, after]) {
    learn(store, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`, { level: "info" });
    learn(store, "one", { app: "a" }, (i) => `${String.fromCharCode(97 + (i % 20))} joins the others`);
  }
  expect(select(after, "one")).toEqual(select(before, "one"));
  await after.close();
});

test("what is older than three hours is forgotten, and its file removed", async () => {
  const before = await open();
  learn(before, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`);
  await before.close();
  expect(readdirSync(folder)).toEqual(["one.patterns"]);
  const later = manualClock((NOW_SEC + 4 * 3600) * 1000);
  const after = await PatternStore.open({ folder, clock: later, log });
  expect(select(after, "one")).toEqual([]);
  await after.close();
  expect(readdirSync(folder)).toEqual([]);
});

test("patterns are saved once a minute, and not when nothing was learnt", async () => {
  const ticking = manualClock(NOW_SEC * 1000);
  const store = await PatternStore.open({ folder, clock: ticking, log });
  await ticking.advance(61_000);
  expect(existsSync(folder)).toBe(false);
  learn(store, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`);
  await ticking.advance(61_000);
  for (let turn = 0; turn < 1000 && !existsSync(join(folder, "one.patterns")); turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  // Killed here: a second store reads what the first one saved.
  expect(select(await open(), "one")).toHaveLength(1);
  await store.close();
});

for (const [name, damage] of [
  ["cut off", (text: string) => text.slice(0, -20)],
  ["of another version", (text: string) => text.replace('"version":1', '"version":2')],
  ["with counts that are none", (text: string) => text.replace(/\[(\d+),/, '["x",')],
  ["empty", () => ""],
] as const) {
  test(`a file ${name} is logged and learnt anew`, async () => {
    const before = await open();
    learn(before, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`);
    await before.close();
    const path = join(folder, "one.patterns");
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    writeFileSync(join(folder, "two.patterns.tmp-123"), "left over");
    logged.length = 0;
    const after = await open();
    expect(logged.join("")).toContain("patterns of before cannot be read");
    learn(after, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`);
    expect(select(after, "one")[0]?.samples.reduce((sum, [, count]) => sum + count, 0)).toBe(40);
    await after.close();
    expect(readdirSync(folder)).toEqual(["one.patterns"]);
  });
}

test("levels of a stream are bounded, and lines from the far future are not counted", async () => {
  const store = await open();
  for (let level = 0; level < 40; level++)
    learn(store, "one", { app: "a" }, (i) => `user ${i} came from 10.0.0.${i}`, { level: `level${level}` });
  expect(select(store, "one")).toHaveLength(16);
  learn(store, "one", { app: "ahead" }, (i) => `user ${i} came from 10.0.0.${i}`, { aheadSec: 90_000 });
  expect(store.select("one", parseSelector('{app="ahead"}'), { startSec: NOW_SEC, endSec: NOW_SEC + 1e6, stepSec: 60 })).toEqual([]);
  await store.close();
});
