// The query engine: LogQL text in, streams, series or a number out. It checks the tenant's limits, selects streams, has their pages scanned
// and puts the answer together. Every query can be cancelled, and ends by itself at the tenant's time-out.

import type { Registry } from "prom-client";
import { Histogram } from "prom-client";
import { checkOps, type Expr, type LogExpr, LogqlError, logRangesOf, type MetricExpr, parseForFormat } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { createTurns, forEachInTurns, sortInTurns } from "../../lib/runtime/turns.ts";

import type { PageReader, LogView as PageView, TimeRange } from "../page.ts";
import { answerFromCache, type CachedRange } from "./cache/cached-range.ts";
import type { ResultsCache } from "./cache/results-cache.ts";
import { EntryKeeper, type LogPartial } from "./entry-keeper.ts";
import { queryErrors } from "./errors.ts";
import { evaluate } from "./evaluate.ts";
import { checkBytesRead, checkLimits, clampLookback, type QueryLimits } from "./limits.ts";
import { templateFault } from "./ops/formats.ts";
import { type Direction, dataRange, type MetricPlan, planLog } from "./plan.ts";
import type { Series } from "./range-aggregate.ts";
import { type RunningQuery, startQuery } from "./running-query.ts";
import type { ScanStats } from "./scan-control.ts";
import type { MetricPartial } from "./scan-metric.ts";
import { createScanner, type Scanner, type ScanWorkers } from "./scanner.ts";
import { compareResultLabels } from "./series-table.ts";
import { chooseTenants, labelEntries, labelSeries } from "./tenants.ts";
import { type Steps, stepTimesMs, type Windows } from "./windows.ts";

export interface QueryEngineOptions {
  readonly view: PageView;
  /** A reader for the main thread; workers have their own. */
  readonly openReader: () => PageReader;
  /** Threads that scan stored pages; absent: everything is scanned on the main thread. */
  readonly workers?: ScanWorkers;
  readonly limits: (tenant: string) => QueryLimits;
  /** Of metric queries over time; absent: each is answered anew. */
  readonly cache?: ResultsCache;
  /** Start and end of metric queries are taken down to a multiple of their step. */
  readonly alignsWithStep?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry?: Registry;
}

interface CommonRequest {
  /** One tenant, or several whose data is read together. */
  readonly tenants: readonly string[];
  readonly query: string;
  readonly limit: number;
  readonly direction: Direction;
  readonly signal?: AbortSignal;
  /** X-Query-Tags, for the log. */
  readonly tags?: string;
  /** The client wants an answer that no cache had a part in. */
  readonly noCache?: boolean;
}

export interface InstantRequest extends CommonRequest {
  readonly timeNs: bigint;
}

export interface RangeRequest extends CommonRequest {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly stepNs: bigint;
  /** Of a log query: at most one entry per interval; 0: all. */
  readonly intervalNs: bigint;
}

export type QueryData =
  | { readonly type: "streams"; readonly entries: LogPartial; readonly direction: Direction }
  | { readonly type: "matrix"; readonly series: readonly Series[]; readonly timesMs: Float64Array }
  | { readonly type: "vector"; readonly series: readonly Series[]; readonly timeMs: number }
  | { readonly type: "scalar"; readonly value: number; readonly timeMs: number };

export interface QueryAnswer {
  readonly data: QueryData;
  readonly stats: ScanStats;
  readonly execSeconds: number;
  readonly warnings: readonly string[];
}

export interface QueryEngine {
  /** @throws QueryError, LogqlError (400) */
  instant(request: InstantRequest): Promise<QueryAnswer>;
  /** @throws QueryError, LogqlError (400) */
  range(request: RangeRequest): Promise<QueryAnswer>;
  /** The same threads and limits over other pages: no cache, nothing counted, nothing logged. */
  over(view: PageView): Pick<QueryEngine, "instant" | "range">;
  /** Ends the workers. Queries in flight fail. */
  close(): Promise<void>;
}

/** Series that one scan may make on the way to an answer; beyond it a query would take the process's memory. */
const SCAN_SERIES_MAX = 500_000;
const NS_PER_MS = 1_000_000n;
const DAY_MS = 24 * 3_600_000;

/** What every query works with. */
interface Engine extends QueryEngineOptions {
  readonly scanner: Scanner;
}

