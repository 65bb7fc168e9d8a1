// Every call that Grafana's Loki data source, its Explore, Logs Drilldown and Alerting pages make, in the order of a user's way through
// them, over data pushed before. Calls and headers: Grafana's pkg/tsdb/loki and public/app/plugins/datasource/loki, explore-logs.

import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { getJson, pushJson, type StartedServer, startServer } from "../server/clients/started-server.ts";

const MINUTES = 40;
const nowMs = Math.floor(Date.now() / 60_000) * 60_000;
const startMs = nowMs - MINUTES * 60_000;
const [startNs, endNs] = [`${startMs}000000`, `${nowMs}000000`];
const range = { start: startNs, end: endNs };
const isoRange = { start: new Date(startMs).toISOString(), end: new Date(nowMs).toISOString() };
const DRILLDOWN = { "x-query-tags": "Source=grafana-lokiexplore-app" };

let server: StartedServer;
beforeAll(async () => {
  server = await startServer("pattern_ingester:\n  enabled: true\nlimits_config:\n  volume_enabled: true\n");
  const at = (minute: number, second: number): string => `${startMs + minute * 60_000 + second * 1000}000000`;
  const minutes = Array.from({ length: MINUTES }, (_, minute) => minute);
  await pushJson(server.url, [
    {
      stream: { app: "shop", namespace: "prod", pod: "shop-1" },
      values: minutes.map((i) => [
        at(i, 1),
        `level=${i % 4 === 0 ? "error" : "info"} msg="order taken" duration=${i}ms bytes=1KB user=u${i % 5}`,
        { trace_id: `trace-${i}` },
      ]),
    },
    {
      stream: { app: "gate", namespace: "prod", pod: "gate-1" },
      values: minutes.map((i) => [at(i, 2), `user ${i} came from 10.0.0.${i}`]),
    },
    {
      stream: { app: "gate", namespace: "dev", pod: "gate-2" },
      values: minutes.map((i) => [at(i, 3), `{"level":"warn","status":${500 + (i % 2)}}`]),
    },
  ]);
});
afterAll(async () => server?.stop());

function call<T = unknown>(path: string, parameters: Record<string, string>, headers: Record<string, string> = {}): Promise<T> {
  return getJson<T>(`${server.url}/loki/api/v1/${path}?${new URLSearchParams(parameters)}`, { "accept-encoding": "gzip", ...headers });
}

interface Streams {
  readonly resultType: string;
  readonly encodingFlags?: readonly string[];
  readonly result: { stream: Record<string, string>; values: [string, string, Record<string, Record<string, string>>?][] }[];
  readonly stats: { summary: Record<string, number> };
}
interface Samples {
  readonly resultType: string;
  readonly result: { metric: Record<string, string>; value: [number, string]; values: [number, string][] }[];
}
interface Data<T> {
  readonly status: string;
  readonly data: T;
}

test("save & test: a vector of 2, at a time far from now", async () => {
  const { data } = await call<Data<Samples>>("query", { direction: "backward", query: "vector(1)+vector(1)", time: "4000000000" });
  expect(data).toMatchObject({ resultType: "vector", result: [{ metric: {}, value: [4_000_000_000, "2"] }] });
});

test("which ruler it is: buildinfo, and no rules yet in both forms", async () => {
  expect(await call("status/buildinfo", {})).toMatchObject({ version: expect.stringMatching(/./) });
  expect(await getJson(`${server.url}/prometheus/api/v1/rules`)).toMatchObject({ status: "success", data: { groups: [] } });
  expect(await getJson(`${server.url}/prometheus/api/v1/alerts`)).toMatchObject({ status: "success", data: { alerts: [] } });
});

test("query builder: labels, with and without a selector", async () => {
  const labels = ["app", "namespace", "pod", "service_name"];
  expect(await call("labels", range)).toEqual({ status: "success", data: labels });
  expect(await call("labels", { ...range, query: '{app="shop"}' })).toEqual({ status: "success", data: labels });
});

