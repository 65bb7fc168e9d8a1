import { Registry } from "prom-client";
import { beforeEach, describe, expect, test } from "vitest";
import { manualClock } from "../../../../lib/runtime/clock.ts";
import { answerFromCache, type CachedRange } from "../../../../server/query/cache/cached-range.ts";
import { tellOfPush } from "../../../../server/query/cache/open-cache.ts";
import { ResultsCache } from "../../../../server/query/cache/results-cache.ts";
import type { Series } from "../../../../server/query/range-aggregate.ts";
import type { Steps } from "../../../../server/query/windows.ts";
import { pushOf } from "../../storage-entries.ts";

const SECOND = 1_000_000_000n;
const NOW_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

let clock: ReturnType<typeof manualClock>;
let registry: Registry;
let cache: ResultsCache;
/** Runs of steps that were evaluated, in minutes before now. */
let evaluated: string[];

beforeEach(() => {
  clock = manualClock(NOW_MS);
  registry = new Registry();
  cache = new ResultsCache({ bytesMax: 100_000, ttlMs: HOUR_MS, clock, registry });
  evaluated = [];
});

const minutes = (ns: bigint): number => (NOW_MS - Number(ns / 1_000_000n)) / 60_000;

/** Two series: every step's time, and a value at every other step. */
async function evaluate({ startNs, stepNs, count }: Steps): Promise<Series[]> {
  evaluated.push(`${minutes(startNs)}-${minutes(startNs + BigInt(count - 1) * stepNs)}`);
  const values = Float64Array.from({ length: count }, (_, k) => Number((startNs + BigInt(k) * stepNs) / SECOND));
  return [
    { labels: { names: ["a"], values: ["all"] }, values, present: new Uint8Array(count).fill(1) },
    { labels: { names: ["a"], values: ["some"] }, values, present: Uint8Array.from(values, (sec) => Number((sec / 60) % 2 < 1)) },
  ];
}

/** @param from minutes before now, as `to` */
async function ask(from: number, to: number, more: Partial<CachedRange> = {}): Promise<string> {
  const startNs = BigInt(NOW_MS - from * 60_000) * 1_000_000n;
  const series = await answerFromCache(
    cache,
    {
      tenants: ["t"],
      query: "q",
      steps: { startNs, stepNs: 60n * SECOND, count: from - to + 1 },
      backMs: 60_000,
      aheadMs: 0,
      intervalMs: HOUR_MS,
      newestMs: NOW_MS - 10 * 60_000,
      nowMs: clock.nowMs(),
      ...more,
    },
    evaluate,
  );
  const [all, some] = [series.find(({ labels }) => labels.values[0] === "all")!, series.find(({ labels }) => labels.values[0] === "some")];
  expect([...all.values].map((sec, k) => sec - Number(startNs / SECOND) - k * 60)).toEqual(new Array(from - to + 1).fill(0));
  expect([...all.present]).toEqual(new Array(from - to + 1).fill(1));
  expect([...(some?.present ?? [])].map(Boolean)).toEqual([...all.values].map((sec) => (sec / 60) % 2 < 1));
  return evaluated.splice(0).join(" ");
}

const counted = async (name: string): Promise<number> =>
  (await registry.getSingleMetric(name)!.get()).values.reduce((sum, { value }) => sum + value, 0);
const arrive = (tenant: string, ...minutesAgo: number[]): void =>
  tellOfPush(
    cache,
    tenant,
    pushOf(minutesAgo.map((ago) => ({ labels: { a: "b" }, sec: NOW_MS / 1000 - Math.round(ago * 60), nanos: 0, line: "x" }))),
  );

