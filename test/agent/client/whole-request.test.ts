// One request and its whole answer, against servers that answer badly.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Routes } from "../../../agent/client/routes.ts";
import { sendWhole, type WholeRequest } from "../../../agent/client/whole-request.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { silentLog } from "../../silent-log.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const routes = new Routes({}, { clock: systemClock, log: silentLog });
let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: Answer): Promise<URL> {
  server = createServer((request, response) => void request.resume().on("end", () => answer(request, response)));
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/push?a=b`);
}

function send(url: URL, options: Partial<WholeRequest> = {}) {
  const { signal } = new AbortController();
  const standard = { method: "POST", url, headers: { A: "1" }, body: Buffer.from("body"), timeoutMs: 5_000, stop: signal } as const;
  return sendWhole({ ...standard, route: routes.to(url), ...options });
}

const ask = async (answer: Answer, options?: Partial<WholeRequest>) => send(await serve(answer), options);

test("the request as it is, the answer as it comes", async () => {
  let seen: unknown;
  const answer = await ask(({ method, url, headers }, response) => {
    seen = [method, url, headers.a, headers["content-length"], headers["accept-encoding"]];
    response.writeHead(418, { "x-b": "2" }).write("in two ");
    response.end("parts");
  });
  expect(seen).toEqual(["POST", "/push?a=b", "1", "4", undefined]);
  expect([answer.status, answer.headers["x-b"], answer.body.toString()]).toEqual([418, "2", "in two parts"]);
});

test("a request without a body has no length", async () => {
  const answer = await ask(({ headers }, response) => void response.end(`${headers["content-length"]}`), {
    method: "GET",
    body: undefined,
  });
  expect(answer.body.toString()).toBe("undefined");
});

describe("a success is one from its beginning on", () => {
  test.each<[string, Answer, Partial<WholeRequest>]>([
    ["it does not end", (_, response) => void response.writeHead(200).write("x"), { timeoutMs: 3_600_000 }],
    ["it does not end in time", (_, response) => void response.writeHead(200).write("x"), { timeoutMs: 50 }],
    ["it is cut", (_, response) => void response.writeHead(299, { "content-length": 9 }).write("x", () => response.destroy()), {}],
    ["it is too large", (_, response) => void response.end(Buffer.alloc(1024 * 1024 + 1)), {}],
  ])("%s", async (_name, answer, options) => {
    expect((await ask(answer, options)).status).toBeLessThan(300);
  });

  test("the agent stops before it has ended", async () => {
    const stopping = new AbortController();
    const answer = await ask(
      (_, response) => {
        response.writeHead(200).write("x");
        setTimeout(() => stopping.abort(), 50);
      },
      { stop: stopping.signal },
    );
    expect(answer.status).toBe(200);
  });

  test("the connection of one that ends is used again", async () => {
    const ports: (number | undefined)[] = [];
    const url = await serve(({ socket }, response) => {
      ports.push(socket.remotePort);
      response.writeHead(200).write("in ");
      setTimeout(() => response.end("parts"), 50);
    });
    expect((await send(url)).body.toString()).toBe("in parts");
    await send(url);
    expect(ports[1]).toBe(ports[0]);
  });
});

describe("what is no answer", () => {
  test.each<[string, Answer, Partial<WholeRequest>, string]>([
    ["none in time", () => {}, { timeoutMs: 20 }, "no answer within 20 ms"],
    ["one that does not end", (_, response) => void response.writeHead(500).write("x"), { timeoutMs: 50 }, "no answer within 50 ms"],
    ["a connection that is cut", (_, response) => void response.destroy(), {}, "socket hang up"],
    [
      "an answer that is cut",
      (_, response) => {
        response.writeHead(400, { "content-length": 9 }).write("x", () => response.destroy());
      },
      {},
      "aborted",
    ],
    [
      "an answer that is too large",
      (_, response) => void response.writeHead(400).end(Buffer.alloc(1024 * 1024 + 1)),
      {},
      "the answer is larger than",
    ],
    ["one from an address that is none", () => {}, { url: new URL("invalid:x") }, "nothing can be sent to an address of the kind invalid:"],
    ["the agent is stopping", () => {}, { stop: AbortSignal.abort() }, "stopped"],
  ])("%s", (_name, answer, options, text) => expect(ask(answer, options)).rejects.toThrow(text));

  test("the agent stops while it waits", async () => {
    const stopping = new AbortController();
    await expect(ask(() => stopping.abort(), { stop: stopping.signal })).rejects.toThrow("stopped");
  });
});
