// Reads while delete requests are pending, and after they have been carried out: from memory, from blocks, and from both.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseLogExpr } from "../../../lib/logql/index.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { Tail } from "../../../server/query/tail.ts";
import { CANCEL_MS, type Compacted, NOW_SEC, openCompacted } from "../retention/compacted-storage.ts";
import { ALL_TIME, type ModelEntry, pushOf, readAll } from "../storage-entries.ts";

let folder: string;
let at: Compacted;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "skald-hidden-"));
  at = await openCompacted(folder);
});
afterEach(async () => {
  await at.close();
  await rm(folder, { recursive: true, force: true });
});

/** Line `app-n` of second n - 100, for each app and n from 1 on; every third has a user. */
const entries: readonly ModelEntry[] = ["a", "b"].flatMap((app) =>
  Array.from({ length: 9 }, (_, i) => ({
    labels: { app },
    sec: NOW_SEC - 100 + i + 1,
    nanos: 0,
    line: `${app}-${i + 1} level=${i % 2 === 0 ? "info" : "error"}`,
    ...(i % 3 === 0 ? { metadata: [["user", "u1"]] as [string, string][] } : {}),
  })),
);
const names = (lines: readonly string[]): string => lines.map((line) => line.split(" ")[0]).join(" ");
const all = (app: string): string => `${app}-1 ${app}-2 ${app}-3 ${app}-4 ${app}-5 ${app}-6 ${app}-7 ${app}-8 ${app}-9`;
const without = (app: string, ...gone: number[]): string =>
  all(app)
    .split(" ")
    .filter((name) => !gone.includes(Number(name.split("-")[1])))
    .join(" ");

const places: readonly (readonly [string, () => Promise<void>])[] = [
  ["in memory", () => at.push(entries)],
  [
    "in a block",
    async () => {
      await at.push(entries);
      await at.storage.flush();
    },
  ],
  [
    "in blocks and in memory",
    async () => {
      await at.push(entries.filter((_, i) => i % 2 === 0));
      await at.storage.flush();
      await at.push(entries.filter((_, i) => i % 2 === 1));
    },
  ],
];

for (const [place, store] of places) {
  describe(`entries ${place}`, () => {
    for (const [name, query, from, to, left] of [
      ["a whole stream", '{app="a"}', -100, -1, ""],
      ["a span, both ends included", '{app="a"}', -97, -95, without("a", 3, 4, 5)],
      ["what a line filter selects", '{app="a"} |= "error"', -100, -1, without("a", 2, 4, 6, 8)],
      ["what a filter behind a parser selects", '{app="a"} | logfmt | level="error"', -100, -94, without("a", 2, 4, 6)],
      ["what structured metadata selects", '{app="a"} | user="u1"', -100, -1, without("a", 1, 4, 7)],
      ["a parser alone is no filter", '{app="a"} | logfmt', -100, -1, ""],
      ["another stream", '{app="b"}', -100, -1, all("a")],
      ["another time", '{app="a"}', -200, -100, all("a")],
    ] as const) {
      test(`${name} is hidden at once and stays away when it is removed`, async () => {
        await store();
        await at.remove(query, from, to);
        const check = async (): Promise<void> => {
          const count = left === "" ? 0 : left.split(" ").length;
          expect(names(await at.lines('{app="a"}'))).toBe(left);
          expect(names(await at.lines('{app="a"} |~ "a-."'))).toBe(left);
          expect(await at.value('sum(count_over_time({app="a"}[200s]))')).toBe(count);
          expect(await at.value('sum(count_over_time({app="a"} |= "a-" [200s]))')).toBe(count);
          expect(await at.value('sum(count_over_time({app="a"} | logfmt | level!="" [200s]))')).toBe(count);
          const bytes = (await at.lines('{app="a"}')).reduce((sum, line) => sum + line.length, 0);
          expect(await at.value('sum(bytes_over_time({app="a"}[200s]))')).toBe(bytes);
          const apps = (await at.view.streams("t", [], ALL_TIME)).map((labels) => labels.get("app"));
          expect(apps.includes("a"), "a is among the series").toBe(left !== "");
        };
        await check();
        await at.clock.advance(CANCEL_MS);
        await at.compactor.run();
        expect(at.deletes.of("t")[0]?.piecesDone).toBe(1);
        expect(at.pending.any("t")).toBe(false);
        // `value` asks about the time before now.
        await at.clock.advance(-CANCEL_MS);
        await check();
        const stored = (await readAll(at.storage, "t")).filter(({ labels }) => labels.app === "a").map(({ line }) => line);
        expect(names(stored.sort())).toBe(left);
      });
    }
  });
}

test("lines come back when a request is cancelled in time", async () => {
  await at.push(entries);
  const { id } = await at.remove('{app="a"} |= "error"', -100, -1);
  await at.compactor.run();
  expect(names(await at.lines('{app="a"}'))).toBe(without("a", 2, 4, 6, 8));
  await at.deletes.cancel("t", id);
  expect(names(await at.lines('{app="a"}'))).toBe(all("a"));
  await at.clock.advance(CANCEL_MS);
  await at.compactor.run();
  expect(names(await at.lines('{app="a"}'))).toBe(all("a"));
});

test("counts that statistics would answer see the request", async () => {
  await at.push(entries.map((entry) => ({ ...entry, metadata: [] })));
  await at.storage.flush();
  expect(await at.value('sum(count_over_time({app=~"a|b"}[200s]))')).toBe(18);
  await at.remove('{app="a"} |= "a-5"', -100, -1);
  await at.remove('{app="b"}', -92, -1);
  expect(await at.value('sum(count_over_time({app=~"a|b"}[200s]))')).toBe(18 - 1 - 2);
});

test("a request of a tenant is nobody else's", async () => {
  await at.push(entries, "t");
  await at.push(entries, "u");
  await at.remove('{app="a"}', -100, -1);
  expect(await at.lines('{app="a"}', "u")).toHaveLength(9);
});

test("index statistics leave out pages that are hidden wholly, and count others whole", async () => {
  await at.push(entries);
  await at.storage.flush();
  await at.remove('{app="a"}', -100, -1);
  await at.remove('{app="b"}', -95, -93);
  expect(await at.view.stats("t", [], ALL_TIME)).toMatchObject({ streams: 1, chunks: 1, entries: 9 });
});

test("a tail does not show late entries that a pending request selects", async () => {
  await at.remove('{app="a"} |= "secret"', -100, -1);
  const tail = new Tail(parseLogExpr('{app="a"}'), (labels) => at.pending.of("t", labels));
  const entry = (sec: number, line: string): ModelEntry => ({ labels: { app: "a" }, sec: NOW_SEC + sec, nanos: 0, line });
  tail.offer(pushOf([entry(-50, "a secret"), entry(-49, "fine"), entry(5, "a new secret")]), 1);
  expect(tail.take(1).entries.map(({ line }) => line)).toEqual(["fine", "a new secret"]);
});

test("requests are told apart by stream once per stream", async () => {
  await at.remove('{app="a"}', -100, -1);
  const labels = LabelSet.fromObject({ app: "a" });
  expect(at.pending.of("t", labels)).toBe(at.pending.of("t", labels));
  expect(at.pending.of("t", LabelSet.fromObject({ app: "b" }))).toEqual([]);
});