describe("results cache", () => {
  test("what was answered once is not evaluated again", async () => {
    expect(await ask(300, 20)).toBe("300-20");
    expect(await ask(300, 20)).toBe("");
    expect(await ask(200, 100)).toBe("");
    expect(await counted("loki_cache_hits")).toBeGreaterThan(5);
  });

  test("only steps that are missing are evaluated, in runs", async () => {
    await ask(200, 100);
    expect(await ask(300, 50)).toBe("300-201 99-50");
    expect(await ask(300, 50)).toBe("");
  });

  test("what is younger than the freshness is evaluated each time", async () => {
    expect(await ask(60, 0)).toBe("60-0");
    expect(await ask(60, 0)).toBe("9-0");
    expect(await ask(60, 0, { newestMs: NOW_MS })).toBe("9-0");
    expect(await ask(60, 0)).toBe("");
  });

  test("a query that looks ahead of its steps keeps less", async () => {
    await ask(60, 0, { aheadMs: 20 * 60_000 });
    expect(await ask(60, 0)).toBe("29-0");
  });

  for (const [name, more] of [
    ["query", { query: "other" }],
    ["tenants", { tenants: ["t", "u"] }],
    ["step", { steps: { startNs: BigInt(NOW_MS - 300 * 60_000) * 1_000_000n, stepNs: 60n * SECOND + 1n, count: 1 } }],
  ] as const) {
    test(`another ${name} has answers of its own`, async () => {
      await ask(300, 300);
      await answerFromCache(
        cache,
        {
          tenants: ["t"],
          query: "q",
          steps: { startNs: BigInt(NOW_MS - 300 * 60_000) * 1_000_000n, stepNs: 60n * SECOND, count: 1 },
          backMs: 1,
          aheadMs: 0,
          intervalMs: HOUR_MS,
          newestMs: NOW_MS,
          nowMs: NOW_MS,
          ...more,
        },
        evaluate,
      );
      expect(evaluated).toHaveLength(1);
    });
  }

  test("steps that lie elsewhere within the step have answers of their own", async () => {
    await ask(300, 20);
    const startNs = BigInt(NOW_MS - 300 * 60_000 + 1) * 1_000_000n;
    await answerFromCache(
      cache,
      {
        tenants: ["t"],
        query: "q",
        steps: { startNs, stepNs: 60n * SECOND, count: 9 },
        backMs: 1,
        aheadMs: 0,
        intervalMs: HOUR_MS,
        newestMs: NOW_MS,
        nowMs: NOW_MS,
      },
      evaluate,
    );
    expect(evaluated).toHaveLength(1);
  });

  test("an answer is too old after the TTL", async () => {
    await ask(300, 20);
    await clock.advance(HOUR_MS - 1);
    expect(await ask(300, 20)).toBe("");
    await clock.advance(1);
    expect(await ask(300, 20)).toBe("300-20");
  });

  test("late entries drop the pieces they fall into, and no others", async () => {
    await ask(300, 20);
    arrive("u", 100);
    arrive("t", 5, -1);
    expect(await ask(300, 20)).toBe("");
    arrive("t", 100);
    const again = await ask(300, 20);
    expect(again).toMatch(/^\d+-\d+$/);
    const [from, to] = again.split("-").map(Number) as [number, number];
    expect(from).toBeGreaterThanOrEqual(100);
    expect(to).toBeLessThanOrEqual(100);
    expect(from - to).toBeLessThan(60);
  });

  test("an entry just before a piece is in its first windows", async () => {
    await ask(300, 20);
    arrive("t", 300.5);
    expect(await ask(300, 20)).toMatch(/^300-/);
  });

  for (const [name, disturb, isKept] of [
    ["late entries", () => arrive("t", 100), false],
    ["entries of another time", () => arrive("t", 500), true],
    ["a delete", () => cache.dropTenant("t"), false],
    ["another tenant's delete", () => cache.dropTenant("u"), true],
  ] as const) {
    test(`a query during which there was ${name} is ${isKept ? "" : "not "}kept`, async () => {
      const range: CachedRange = {
        tenants: ["t"],
        query: "q",
        steps: { startNs: BigInt(NOW_MS - 300 * 60_000) * 1_000_000n, stepNs: 60n * SECOND, count: 281 },
        backMs: 60_000,
        aheadMs: 0,
        intervalMs: HOUR_MS,
        newestMs: NOW_MS - 600_000,
        nowMs: NOW_MS,
      };
      await answerFromCache(cache, range, async (steps) => {
        disturb();
        return evaluate(steps);
      });
      evaluated = [];
      expect(await ask(300, 20)).toBe(isKept ? "" : "300-20");
    });
  }

  test("a failed query leaves nothing behind", async () => {
    const range = {
      tenants: ["t"],
      query: "q",
      steps: { startNs: 0n, stepNs: SECOND, count: 9 },
      backMs: 1,
      aheadMs: 0,
      intervalMs: 1,
      newestMs: 1e9,
      nowMs: 0,
    };
    await expect(answerFromCache(cache, range, async () => Promise.reject(new Error("too much")))).rejects.toThrow("too much");
    expect(await counted("loki_embeddedcache_entries")).toBe(0);
  });

  test("the bytes are bounded: what was used last stays, what is too large is not kept", async () => {
    cache = new ResultsCache({ bytesMax: 30_000, ttlMs: HOUR_MS, clock, registry: (registry = new Registry()) });
    for (let i = 0; i < 50; i++) {
      await ask(300, 20, { query: `q${i}` });
      await ask(300, 20, { query: "q0" });
      expect(await counted("loki_embeddedcache_memory_bytes")).toBeLessThanOrEqual(30_000);
    }
    evaluated = [];
    expect(await ask(300, 20, { query: "q0" })).toBe("");
    expect(await ask(300, 20, { query: "q1" })).toBe("300-20");
    cache = new ResultsCache({ bytesMax: 1000, ttlMs: HOUR_MS, clock, registry: (registry = new Registry()) });
    await ask(300, 20);
    expect(await counted("loki_embeddedcache_entries")).toBe(0);
  });
});
