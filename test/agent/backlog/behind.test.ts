// A required client that is behind holds up nobody: what waits for it is on disk, and it gets all of it, in order.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bench } from "../client/harness.ts";
import { BacklogRun, lines, numbersOf, upTo } from "./harness.ts";

let run: BacklogRun;
beforeEach(() => {
  run = new BacklogRun();
});
afterEach(() => run.close());

const MIB = 1024 * 1024;
/** Until sources have to wait; returns what for. */
function pushUntilFull(bench: Bench): Promise<void> | undefined {
  for (let i = 0; i < 2_000; i++) {
    const room = bench.push(lines(i, i + 1, 2_000));
    if (room !== undefined) return room as Promise<void>;
  }
  return undefined;
}

/** Batches of 64 KiB: 1 MiB of lines may wait in memory. */
const SMALL = { batchBytes: 65_536 };

describe("a required client that is away", () => {
  test("holds up nobody, and gets everything in order when it is back", async () => {
    let away = true;
    const [healthy, behind] = await run.serve([], () => (away ? 503 : 204));
    const bench = await run.start(SMALL);
    for (let i = 0; i < 4_000; i++) await bench.push(lines(i, i + 1, 2_000));
    await run.until(() => healthy!.accepted.length === 4_000);
    await run.until(() => bench.ledger.committed() === 4_000);
    expect(behind!.accepted).toEqual([]);
    expect(await run.metric("skald_backlog_entries_in_total", { client: "c1" })).toBe(4_000);
    expect(await run.metric("skald_backlog_entries_in_total", { client: "c0" })).toBe(0);
    away = false;
    await run.until(() => behind!.accepted.length === 4_000);
    expect(numbersOf(behind!.accepted)).toEqual(upTo(4_000));
    await run.until(() => run.segments.length === 0);
    expect(await run.metric("skald_backlog_entries_out_total")).toBe(4_000);
  });

  test("holds no position with little to send either", async () => {
    const [healthy] = await run.serve([], () => 503);
    const bench = await run.start();
    bench.push(["one", "two"]);
    await run.until(() => bench.ledger.committed() === 2);
    bench.push(["three"]);
    await run.until(() => bench.ledger.committed() === 3);
    expect(healthy!.accepted).toEqual(["one", "two", "three"]);
  });

  test("takes no disk any more when it has caught up", async () => {
    let away = true;
    const [, behind] = await run.serve([], () => (away ? 503 : 204));
    const bench = await run.start();
    bench.push(["one"]);
    await run.until(() => bench.ledger.committed() === 1);
    away = false;
    await run.until(() => behind!.accepted.length === 1);
    await run.until(() => run.segments.length === 0);
    for (let i = 0; i < 20; i++) await bench.push([`again ${i}`]);
    await run.until(() => bench.ledger.committed() === 21);
    expect(await run.metric("skald_backlog_entries_in_total")).toBe(1);
    expect(behind!.accepted).toHaveLength(21);
  });

  test("of several: one that is there is enough", async () => {
    const [, , healthy] = await run.serve(
      () => 503,
      () => ({ status: 503, reset: true }),
      [],
    );
    const bench = await run.start(SMALL);
    for (let i = 0; i < 2_000; i++) await bench.push(lines(i, i + 1, 2_000));
    await run.until(() => healthy!.accepted.length === 2_000 && bench.ledger.committed() === 2_000);
  });

  test("together with all others leaves nothing on disk: reading stops", async () => {
    let away = true;
    const [first, second] = await run.serve(
      () => (away ? 503 : 204),
      () => (away ? 503 : 204),
    );
    const bench = await run.start(SMALL);
    const room = pushUntilFull(bench);
    expect(room).toBeInstanceOf(Promise);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(run.segments).toEqual([]);
    expect(bench.ledger.committed()).toBe(0);
    away = false;
    await room;
    await bench.settled();
    expect(second!.accepted).toEqual(first!.accepted);
  });

  test("is given up batch by batch as its retries say, counted", async () => {
    const [healthy, behind] = await run.serve([], () => 503);
    const bench = await run.start([SMALL, { ...SMALL, backoff: { minMs: 100, maxMs: 100, retriesMax: 5 } }]);
    for (let i = 0; i < 200; i++) await bench.push(lines(i, i + 1, 2_000));
    await run.until(() => healthy!.accepted.length === 200 && bench.ledger.committed() === 200);
    expect(await run.metric("skald_backlog_entries_in_total")).toBe(200);
    const dropped = { host: behind!.host, reason: "ingester_error" };
    await run.until(async () => (await run.metric("promtail_dropped_entries_total", dropped)) === 200);
    await run.until(() => run.segments.length === 0);
  });
});