test("query builder: values, of a label that is escaped in the address too", async () => {
  expect(await call("label/app/values", range)).toEqual({ status: "success", data: ["gate", "shop"] });
  expect(await call("label/pod/values", { ...range, query: '{app="gate"}' })).toEqual({ status: "success", data: ["gate-1", "gate-2"] });
  expect(await call("label/%61pp/values", range)).toEqual({ status: "success", data: ["gate", "shop"] });
  expect(await call<Data<unknown>>("label/__stream_shard__/values", range)).toMatchObject({ status: "success" });
});

test("series of several matchers", async () => {
  const search = new URLSearchParams([
    ["match[]", '{app="shop"}'],
    ["match[]", '{pod="gate-2"}'],
    ["start", startNs],
    ["end", endNs],
  ]);
  const { data } = await getJson<Data<Record<string, string>[]>>(`${server.url}/loki/api/v1/series?${search}`);
  expect(data.sort((a, b) => (a.app! < b.app! ? -1 : 1))).toEqual([
    { app: "gate", namespace: "dev", pod: "gate-2", service_name: "gate" },
    { app: "shop", namespace: "prod", pod: "shop-1", service_name: "shop" },
  ]);
});

test("format query", async () => {
  expect(await call("format_query", { query: '{app="shop"}|logfmt|level="error"' })).toEqual({
    status: "success",
    data: '{app="shop"} | logfmt | level="error"',
  });
});

test("parser hints: ten lines of a sample", async () => {
  const { data } = await call<Data<Streams>>(
    "query_range",
    { ...range, query: '{app="shop"}', limit: "10", direction: "backward", step: "10000ms" },
    { "x-query-tags": "Source=datasample" },
  );
  expect(data.result.flatMap(({ values }) => values)).toHaveLength(10);
});

test("logs panel: newest first, labels by category, gzip, statistics of the answer", async () => {
  const query = { ...range, query: '{app="shop"} | logfmt | drop __error__', limit: "1000", direction: "backward", step: "10000ms" };
  const headers = { "x-loki-response-encoding-flags": "categorize-labels", "x-query-tags": "Source=explore" };
  const { data } = await call<Data<Streams>>("query_range", query, headers);
  expect(data).toMatchObject({ resultType: "streams", encodingFlags: ["categorize-labels"] });
  const entries = data.result.flatMap(({ stream, values }) => values.map((value) => ({ stream, value })));
  expect(entries).toHaveLength(MINUTES);
  entries.sort((a, b) => (a.value[0] < b.value[0] ? 1 : -1));
  expect(entries[0]).toEqual({
    stream: { app: "shop", namespace: "prod", pod: "shop-1", service_name: "shop" },
    value: [
      `${startMs + 39 * 60_000 + 1000}000000`,
      'level=info msg="order taken" duration=39ms bytes=1KB user=u4',
      {
        structuredMetadata: { detected_level: "info", trace_id: "trace-39" },
        parsed: { bytes: "1KB", duration: "39ms", level: "info", msg: "order taken", user: "u4" },
      },
    ],
  });
  for (const { values } of data.result) expect(values).toEqual([...values].sort((a, b) => (a[0] < b[0] ? 1 : -1)));
  const { summary } = data.stats;
  expect(Object.keys(summary)).toEqual(expect.arrayContaining(["totalBytesProcessed", "bytesProcessedPerSecond", "execTime"]));
  expect(summary.totalLinesProcessed).toBeGreaterThanOrEqual(MINUTES);
});

test("log context: forward and backward from a line", async () => {
  const middle = `${startMs + 20 * 60_000 + 1000}000000`;
  const query = '{app="shop",namespace="prod",pod="shop-1"}';
  // One answer's streams are one per level.
  const times = async (direction: string, from: string, to: string): Promise<string[]> => {
    const { data } = await call<Data<Streams>>("query_range", { query, start: from, end: to, limit: "2", direction });
    return data.result.flatMap(({ values }) => values.map(([ns]) => ns)).sort();
  };
  const ns = (minute: number): string => `${startMs + minute * 60_000 + 1000}000000`;
  expect(await times("backward", startNs, middle)).toEqual([ns(18), ns(19)]);
  expect(await times("forward", middle, endNs)).toEqual([ns(20), ns(21)]);
});

