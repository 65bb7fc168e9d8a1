// What is on disk for a client outlives the agent, reloads, damage and a disk that fails.

import { appendFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import type { PushServer } from "../client/harness.ts";
import { BacklogRun, lines, numbersOf, upTo } from "./harness.ts";

let run: BacklogRun;
let away: boolean;
let healthy: PushServer;
let behind: PushServer;
beforeEach(async () => {
  run = new BacklogRun();
  away = true;
  [healthy, behind] = (await run.serve([], () => (away ? 503 : 204))) as [PushServer, PushServer];
});
afterEach(() => run.close());

const SMALL = { batchBytes: 20_000 };

/** Starts an agent that leaves lines `[0, count)` on disk for the client that is away, as many batches, and is killed. */
async function leave(count: number): Promise<void> {
  const bench = await run.start(SMALL);
  for (let i = 0; i < count; i++) await bench.push(lines(i, i + 1, 10_001));
  await run.until(() => bench.ledger.committed() === count);
  await run.kill();
  expect(behind.accepted).toEqual([]);
  expect(run.segments).toHaveLength(1);
}

describe("after a kill", () => {
  test("what is on disk is sent first", async () => {
    await leave(20);
    const bench = await run.start(SMALL);
    bench.push(lines(20, 21));
    away = false;
    await run.until(() => behind.accepted.length === 21);
    expect(numbersOf(behind.accepted)).toEqual(upTo(21));
    expect(numbersOf(healthy.accepted)).toEqual(upTo(21));
  });

  test("what was answered is not sent again", async () => {
    await leave(20);
    let taken = 0;
    behind.answers(() => (taken++ < 8 ? 204 : 503));
    await run.start(SMALL);
    await run.until(async () => (await run.metric("skald_backlog_entries_out_total")) === 8);
    await run.kill();
    behind.answers(() => 204);
    await run.start(SMALL);
    await run.until(() => behind.accepted.length === 20);
    expect(numbersOf(behind.accepted)).toEqual(upTo(20));
  });

  test("its size and age are known at once", async () => {
    await leave(20);
    await run.start(SMALL, { clock: { nowMs: () => Date.now() + 3_600_000, sleep: async () => {} } });
    expect(await run.metric("skald_backlog_batches")).toBe(20);
    expect(await run.metric("skald_backlog_bytes")).toBe(run.diskBytes);
    expect(await run.metric("skald_backlog_oldest_seconds")).toBeGreaterThan(3_599);
    expect(await run.metric("skald_backlog_oldest_seconds")).toBeLessThan(3_700);
  });

  for (const [what, options] of [
    ["is the only one", [{}]],
    ["is optional now", [{}, { optional: true }]],
  ] as const) {
    test(`a client that ${what} gets it, and then what is new`, async () => {
      await leave(5);
      away = false;
      if (options.length === 1) await run.servers.shift()!.close();
      const bench = await run.start(options);
      bench.push(lines(5, 6));
      await run.until(() => behind.accepted.length === 6);
      expect(numbersOf(behind.accepted)).toEqual(upTo(6));
      await run.until(() => run.segments.length === 0);
    });
  }

  test("backlog.enabled: false sends it, and adds nothing", async () => {
    await leave(5);
    const bench = await run.start(SMALL, { enabled: false });
    bench.push(lines(5, 6));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(bench.ledger.committed()).toBe(0);
    away = false;
    await run.until(() => behind.accepted.length === 6);
    expect(numbersOf(behind.accepted)).toEqual(upTo(6));
  });

  test("a new name or password leaves a client what it has; another tenant does not", async () => {
    await leave(5);
    await run.start({ tenantId: "other" });
    expect(run.logged.join("")).toContain("a backlog belongs to no client");
    expect(run.segments).toHaveLength(1);
    await run.kill();
    away = false;
    run.logged.length = 0;
    await run.start([{}, { name: "renamed", url: behind.url.replace("//", "//user:secret@") }]);
    await run.until(() => behind.accepted.length === 5);
    expect(run.logged.join("")).not.toContain("belongs to no client");
  });
});

describe("damage", () => {
  for (const [what, tear] of [
    ["garbage behind the last batch", (path: string) => appendFileSync(path, "SKRC garbage")],
    ["a last batch that is cut", (path: string) => appendFileSync(path, readFileSync(path).subarray(4, 300))],
    ["zeros behind the last batch", (path: string) => appendFileSync(path, Buffer.alloc(100))],
  ] as const) {
    test(`${what} was never let go of: left out, counted and told`, async () => {
      const { size } = await leave(10).then(() => ({ size: run.diskBytes }));
      tear(run.segments[0]!);
      const torn = run.diskBytes - size;
      away = false;
      await run.start(SMALL);
      await run.until(() => behind.accepted.length === 10);
      expect(numbersOf(behind.accepted)).toEqual(upTo(10));
      expect(await run.metric("skald_backlog_torn_bytes_total")).toBe(torn);
      expect(await run.metric("skald_backlog_damaged_bytes_total")).toBe(0);
      expect(run.logged.join("")).toContain("was not finished");
    });
  }

  test("a batch in the middle is passed over, counted and told", async () => {
    await leave(10);
    const path = run.segments[0]!;
    const bytes = readFileSync(path);
    const second = bytes.indexOf("SKRC", bytes.indexOf("SKRC") + 4);
    bytes[second + 300]! ^= 1;
    writeFileSync(path, bytes);
    away = false;
    await run.start(SMALL);
    await run.until(() => behind.accepted.length === 9);
    expect(numbersOf(behind.accepted)).toEqual(upTo(10).filter((n) => n !== 1));
    const third = bytes.indexOf("SKRC", second + 4);
    expect(await run.metric("skald_backlog_damaged_bytes_total")).toBe(third - second);
  });

  test("what is left of a cut file is sent", async () => {
    await leave(10);
    const path = run.segments[0]!;
    const bytes = readFileSync(path);
    truncateSync(path, bytes.lastIndexOf("SKRC") + 100);
    away = false;
    await run.start(SMALL);
    await run.until(() => behind.accepted.length === 9);
    await run.until(() => run.segments.length === 0);
  });

  test("folders that hold nothing of ours are left alone", async () => {
    mkdirSync(join(run.directory, "else"), { recursive: true });
    writeFileSync(join(run.directory, "file"), "x");
    await leave(1);
    writeFileSync(join(dirname(dirname(run.segments[0]!)), "file"), "x");
    away = false;
    await run.start(SMALL);
    await run.until(() => behind.accepted.length === 1);
    expect(run.logged.join("")).not.toContain("belongs to no client");
  });
});

describe("a disk that fails", () => {
  test("leaves all at the pace of the one that is behind; nothing is lost", async () => {
    const disk = new FaultDisk(seededRandom(1));
    disk.isFull = true;
    const bench = await run.start(SMALL, { disk });
    const all = (async () => {
      for (let i = 0; i < 300; i++) await bench.push(lines(i, i + 1, 10_001));
    })();
    await run.until(async () => (await run.metric("skald_backlog_write_failures_total")) > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(bench.ledger.committed()).toBe(0);
    expect(run.logged.join("")).toContain("the backlog's disk fails");
    away = false;
    await all;
    await run.until(() => behind.accepted.length === 300);
    expect(numbersOf(behind.accepted)).toEqual(upTo(300));
    expect(numbersOf(healthy.accepted)).toEqual(upTo(300));
  });

  test("is used again when it works", async () => {
    const disk = new FaultDisk(seededRandom(1));
    let aheadMs = 0;
    const clock = { nowMs: () => Date.now() + aheadMs, sleep: async () => {} };
    disk.isFull = true;
    const bench = await run.start(SMALL, { disk, clock });
    bench.push(lines(0, 1));
    await run.until(() => run.logged.join("").includes("the backlog's disk fails"));
    disk.isFull = false;
    aheadMs = 10_000;
    await run.until(() => bench.ledger.committed() === 1);
    expect(run.logged.join("")).toContain("the backlog's disk works again");
  });
});

describe("a reload", () => {
  test("gives new clients of the same endpoint what the former ones have left", async () => {
    const bench = await run.start(SMALL);
    for (let i = 0; i < 50; i++) await bench.push(lines(i, i + 1, 10_001));
    await run.until(() => bench.ledger.committed() === 50);
    const next = await run.reload(SMALL);
    for (let i = 50; i < 100; i++) await next.push(lines(i, i + 1, 10_001));
    await run.until(() => next.ledger.committed() === 50);
    await bench.clients.drain(5_000);
    away = false;
    await run.until(() => behind.accepted.length === 100);
    expect(numbersOf(behind.accepted)).toEqual(upTo(100));
    await run.until(() => run.segments.length === 0);
  });

  test("while batches are on their way loses none, and repeats none but those", async () => {
    await leave(60);
    behind.answers(() => ({ status: 204, delayMs: 20 }));
    const bench = await run.start(SMALL);
    await run.until(() => behind.accepted.length > 5);
    const next = await run.reload(SMALL);
    await next.push(lines(60, 61));
    await bench.clients.drain(5_000);
    await run.until(() => new Set(behind.accepted).size === 61);
    expect(numbersOf(behind.accepted)).toEqual(upTo(61));
  });
});