test("a client that is slower than another does not set its pace", async () => {
  const [fast, slow] = await run.serve([], () => ({ status: 204, delayMs: 50 }));
  const bench = await run.start(SMALL);
  for (let i = 0; i < 2_500; i++) await bench.push(lines(i, i + 1, 2_000));
  await run.until(() => fast!.accepted.length === 2_500 && bench.ledger.committed() === 2_500);
  expect(slow!.accepted.length).toBeLessThan(2_400);
  expect(await run.metric("skald_backlog_entries_in_total", { client: "c1" })).toBeGreaterThan(300);
  await run.until(() => slow!.accepted.length === 2_500);
  expect(numbersOf(slow!.accepted)).toEqual(upTo(2_500));
});

test("a tenant that is limited goes through the disk, the client's others do not", async () => {
  let limited = true;
  const [, second] = await run.serve([], ({ tenant }) => (limited && tenant === "b" ? 429 : 204));
  const bench = await run.start(SMALL);
  for (let i = 0; i < 2_000; i++) await bench.push(lines(i, i + 1, 2_000), { job: "a", __tenant_id__: i % 2 === 0 ? "a" : "b" });
  await run.until(() => bench.ledger.committed() === 2_000);
  expect(second!.accepted).toHaveLength(1_000);
  expect(await run.metric("skald_backlog_entries_in_total")).toBe(1_000);
  limited = false;
  await run.until(() => second!.accepted.length === 2_000);
});

describe("what a server refuses of a batch from disk", () => {
  test("is found by halving, and only that is dropped", async () => {
    let away = true;
    const bad = (line: string): boolean => line.startsWith("7 ") || line.startsWith("30 ");
    const [, behind] = await run.serve([], ({ lines: sent }) => (away ? 503 : sent.some(bad) ? 400 : 204));
    const bench = await run.start();
    bench.push(lines(0, 50, 100));
    await run.until(() => bench.ledger.committed() === 50);
    await run.kill();
    away = false;
    await run.start();
    await run.until(() => behind!.accepted.length === 48);
    expect(numbersOf(behind!.accepted)).toEqual(upTo(50).filter((n) => n !== 7 && n !== 30));
    await run.until(async () => (await run.metric("promtail_dropped_entries_total", { host: behind!.host })) === 2);
  });
});

describe("the bound", () => {
  test("stops the reading and loses nothing", async () => {
    let away = true;
    const [healthy, behind] = await run.serve([], () => (away ? 503 : 204));
    const bench = await run.start(SMALL, { bytesMax: MIB });
    const random = (i: number): string => `${i} ${Array.from({ length: 200 }, () => Math.random().toString(36).slice(2, 12)).join("")}`;
    let pushed = 0;
    const all = (async () => {
      for (; pushed < 3_000; pushed++) await bench.push([random(pushed)]);
    })();
    await run.until(() => run.diskBytes > MIB * 0.8);
    let before = -1;
    await run.until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const stands = pushed === before;
      before = pushed;
      return stands;
    });
    expect(pushed).toBeLessThan(2_900);
    expect(run.diskBytes).toBeLessThanOrEqual(MIB);
    away = false;
    await all;
    await run.until(() => behind!.accepted.length === 3_000);
    expect(numbersOf(behind!.accepted)).toEqual(upTo(3_000));
    expect(numbersOf(healthy!.accepted)).toEqual(upTo(3_000));
  });
});

describe("the end", () => {
  test("comes at once, and leaves on disk what is not sent", async () => {
    let away = true;
    const [healthy, behind] = await run.serve([], () => (away ? 503 : 204));
    const bench = await run.start({ backoff: { minMs: 20_000, maxMs: 20_000, retriesMax: 0 } });
    bench.push(["one"]);
    await run.until(() => behind!.requests.length === 1);
    bench.push(["two"]);
    const startedMs = Date.now();
    await bench.clients.drain(20_000);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    expect(bench.ledger.committed()).toBe(2);
    await run.kill();
    away = false;
    await run.start();
    await run.until(() => behind!.accepted.length === 2);
    expect(behind!.accepted).toEqual(["one", "two"]);
    expect(healthy!.accepted).toEqual(["one", "two"]);
  });
});
