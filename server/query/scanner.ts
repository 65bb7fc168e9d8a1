// Has streams scanned: on the main thread when it is little or only in memory, by worker threads when it is much.

import { kernels } from "../../lib/kernels/index.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { createTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { WorkerPool, WorkerTaskError } from "../../lib/runtime/worker-pool.ts";
import type { PageReader, PageRef, StreamPages } from "../page.ts";
import { EntryKeeper, type LogPartial } from "./entry-keeper.ts";
import { QueryError } from "./errors.ts";
import { splitLineFilters } from "./ops/compile.ts";
import type { LogPlan, MetricPlan } from "./plan.ts";
import type { RunningQuery } from "./running-query.ts";
import { addStats, createScanControl } from "./scan-control.ts";
import { bestTime, type LogPage, LogScan, pagesInOrder } from "./scan-log.ts";
import { type MetricPartial, MetricScan } from "./scan-metric.ts";
import { logTask, metricTask, type ScanResult, type ScanTask } from "./scan-task.ts";
import type { Windows } from "./windows.ts";

/** Threads that scan stored pages, each with a page reader of its own. */
export interface ScanWorkers {
  readonly count: number;
  /** URL of a module that exports `openWorkerReader(options): PageReader | Promise<PageReader>`. */
  readonly readerModule: string;
  /** Structured-clonable. */
  readonly readerOptions: unknown;
}

export interface Scanner {
  metric(plan: MetricPlan, windows: Windows, streams: readonly StreamPages[], query: RunningQuery): Promise<readonly MetricPartial[]>;
  log(plan: LogPlan, streams: readonly StreamPages[], query: RunningQuery): Promise<LogPartial>;
  close(): Promise<void>;
}

/** Less than this (raw bytes of lines) is not worth the way to a worker and back. */
const TASK_BYTES_MIN = 4 * 1024 * 1024;
/** More than this would keep a worker from the queries behind for too long. */
const TASK_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Up to so many pages (a few milliseconds), page filters are asked before work goes to threads: a search for what is nowhere then costs no
 * thread at all. Beyond, the threads ask.
 */
const PRUNED_PAGES_MAX = 4_096;
/** Tasks per worker and query, so that workers finish together although tasks differ. */
const TASKS_PER_WORKER = 8;

export function createScanner(options: {
  readonly openReader: () => PageReader;
  readonly workers?: ScanWorkers;
  readonly log: Log;
}): Scanner {
  const pool = startPool(options.workers, options.log);
  const readers = new ReaderPool(options.openReader);
  let queries = 0;
  return {
    metric: (plan, windows, streams, query) =>
      readers.use(async (reader) => {
        const control = createScanControl(() => query.throwIfStopped(), true);
        const scan = new MetricScan(plan, windows, reader, kernels, control);
        const work = await splitMetricWork(scan, streams, pool?.size ?? 0, control.betweenLines);
        const id = ++queries;
        const remote = work.tasks.map((task) => runRemote(pool!, metricTask(id, plan, task), query));
        // A failure of one is the query's; the others are stopped by then and their failures nobody's concern.
        for (const one of remote) one.catch(() => {});
        for (const { labels, group } of work.inline) await scan.addGroup(labels, group);
        const partials = [scan.partial()];
        for (const one of remote) {
          const result = await one;
          addStats(query.stats, result.stats);
          if (result.kind === "metric") partials.push(result.partial);
        }
        addStats(query.stats, control.stats);
        return partials;
      }),
    async log(plan, streams, query) {
      const pages = await pagesInOrder(
        streams,
        plan.direction,
        createTurns(() => query.throwIfStopped()),
      );
      if (pool === undefined || !wantsWorkers(plan, pages)) return scanLogHere(plan, pages, readers, query);
      return scanLogRemotely(pool, plan, pages, readers, query);
    },
    close: async () => pool?.close(),
  };
}

/** Threads run JavaScript only: from sources, everything is scanned on the main thread. */
function startPool(workers: ScanWorkers | undefined, log: Log): WorkerPool<ScanTask, ScanResult> | undefined {
  if (workers === undefined || workers.count < 1 || !import.meta.url.endsWith(".js")) return undefined;
  const { count, readerModule, readerOptions } = workers;
  return new WorkerPool({
    script: new URL("./scan-worker.js", import.meta.url),
    count,
    workerData: { readerModule, readerOptions },
    onCrash: (error) => log.error({ error: error.stack ?? error.message }, "a query worker ended"),
  });
}

interface MetricWork {
  readonly inline: readonly { readonly labels: StreamPages["labels"]; readonly group: readonly PageRef[] }[];
  readonly tasks: readonly StreamPages[][];
}

