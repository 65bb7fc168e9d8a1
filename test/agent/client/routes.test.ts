// TLS, proxies and headers of a client, against servers and proxies on the loopback.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { rootCertificates } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions, ClientsShared } from "../../../agent/client/clients.ts";
import { proxyFor } from "../../../agent/client/proxy.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { Bench, OPTIONS, PushServer, type Script } from "./harness.ts";

const CERT = join(import.meta.dirname, "loopback-cert.pem");
const KEY = join(import.meta.dirname, "loopback-key.pem");
const PEM = { cert: readFileSync(CERT, "utf8"), key: readFileSync(KEY, "utf8") };
const SERVER_TLS = { cert: readFileSync(CERT), key: readFileSync(KEY) };
const NO_TLS = { caFile: "", certFile: "", keyFile: "", serverName: "", insecureSkipVerify: false };
const NO_PROXY = { url: "", noProxy: "", fromEnvironment: false, connectHeaders: {} };
const QUICK = { minMs: 1, maxMs: 2, retriesMax: 2 };

const folder = mkdtempSync(join(tmpdir(), "skald-routes-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(
  options: Partial<ClientOptions>,
  tls: object | undefined = undefined,
  script: Script = [],
  shared: Partial<ClientsShared> = {},
): Promise<{ server: PushServer; bench: Bench; push: (line: string) => Promise<void> }> {
  const server = await PushServer.open(script, tls as never);
  const bench = new Bench([{ ...OPTIONS, url: server.url, backoff: QUICK, ...options }], shared);
  closing.push(
    () => server.close(),
    () => bench.clients.stopNow(),
  );
  const push = async (line: string): Promise<void> => {
    bench.push([line]);
    await bench.settled();
  };
  return { server, bench, push };
}

/** A proxy that tunnels CONNECT and forwards the rest, whatever host is asked for, to one port of the loopback. */
class TestProxy {
  readonly asked: string[] = [];
  readonly headers: Record<string, unknown>[] = [];
  answer = "200 OK";
  readonly #server: Server;
  readonly #sockets: Duplex[] = [];

  private constructor(portOf: () => number) {
    this.#server = createServer((request, response) => {
      this.asked.push(`${request.method} ${request.url}`);
      this.headers.push(request.headers);
      const { pathname } = new URL(request.url!);
      const onward = httpRequest(
        { host: "127.0.0.1", port: portOf(), path: pathname, method: request.method!, headers: request.headers },
        (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    this.#server.on("connect", (request, socket) => {
      this.asked.push(`CONNECT ${request.url}`);
      this.headers.push(request.headers);
      this.#sockets.push(socket);
      socket.on("error", () => socket.destroy());
      if (!this.answer.startsWith("200")) return socket.end(`HTTP/1.1 ${this.answer}\r\ncontent-length: 0\r\n\r\n`);
      const onward = connect(portOf(), "127.0.0.1", () => {
        socket.write(`HTTP/1.1 ${this.answer}\r\n\r\n`);
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
  }

  static async open(portOf: () => number): Promise<TestProxy> {
    const proxy = new TestProxy(portOf);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    closing.unshift(() => proxy.#close());
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #close(): Promise<unknown> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

const portOf = (server: PushServer): number => Number(server.host.split(":")[1]);

describe("tls", () => {
  test("an authority is given as text", async () => {
    const { server, push } = await open({ tls: { ...NO_TLS, ca: PEM.cert } }, SERVER_TLS);
    await push("x");
    expect(server.accepted).toEqual(["x"]);
  });

  for (const [name, tls, want] of [
    ["texts", { cert: PEM.cert, key: PEM.key }, 1],
    ["files", { certFile: CERT, keyFile: KEY }, 1],
    ["nothing", {}, 0],
  ] as const) {
    test(`a server that demands a certificate, given ${name}`, async () => {
      const demanding = { ...SERVER_TLS, ca: SERVER_TLS.cert, requestCert: true, rejectUnauthorized: true };
      const { server, push } = await open({ tls: { ...NO_TLS, caFile: CERT, ...tls } }, demanding);
      await push("x");
      expect(server.accepted).toHaveLength(want);
    });
  }

  for (const [name, tls, want] of [
    ["a version above the server's", { minVersion: "TLS13" }, 0],
    ["a version below it", { minVersion: "TLS12" }, 1],
    ["a very old version", { minVersion: "TLS10" }, 1],
    ["no version", {}, 1],
  ] as const) {
    test(`min_version: ${name}`, async () => {
      const { server, push } = await open({ tls: { ...NO_TLS, caFile: CERT, ...tls } }, { ...SERVER_TLS, maxVersion: "TLSv1.2" });
      await push("x");
      expect(server.accepted).toHaveLength(want);
    });
  }

  test("files of certificates are read again when they change", async () => {
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, rootCertificates[0]!);
    let nowMs = 1_000;
    const clock = { ...systemClock, nowMs: () => nowMs };
    const { server, push } = await open({ tls: { ...NO_TLS, caFile: ca } }, SERVER_TLS, [], { clock });
    await push("refused");
    copyFileSync(CERT, ca);
    nowMs += 10_000;
    await push("accepted");
    expect(server.accepted).toEqual(["accepted"]);
  });
});

describe("proxy", () => {
  test("one tunnel serves many requests, and carries headers and credentials", async () => {
    const proxy = await TestProxy.open(() => portOf(server));
    const url = proxy.url.replace("//", "//pu:p%40@");
    const options = { tls: { ...NO_TLS, caFile: CERT }, proxy: { ...NO_PROXY, url, connectHeaders: { "X-Via": ["a", "b"] } } };
    const { server, push } = await open(options, SERVER_TLS);
    for (const line of ["x", "y", "z"]) await push(line);
    expect(server.accepted).toEqual(["x", "y", "z"]);
    expect(proxy.asked).toEqual([`CONNECT ${server.host}`]);
    expect(proxy.headers[0]).toMatchObject({
      host: server.host,
      "x-via": "a, b",
      "proxy-authorization": `Basic ${Buffer.from("pu:p@").toString("base64")}`,
    });
    expect(server.requests[0]!.headers["proxy-authorization"]).toBeUndefined();
  });

  test("a tunnel that is refused is tried again, and nothing reaches the proxy in the clear", async () => {
    const proxy = await TestProxy.open(() => portOf(server));
    proxy.answer = "407 Proxy Authentication Required";
    const options = { tls: { ...NO_TLS, caFile: CERT }, proxy: { ...NO_PROXY, url: proxy.url }, backoff: { ...QUICK, retriesMax: 0 } };
    const { server, bench, push } = await open(options, SERVER_TLS);
    const pushed = push("x");
    while (proxy.asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(bench.ledger.committed()).toBe(0);
    proxy.answer = "200 OK";
    await pushed;
    expect(server.accepted).toEqual(["x"]);
    expect(await bench.metric("promtail_dropped_entries_total")).toBe(0);
    expect(proxy.asked.every((line) => line.startsWith("CONNECT"))).toBe(true);
  });

  test("a proxy that is away is a failure that is tried again", async () => {
    const { server, bench, push } = await open({ proxy: { ...NO_PROXY, url: "http://127.0.0.1:1" }, tls: NO_TLS }, SERVER_TLS);
    await push("x");
    expect(server.requests).toEqual([]);
    expect(await bench.metric("promtail_batch_retries_total")).toBe(2);
  });

  test("the environment names it", async () => {
    const proxy = await TestProxy.open(() => portOf(server));
    const before = process.env.HTTP_PROXY;
    process.env.HTTP_PROXY = proxy.url;
    closing.push(() => {
      if (before === undefined) delete process.env.HTTP_PROXY;
      else process.env.HTTP_PROXY = before;
    });
    const url = "http://loki.example:3100/loki/api/v1/push";
    const { server, push } = await open({ url, proxy: { ...NO_PROXY, fromEnvironment: true } });
    await push("x");
    expect(server.accepted).toEqual(["x"]);
    expect(proxy.asked).toEqual([`POST ${url}`]);
  });

  test("an exempt host is reached directly", async () => {
    const proxy = await TestProxy.open(() => portOf(server));
    const { server, push } = await open({ proxy: { ...NO_PROXY, url: proxy.url, noProxy: "127.0.0.0/8" } });
    await push("x");
    expect(server.accepted).toEqual(["x"]);
    expect(proxy.asked).toEqual([]);
  });

  test("tokens are fetched through a proxy of their own", async () => {
    const tokens = createServer((_, response) => response.end('{"access_token":"t"}'));
    await new Promise<void>((resolve) => tokens.listen(0, "127.0.0.1", resolve));
    closing.push(() => void tokens.close());
    const proxy = await TestProxy.open(() => (tokens.address() as AddressInfo).port);
    const oauth2 = { clientId: "id", clientSecret: "s", clientSecretFile: "", scopes: [], tokenUrl: "http://idp.example/token" };
    const { server, push } = await open({ oauth2: { ...oauth2, endpointParams: {}, proxy: { ...NO_PROXY, url: proxy.url } } });
    await push("x");
    expect(server.requests[0]!.headers.authorization).toBe("Bearer t");
    expect(proxy.asked).toEqual(["POST http://idp.example/token"]);
  });

  const proxied = (target: string, noProxy: string): boolean =>
    proxyFor(new URL(target), { ...NO_PROXY, url: "http://proxy:3128", noProxy }) !== undefined;
  for (const [target, noProxy, want] of [
    ["http://loki:3100", "", true],
    ["http://127.0.0.1:3100", "", true],
    ["http://127.0.0.1:3100", "other", false],
    ["http://localhost", "other", false],
    ["http://[::1]:3100", "other", false],
    ["http://loki.example.com", "example.com", false],
    ["http://example.com", "example.com", false],
    ["http://badexample.com", "example.com", true],
    ["http://example.com", ".example.com", true],
    ["http://a.example.com", ".example.com", false],
    ["http://a.example.com", "*.example.com", false],
    ["http://LOKI.example.com", " EXAMPLE.com ", false],
    ["http://loki:3100", "loki:3100", false],
    ["http://loki:3101", "loki:3100", true],
    ["https://loki", "loki:443", false],
    ["http://10.1.2.3", "10.0.0.0/8", false],
    ["http://11.1.2.3", "10.0.0.0/8", true],
    ["http://10.1.2.3", "10.1.2.3", false],
    ["http://[fd00::5]", "fd00::/16", false],
    ["http://[fd00::5]:3100", "[fd00::5]:3100", false],
    ["http://loki", "10.0.0.0/99,*", false],
    ["http://loki", "a,b,loki", false],
  ] as const) {
    test(`no_proxy ${JSON.stringify(noProxy)}: ${target} goes ${want ? "through the proxy" : "directly"}`, () =>
      expect(proxied(target, noProxy)).toBe(want));
  }

  for (const [name, env, target, want] of [
    ["nothing is set", {}, "http://loki", undefined],
    ["for plain HTTP", { HTTP_PROXY: "http://p:1" }, "http://loki", "http://p:1/"],
    ["for TLS", { HTTP_PROXY: "http://p:1", HTTPS_PROXY: "https://q:2" }, "https://loki", "https://q:2/"],
    ["in small letters", { http_proxy: "p:1" }, "http://loki", "http://p:1/"],
    ["with exceptions", { http_proxy: "p:1", no_proxy: "loki" }, "http://loki", undefined],
  ] as const) {
    test(`environment: ${name}`, () => expect(proxyFor(new URL(target), { ...NO_PROXY, fromEnvironment: true }, env)?.href).toBe(want));
  }

  for (const [written, message] of [
    ["socks5://p:1", /kind socks5 cannot be used/],
    ["http://", /malformed address of a proxy/],
  ] as const) {
    test(`a proxy at ${written} is refused`, () =>
      expect(() => proxyFor(new URL("http://x"), { ...NO_PROXY, url: written })).toThrow(message));
  }
});

describe("headers", () => {
  test("values, secrets and files are sent, and files are read anew", async () => {
    const file = join(folder, "header");
    writeFileSync(file, "first\n");
    let nowMs = 1_000;
    const clock = { ...systemClock, nowMs: () => nowMs };
    const sources = { values: ["v1", "v2"], secrets: ["s"], files: [file] };
    const { server, push } = await open({ httpHeaders: { "X-Many": sources } }, undefined, [], { clock });
    await push("x");
    writeFileSync(file, "second\n");
    nowMs += 5_000;
    await push("y");
    expect(server.requests.map((request) => request.headers["x-many"])).toEqual(["v1, v2, s, first", "v1, v2, s, second"]);
  });

  test("they come behind those of the same name", async () => {
    const also = { values: ["also"], secrets: [], files: [] };
    const { server, push } = await open({ tenantId: "real", headers: { "X-A": "1" }, httpHeaders: { "x-scope-orgid": also, "x-a": also } });
    await push("x");
    expect(server.requests[0]!.headers).toMatchObject({ "x-scope-orgid": "real, also", "x-a": "1, also" });
  });

  test("those that HTTP itself decides are not sent", async () => {
    const headers = { Host: "elsewhere.example", "content-length": "1", "Transfer-Encoding": "chunked", Trailer: "X-A" };
    const { server, push } = await open({ headers, httpHeaders: { trailer: { values: ["X-B"], secrets: [], files: [] } } });
    await push("x");
    expect(server.accepted).toEqual(["x"]);
    const { host, "transfer-encoding": encoding, trailer } = server.requests[0]!.headers;
    expect([host, encoding, trailer]).toEqual([server.host, undefined, undefined]);
  });

  test("values and tenants are UTF-8", async () => {
    const { server, push } = await open({ tenantId: "日本", headers: { "X-A": "é" } });
    await push("x");
    const sent = (name: string): string => Buffer.from(String(server.requests[0]!.headers[name]), "latin1").toString();
    expect([sent("x-scope-orgid"), sent("x-a")]).toEqual(["日本", "é"]);
  });

  test("an empty value is as good as none", async () => {
    const { server, push } = await open({ headers: { Authorization: "" }, bearerToken: "t" });
    await push("x");
    expect(server.requests[0]!.headers.authorization).toBe("Bearer t");
  });
});