export function createQueryEngine(options: QueryEngineOptions): QueryEngine {
  const engine: Engine = { ...options, scanner: createScanner(options) };
  const answering = async (
    request: CommonRequest,
    run: (query: RunningQuery) => Promise<QueryData>,
    done?: (query: RunningQuery, seconds: number, error: unknown) => void,
  ): Promise<QueryAnswer> => {
    const started = performance.now();
    const timeoutsMs = request.tenants.map((tenant) => options.limits(tenant).queryTimeoutMs).filter((ms) => ms > 0);
    const query = startQuery(request.signal, timeoutsMs.length === 0 ? 0 : Math.min(...timeoutsMs));
    const seconds = (): number => (performance.now() - started) / 1000;
    try {
      const data = await query.guard(run(query));
      done?.(query, seconds(), undefined);
      return { data, stats: query.stats, execSeconds: seconds(), warnings: [] };
    } catch (error) {
      done?.(query, seconds(), error);
      throw error;
    } finally {
      query.end();
    }
  };
  const seconds = durationHistogram(options.registry);
  const timed = (kind: string, request: CommonRequest, run: (query: RunningQuery) => Promise<QueryData>): Promise<QueryAnswer> =>
    answering(request, run, (query, execSeconds, error) => {
      const status = statusOf(error);
      seconds?.observe({ kind, status: String(status) }, execSeconds);
      options.log.debug(
        {
          kind,
          tenant: request.tenants.join("|"),
          query: request.query,
          status,
          duration: execSeconds,
          tags: request.tags,
          lines: query.stats.lines,
          bytes: query.stats.bytes,
        },
        "query done",
      );
    });
  return {
    instant: (request) => timed("instant", request, (query) => runInstant(engine, request, query)),
    range: (request) => timed("range", request, (query) => runRange(engine, request, query)),
    over(view) {
      const { cache: _, ...uncached } = engine;
      const other: Engine = { ...uncached, view };
      return {
        instant: (request) => answering(request, (query) => runInstant(other, request, query)),
        range: (request) => answering(request, (query) => runRange(other, request, query)),
      };
    },
    close: () => engine.scanner.close(),
  };
}

function statusOf(error: unknown): number {
  if (error === undefined) return 200;
  if (error instanceof LogqlError) return 400;
  const { status } = error as { readonly status?: unknown };
  return typeof status === "number" ? status : 500;
}

/** Parses a query as it is going to run. @throws LogqlError */
export function parseQuery(text: string): Expr {
  const expr = parseForFormat(text);
  checkOps(expr, { template: templateFault });
  return expr;
}

async function runInstant(engine: Engine, request: InstantRequest, query: RunningQuery): Promise<QueryData> {
  const expr = parseQuery(request.query);
  if (expr.kind === "log") throw queryErrors.instantLog();
  const timeMs = Number(request.timeNs / NS_PER_MS);
  if (expr.kind === "literal") return { type: "scalar", value: expr.value, timeMs };
  const range: TimeRange = { startNs: request.timeNs, endNs: request.timeNs };
  const limits = checkMetric(engine, request, expr, range);
  if (clampLookback(range, limits, engine.clock.nowMs()) === undefined) return { type: "vector", series: [], timeMs };
  const series = await runMetric(engine, request, expr, { startNs: request.timeNs, stepNs: 0n, count: 1 }, limits, query);
  return { type: "vector", series: ordersByValue(expr) ? series : await sortedByLabels(series, query), timeMs };
}

async function runRange(engine: Engine, request: RangeRequest, query: RunningQuery): Promise<QueryData> {
  const expr = parseQuery(request.query);
  if (expr.kind === "log") return runLog(engine, request, expr, query);
  const limits = checkMetric(engine, request, expr, request);
  const range = clampLookback(request, limits, engine.clock.nowMs());
  if (range === undefined) return { type: "matrix", series: [], timesMs: new Float64Array(0) };
  const steps = stepsOf(range, request.stepNs, engine.alignsWithStep === true);
  const evaluateSteps = (some: Steps): Promise<Series[]> => runMetric(engine, request, expr, some, limits, query);
  const cached = engine.cache === undefined || request.noCache === true ? undefined : cachedRange(engine, request, expr, steps, limits);
  const takeTurn = createTurns(() => query.throwIfStopped());
  const series = cached === undefined ? await evaluateSteps(steps) : await answerFromCache(engine.cache!, cached, evaluateSteps, takeTurn);
  checkSeries(series, limits);
  return { type: "matrix", series: await sortedByLabels(series, query), timesMs: stepTimesMs(steps) };
}

function stepsOf({ startNs, endNs }: TimeRange, stepNs: bigint, aligns: boolean): Steps {
  const down = (ns: bigint): bigint => (aligns ? ns - (((ns % stepNs) + stepNs) % stepNs) : ns);
  return { startNs: down(startNs), stepNs, count: Number((down(endNs) - down(startNs)) / stepNs) + 1 };
}

/** Undefined for a query that reads nothing. */
function cachedRange(
  engine: Engine,
  { tenants, query }: CommonRequest,
  expr: MetricExpr,
  steps: Steps,
  limits: QueryLimits,
): CachedRange | undefined {
  const ranges = logRangesOf(expr);
  if (ranges.length === 0) return undefined;
  const nowMs = engine.clock.nowMs();
  return {
    tenants,
    query,
    steps,
    backMs: Math.max(...ranges.map(({ rangeMs, offsetMs }) => rangeMs + offsetMs)),
    aheadMs: Math.max(...ranges.map(({ offsetMs }) => -offsetMs)),
    intervalMs: limits.splitIntervalMs > 0 ? limits.splitIntervalMs : DAY_MS,
    newestMs: nowMs - limits.maxCacheFreshnessMs,
    nowMs,
  };
}

