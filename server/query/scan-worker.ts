// A worker thread of the query engine: takes pieces of scans, reads their pages with a reader of its own, answers partial results.

import { parentPort, workerData } from "node:worker_threads";
import { kernels } from "../../lib/kernels/index.ts";
import type { PoolReply, PoolRequest } from "../../lib/runtime/worker-pool.ts";
import type { PageReader } from "../page.ts";
import { queryErrors } from "./errors.ts";
import { windowsOf } from "./plan.ts";
import { createScanControl } from "./scan-control.ts";
import { LogScan } from "./scan-log.ts";
import { MetricScan } from "./scan-metric.ts";
import { logPagesOf, type ScanResult, type ScanTask, streamsOf } from "./scan-task.ts";
import type { Windows } from "./windows.ts";

/** What the pool hands to each worker; see `ScanWorkers`. */
export interface ScanWorkerData {
  readonly readerModule: string;
  readonly readerOptions: unknown;
}

const { readerModule, readerOptions } = workerData as ScanWorkerData;
const { openWorkerReader } = (await import(readerModule)) as { openWorkerReader: (options: unknown) => PageReader | Promise<PageReader> };
const reader = await openWorkerReader(readerOptions);

/** Of the query that was worked on last: its other pieces have the same. */
let known: { query: number; windows: Windows } | undefined;

parentPort!.on("message", (request: PoolRequest<ScanTask>) => void answer(request));

async function answer({ id, task, stop }: PoolRequest<ScanTask>): Promise<void> {
  let reply: PoolReply<ScanResult>;
  try {
    reply = { id, ok: true, result: await scan(task, stop) };
  } catch (error) {
    const { name, message, stack, status } = error as Error & { status?: number };
    reply = {
      id,
      ok: false,
      error: { name, message, ...(stack === undefined ? {} : { stack }), ...(status === undefined ? {} : { status }) },
    };
  }
  parentPort!.postMessage(reply);
}

async function scan(task: ScanTask, stop: Int32Array): Promise<ScanResult> {
  const control = createScanControl(() => {
    if (Atomics.load(stop, 0) !== 0) throw queryErrors.cancelled();
  }, false);
  if (task.kind === "log") {
    const entries = await new LogScan(task.plan, reader, kernels, control).scan(logPagesOf(task));
    return { kind: "log", entries, stats: control.stats };
  }
  if (known?.query !== task.query) known = { query: task.query, windows: windowsOf(task.plan) };
  const metric = new MetricScan(task.plan, known.windows, reader, kernels, control);
  for (const stream of streamsOf(task.streams)) await metric.addStream(stream);
  return { kind: "metric", partial: metric.partial(), stats: control.stats };
}
