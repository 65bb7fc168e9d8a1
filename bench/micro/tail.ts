// A file through tailer, an empty pipeline and the client to a push endpoint on the loopback that counts and forgets: lines per second
// of this process' CPU. The endpoint runs in a process of its own, whose CPU is not counted.
//
//   node bench/micro/tail.ts [lines] [streams]

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { openPositions } from "../../agent/positions.ts";
import { createTailMetrics } from "../../agent/tail/tail-metrics.ts";
import { openFileTarget } from "../../agent/targets/file-target.ts";
import { kernels } from "../../lib/kernels/index.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { openBenchClients, sentEntries, startEndpoint } from "./push-endpoint.ts";

const LINE_BYTES = 300;

await measure(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 1));

async function measure(lineCount: number, fileCount: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "skald-bench-"));
  const endpoint = await startEndpoint();
  const log = createLog({ level: "warn" });
  for (let f = 0; f < fileCount; f++) writeFileSync(join(folder, `f${f}.log`), content(Math.ceil(lineCount / fileCount), f));
  const registry = new Registry();
  const metrics = createTailMetrics(registry);
  const positions = await openPositions({
    path: join(folder, "positions.yaml"),
    syncPeriodMs: 10_000,
    ignoreInvalidYaml: false,
    readOnly: false,
    clock: systemClock,
    log,
  });
  const clients = openBenchClients(endpoint.port, { registry, log, clock: systemClock });
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const target = await openFileTarget({
    pathGlob: join(folder, "*.log"),
    excludeGlob: "",
    labels: LabelSet.fromObject({ job: "bench" }),
    pipeline: () => ({ process: () => {}, flush: () => undefined }),
    sink: clients,
    positions,
    options: { syncPeriodMs: 10_000, pollMinMs: 250, pollMaxMs: 250 },
    clock: systemClock,
    log,
    metrics,
  });
  const all = Math.ceil(lineCount / fileCount) * fileCount;
  while ((await sentEntries(registry)) < all) await new Promise((resolve) => setTimeout(resolve, 20));
  const used = process.cpuUsage(cpu);
  const cpuS = (used.user + used.system) / 1e6;
  const wallS = (performance.now() - startedMs) / 1000;
  const rss = Math.round(process.memoryUsage().rss / 2 ** 20);
  console.info(
    `${kernels.flavour} kernels, ${fileCount} file(s): ${Math.round(all / cpuS / 1000)} k lines per CPU second ` +
      `(${((cpuS / all) * 1e6).toFixed(2)} us per line, user ${(used.user / 1e6).toFixed(2)} s, system ${(used.system / 1e6).toFixed(2)} s), ` +
      `${Math.round(all / wallS / 1000)} k lines per second, ${rss} MiB resident`,
  );
  await target.stop({ drain: false });
  await clients.drain(1_000);
  await positions.close();
  endpoint.stop();
  rmSync(folder, { recursive: true, force: true });
}

function content(lineCount: number, seed: number): Buffer {
  const levels = ["info", "warn", "error", "debug"];
  const parts: string[] = [];
  for (let i = 0; i < lineCount; i++) {
    const id = Math.imul(i + seed * 7919, 2_654_435_761) >>> 0;
    const head = `{"ts":"2026-01-01T00:00:${String(i % 60).padStart(2, "0")}.${String(i % 1000).padStart(3, "0")}Z","level":"${levels[id % 4]}","id":"${id.toString(16)}","path":"/api/v1/items/${id % 9973}","status":${200 + (id % 7) * 50},"msg":"request finished in ${id % 997} ms"`;
    parts.push(`${head},"pad":"${"lorem ipsum dolor sit amet ".repeat(6).slice(0, Math.max(0, LINE_BYTES - head.length - 10))}"}\n`);
  }
  return Buffer.from(parts.join(""));
}
