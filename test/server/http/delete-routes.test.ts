import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { type DeleteStore, openDeleteStore } from "../../../server/deletes/delete-store.ts";
import { answerError } from "../../../server/http/answers.ts";
import { deleteRoutes, parseDelete } from "../../../server/http/delete-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { silentLog } from "../../silent-log.ts";

const NOW_SEC = 1_700_000_000;
const DAY_MS = 86_400_000;
const FILTER = '{a="b"} |= "x"';

describe("parameters", () => {
  const parse = (parameters: Record<string, string>, maxIntervalMs = DAY_MS) =>
    parseDelete(new URLSearchParams(parameters), NOW_SEC * 1000 + 0.5, maxIntervalMs);
  const times = { start: "1699990000", end: "1699997200" };

  for (const [name, parameters, want] of [
    ["seconds", { query: "{a='b'}".replaceAll("'", '"'), ...times }, { startMs: 1_699_990_000_000, endMs: 1_699_997_200_000 }],
    ["RFC 3339", { query: '{a="b"}', start: "2023-11-14T20:00:00.5+01:00" }, { startMs: 1_699_988_400_500, endMs: NOW_SEC * 1000 }],
    ["seconds with a point, ten characters", { query: '{a="b"}', start: "169999000." }, { startMs: 169_999_000_000 }],
    ["no filter: one piece, whatever max_interval says", { query: '{a="b"}', ...times, max_interval: "x" }, { intervalMs: 0 }],
    ["a filter: pieces of a day", { query: FILTER, start: "1690000000", end: "1699997200" }, { intervalMs: DAY_MS }],
    ["a label filter is one", { query: '{a="b"} | json | x="y"', start: "1690000000" }, { intervalMs: DAY_MS }],
    ["a range below a day is one piece", { query: FILTER, ...times }, { intervalMs: 0 }],
    ["max_interval", { query: FILTER, ...times, max_interval: "30m" }, { intervalMs: 1_800_000 }],
  ] as const) {
    test(`taken: ${name}`, () => expect(parse(parameters)).toMatchObject(want));
  }

  test("taken: without a longest interval a filter makes one piece", () =>
    expect(parse({ query: FILTER, start: "1600000000" }, 0).intervalMs).toBe(0));

  for (const [name, parameters, text] of [
    ["no query", {}, "query not set"],
    ["a query of nothing", { query: "{}", ...times }, "invalid query expression"],
    ["a template that is none", { query: '{a="b"} | line_format "{{"', ...times }, "invalid query expression"],
    ["a metric query", { query: 'rate({a="b"}[1m])', ...times }, "invalid query expression"],
    ["no start", { query: '{a="b"}' }, "start time not set"],
    ["nanoseconds", { query: '{a="b"}', start: "1699990000000000000" }, "invalid start time: require unix seconds or RFC3339 format"],
    ["ten letters", { query: '{a="b"}', start: "abcdefghij" }, "invalid start time: require unix seconds or RFC3339 format"],
    [
      "an end that is no time",
      { query: '{a="b"}', start: times.start, end: "1" },
      "invalid end time: require unix seconds or RFC3339 format",
    ],
    ["an end in the future", { query: '{a="b"}', start: times.start, end: "1700000001" }, "deletes in the future are not allowed"],
    ["a start at the end", { query: '{a="b"}', start: times.end, end: times.end }, "start time can't be greater than or equal to end time"],
    [
      "less than a second with a filter",
      { query: FILTER, start: "2023-11-14T20:00:00.1Z", end: "2023-11-14T20:00:00.9Z" },
      "difference between start time and end time must be at least one second",
    ],
    [
      "an interval below a second",
      { query: FILTER, ...times, max_interval: "500ms" },
      "invalid max_interval: valid time units are 's', 'm', 'h'",
    ],
    ["an interval above the longest", { query: FILTER, ...times, max_interval: "24h1s" }, "max_interval can't be greater than 24h0m0s"],
    [
      "an interval above the range",
      { query: FILTER, ...times, max_interval: "2h1s" },
      "max_interval can't be greater than the interval to be deleted (2h0m0s)",
    ],
    [
      "more pieces than anybody needs",
      { query: FILTER, start: "1690000000", end: "1699990000", max_interval: "1s" },
      "max_interval cuts the request into 9990000 pieces, at most 10000 are taken; use a longer one",
    ],
  ] as const) {
    test(`refused: ${name}`, () => expect(() => parse(parameters)).toThrow(text));
  }
});

