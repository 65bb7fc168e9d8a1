import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiClient, type ApiOptions } from "../../../agent/client/api-client.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { silentLog } from "../../silent-log.ts";

let server: Server;
let client: ApiClient | undefined;
let seen: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  client?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const signal = new AbortController().signal;
const origin = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
function ask(options: Partial<ApiOptions> = {}, question: { timeoutMs?: number; signal?: AbortSignal; statuses?: number[] } = {}) {
  client = new ApiClient({ url: `http://${origin()}/base/`, followRedirects: true, ...options }, { clock: systemClock, log: silentLog });
  return client.json("/x", { signal, timeoutMs: 5_000, ...question });
}

test("JSON, below the address's path, with the agent's name and credentials", async () => {
  answer = (_request, response) => response.writeHead(200, { "x-n": "1" }).end('{"a":1}');
  const got = await ask({ url: `http://u:p@${origin()}/base/`, headers: { "X-Token": "t" } });
  expect([got.status, got.body, got.header("X-N"), got.header("nope")]).toEqual([200, { a: 1 }, "1", ""]);
  expect(seen[0]!.url).toBe("/base/x");
  expect(seen[0]!.headers).toMatchObject({ authorization: "Basic dTpw", "x-token": "t" });
  expect(seen[0]!.headers["user-agent"]).toMatch(/^skald\//);
});

test("a configured header is sent, and one of credentials wins over others", async () => {
  answer = (_request, response) => response.end("null");
  const httpHeaders = { "X-Scope": { values: ["a"], secrets: [], files: [] }, Authorization: { values: ["own"], secrets: [], files: [] } };
  await ask({ bearerToken: "t", httpHeaders });
  expect(seen[0]!.headers).toMatchObject({ authorization: "own", "x-scope": "a" });
});

test.each<[string, number, string, string]>([
  ["a message in JSON", 409, '{"message":"is paused"}', "/x answered 409 is paused"],
  ["a line of text", 500, "No cluster leader\nmore", "/x answered 500 No cluster leader"],
  ["nothing", 503, "", "/x answered 503"],
  ["something else than JSON", 200, "<html>", "/x answered with something that is no JSON: <html>"],
])("an answer with %s is an error that says so", async (_name, status, body, text) => {
  answer = (_request, response) => response.writeHead(status).end(body);
  await expect(ask()).rejects.toThrow(text);
});

test("a status that is expected is an answer", async () => {
  answer = (_request, response) => response.writeHead(404).end('{"message":"gone"}');
  expect((await ask({}, { statuses: [404] })).status).toBe(404);
});

test("redirects are followed unless they are not to be", async () => {
  answer = (request, response) =>
    request.url === "/base/x" ? response.writeHead(302, { location: "/y" }).end() : response.end('{"moved":true}');
  expect((await ask()).body).toEqual({ moved: true });
  client!.close();
  await expect(ask({ followRedirects: false })).rejects.toThrow("/x answered 302");
});

test("an answer that does not come, or not to its end, is given up", async () => {
  answer = () => {};
  await expect(ask({}, { timeoutMs: 30 })).rejects.toThrow("no answer within 30 ms");
  client!.close();
  answer = (_request, response) => void response.writeHead(200).write("{");
  await expect(ask({}, { timeoutMs: 30 })).rejects.toThrow("no answer within 30 ms");
});

test("a question ends with its signal", async () => {
  const abort = new AbortController();
  answer = () => abort.abort();
  await expect(ask({}, { signal: abort.signal })).rejects.toThrow(/cancel|abort/);
});
