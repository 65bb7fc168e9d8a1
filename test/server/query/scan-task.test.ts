// Pieces of a scan travel to workers and back as plain data: whatever the plan, a structured clone of it scans the same.

import { describe, expect, test } from "vitest";
import { kernels } from "../../../lib/kernels/index.ts";
import { parseExpr } from "../../../lib/logql/index.ts";
import { NO_TURNS } from "../../../lib/runtime/turns.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { planLog, planRange, windowsOf } from "../../../server/query/plan.ts";
import { createScanControl } from "../../../server/query/scan-control.ts";
import { LogScan, pagesInOrder } from "../../../server/query/scan-log.ts";
import { MetricScan } from "../../../server/query/scan-metric.ts";
import { logPagesOf, logTask, metricTask, streamsOf } from "../../../server/query/scan-task.ts";
import { MemoryData } from "./memory-data.ts";

const data = new MemoryData(4);
for (const app of ["a", "b"]) {
  data.add(
    "t",
    LabelSet.fromObject({ app }),
    Array.from({ length: 20 }, (_, i) => ({ ns: BigInt(i) * 1_000_000_000n, line: `level=${i % 2 ? "info" : "error"} v=${i}` })),
  );
}
const streams = data.select("t", [], { startNs: 0n, endNs: 10n ** 12n });
const control = () => createScanControl(() => {}, false);

describe("a scan by way of a task", () => {
  const metrics = [
    'sum by (level) (count_over_time({app=~".+"} |= "v=1" | logfmt [30s]))',
    'quantile_over_time(0.5, {app=~".+"} | logfmt | unwrap v | level="info" [30s]) by (app)',
    'first_over_time({app=~".+"} | logfmt | line_format "{{.v}}" | unwrap v [5s] offset 2s)',
  ];
  for (const query of metrics) {
    test(query, async () => {
      const expr = parseExpr(query);
      const aggregation = expr.kind === "vectorAggregation" ? expr.of : expr;
      if (aggregation.kind !== "rangeAggregation") throw new Error("not a range aggregation");
      const outer = expr.kind === "vectorAggregation" ? (expr.grouping ?? undefined) : undefined;
      const plan = planRange(aggregation, outer, { startNs: 0n, stepNs: 5_000_000_000n, count: 5 }, 500);
      const task = structuredClone(metricTask(1, plan, streams));
      if (task.kind !== "metric") throw new Error("not a metric task");
      const run = async (p: typeof plan, s: typeof streams) => {
        const scan = new MetricScan(p, windowsOf(p), data.openReader(), kernels, control());
        for (const stream of s) await scan.addStream(stream);
        return scan.partial();
      };
      const direct = await run(plan, streams);
      expect(direct.labels.length).toBeGreaterThan(0);
      expect(structuredClone(await run(task.plan, streamsOf(task.streams)))).toEqual(direct);
    });
  }

  test("a log query", async () => {
    const expr = parseExpr('{app=~".+"} |= "error" | logfmt | v > 5');
    if (expr.kind !== "log") throw new Error("not a log query");
    const plan = planLog(expr, { startNs: 0n, endNs: 10n ** 12n }, "backward", 7);
    const pages = await pagesInOrder(streams, plan.direction, NO_TURNS);
    const task = structuredClone(logTask(plan, pages));
    if (task.kind !== "log") throw new Error("not a log task");
    const direct = await new LogScan(plan, data.openReader(), kernels, control()).scan(pages);
    expect(direct).toHaveLength(7);
    expect(structuredClone(await new LogScan(task.plan, data.openReader(), kernels, control()).scan(logPagesOf(task)))).toEqual(direct);
  });
});