describe("requests", () => {
  let folder: string;
  let server: HttpServer;
  let store: DeleteStore;
  const received: string[] = [];
  const clock = manualClock(NOW_SEC * 1000 + 250);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "skald-delete-routes-"));
    store = await openDeleteStore(join(folder, "deletes"));
    server = await listen({
      address: "127.0.0.1",
      port: 0,
      routes: deleteRoutes({
        store,
        tenants: createTenantResolver({ authEnabled: true, multiTenantQueries: true }),
        limitsOf: (tenant) => limitsSchema.parse(tenant === "off" ? { deletion_mode: "disabled" } : {}),
        maxIntervalMs: DAY_MS,
        onReceived: (tenant) => received.push(tenant),
        clock,
        log: silentLog,
      }),
      onError: (error, _, response) => answerError(error, response, silentLog),
    });
  });
  afterAll(async () => {
    await server.close(100);
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    for (const { tenant, id } of store.all()) await store.cancel(tenant, id);
  });

  async function call(method: string, parameters: Record<string, string> = {}, tenant = "t"): Promise<[status: number, body: string]> {
    const response = await fetch(`http://127.0.0.1:${server.port}/loki/api/v1/delete?${new URLSearchParams(parameters)}`, {
      method,
      headers: { "x-scope-orgid": tenant },
    });
    return [response.status, await response.text()];
  }
  const asked = { query: FILTER, start: "1699990000", end: "1699997200", max_interval: "1h" };

  test("are listed oldest first, with their times in seconds", async () => {
    expect(await call("POST", asked)).toEqual([204, ""]);
    await clock.advance(1000);
    expect(await call("PUT", { query: '{a="c"}', start: "2023-11-14T19:30:00.25Z" })).toEqual([204, ""]);
    const [status, body] = await call("GET");
    expect(status).toBe(200);
    const list = JSON.parse(body) as Record<string, unknown>[];
    expect(list.map(({ request_id: _, ...rest }) => rest)).toEqual([
      { start_time: 1699990000, end_time: 1699997200, query: FILTER, status: "received", created_at: NOW_SEC + 0.25 },
      { start_time: 1699990200.25, end_time: NOW_SEC + 1.25, query: '{a="c"}', status: "received", created_at: NOW_SEC + 1.25 },
    ]);
    expect(list[0]!.request_id).toMatch(/^[0-9a-f]{8}$/);
    expect(received).toEqual(["t", "t"]);
    expect(await call("GET", {}, "u")).toEqual([200, "[]"]);
  });

  test("can be cancelled while nothing is removed, in part only by force", async () => {
    await call("POST", asked);
    await call("POST", asked);
    const [first, second] = store.of("t");
    expect(await call("DELETE", { request_id: first!.id })).toEqual([204, ""]);
    await store.carriedOut("t", new Map([[second!.id, 1]]));
    expect(await call("GET")).toEqual([200, expect.stringContaining('"status":"33% Complete"')]);
    expect(await call("DELETE", { request_id: second!.id })).toEqual([
      400,
      "Unable to cancel partially completed delete request. To force, use the ?force query parameter\n",
    ]);
    expect(await call("DELETE", { request_id: second!.id, force: "true" })).toEqual([204, ""]);
    expect(await call("GET")).toEqual([200, expect.stringContaining('"status":"processed"')]);
    const tooLate = [400, "deletion of request which is in process or already processed is not allowed\n"];
    expect(await call("DELETE", { request_id: second!.id, force: "true" })).toEqual(tooLate);
  });

  test("of which a run has begun to remove lines, and failed, can be cancelled by force alone", async () => {
    await call("POST", asked);
    const { id } = store.of("t").at(-1)!;
    await store.begin("t", new Set([id]));
    expect(await call("GET")).toEqual([200, expect.stringContaining('"status":"received"')]);
    expect((await call("DELETE", { request_id: id }))[0]).toBe(400);
    expect((await call("DELETE", { request_id: id, force: "true" }))[0]).toBe(204);
    expect(store.find("t", id)).toBeUndefined();
  });

  test("cannot be cancelled while they are carried out", async () => {
    await call("POST", { ...asked, tenant: "t" });
    const { id } = store.of("t").at(-1)!;
    store.setInProcess([id]);
    expect((await call("DELETE", { request_id: id }))[0]).toBe(400);
    store.setInProcess([]);
    expect((await call("DELETE", { request_id: id }))[0]).toBe(204);
  });

  for (const [name, method, parameters, tenant, want] of [
    ["nobody's id", "DELETE", { request_id: "nope" }, "t", [404, "could not find delete request with given id\n"]],
    ["a tenant that may not delete", "GET", {}, "off", [403, "deletion is not available for this tenant\n"]],
    ["several tenants", "GET", {}, "a|b", [400, "multiple org IDs present\n"]],
    ["another method", "PATCH", {}, "t", [405, ""]],
  ] as const) {
    test(`${name} is refused`, async () => expect(await call(method, parameters, tenant)).toEqual(want));
  }

  test("parameters in a form do not count", async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/loki/api/v1/delete`, {
      method: "POST",
      headers: { "x-scope-orgid": "t" },
      body: new URLSearchParams(asked),
    });
    expect([response.status, await response.text()]).toEqual([400, "query not set\n"]);
  });

  test("the generation of caches grows with each change", async () => {
    const generation = async (tenant: string): Promise<string> =>
      (
        await fetch(`http://127.0.0.1:${server.port}/loki/api/v1/cache/generation_numbers`, { headers: { "x-scope-orgid": tenant } })
      ).text();
    expect(await generation("new")).toBe('""\n');
    await call("POST", asked, "new");
    expect(await generation("new")).toBe('"1"\n');
    await call("DELETE", { request_id: store.of("new")[0]!.id }, "new");
    expect(await generation("new")).toBe('"2"\n');
  });
});
