import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { type Limits, limitsSchema } from "../../../server/config/limits.ts";
import { answerError } from "../../../server/http/answers.ts";
import { detectedRoutes } from "../../../server/http/detected-routes.ts";
import type { StreamIndex } from "../../../server/http/label-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { volumeRoutes } from "../../../server/http/volume-routes.ts";
import { silentLog } from "../../silent-log.ts";
import { ask } from "../query/ask.ts";

let server: HttpServer;

const LIMITS: Readonly<Record<string, unknown>> = {
  off: { volume_enabled: false },
  short: { max_query_length: "1m" },
  long: { volume_enabled: false, max_query_length: "14d" },
};

function limitsOf(tenant: string): Limits {
  return limitsSchema.parse(LIMITS[tenant] ?? {});
}

beforeAll(async () => {
  const { data, engine } = ask({
    '{app="a", pod="p1"}': [
      [10, "n=1 word"],
      [20, "n=2 word"],
    ],
    '{app="b", pod="p2"}': [[30, '{"x":{"y":"5ms"}}', { trace: "x" }]],
    '{app="sizes"}': ["x", "7", "292ms", "5m", "328KiB"].map((size, i) => [1000 + i, `size=${size}`] as const),
  });
  const index: StreamIndex = {
    streams: (tenant, matchers, range) => data.select(tenant, matchers, range).map(({ labels }) => labels),
    stats: () => ({ streams: 2, chunks: 3, bytes: 400, entries: 5 }),
  };
  const common = {
    index,
    tenants: createTenantResolver({ authEnabled: true, multiTenantQueries: true }),
    limitsOf,
    clock: manualClock(100_000),
  };
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: [...volumeRoutes({ view: data, ...common }), ...detectedRoutes({ engine, ...common })],
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
});

afterAll(() => server.close(1000));

/** `status body`; a tenant before the path if it is not `t`. */
async function get(path: string, parameters: Readonly<Record<string, string>>, tenant = "t", post = false): Promise<string> {
  const form = new URLSearchParams(parameters);
  const url = `http://127.0.0.1:${server.port}/loki/api/v1/${path}${post ? "" : `?${form}`}`;
  const answer = await fetch(url, {
    method: post ? "POST" : "GET",
    headers: tenant === "" ? {} : { "x-scope-orgid": tenant },
    ...(post ? { body: form } : {}),
  });
  return `${answer.status} ${await answer.text()}`;
}

const RANGE = { start: "0", end: "100" };
const APP = { ...RANGE, query: '{app=~".+"}' };

/** A volume answer's result. */
const vector = (...series: [metric: Record<string, string>, value: string][]): string =>
  `200 ${JSON.stringify({ status: "success", data: { resultType: "vector", result: series.map(([metric, value]) => ({ metric, value: [100, value] })) } })}`;

describe("volume", () => {
  test.each<[string, Record<string, string>, string]>([
    ["grouped by the selector", APP, vector([{ app: "b" }, "23"], [{ app: "a" }, "16"])],
    ["every stream", { ...RANGE, query: "{}" }, vector([{ app: "b", pod: "p2" }, "23"], [{ app: "a", pod: "p1" }, "16"])],
    ["by label names", { ...APP, aggregateBy: "labels" }, vector([{ app: "" }, "39"])],
    ["target labels", { ...APP, targetLabels: "pod" }, vector([{ pod: "p2" }, "23"], [{ pod: "p1" }, "16"])],
    [
      "times as ISO strings",
      { ...APP, start: "1970-01-01T00:00:00.000Z", end: "1970-01-01T00:01:40.000Z", limit: "5000" },
      vector([{ app: "b" }, "23"], [{ app: "a" }, "16"]),
    ],
    ["a limit", { ...APP, limit: "1" }, vector([{ app: "b" }, "23"])],
    ["a limit of 0 is the default", { ...APP, limit: "0" }, vector([{ app: "b" }, "23"], [{ app: "a" }, "16"])],
    ["nothing", { ...RANGE, query: '{app="nope"}' }, vector()],
    ["a negative limit", { ...APP, limit: "-1" }, "400 limit must be a positive value"],
    ["a limit that is no number", { ...APP, limit: "x" }, '400 strconv.Atoi: parsing "x": invalid syntax'],
    ["another aggregation", { ...APP, aggregateBy: "pods" }, "400 invalid aggregation option"],
    ["an end before the start", { ...APP, end: "-5" }, "400 end timestamp must not be before or equal to start time"],
    ["a time that is none", { ...APP, time: "x" }, '400 strconv.ParseInt: parsing "x": invalid syntax'],
    ["a direction that is none", { ...APP, direction: "up" }, "400 invalid direction 'up'"],
    ["a target label without a name", { ...APP, targetLabels: "pod," }, vector()],
    ["stages", { ...RANGE, query: '{app="a"} | json' }, "400 only label matchers are supported"],
    ["no query", RANGE, "400 parse error : syntax error: unexpected $end"],
  ])("%s", async (_, parameters, expected) => {
    expect(await get("index/volume", parameters)).toBe(expected);
  });

  test("a posted form", async () => {
    expect(await get("index/volume", APP, "t", true)).toBe(vector([{ app: "b" }, "23"], [{ app: "a" }, "16"]));
  });

  test.each([
    ["a tenant without volumes", "off", "404 not found"],
    ["one of several tenants without volumes", "off|t", "404 not found"],
    ["no tenant", "", "401 no org id\n"],
    ["a range that is too long for the tenant", "short", "400 the query time range exceeds the limit (query length: 1m40s, limit: 1m)"],
  ])("%s", async (_, tenant, expected) => {
    expect(await get("index/volume", APP, tenant)).toBe(expected);
  });

  test("several tenants add up, and can be selected", async () => {
    expect(await get("index/volume", APP, "t|u")).toBe(vector([{ app: "b" }, "23"], [{ app: "a" }, "16"]));
    expect(await get("index/volume", { ...APP, query: '{app=~".+", __tenant_id__="u"}' }, "t|u")).toBe(vector());
  });
});

