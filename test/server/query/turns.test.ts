// What goes through many series looks at the clock at least once per few of them: nobody else is held up.

import { expect, test } from "vitest";
import type { MetricExpr } from "../../../lib/logql/ast.ts";
import { parseExpr } from "../../../lib/logql/index.ts";
import { evaluate } from "../../../server/query/evaluate.ts";
import type { MetricPartial } from "../../../server/query/scan-metric.ts";

const SERIES = 5_000;
/** Series that one piece of work may have gone through. */
const AT_ONCE_MAX = 1_100;

/** Every range aggregation finds the same series, each with one entry. */
const FOUND: MetricPartial = {
  labels: Array.from({ length: SERIES }, (_, i) => ({ names: ["app", "id"], values: ["a", String(i)] })),
  states: Array.from({ length: SERIES }, (_, i) => ({ blocks: [Float64Array.of(1, i, 0, 0)], samples: undefined })),
};

async function looksOf(query: string): Promise<{ looks: number; series: number }> {
  let looks = 0;
  const series = await evaluate(parseExpr(query) as MetricExpr, {
    steps: { startNs: 60_000_000_000n, stepNs: 0n, count: 1 },
    scanSeriesMax: 100_000,
    scan: async () => [structuredClone(FOUND)],
    takeTurn: () => void looks++,
  });
  return { looks, series: series.filter(({ present }) => present.includes(1)).length };
}

const C = "count_over_time({app=~`.+`}[1m])";
for (const [query, ranges, series] of [
  [C, 1, SERIES],
  [`${C} > 0`, 1, SERIES],
  [`${C} + ${C}`, 2, SERIES],
  [`${C} and ${C}`, 2, SERIES],
  [`${C} or ${C}`, 2, SERIES],
  [`${C} unless on (id) ${C}`, 2, 0],
  [`${C} and on (app) ${C}`, 2, SERIES],
  [`${C} * on (app) group_left () sum by (app) (${C})`, 2, SERIES],
  [`label_replace(${C}, "to", "$1", "id", "(.*)")`, 1, SERIES],
  [`sort(${C})`, 1, SERIES],
  [`topk(3, ${C})`, 1, 3],
  [`max by (id) (${C})`, 1, SERIES],
] as const) {
  test(query.replaceAll(C, "C"), async () => {
    // What reading, merging and finishing the ranges alone takes: these are counted, too.
    const before = query === C ? 0 : ranges * (await looksOf(C)).looks;
    const { looks, series: got } = await looksOf(query);
    expect(got).toBe(series);
    expect(looks - before).toBeGreaterThanOrEqual(SERIES / AT_ONCE_MAX);
  });
}

test("a scan is told how many series the steps leave room for", async () => {
  let seriesMax = 0;
  const steps = { startNs: 0n, stepNs: 1_000_000_000n, count: 10_000 };
  const scan = async (plan: { readonly seriesMax: number }): Promise<MetricPartial[]> => {
    seriesMax = plan.seriesMax;
    return [];
  };
  await evaluate(parseExpr(C) as MetricExpr, { steps, scanSeriesMax: 100_000, scan, takeTurn: () => {} });
  expect(seriesMax).toBe(4_800);
});