/** What statistics do not answer: tasks of stored pages for workers, the rest for this thread. */
async function splitMetricWork(
  scan: MetricScan,
  streams: readonly StreamPages[],
  workers: number,
  takeTurn: TakeTurn,
): Promise<MetricWork> {
  const inline: { labels: StreamPages["labels"]; group: readonly PageRef[] }[] = [];
  const stored: { labels: StreamPages["labels"]; group: readonly PageRef[]; bytes: number }[] = [];
  const pageCount = streams.reduce((sum, { pages }) => sum + pages.length, 0);
  for (const { labels, pages } of streams) {
    for (const group of await scan.groupsToRead(labels, pages)) {
      if (group.some(({ location }) => location.kind === "memory")) inline.push({ labels, group });
      else if (pageCount > PRUNED_PAGES_MAX || (await scan.mayMatchAny(group))) stored.push({ labels, group, bytes: bytesOf(group) });
    }
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
  const total = stored.reduce((sum, { bytes }) => sum + bytes, 0);
  if (workers === 0 || total < TASK_BYTES_MIN) return { inline: [...inline, ...stored], tasks: [] };
  const target = Math.min(TASK_BYTES_MAX, Math.max(TASK_BYTES_MIN, total / (workers * TASKS_PER_WORKER)));
  const tasks: StreamPages[][] = [];
  let task: { labels: StreamPages["labels"]; pages: PageRef[] }[] = [];
  let taskBytes = 0;
  for (const { labels, group, bytes } of stored) {
    const last = task.at(-1);
    if (last?.labels === labels) last.pages.push(...group);
    else task.push({ labels, pages: [...group] });
    taskBytes += bytes;
    if (taskBytes < target) continue;
    tasks.push(task);
    task = [];
    taskBytes = 0;
  }
  if (task.length > 0) tasks.push(task);
  return { inline, tasks };
}

function bytesOf(pages: readonly PageRef[]): number {
  return pages.reduce((sum, { stats }) => sum + stats.lineBytes, 0);
}

/** Without a filter the first few pages fill the answer; with one, any number may have to be read. */
function wantsWorkers({ log }: LogPlan, pages: readonly LogPage[]): boolean {
  const { early, late } = splitLineFilters(log.ops);
  const filters = early.length > 0 || late.some(({ kind }) => kind === "labelFilter" || kind === "lineFilter");
  return filters && bytesOf(pages.map(({ page }) => page)) >= 2 * TASK_BYTES_MIN;
}

function scanLogHere(plan: LogPlan, pages: readonly LogPage[], readers: ReaderPool, query: RunningQuery): Promise<LogPartial> {
  return readers.use(async (reader) => {
    const control = createScanControl(() => query.throwIfStopped(), true);
    const entries = await new LogScan(plan, reader, kernels, control).scan(pages);
    addStats(query.stats, control.stats);
    return entries;
  });
}

/** Readers of the main thread. A reader's scratch memory is never freed, so readers are used again. */
class ReaderPool {
  readonly #open: () => PageReader;
  readonly #idle: PageReader[] = [];

  constructor(open: () => PageReader) {
    this.#open = open;
  }

  /** Lends a reader until the work is done, well or not. */
  async use<T>(work: (reader: PageReader) => Promise<T>): Promise<T> {
    const reader = this.#idle.pop() ?? this.#open();
    try {
      return await work(reader);
    } finally {
      this.#idle.push(reader);
    }
  }
}

/** Tasks of about equal size go out in the order of time, as many at once as there are workers, until the answer is full. */
async function scanLogRemotely(
  pool: WorkerPool<ScanTask, ScanResult>,
  plan: LogPlan,
  pages: readonly LogPage[],
  readers: ReaderPool,
  query: RunningQuery,
): Promise<LogPartial> {
  const keeper = new EntryKeeper(plan.limit, plan.direction);
  const inMemory = pages.filter(({ page }) => page.location.kind === "memory");
  keeper.addAll(await scanLogHere(plan, inMemory, readers, query));

  const tasks = cutLogTasks(pages.filter(({ page }) => page.location.kind === "block"));
  let next = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const task = tasks[next++];
      if (task === undefined) return;
      keeper.settle();
      const [sec, nanos] = bestTime(task[0]!, plan.direction);
      if (!keeper.wants(sec, nanos)) return;
      const result = await runRemote(pool, logTask(plan, task), query);
      addStats(query.stats, result.stats);
      if (result.kind === "log") keeper.addAll(result.entries);
    }
  };
  await Promise.all(Array.from({ length: pool.size }, work));
  return keeper.finish();
}

function cutLogTasks(pages: readonly LogPage[]): LogPage[][] {
  const tasks: LogPage[][] = [];
  let task: LogPage[] = [];
  let bytes = 0;
  for (const page of pages) {
    task.push(page);
    bytes += page.page.stats.lineBytes;
    if (bytes < TASK_BYTES_MIN) continue;
    tasks.push(task);
    task = [];
    bytes = 0;
  }
  if (task.length > 0) tasks.push(task);
  return tasks;
}

async function runRemote(pool: WorkerPool<ScanTask, ScanResult>, task: ScanTask, query: RunningQuery): Promise<ScanResult> {
  try {
    return await pool.run(task, query.signal, query);
  } catch (error) {
    query.throwIfStopped();
    if (error instanceof WorkerTaskError && error.status !== undefined) throw new QueryError(error.status, error.message);
    throw error;
  }
}
