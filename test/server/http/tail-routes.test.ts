import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen, plain } from "../../../lib/runtime/http-server.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { PushBuilder } from "../../../lib/wire/push-columns.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { answerError } from "../../../server/http/answers.ts";
import { type AppendListener, createTails, type Tails } from "../../../server/http/tail-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { silentLog } from "../../silent-log.ts";
import { ask } from "../query/ask.ts";

let server: HttpServer;
let tails: Tails;
const listeners = new Set<AppendListener>();

beforeAll(async () => {
  tails = createTails({
    engine: ask({}).engine,
    tenants: createTenantResolver({ authEnabled: false, multiTenantQueries: false }),
    limitsOf: () => limitsSchema.parse({ max_concurrent_tail_requests: 2 }),
    onAppend(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    prefix: "",
    maxDurationMs: 3_600_000,
    clock: systemClock,
  });
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: [
      ...tails.routes,
      { methods: ["POST"], path: "/echo", handler: async (request, response) => plain(response, 200, String(await request.body(1000))) },
    ],
    onUpgrade: tails.onUpgrade,
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
});

afterAll(async () => {
  tails.close();
  await server.close(1000);
});

function store(tenant: string, labels: Record<string, string>, ...lines: string[]): void {
  const builder = new PushBuilder();
  builder.beginStream("");
  lines.forEach((line, i) => void builder.add(10 + i, 0, line, [["m", "x"]]));
  const push = builder.finish();
  const accepted = { ...push, streams: [{ labels: LabelSet.fromObject(labels), from: 0, to: lines.length }], keep: undefined };
  for (const listener of listeners) listener(tenant, accepted);
  // Columns are the caller's again: a tail that did not copy them would show this.
  push.bytes.fill(0x21);
  push.sec.fill(0);
}

async function tail(
  query: string,
  path = "/loki/api/v1/tail",
  headers = {},
): Promise<{ client: WebSocket; frame: () => Promise<unknown> }> {
  const client = new WebSocket(`ws://127.0.0.1:${server.port}${path}?query=${encodeURIComponent(query)}`, { headers });
  const frames: unknown[] = [];
  let wake = (): void => {};
  client.on("message", (data) => {
    frames.push(JSON.parse(String(data)));
    wake();
  });
  const before = listeners.size;
  await new Promise((resolve, reject) => client.once("open", resolve).once("error", reject));
  while (listeners.size === before) await new Promise((resolve) => setImmediate(resolve));
  return {
    client,
    async frame() {
      while (frames.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return frames.shift();
    },
  };
}

async function ended(client: WebSocket): Promise<void> {
  const before = listeners.size;
  client.close();
  while (listeners.size === before) await new Promise((resolve) => setImmediate(resolve));
}

describe("new entries", () => {
  const sends = (name: string, path: string, headers: object, expected: unknown): void =>
    test(name, async () => {
      const { client, frame } = await tail('{a="b"} |= "keep" != "not"', path, headers);
      store("other", { a: "b" }, "keep of another tenant");
      store("fake", { a: "c" }, "keep of another stream");
      store("fake", { a: "b" }, "keep 1", "leave", "keep 2", "keep not");
      expect(await frame()).toEqual(expected);
      await ended(client);
    });
  const values = [
    ["10000000000", "keep 1"],
    ["12000000000", "keep 2"],
  ];
  sends("are sent", "/loki/api/v1/tail", {}, { streams: [{ stream: { a: "b", m: "x" }, values }] });
  sends(
    "by category",
    "/loki/api/v1/tail",
    { "x-loki-response-encoding-flags": "categorize-labels" },
    {
      streams: [{ stream: { a: "b" }, values: values.map((value) => [...value, { structuredMetadata: { m: "x" } }]) }],
      encodingFlags: ["categorize-labels"],
    },
  );
  sends(
    "in the old form",
    "/api/prom/tail",
    {},
    {
      streams: [
        {
          labels: '{a="b", m="x"}',
          entries: [
            { ts: "1970-01-01T00:00:10Z", line: "keep 1" },
            { ts: "1970-01-01T00:00:12Z", line: "keep 2" },
          ],
        },
      ],
    },
  );
});

test("what does not fit the queue is named, and the rest comes", async () => {
  const { client, frame } = await tail('{a="b"}');
  store("fake", { a: "b" }, ...Array.from({ length: 9_999 }, (_, i) => `${i}`));
  store("fake", { a: "b" }, "too", "many");
  const got = (await frame()) as { streams: { values: unknown[] }[]; dropped_entries: unknown[] };
  expect(got.streams[0]!.values).toHaveLength(9_999);
  expect(got.dropped_entries).toEqual([
    { labels: { a: "b", m: "x" }, timestamp: "10000000000" },
    { labels: { a: "b", m: "x" }, timestamp: "11000000000" },
  ]);
  await ended(client);
});

test("a query that cannot be tailed is refused after the upgrade", async () => {
  const client = new WebSocket(`ws://127.0.0.1:${server.port}/loki/api/v1/tail?query=1%2B1`);
  const [code, reason] = await new Promise<[number, string]>((resolve) => client.on("close", (c, r) => resolve([c, String(r)])));
  expect([code, reason]).toEqual([1011, expect.stringContaining("a tail wants a log query")]);
});

test("a tenant has so many tails and no more", async () => {
  const open = [await tail('{a="b"}'), await tail('{a="b"}')];
  await expect(tail('{a="b"}')).rejects.toThrow("Unexpected server response: 400");
  for (const { client } of open) await ended(client);
});

test("a GET without upgrade is a bad request", async () => {
  const answer = await fetch(`http://127.0.0.1:${server.port}/loki/api/v1/tail?query={a="b"}`);
  expect([answer.status, await answer.text()]).toEqual([400, "Bad Request\n"]);
});

test("an offer of another protocol is passed over, and the connection goes on", async () => {
  const request = (text: string): string =>
    `POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  const socket = connect(server.port, "127.0.0.1");
  let got = "";
  for (const text of ["first", "second"]) {
    socket.write(request(text));
    await new Promise<void>((resolve) => {
      const read = (data: Buffer): void => {
        got += String(data);
        if (!got.includes(text)) return;
        socket.off("data", read);
        resolve();
      };
      socket.on("data", read);
    });
  }
  expect(got.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
  socket.destroy();
});
