import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { backoffMs, parseRetryAfterMs } from "../../../agent/client/backoff.ts";
import type { ClientOptions } from "../../../agent/client/clients.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { Bench, OPTIONS, PushServer } from "./harness.ts";

let server: PushServer;
let bench: Bench;
const folder = mkdtempSync(join(tmpdir(), "skald-credentials-"));
afterEach(async () => {
  bench.clients.stopNow();
  await server.close();
});
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

async function sentHeaders(options: Partial<ClientOptions>, url?: (server: PushServer) => string): Promise<Record<string, unknown>> {
  server = await PushServer.open();
  bench = new Bench([{ ...OPTIONS, url: url?.(server) ?? server.url, ...options }]);
  bench.push(["x"]);
  await bench.settled();
  return server.requests[0]!.headers;
}

const proxyAt = (url: string) => ({ url, noProxy: "", fromEnvironment: false, connectHeaders: {} });
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

describe("authorization", () => {
  for (const [name, options, want] of [
    ["nothing", {}, undefined],
    ["basic", { basicAuth: { username: "u", password: "p:w", passwordFile: "" } }, basic("u:p:w")],
    ["basic with a file", { basicAuth: { username: "u", password: "", passwordFile: file("pw", "from-file\n") } }, basic("u:from-file")],
    ["bearer", { bearerToken: "abc.def" }, "Bearer abc.def"],
    ["bearer with a file", { bearerTokenFile: file("token", "xyz\n") }, "Bearer xyz"],
    ["credentials without a type", { authorization: { type: "", credentials: "c", credentialsFile: "" } }, "Bearer c"],
    ["credentials with a type", { authorization: { type: "Token", credentials: "", credentialsFile: file("cred", "c2") } }, "Token c2"],
    ["a configured header", { headers: { Authorization: "mine" }, bearerToken: "not-this" }, "mine"],
  ] as [string, Partial<ClientOptions>, string | undefined][]) {
    test(name, async () => expect((await sentHeaders(options)).authorization).toBe(want));
  }

  for (const [name, options, want] of [
    ["alone", {}, basic("me:s@crt")],
    ["and basic_auth", { basicAuth: { username: "u", password: "p", passwordFile: "" } }, basic("me:s@crt")],
    ["and a bearer token", { bearerToken: "abc" }, basic("me:s@crt")],
    ["and a configured header", { headers: { Authorization: "mine" } }, "mine"],
  ] as [string, Partial<ClientOptions>, string][]) {
    test(`user and password in the address, ${name}`, async () => {
      const headers = await sentHeaders(options, (to) => to.url.replace("http://", "http://me:s%40crt@"));
      expect(headers.authorization).toBe(want);
    });
  }

  for (const [name, options, header] of [
    ["password_file", (path) => ({ basicAuth: { username: "u", password: "", passwordFile: path } }), (text) => basic(`u:${text}`)],
    [
      "username_file",
      (path) => ({ basicAuth: { username: "", usernameFile: path, password: "p", passwordFile: "" } }),
      (text) => basic(`${text}:p`),
    ],
    ["bearer_token_file", (path) => ({ bearerTokenFile: path }), (text) => `Bearer ${text}`],
    ["credentials_file", (path) => ({ authorization: { type: "T", credentials: "", credentialsFile: path } }), (text) => `T ${text}`],
  ] as [string, (path: string) => Partial<ClientOptions>, (text: string) => string][]) {
    test(`${name} is read anew when it has changed`, async () => {
      const path = file("rotated", "old\n");
      let nowMs = 1_000;
      server = await PushServer.open();
      bench = new Bench([{ ...OPTIONS, url: server.url, ...options(path) }], { clock: { ...systemClock, nowMs: () => nowMs } });
      for (const secret of ["old", "new"]) {
        file("rotated", `${secret}\n`);
        nowMs += 2_000;
        bench.push([secret]);
        await bench.settled();
      }
      expect(server.requests.map((request) => request.headers.authorization)).toEqual([header("old"), header("new")]);
    });
  }

  test("a missing file is a failure that is tried again", async () => {
    server = await PushServer.open();
    bench = new Bench([
      { ...OPTIONS, url: server.url, bearerTokenFile: join(folder, "later"), backoff: { minMs: 20, maxMs: 20, retriesMax: 0 } },
    ]);
    bench.push(["x"]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(server.requests).toHaveLength(0);
    file("later", "here now");
    await bench.settled();
    expect(server.requests[0]!.headers.authorization).toBe("Bearer here now");
  });

  test("own headers are not replaced, others are added", async () => {
    const headers = await sentHeaders({
      tenantId: "real",
      headers: { "Content-Type": "text/plain", "user-agent": "x", "X-Scope-OrgID": "no", "X-More": "yes", "X-Empty": "" },
    });
    expect(headers).toMatchObject({
      "content-type": "application/x-protobuf",
      "user-agent": "skald/1.2.3",
      "x-scope-orgid": "real",
      "x-more": "yes",
      "x-empty": "",
    });
  });
});

describe("oauth2", () => {
  async function withTokens(answer: (n: number, form: URLSearchParams, authorization: string | undefined) => [number, object]) {
    const forms: string[] = [];
    const tokens = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        forms.push(body);
        const [status, json] = answer(forms.length, new URLSearchParams(body), request.headers.authorization);
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
      });
    });
    await new Promise<void>((resolve) => tokens.listen(0, "127.0.0.1", resolve));
    const tokenUrl = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
    const oauth2 = {
      clientId: "id",
      clientSecret: "secret",
      clientSecretFile: "",
      scopes: ["a", "b"],
      tokenUrl,
      endpointParams: { audience: "logs" },
    };
    return { oauth2, forms, close: () => new Promise((resolve) => tokens.close(resolve)) };
  }

  test("a token is fetched once and used until it ends", async () => {
    const tokens = await withTokens((n) => [200, { access_token: `t${n}`, token_type: "bearer", expires_in: 3600 }]);
    server = await PushServer.open();
    bench = new Bench([{ ...OPTIONS, url: server.url, oauth2: tokens.oauth2 }]);
    for (const line of ["x", "y"]) {
      bench.push([line]);
      await bench.settled();
    }
    expect(server.requests.map((request) => request.headers.authorization)).toEqual(["Bearer t1", "Bearer t1"]);
    expect(Object.fromEntries(new URLSearchParams(tokens.forms[0]))).toEqual({
      audience: "logs",
      grant_type: "client_credentials",
      scope: "a b",
    });
    await tokens.close();
  });

  test("a token that is refused is fetched anew, with the secret its file has by then", async () => {
    const tokens = await withTokens((_, form, authorization) => [200, { access_token: form.get("client_secret") ?? authorization }]);
    const path = file("client-secret", "old");
    let nowMs = 1_000;
    server = await PushServer.open([204, 401, 204]);
    bench = new Bench([{ ...OPTIONS, url: server.url, oauth2: { ...tokens.oauth2, clientSecretFile: path } }], {
      clock: { ...systemClock, nowMs: () => nowMs },
    });
    for (const secret of ["old", "old", "new"]) {
      file("client-secret", secret);
      nowMs += 2_000;
      bench.push([secret]);
      await bench.settled();
    }
    expect(server.requests.map((request) => request.headers.authorization)).toEqual(
      ["id:old", "id:old", "id:new"].map((pair) => `Bearer ${basic(pair)}`),
    );
    await tokens.close();
  });

  test("the endpoint gets the credentials escaped as in a form", async () => {
    const tokens = await withTokens((_, _form, authorization) => [200, { access_token: authorization?.replace("Basic ", "") }]);
    server = await PushServer.open();
    bench = new Bench([{ ...OPTIONS, url: server.url, oauth2: { ...tokens.oauth2, clientId: "my id", clientSecret: "a!'()*-_.~é+" } }]);
    bench.push(["x"]);
    await bench.settled();
    const sent = server.requests[0]!.headers.authorization!.replace("Bearer ", "");
    expect(Buffer.from(sent, "base64").toString()).toBe("my+id:a%21%27%28%29%2A-_.~%C3%A9%2B");
    await tokens.close();
  });

  test("an endpoint that wants the credentials in the form gets them there", async () => {
    const tokens = await withTokens((_, form) => (form.get("client_secret") === "secret" ? [200, { access_token: "t" }] : [401, {}]));
    server = await PushServer.open();
    bench = new Bench([{ ...OPTIONS, url: server.url, oauth2: tokens.oauth2 }]);
    bench.push(["x"]);
    await bench.settled();
    expect(server.requests[0]!.headers.authorization).toBe("Bearer t");
    await tokens.close();
  });
});

