import { gzipSync } from "node:zlib";
import { Registry } from "prom-client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { encodePushProtobuf } from "../../../lib/wire/push-protobuf.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { answerError } from "../../../server/http/answers.ts";
import { otlpRoutes } from "../../../server/http/otlp-routes.ts";
import { pushRoutes } from "../../../server/http/push-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { createIngestMetrics } from "../../../server/ingest/ingest-metrics.ts";
import { Ingester } from "../../../server/ingest/ingester.ts";
import { silentLog } from "../../silent-log.ts";

const LIMITS = { bodyBytes: 2000, decodedBytes: 5000 };
let server: HttpServer;
let registry: Registry;

beforeAll(async () => {
  registry = new Registry();
  const limitsOf = () => limitsSchema.parse({});
  const ingester = new Ingester({
    append: () => Promise.resolve(),
    limitsOf,
    maxChunkAgeMs: 0,
    streamIdleMs: 1000,
    maxStreamErrors: 10,
    clock: manualClock(0),
    metrics: createIngestMetrics(registry),
  });
  const tenants = createTenantResolver({ authEnabled: true, multiTenantQueries: false });
  const otlp = { ...LIMITS, limitsOf, defaultIndexAttributes: undefined, clock: manualClock(0), log: silentLog };
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: [...pushRoutes(ingester, tenants, LIMITS), ...otlpRoutes(ingester, tenants, otlp)],
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
});
afterAll(() => server.close(1000));
beforeEach(() => registry.resetMetrics());

const inflating = gzipSync("x".repeat(6000));
const declaring = Buffer.from(encodePushProtobuf([{ labels: LabelSet.EMPTY, entries: [{ sec: 0, nanos: 0, line: "x".repeat(6000) }] }]));
const PUSH = "/loki/api/v1/push";
const OTLP = "/otlp/v1/logs";

describe("a body that is too large is refused, and counted by its size on the wire", () => {
  test.each<[string, string, Record<string, string>, Buffer, string]>([
    ["as it comes", PUSH, { "content-type": "application/json" }, Buffer.alloc(2001), "2001 bytes, limit: 2000 bytes"],
    ["inflated", PUSH, { "content-type": "application/json", "content-encoding": "gzip" }, inflating, "6000 bytes, limit: 5000 bytes"],
    ["by its own account", PUSH, { "content-type": "application/x-protobuf" }, declaring, "6015 bytes, limit: 5000 bytes"],
    ["OTLP as it comes", OTLP, { "content-type": "application/json" }, Buffer.alloc(2001), "2001 bytes, limit: 2000 bytes"],
    ["OTLP inflated", OTLP, { "content-type": "application/json", "content-encoding": "gzip" }, inflating, "6000 bytes, limit: 5000 bytes"],
  ])("%s", async (_, path, headers, body, says) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method: "POST",
      body,
      headers: { "x-scope-orgid": "t", ...headers },
    });
    expect([answer.status, await answer.text()]).toEqual([413, expect.stringContaining(`request body too large: ${says}`) as string]);
    const { values } = await registry.getSingleMetric("loki_discarded_bytes_total")!.get();
    expect(values).toEqual([{ labels: { reason: "request_body_too_large", tenant: "t" }, value: body.length }]);
  });
});
