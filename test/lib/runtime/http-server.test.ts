import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { BodyTooLarge, type HttpServer, listen, plain, type Route } from "../../../lib/runtime/http-server.ts";

let server: HttpServer | undefined;
afterEach(() => server?.close(100));

const ROUTES: Route[] = [
  { methods: ["GET"], path: "/ready", handler: (_, response) => plain(response, 200, "ready\n") },
  {
    methods: ["GET", "POST"],
    path: "/label/{name}/values",
    handler: (request, response) => plain(response, 200, `${request.params.name}`),
  },
  { methods: ["POST"], path: "/push", handler: async (request, response) => plain(response, 200, String((await request.body(10)).length)) },
  {
    methods: ["GET"],
    path: "/slow",
    handler: (_, response) => new Promise((resolve) => setTimeout(() => resolve(plain(response, 200, "done")), 150)),
  },
];

async function start(prefix = ""): Promise<string> {
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    prefix,
    routes: ROUTES,
    onError: (error, _, response) => plain(response, error instanceof BodyTooLarge ? 413 : 500, String(error)),
  });
  return `http://127.0.0.1:${server.port}`;
}
const answer = async (url: string, init?: RequestInit): Promise<string> => {
  const response = await fetch(url, init);
  return `${response.status} ${await response.text()}`;
};

describe("http server", () => {
  test("answers a route", async () => expect(await answer(`${await start()}/ready`)).toBe("200 ready\n"));
  test("answers HEAD as GET without a body", async () => expect(await answer(`${await start()}/ready`, { method: "HEAD" })).toBe("200 "));
  test("decodes names in paths", async () => expect(await answer(`${await start()}/label/a%2Fb/values`)).toBe("200 a/b"));
  test("an unknown path is 404", async () => expect(await answer(`${await start()}/nope`)).toBe("404 404 page not found\n"));
  test("a wrong method is 405", async () => expect(await answer(`${await start()}/push`)).toBe("405 "));
  test("a prefix goes before every path", async () => {
    const url = await start("/base/");
    expect([await answer(`${url}/base/ready`), await answer(`${url}/ready`)]).toEqual(["200 ready\n", "404 404 page not found\n"]);
  });
  test("a declared body above the limit is refused before it is read", async () =>
    expect(await answer(`${await start()}/push`, { method: "POST", body: "x".repeat(11) })).toMatch(/^413/));
  test("a chunked body above the limit is refused", async () => {
    const url = new URL(`${await start()}/push`);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(url, { method: "POST" }, (response) => resolve(response.statusCode));
      request.on("error", reject);
      for (let i = 0; i < 5; i++) request.write("xxxx");
      request.end();
    });
    expect(status).toBe(413);
  });
  test("closing lets a request in flight finish", async () => {
    const slow = answer(`${await start()}/slow`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await server!.close(1000);
    expect(await slow).toBe("200 done");
  });
});

test("a connection opened ahead of a request does not hold up the end", async () => {
  await start();
  const socket = connect(server!.port, "127.0.0.1");
  await new Promise((resolve) => server!.server.once("connection", resolve));
  const closed = new Promise((resolve) => socket.once("close", () => resolve("closed")));
  const never = 3_600_000;
  await server!.close(never);
  expect(await closed).toBe("closed");
});
