// Several clients: required ones, whom positions wait for, and optional ones, whom nobody waits for.

import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions } from "../../../agent/client/clients.ts";
import { Bench, OPTIONS, PushServer, type Script } from "./harness.ts";

let bench: Bench;
const servers: PushServer[] = [];
afterEach(async () => {
  bench.clients.stopNow();
  for (const server of servers.splice(0)) await server.close();
});

const FOREVER = { minMs: 10, maxMs: 10, retriesMax: 0 };

async function open(scripts: readonly (readonly [Script, Partial<ClientOptions>])[]): Promise<PushServer[]> {
  for (const [script] of scripts) servers.push(await PushServer.open(script));
  bench = new Bench(scripts.map(([, options], i) => ({ ...OPTIONS, name: `c${i}`, url: servers[i]!.url, backoff: FOREVER, ...options })));
  return servers;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 5_000; !(await holds()); ) {
    if (Date.now() > endMs) throw new Error("did not come to hold");
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const dropped = (host: string, reason: string): Promise<number> => bench.metric("promtail_dropped_entries_total", { host, reason });

describe("an optional client", () => {
  test("gets what the others get", async () => {
    const [required, optional] = await open([
      [[], {}],
      [[], { optional: true }],
    ]);
    bench.push(["one", "two"]);
    await until(() => required!.accepted.length === 2 && optional!.accepted.length === 2);
    await until(() => bench.ledger.committed() === 2);
  });

  test("that is away holds no position and makes nobody wait; what it misses is counted", async () => {
    const [required, optional] = await open([
      [[], {}],
      [() => 503, { optional: true, batchBytes: 10_000 }],
    ]);
    const pushes = 3_000;
    for (let i = 0; i < pushes; i++) await bench.push(["x".repeat(1000)]);
    await bench.settled();
    expect(required!.accepted).toHaveLength(pushes);
    expect(bench.ledger.committed()).toBe(pushes);
    const missed = await dropped(optional!.host, "queue_full");
    // A megabyte of lines may wait.
    expect(missed).toBeGreaterThan(pushes - 1_200);
    expect(missed).toBeLessThan(pushes - 900);
    bench.clients.stopNow();
    expect(missed + (await dropped(optional!.host, "shutdown"))).toBe(pushes);
    expect(await dropped(required!.host, "queue_full")).toBe(0);
  });

  test("has one room for all its tenants", async () => {
    const [, optional] = await open([
      [[], {}],
      [() => 503, { optional: true, batchBytes: 10_000 }],
    ]);
    for (let i = 0; i < 3_000; i++) await bench.push(["x".repeat(1000)], { job: "a", __tenant_id__: `t${i % 20}` });
    await bench.settled();
    expect(await dropped(optional!.host, "queue_full")).toBeGreaterThan(1_800);
  });

  test("goes on when it is back", async () => {
    let away = true;
    const [, optional] = await open([
      [[], {}],
      [() => (away ? 503 : 204), { optional: true, batchBytes: 10_000 }],
    ]);
    for (let i = 0; i < 2_000; i++) await bench.push(["x".repeat(1000)]);
    await bench.settled();
    away = false;
    await until(async () => optional!.accepted.length + (await dropped(optional!.host, "queue_full")) === 2_000);
    bench.push(["again"]);
    await until(() => optional!.accepted.at(-1) === "again");
  });

  test("does not delay the end for long", async () => {
    const [required] = await open([
      [[], {}],
      [() => 503, { optional: true }],
    ]);
    bench.push(["x"]);
    const startedMs = Date.now();
    await bench.clients.drain(60_000);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    expect(required!.accepted).toEqual(["x"]);
    expect(bench.ledger.committed()).toBe(1);
  });
});

describe("several required clients", () => {
  test("each goes on by itself; positions follow the one that is behind", async () => {
    let away = true;
    const [first, second] = await open([
      [[], {}],
      [() => (away ? 503 : 204), {}],
    ]);
    for (let i = 0; i < 50; i++) bench.push([`${i}`]);
    await until(() => first!.accepted.length === 50);
    expect(bench.ledger.committed()).toBe(0);
    away = false;
    await bench.settled();
    expect(second!.accepted).toEqual(first!.accepted);
    expect(bench.ledger.committed()).toBe(50);
  });
});