function checkSeries(series: readonly Series[], { maxQuerySeries }: QueryLimits): void {
  if (maxQuerySeries > 0 && series.length > maxQuerySeries) throw queryErrors.tooManySeries(maxQuerySeries);
}

function checkMetric(engine: Engine, request: CommonRequest, expr: MetricExpr, range: TimeRange): QueryLimits {
  const ranges = logRangesOf(expr);
  return checkLimits(request.tenants.map(engine.limits), {
    selectors: ranges.map(({ log }) => log.matchers),
    range,
    rangesMs: ranges.map(({ rangeMs }) => rangeMs),
    query: request.query,
    kind: "metric",
  });
}

async function runMetric(
  engine: Engine,
  request: CommonRequest,
  expr: MetricExpr,
  steps: Steps,
  limits: QueryLimits,
  query: RunningQuery,
): Promise<Series[]> {
  const takeTurn = createTurns(() => query.throwIfStopped());
  const evaluated = await evaluate(expr, { steps, scanSeriesMax: SCAN_SERIES_MAX, scan, takeTurn });
  const series: Series[] = [];
  await forEachInTurns(evaluated, takeTurn, (one) => {
    if (one.present.includes(1)) series.push(one);
  });
  checkSeries(series, limits);
  return series;

  async function scan(plan: MetricPlan, windows: Windows): Promise<readonly MetricPartial[]> {
    const partials: MetricPartial[] = [];
    const { tenants, matchers } = chooseTenants(request.tenants, plan.range.log.matchers, "metric");
    for (const tenant of tenants) {
      const streams = await engine.view.select(tenant, matchers, dataRange(windows), takeTurn);
      checkBytesRead(limits, streams);
      const found = await engine.scanner.metric(plan, windows, streams, query);
      partials.push(...(request.tenants.length > 1 ? found.map((partial) => labelSeries(partial, tenant)) : found));
    }
    return partials;
  }
}

async function runLog(engine: Engine, request: RangeRequest, log: LogExpr, query: RunningQuery): Promise<QueryData> {
  const { direction, limit } = request;
  const filters = log.ops.some(({ kind }) => kind === "lineFilter" || kind === "labelFilter");
  const limits = checkLimits(request.tenants.map(engine.limits), {
    selectors: [log.matchers],
    range: request,
    rangesMs: [],
    query: request.query,
    kind: filters ? "filter" : "limited",
  });
  const { maxEntriesLimitPerQuery: entriesMax } = limits;
  if (entriesMax > 0 && limit > entriesMax) throw queryErrors.tooManyEntries(limit, entriesMax);
  const range = clampLookback(request, limits, engine.clock.nowMs());
  if (range === undefined || range.endNs <= range.startNs) return { type: "streams", entries: [], direction };

  const takeTurn = createTurns(() => query.throwIfStopped());
  const keeper = new EntryKeeper(limit, direction);
  const { tenants, matchers } = chooseTenants(request.tenants, log.matchers, "log");
  let streamCount = 0;
  for (const tenant of tenants) {
    const streams = await engine.view.select(tenant, matchers, { startNs: range.startNs, endNs: range.endNs - 1n }, takeTurn);
    checkBytesRead(limits, streams);
    const found = await engine.scanner.log(planLog(log, range, direction, limit), streams, query);
    keeper.addAll(request.tenants.length > 1 ? labelEntries(found, tenant, streamCount) : found);
    streamCount += streams.length;
  }
  return { type: "streams", entries: thinOut(keeper.finish(), request.intervalNs, direction), direction };
}

/** At most one entry per interval, counted from the first one of the answer. */
function thinOut(entries: LogPartial, intervalNs: bigint, direction: Direction): LogPartial {
  if (intervalNs === 0n) return entries;
  let next: bigint | undefined;
  return entries.filter(({ sec, nanos }) => {
    const at = BigInt(sec) * 1_000_000_000n + BigInt(nanos);
    if (next !== undefined && (direction === "forward" ? at < next : at > next)) return false;
    next = direction === "forward" ? at + intervalNs : at - intervalNs;
    return true;
  });
}

/** `sort` or `sort_desc` anywhere in the query: the series stay as they come. topk and bottomk do not order an answer. */
function ordersByValue(expr: MetricExpr): boolean {
  switch (expr.kind) {
    case "vectorAggregation":
      return expr.fn === "sort" || expr.fn === "sort_desc" || ordersByValue(expr.of);
    case "labelReplace":
      return ordersByValue(expr.of);
    case "binary":
      return ordersByValue(expr.left) || ordersByValue(expr.right);
    default:
      return false;
  }
}

function sortedByLabels(series: readonly Series[], query: RunningQuery): Promise<Series[]> {
  const takeTurn = createTurns(() => query.throwIfStopped());
  return sortInTurns(series, takeTurn, (a, b) => compareResultLabels(a.labels, b.labels));
}

function durationHistogram(registry: Registry | undefined): Histogram | undefined {
  if (registry === undefined) return undefined;
  return new Histogram({
    name: "loki_logql_querystats_latency_seconds",
    help: "Time from a query's text to its answer",
    labelNames: ["kind", "status"],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60],
    registers: [registry],
  });
}
