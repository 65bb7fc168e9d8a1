import { request as httpRequest } from "node:http";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { answerError } from "../../../server/http/answers.ts";
import { queryRoutes } from "../../../server/http/query-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { silentLog } from "../../silent-log.ts";
import { ask } from "../query/ask.ts";

let server: HttpServer;

beforeAll(async () => {
  const { engine } = ask({
    '{app="a"}': [
      [1, "one", { level: "info" }],
      [2, 'two "quoted" é'],
    ],
    '{app="long"}': Array.from({ length: 400 }, (_, i) => [i % 10, `${i} ${"x".repeat(20_000)}`] as const),
  });
  const tenants = { ...createTenantResolver({ authEnabled: false, multiTenantQueries: false }), many: () => ["t"] };
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: queryRoutes(engine, tenants, manualClock(1_000_000)),
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
});

afterAll(() => server.close(1000));

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

function call(path: string, options: { form?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...options.headers, ...(options.form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }) };
    const sent = httpRequest({ port: server.port, path, method: options.form === undefined ? "GET" : "POST", headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          type: response.headers["content-type"],
          encoding: response.headers["content-encoding"],
          body: Buffer.concat(parts),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(options.form);
  });
}

const data = async (path: string, options?: Parameters<typeof call>[1]): Promise<unknown> => {
  const { stats, ...rest } = (JSON.parse((await call(path, options)).body.toString()) as { data: Record<string, unknown> }).data;
  expect(stats).toMatchObject({ summary: { totalBytesProcessed: expect.any(Number) as number, execTime: expect.any(Number) as number } });
  return rest;
};

const RANGE = "/loki/api/v1/query_range?start=0&end=10&direction=forward&query=";
const SELECTOR = encodeURIComponent('{app="a"}');
const STREAMS = {
  resultType: "streams",
  result: [
    { stream: { app: "a" }, values: [["2000000000", 'two "quoted" é']] },
    { stream: { app: "a", level: "info" }, values: [["1000000000", "one"]] },
  ],
};

describe("query routes", () => {
  test("streams, by their final labels", async () => expect(await data(RANGE + SELECTOR)).toEqual(STREAMS));
  test("a posted form is as good", async () =>
    expect(await data("/loki/api/v1/query_range", { form: `query=${SELECTOR}&start=0&end=10&direction=forward` })).toEqual(STREAMS));
  test("categorized labels", async () =>
    expect(await data(RANGE + SELECTOR, { headers: { "x-loki-response-encoding-flags": "categorize-labels" } })).toEqual({
      resultType: "streams",
      encodingFlags: ["categorize-labels"],
      result: [
        {
          stream: { app: "a" },
          values: [
            ["1000000000", "one", { structuredMetadata: { level: "info" } }],
            ["2000000000", 'two "quoted" é', {}],
          ],
        },
      ],
    }));
  test("renamed metadata counts as parsed", async () =>
    expect(
      await data(`${RANGE}${encodeURIComponent('{app="a"} | level="info" | label_format lvl=level')}`, {
        headers: { "x-loki-response-encoding-flags": "categorize-labels" },
      }),
    ).toMatchObject({ result: [{ values: [["1000000000", "one", { parsed: { lvl: "info" } }]] }] }));
  test("a matrix", async () =>
    expect(await data(`${RANGE}${encodeURIComponent('sum(count_over_time({app="a"}[1s]))')}&step=0.5`)).toEqual({
      resultType: "matrix",
      result: [
        {
          metric: {},
          values: [
            [1, "1"],
            [1.5, "1"],
            [2, "1"],
            [2.5, "1"],
          ],
        },
      ],
    }));
  test("a vector", async () =>
    expect(await data(`/loki/api/v1/query?time=2.5&query=${encodeURIComponent("vector(1) / 3")}`)).toEqual({
      resultType: "vector",
      result: [{ metric: {}, value: [2.5, "0.3333333333333333"] }],
    }));
  test("a scalar", async () =>
    expect(await data("/loki/api/v1/query?time=2&query=1e3")).toEqual({ resultType: "scalar", result: [2, "1000"] }));
  test("the content type is Loki's", async () => expect((await call(RANGE + SELECTOR)).type).toBe("application/json; charset=UTF-8"));
  test("compressed when the client takes it", async () => {
    const { encoding, body } = await call(RANGE + SELECTOR, { headers: { "accept-encoding": "gzip" } });
    expect(encoding).toBe("gzip");
    expect(JSON.parse(gunzipSync(body).toString())).toMatchObject({ status: "success" });
  });
  test("errors are plain text", async () => {
    const { status, type, body } = await call(`${RANGE}%7B`);
    expect([status, type, body.toString()]).toEqual([
      400,
      "text/plain; charset=utf-8",
      "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }",
    ]);
  });
  test("the old endpoint answers its old form", async () => {
    const { body } = await call(`/api/prom/query?start=0&end=10&direction=forward&query=${SELECTOR}&regexp=tw.`);
    expect(JSON.parse(body.toString())).toEqual({
      streams: [{ labels: '{app="a"}', entries: [{ ts: "1970-01-01T00:00:02Z", line: 'two "quoted" é' }] }],
    });
  });
});

test("a large answer waits for its client often, and leaves nothing behind at the response", async () => {
  const warnings: string[] = [];
  const warn = ({ name }: Error): number => warnings.push(name);
  process.on("warning", warn);
  const { body } = await call(`${RANGE}${encodeURIComponent('{app="long"}')}&limit=400`);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warn);
  expect(body.length).toBeGreaterThan(400 * 20_000);
  expect(warnings).toEqual([]);
});
