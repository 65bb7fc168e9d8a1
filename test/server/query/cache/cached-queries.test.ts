// Queries with the results cache against the same without it: random pushes, in order and late, deletes, flushes, and queries of all kinds.
// SKALD_SEED repeats a run.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededRandom } from "../../../../lib/runtime/clock.ts";
import type { QueryEngine } from "../../../../server/query/engine.ts";
import { printResultLabels } from "../../../../server/query/series-table.ts";
import { type Compacted, HOUR_MS, NOW_SEC, openCompacted } from "../../retention/compacted-storage.ts";
import type { ModelEntry } from "../../storage-entries.ts";

const SEED = Number(process.env.SKALD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.SKALD_STEPS ?? 80);

const QUERIES = [
  'count_over_time({app=~".+"}[1m])',
  'sum by (app) (rate({app=~".+"} |= "word1" [5m]))',
  // Of equal values topk may take any: these are not equal.
  'topk(1, sum by (app) (sum_over_time({app=~".+"} | logfmt | unwrap took [2m])))',
  'absent_over_time({app="app0"} |= "word1" [1m])',
  'sum(count_over_time({app="app1"}[1m] offset 7m))',
  'sum(count_over_time({app="app1"}[1m] offset -7m))',
  'sum(count_over_time({app="app0"}[1m])) / sum(count_over_time({app="app1"}[3m]))',
  'sum by (word) (count_over_time({app="app2"} | logfmt [1m]))',
  'quantile_over_time(0.9, {app=~".+"} | logfmt | unwrap took [5m]) by (app)',
  'sum by (app) (avg_over_time({app=~".+"} | logfmt | unwrap took [90s]))',
  'max(bytes_over_time({app=~"app[01]"}[1m])) > 40',
] as const;

test(`answers with the cache are those without, seed ${SEED}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "skald-cache-"));
  const random = seededRandom(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const at = await openCompacted(folder, { cacheBytes: 200_000, limits: { split_queries_by_interval: "10m" } });
  try {
    await push(at, 400);
    for (let step = 0; step < STEPS; step++) {
      const dice = random();
      if (dice < 0.2) await push(at, 1 + Math.floor(random() * 20));
      else if (dice < 0.24) await at.storage.flush();
      else if (dice < 0.32)
        await at.remove(`{app="${pick(["app0", "app1"])}"} |= "word${Math.floor(random() * 3)}"`, -Math.floor(random() * 9000), 0);
      else if (dice < 0.35) await at.compactor.run();
      else await compare(step);
      await at.clock.advance(Math.floor(random() * 60_000));
    }
    const hits = (await at.registry.getSingleMetric("loki_cache_hits")!.get()).values[0]!.value;
    expect(hits, "the cache was of use").toBeGreaterThan(0);
  } finally {
    await at.close();
    await rm(folder, { recursive: true, force: true });
  }

  /** Within the last hour, now and then an hour earlier. */
  async function push(to: Compacted, count: number): Promise<void> {
    const nowSec = Math.floor(to.clock.nowMs() / 1000);
    const entries = Array.from({ length: count }, (): ModelEntry => {
      const isLate = random() < 0.02 || count > 100;
      return {
        labels: { app: `app${Math.floor(random() * 3)}` },
        sec: nowSec - Math.floor(random() * (isLate ? 7200 : 60)),
        nanos: Math.floor(random() * 1e9),
        line: `word=word${Math.floor(random() * 3)} took=${(random() * 10).toFixed(3)}`,
      };
    });
    await to.push(entries);
  }

  async function compare(step: number): Promise<void> {
    const query = pick(QUERIES);
    const stepSec = pick([15, 60]);
    const nowSec = Math.floor(at.clock.nowMs() / 1000);
    // Grafana's times are multiples of the step; others' are not.
    const align = (sec: number): number => (random() < 0.95 ? sec - (sec % stepSec) : sec);
    const end = align(nowSec - Math.floor(random() * 1200));
    const start = align(end - 600 - Math.floor(random() * 6000));
    // Twice, so that much of the second answer comes from the cache.
    await ask(at.cachedEngine, query, start, end, stepSec);
    const got = await ask(at.cachedEngine, query, start, end, stepSec);
    const want = await ask(at.engine, query, start, end, stepSec);
    expect([...got.keys()], `seed ${SEED}, step ${step}: series of ${query}`).toEqual([...want.keys()]);
    for (const [labels, values] of want) {
      const where = `seed ${SEED}, step ${step}: ${labels} of ${query}, ${start - NOW_SEC}-${end - NOW_SEC} by ${stepSec}`;
      const other = got.get(labels)!;
      values.forEach((value, k) => {
        if (value === undefined) expect(other[k], `${where} at ${k}`).toBeUndefined();
        // Fractions are added up in the order of buckets, which steps cut.
        else
          expect(Math.abs(other[k]! - value), `${where} at ${k}: ${other[k]}, not ${value}`).toBeLessThanOrEqual(Math.abs(value) * 1e-12);
      });
    }
  }
});

async function ask(
  engine: QueryEngine,
  query: string,
  startSec: number,
  endSec: number,
  stepSec: number,
): Promise<Map<string, (number | undefined)[]>> {
  const ns = (sec: number): bigint => BigInt(sec) * 1_000_000_000n;
  const { data } = await engine.range({
    tenants: ["t"],
    query,
    limit: 100,
    direction: "backward",
    startNs: ns(startSec),
    endNs: ns(endSec),
    stepNs: ns(stepSec),
    intervalNs: 0n,
  });
  if (data.type !== "matrix") throw new Error(`${query} answers no matrix`);
  return new Map(
    data.series.map((one) => [
      printResultLabels(one.labels),
      [...one.values].map((value, k) => (one.present[k] === 1 ? value : undefined)),
    ]),
  );
}

test("the freshness that a tenant is granted, and what a client does not want", async () => {
  const folder = await mkdtemp(join(tmpdir(), "skald-cache-"));
  const at = await openCompacted(folder, { limits: { max_cache_freshness_per_query: "20m" } });
  const hits = async (): Promise<number> => (await at.registry.getSingleMetric("loki_cache_hits")!.get()).values[0]!.value;
  const stored = async (): Promise<number> => (await at.registry.getSingleMetric("loki_embeddedcache_entries")!.get()).values[0]!.value;
  const range = {
    tenants: ["t"],
    query: 'count_over_time({a="b"}[1m])',
    limit: 1,
    direction: "backward" as const,
    stepNs: 60_000_000_000n,
    intervalNs: 0n,
  };
  const between = (fromMinute: number, toMinute: number): { startNs: bigint; endNs: bigint } => ({
    startNs: BigInt(NOW_SEC - fromMinute * 60) * 1_000_000_000n,
    endNs: BigInt(NOW_SEC - toMinute * 60) * 1_000_000_000n,
  });
  try {
    await at.cachedEngine.range({ ...range, ...between(19, 0) });
    expect(await stored()).toBe(0);
    await at.cachedEngine.range({ ...range, ...between(40, 21), noCache: true });
    expect(await stored()).toBe(0);
    await at.cachedEngine.range({ ...range, ...between(40, 21) });
    expect(await stored()).toBeGreaterThan(0);
    await at.cachedEngine.range({ ...range, ...between(40, 21), noCache: true });
    expect(await hits()).toBe(0);
    await at.cachedEngine.range({ ...range, ...between(40, 21) });
    expect(await hits()).toBeGreaterThan(0);
    await at.clock.advance(HOUR_MS);
  } finally {
    await at.close();
    await rm(folder, { recursive: true, force: true });
  }
});