test("proxy: requests go through it", async () => {
  const seen: string[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"]}`);
    const onward = httpRequest(request.url!, { method: request.method!, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode!);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const headers = await sentHeaders({ proxy: proxyAt(`http://pu:pp@127.0.0.1:${(proxy.address() as AddressInfo).port}`) });
  expect(headers["content-type"]).toBe("application/x-protobuf");
  expect(seen).toEqual([`POST ${server.url} ${basic("pu:pp")}`]);
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

test("proxy: TLS goes through a tunnel", async () => {
  const seen: string[] = [];
  const tunnels: Duplex[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    seen.push(request.url!);
    tunnels.push(socket);
    const onward = connect(Number(server.host.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  server = await PushServer.open([], { cert: readFileSync(CERT), key: readFileSync(KEY) });
  bench = new Bench([
    {
      ...OPTIONS,
      url: server.url,
      tls: { ...NO_TLS, caFile: CERT },
      proxy: proxyAt(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`),
    },
  ]);
  bench.push(["x"]);
  await bench.settled();
  expect(server.accepted).toEqual(["x"]);
  expect(seen).toEqual([server.host]);
  for (const socket of tunnels) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
});

const CERT = join(import.meta.dirname, "loopback-cert.pem");
const KEY = join(import.meta.dirname, "loopback-key.pem");
const NO_TLS = { caFile: "", certFile: "", keyFile: "", serverName: "", insecureSkipVerify: false };

describe("tls", () => {
  for (const [name, tls, want] of [
    ["a server whose authority is given is trusted", { ...NO_TLS, caFile: CERT }, 1],
    ["a server nobody vouches for is not", NO_TLS, 0],
    ["unless it is not asked", { ...NO_TLS, insecureSkipVerify: true }, 1],
    ["a name that is not in the certificate is refused", { ...NO_TLS, caFile: CERT, serverName: "elsewhere.example" }, 0],
  ] as const) {
    test(name, async () => {
      server = await PushServer.open([], { cert: readFileSync(CERT), key: readFileSync(KEY) });
      bench = new Bench([{ ...OPTIONS, url: server.url, tls, backoff: { minMs: 1, maxMs: 2, retriesMax: 2 } }]);
      bench.push(["x"]);
      await bench.settled();
      expect(server.accepted).toHaveLength(want);
    });
  }

  const junk = file("junk.pem", "-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n");
  const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  for (const [name, tls, words] of [
    ["that cannot be read", { caFile: "/nowhere.pem" }, "could not read ca_file /nowhere.pem"],
    ["that is none", { ca: "notpem" }, "ca has no certificate"],
    ["that is none, of a file", { caFile: junk }, `ca_file ${junk} has no certificate`],
    ["in a pair that is none", { cert: "a", key: "b" }, "cert and key cannot be used: "],
    ["in a pair that is none, of files", { certFile: junk, keyFile: junk }, `cert_file ${junk} and key_file ${junk} cannot be used: `],
    ["with another's key", { certFile: CERT, key: otherKey }, `cert_file ${CERT} and key cannot be used: `],
    ["for versions that exclude each other", { minVersion: "TLS13", maxVersion: "TLS12" }, "min_version TLS13 is above max_version TLS12"],
  ] as const) {
    test(`a certificate ${name} stops the start`, async () => {
      server = await PushServer.open();
      bench = new Bench([]);
      expect(() => new Bench([{ ...OPTIONS, url: server.url, tls: { ...NO_TLS, ...tls } }])).toThrow(words);
    });
  }
});

describe("back-off", () => {
  const options = { minMs: 500, maxMs: 300_000, retriesMax: 10 };
  for (const [n, from, to] of [
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [9, 128_000, 256_000],
    [10, 256_000, 300_000],
    [11, 300_000, 300_000],
  ] as const) {
    test(`wait ${n} lies in [${from}, ${to}]`, async () => {
      server = await PushServer.open();
      bench = new Bench([]);
      expect(backoffMs(n, options, () => 0)).toBe(from);
      expect(backoffMs(n, options, () => 1)).toBe(to);
    });
  }
  for (const [value, want] of [
    ["3", 3_000],
    ["Thu, 01 Jan 1970 00:00:10 GMT", 9_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["soon", undefined],
    [undefined, undefined],
  ] as const) {
    test(`Retry-After ${value}`, async () => {
      server = await PushServer.open();
      bench = new Bench([]);
      expect(parseRetryAfterMs(value, 1_000)).toBe(want);
    });
  }
});