test("ranges split at a time show no line twice and lose none", async () => {
  const middle = `${startMs + 20 * 60_000 + 1000}000000`;
  const count = async (from: string, to: string): Promise<number> =>
    (await call<Data<Streams>>("query_range", { query: '{app="shop"}', start: from, end: to, limit: "1000" })).data.result.flatMap(
      ({ values }) => values,
    ).length;
  expect((await count(startNs, middle)) + (await count(middle, endNs))).toBe(MINUTES);
});

test("log volume histogram: counts by level", async () => {
  const { data } = await call<Data<Samples>>(
    "query_range",
    {
      ...range,
      query: 'sum by (level, detected_level) (count_over_time({app="shop"} | drop __error__ [10m]))',
      step: "600000ms",
      direction: "backward",
    },
    { "x-query-tags": "Source=logvolhist" },
  );
  expect(data.resultType).toBe("matrix");
  const sums = data.result.map(({ metric, values }) => [metric, values.reduce((sum, [, value]) => sum + Number(value), 0)]);
  expect(sums).toEqual([
    [{ detected_level: "error" }, 10],
    [{ detected_level: "info" }, 30],
  ]);
});

test("metric panels: a range with step in milliseconds, and an instant query of an alert", async () => {
  const { data } = await call<Data<Samples>>("query_range", {
    ...range,
    query: 'sum(count_over_time({namespace="prod"}[1m]))',
    step: "60000ms",
  });
  expect(data.result[0]!.values.map(([, value]) => value)).toEqual(Array(MINUTES).fill("2"));
  const instant = await call<Data<Samples>>("query", {
    query: 'topk(1, sum by (app) (count_over_time({app=~".+"}[1h])))',
    time: endNs,
    direction: "backward",
  });
  expect(instant.data.result).toEqual([{ metric: { app: "gate" }, value: [nowMs / 1000, String(MINUTES * 2)] }]);
});

test("query size hint: index/stats", async () => {
  const stats = await call<Record<string, number>>("index/stats", { ...range, query: '{app="shop"}' });
  expect(Object.keys(stats).sort()).toEqual(["bytes", "chunks", "entries", "streams"]);
  await fetch(`${server.url}/flush`, { method: "POST" });
  expect(await call("index/stats", { ...range, query: '{app="shop"}' })).toMatchObject({ streams: 1, entries: MINUTES });
});

test("Drilldown: limits, and that there are patterns", async () => {
  expect(await call("drilldown-limits", {}, DRILLDOWN)).toMatchObject({
    limits: { discover_log_levels: true, volume_enabled: true, max_entries_limit_per_query: expect.any(Number) },
    pattern_ingester_enabled: true,
    version: expect.stringMatching(/./),
  });
});

test("Drilldown: volume and volume_range of all services, ISO times and a limit of 5000", async () => {
  const query = { ...isoRange, query: '{service_name=~".+"}', limit: "5000", targetLabels: "service_name" };
  const { data } = await call<Data<Samples>>("index/volume", query, DRILLDOWN);
  expect(data.resultType).toBe("vector");
  expect(data.result.map(({ metric }) => metric.service_name).sort()).toEqual(["gate", "shop"]);
  for (const { value } of data.result) expect(Number(value[1])).toBeGreaterThan(MINUTES * 20);
  const ranged = await call<Data<Samples>>("index/volume_range", { ...query, step: "600s" }, DRILLDOWN);
  expect(ranged.data.resultType).toBe("matrix");
  expect(ranged.data.result).toHaveLength(2);
});

test("Drilldown: detected labels", async () => {
  const { detectedLabels } = await call<{ detectedLabels: { label: string; cardinality: number }[] }>(
    "detected_labels",
    { ...isoRange, query: '{app="gate"}' },
    DRILLDOWN,
  );
  expect(detectedLabels.sort((a, b) => (a.label < b.label ? -1 : 1))).toEqual([
    { label: "app", cardinality: 1 },
    { label: "namespace", cardinality: 2 },
    { label: "pod", cardinality: 2 },
    { label: "service_name", cardinality: 1 },
  ]);
});