describe("volume_range", () => {
  test.each<[string, Record<string, string>, string]>([
    [
      "steps",
      { ...APP, query: '{app="a"}', step: "15" },
      '200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"a"},"values":[[14.999,"8"],[29.999,"8"]]}]}}',
    ],
    ["one step is a vector", { ...APP, query: '{app="a"}', step: "100" }, vector([{ app: "a" }, "16"])],
    ["a bad step", { ...APP, step: "x" }, '400 cannot parse "x" to a valid duration'],
    [
      "a step of nothing",
      { ...APP, step: "0" },
      "400 zero or negative query resolution step widths are not accepted. Try a positive integer",
    ],
    [
      "too many steps",
      { ...APP, step: "1ms" },
      "400 exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
    ],
  ])("%s", async (_, parameters, expected) => {
    expect(await get("index/volume_range", parameters)).toBe(expected);
  });
});

describe("shards", () => {
  test.each<[string, Record<string, string>, string]>([
    [
      "one that holds everything",
      { ...APP, targetBytesPerShard: "1KB" },
      '200 {"shards":[{"bounds":{"min":"0000000000000000","max":"ffffffffffffffff"},"stats":{"streams":2,"chunks":3,"bytes":400,"entries":5}}],"statistics":{}}',
    ],
    ["a limit that is none", { ...APP, targetBytesPerShard: "1KB", limit: "0" }, "400 limit must be a positive value"],
    ["no target", APP, "400 targetBytesPerShard must be a positive value"],
    ["a target of nothing", { ...APP, targetBytesPerShard: "0" }, "400 targetBytesPerShard must be a positive value"],
  ])("%s", async (_, parameters, expected) => {
    expect(await get("index/shards", parameters)).toBe(expected);
  });
});

describe("detected", () => {
  test.each<[string, string, Record<string, string>, string]>([
    ["labels", "detected_labels", RANGE, '200 {"detectedLabels":[{"label":"app","cardinality":2},{"label":"pod","cardinality":2}]}'],
    [
      "labels of a selector",
      "detected_labels",
      { ...RANGE, query: '{app="a"}' },
      '200 {"detectedLabels":[{"label":"app","cardinality":1},{"label":"pod","cardinality":1}]}',
    ],
    [
      "labels of an empty selector",
      "detected_labels",
      { ...RANGE, query: "{}" },
      '400 parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will',
    ],
    [
      "labels with an end before the start",
      "detected_labels",
      { start: "2", end: "1" },
      "400 end timestamp must not be before or equal to start time",
    ],
    ["labels of nothing", "detected_labels", { ...RANGE, query: '{app="nope"}' }, "200 {}"],
    [
      "fields",
      "detected_fields",
      { ...RANGE, query: '{app="b"}' },
      '200 {"fields":[{"label":"trace","type":"string","cardinality":1,"parsers":null},{"label":"x_y","type":"duration","cardinality":1,"parsers":["json"],"jsonPath":["x","y"]}],"limit":1000}',
    ],
    [
      "fields of the newest lines only",
      "detected_fields",
      { ...RANGE, query: '{app="a"}', line_limit: "1" },
      '200 {"fields":[{"label":"n","type":"int","cardinality":1,"parsers":["logfmt"]}],"limit":1000}',
    ],
    [
      "fields within a limit",
      "detected_fields",
      { ...RANGE, query: '{app="b"}', field_limit: "1" },
      '200 {"fields":[{"label":"trace","type":"string","cardinality":1,"parsers":null}],"limit":1}',
    ],
    ["fields of nothing", "detected_fields", { ...RANGE, query: '{app="nope"}' }, "200 {}"],
    ["fields of a metric query", "detected_fields", { ...RANGE, query: 'rate({app="a"}[1m])' }, "400 only log selector is supported"],
    ["fields without lines", "detected_fields", { ...RANGE, query: '{app="a"}', line_limit: "0" }, "400 limit must be a positive value"],
    ["values", "detected_field/n/values", { ...RANGE, query: '{app="a"}' }, '200 {"values":["2","1"],"limit":1000}'],
    [
      "fields with a step that is too short",
      "detected_fields",
      { ...RANGE, query: '{app="a"}', step: "0.0001" },
      "400 zero or negative query resolution step widths are not accepted. Try a positive integer",
    ],
    [
      "fields with too many steps",
      "detected_fields",
      { ...RANGE, query: '{app="a"}', step: "0.009" },
      "400 exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
    ],
    [
      "values that are sizes",
      "detected_field/size/values",
      { start: "1000", end: "1010", query: '{app="sizes"}' },
      '200 {"values":["336kB","5.0MB","292ms","7","x"],"limit":1000}',
    ],
    ["values of nothing", "detected_field/nope/values", { ...RANGE, query: '{app="a"}' }, "200 {}"],
  ])("%s", async (_, path, parameters, expected) => {
    expect(await get(path, parameters)).toBe(expected);
  });
});

test("drilldown limits are the tenant's", async () => {
  const answer = await get("drilldown-limits", {}, "long");
  const { limits } = JSON.parse(answer.slice(4)) as { limits: Record<string, unknown> };
  expect([answer.slice(0, 3), limits.volume_enabled, limits.max_query_length, limits.query_timeout]).toEqual(["200", false, "2w", "1m"]);
});
