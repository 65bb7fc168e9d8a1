import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpSdSchema } from "../../../agent/config/discoveries.ts";
import type { Discovery, TargetGroup } from "../../../agent/discovery/discovery.ts";
import { httpDiscovery } from "../../../agent/discovery/http.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { fastClock } from "./kubernetes/viewing.ts";

const JSON_TYPE = { "Content-Type": "application/json; charset=utf-8" };
const ONE = [{ targets: ["a:80", "b:80"], labels: { job: "web" } }];

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: IncomingMessage[];
let discovery: Discovery | undefined;
let told: Map<string, TargetGroup>;
let logged: string[];

beforeEach(async () => {
  seen = [];
  logged = [];
  told = new Map();
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await discovery?.stop();
  discovery = undefined;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const gives = (groups: unknown, headers: Record<string, string> = JSON_TYPE, status = 200) => {
  answer = (_request, response) => response.writeHead(status, headers).end(JSON.stringify(groups));
};
const urlOf = (path = "/targets?dc=1"): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

async function start(more: object = {}, url = urlOf()): Promise<void> {
  discovery = httpDiscovery(
    httpSdSchema().parse({ url, refresh_interval: "1s", ...more }),
    createLog({ write: (line) => logged.push(line) }),
    { clock: fastClock(50) },
  );
  await discovery.start((groups) => {
    for (const group of groups) {
      if (group.targets.length === 0) told.delete(group.source);
      else told.set(group.source, group);
    }
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}

const shown = (): object => [...told.values()].map(({ targets, labels }) => [targets.map(({ __address__: address }) => address), labels]);

describe("groups of an answer", () => {
  test("have their targets, their labels and the URL, keys in any case", async () => {
    gives([...ONE, { Targets: ["c:80"] }]);
    await start();
    expect(shown()).toEqual([
      [["a:80", "b:80"], { job: "web", __meta_url: urlOf() }],
      [["c:80"], { __meta_url: urlOf() }],
    ]);
  });
  test("are asked for with the interval, and the credentials of the block", async () => {
    gives([]);
    await start({ basic_auth: { username: "u", password: "p" } }, urlOf("/sd/"));
    const [{ url, headers }] = seen as [IncomingMessage];
    expect([url, headers.accept, headers["x-prometheus-refresh-interval-seconds"], headers.authorization]).toEqual([
      "/sd/",
      "application/json",
      "1",
      `Basic ${Buffer.from("u:p").toString("base64")}`,
    ]);
  });
  test("that are gone from the next one are withdrawn", async () => {
    gives([...ONE, { Targets: ["c:80"] }]);
    await start();
    gives(ONE);
    await until(() => told.size === 1);
    expect(shown()).toEqual([[["a:80", "b:80"], { job: "web", __meta_url: urlOf() }]]);
  });
});

describe("the former targets stay, and the log says why, when", () => {
  for (const [what, fault, text] of [
    ["the server fails", () => gives({ error: "down" }, JSON_TYPE, 500), "500"],
    ["there is nothing", () => gives(ONE, JSON_TYPE, 203), "status 203, not 200"],
    ["it is no JSON by its type", () => gives(ONE, { "Content-Type": "text/html" }), "text/html"],
    ["it ends in the middle", () => { answer = (_request, response) => response.writeHead(200, JSON_TYPE).end('[{"targets":'); }, "no JSON"], // biome-ignore format: one line
    ["it is cut off", () => { answer = (request) => request.socket.destroy(); }, "targets not found out"], // biome-ignore format: one line
    ["groups are malformed", () => gives([{ targets: "a:80" }]), "targets"],
    ["a key is not known", () => gives([{ targets: ["a:80"], label: {} }]), "label"],
  ] as const) {
    test(what, async () => {
      gives(ONE);
      await start();
      fault();
      await until(() => logged.some((line) => line.includes(text)));
      expect(told.size).toBe(1);
      gives([{ targets: ["d:80"] }]);
      await until(() => JSON.stringify(shown()).includes("d:80"));
    });
  }
});

describe("a block is refused for", () => {
  for (const [config, message] of [
    [{}, "URL is missing"],
    [{ url: "ftp://a/" }, "URL scheme must be 'http' or 'https'"],
    [{ url: "a b" }, '"a b" is no URL'],
    [{ url: "http://a/", bearer_token: "x", basic_auth: { username: "u" } }, "at most one of"],
  ] as const)
    test(message, () => {
      const result = httpSdSchema().safeParse(config);
      expect(result.error?.issues.map((issue) => issue.message).join()).toContain(message);
    });
});