test("Drilldown: detected fields with types and parsers, and a field's values", async () => {
  const { fields, limit } = await call<{
    fields: { label: string; type: string; cardinality: number; parsers: string[] | null }[];
    limit: number;
  }>("detected_fields", { ...range, query: '{app="shop"}', limit: "1000", line_limit: "1000" }, DRILLDOWN);
  const field = (label: string) => fields.find((one) => one.label === label);
  expect(limit).toBe(1000);
  expect(field("duration")).toEqual({ label: "duration", type: "duration", cardinality: MINUTES, parsers: ["logfmt"] });
  expect(field("bytes")).toMatchObject({ type: "bytes", cardinality: 1 });
  expect(field("trace_id")).toMatchObject({ type: "string", cardinality: MINUTES });
  expect(field("trace_id")!.parsers ?? []).toEqual([]);
  const json = await call<{ fields: { label: string; jsonPath?: string[]; parsers: string[] }[] }>("detected_fields", {
    ...range,
    query: '{pod="gate-2"}',
  });
  expect(json.fields.find(({ label }) => label === "status")).toMatchObject({ type: "int", parsers: ["json"], jsonPath: ["status"] });
  const values = await call<{ values: string[]; limit: number }>("detected_field/user/values", {
    ...range,
    query: '{app="shop"}',
    limit: "1000",
  });
  expect({ ...values, values: values.values.sort() }).toEqual({ values: ["u0", "u1", "u2", "u3", "u4"], limit: 1000 });
});

test("Drilldown: patterns, before and after a restart", async () => {
  const ask = () =>
    call<Data<{ pattern: string; level: string; samples: [number, number][] }[]>>(
      "patterns",
      { ...isoRange, query: '{app="gate"}' },
      DRILLDOWN,
    );
  const { status, data } = await ask();
  expect(status).toBe("success");
  expect(data.map(({ pattern, level }) => ({ pattern, level }))).toEqual([{ pattern: "user <_> came from <_>", level: "unknown" }]);
  expect(data[0]!.samples.reduce((sum, [, count]) => sum + count, 0)).toBe(MINUTES);
  await server.restart();
  expect(await ask()).toEqual({ status, data });
});

test("Explore live: what is pushed comes over the WebSocket, by category", async () => {
  const query = encodeURIComponent('{app="live"} |= "seen" | logfmt');
  const client = new WebSocket(`ws://127.0.0.1:${server.port}/loki/api/v1/tail?query=${query}&limit=100`, {
    headers: { "x-loki-response-encoding-flags": "categorize-labels" },
  });
  const frames: string[] = [];
  const arrived = new Promise<void>((resolve, reject) =>
    client.on("message", (data) => resolve(void frames.push(String(data)))).on("error", reject),
  );
  await new Promise((resolve, reject) => client.once("open", resolve).once("error", reject));
  const ns = `${Date.now()}000000`;
  await pushJson(server.url, [
    {
      stream: { app: "live" },
      values: [
        [ns, "n=1 to be seen", { trace_id: "t" }],
        [ns, "n=2 is hidden"],
      ],
    },
  ]);
  await arrived;
  client.close();
  expect(JSON.parse(frames[0]!)).toMatchObject({
    encodingFlags: ["categorize-labels"],
    streams: [
      {
        stream: { app: "live", service_name: "live" },
        values: [[ns, "n=1 to be seen", { structuredMetadata: { trace_id: "t" }, parsed: { n: "1" } }]],
      },
    ],
  });
});

test("a mistake in a query is a text Grafana can show", async () => {
  const response = await fetch(`${server.url}/loki/api/v1/query_range?${new URLSearchParams({ query: '{app="shop"' })}`);
  expect(response.status).toBe(400);
  expect(response.headers.get("content-type")).toContain("text/plain");
  expect(await response.text()).toContain("parse error at line 1");
});
