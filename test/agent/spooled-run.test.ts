// The spool in a whole agent: across restarts, reloads and changes of clients.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadAgentConfig } from "../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../agent/run.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { freePort } from "../e2e/processes.ts";
import { PushServer, type Script } from "./client/harness.ts";

let folder: string;
let port: number;
let agent: RunningAgent | undefined;
let servers: PushServer[];
const logged: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "skald-spooled-run-"));
  port = await freePort();
  servers = [];
  logged.length = 0;
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

async function openLoki(script: Script = []): Promise<PushServer> {
  const server = await PushServer.open(script);
  servers.push(server);
  return server;
}

/** Nobody listens there. */
const AWAY = "http://127.0.0.1:9/push";

interface Config {
  readonly url: string;
  readonly labels?: string;
  readonly more?: string;
}

function configure({ url, labels = "job: a", more = "" }: Config): void {
  writeFileSync(
    join(folder, "agent.yaml"),
    `server: {http_listen_address: 127.0.0.1, http_listen_port: 0, graceful_shutdown_timeout: 300ms}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "${url}", batchwait: 20ms, backoff_config: {min_period: 20ms, max_period: 50ms, max_retries: 0}}]
scrape_configs:
- job_name: push
  loki_push_api: {server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}}, labels: {${labels}}}
${more}`,
  );
}

const load = async () => {
  const file = join(folder, "agent.yaml");
  return (await loadAgentConfig({ files: [file], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {} })).config;
};

async function start(config: Config, dryRun = false): Promise<RunningAgent> {
  configure(config);
  agent = await runAgent(await load(), {
    log: createLog({ write: (line) => logged.push(line) }),
    clock: systemClock,
    dryRun,
    load,
    stdin: Readable.from([]),
    write: () => {},
  });
  return agent;
}

const push = async (line: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}/promtail/api/v1/raw`, { method: "POST", body: line })).status;
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500 && !(await condition()); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await condition(), logged.join("")).toBe(true);
}
const spoolFolder = (): string => join(folder, "positions.yaml.spool", "push");

describe("entries that were confirmed while the store was away", () => {
  test("arrive after a restart, once", async () => {
    await start({ url: AWAY });
    expect([await push("one"), await push("two")]).toEqual([204, 204]);
    await agent!.stop();
    const loki = await openLoki();
    await start({ url: loki.url });
    await until(() => loki.accepted.length === 2);
    expect(await push("three")).toBe(204);
    await until(() => loki.accepted.length === 3);
    expect(loki.accepted).toEqual(["one", "two", "three"]);
  });

  test("arrive when a reload brings clients that work", async () => {
    const broken = await openLoki(() => 500);
    await start({ url: broken.url });
    expect(await push("one")).toBe(204);
    await until(() => broken.requests.length > 0);
    const loki = await openLoki();
    configure({ url: loki.url });
    await agent!.reload();
    // Those of the former clients are given up after their grace, and read again.
    await until(() => loki.accepted.length === 1);
    expect(loki.accepted).toEqual(["one"]);
  });

  test("arrive when a reload replaces their job", async () => {
    await start({ url: AWAY });
    expect(await push("one")).toBe(204);
    const loki = await openLoki();
    configure({ url: loki.url, labels: "job: b" });
    await agent!.reload();
    expect(await push("two")).toBe(204);
    await until(() => loki.accepted.length >= 2);
    expect(new Set(loki.requests.flatMap(({ entries }) => entries))).toEqual(new Set(['{job="a"} one', '{job="b"} two']));
  });
});

test("the page of targets shows the spool, and metrics count what went through", async () => {
  const loki = await openLoki();
  await start({ url: loki.url });
  await push("one");
  await until(() => loki.accepted.length === 1);
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${agent!.port}${path}`)).text();
  await until(async () => (await get("/metrics")).includes('skald_spool_entries_out_total{job="push"} 1'));
  const [job] = JSON.parse(await get("/targets?format=json")) as [{ targets: object[]; spool: object }];
  expect(job.targets).toMatchObject([{ kind: "Push", ready: true, details: { entries: 1, requests: 1, refused: 0 } }]);
  expect(job.spool).toMatchObject({ kind: "Spool", ready: true, details: { lagBytes: 0, segments: 1, entriesIn: 1, entriesOut: 1 } });
  expect(await get("/targets")).toContain("Spool");
  expect(await get("/metrics")).toContain("promtail_targets_active_total 1\n");
});

describe("no spool", () => {
  test("is written in a dry run", async () => {
    await start({ url: AWAY }, true);
    expect(await push("one")).toBe(204);
    expect(existsSync(join(folder, "positions.yaml.spool"))).toBe(false);
  });

  test("is there when it is switched off: senders wait for the acknowledgement", async () => {
    const loki = await openLoki();
    await start({ url: loki.url, more: "spool: {enabled: false}" });
    expect(await push("one")).toBe(204);
    expect(loki.accepted).toEqual(["one"]);
    expect(existsSync(join(folder, "positions.yaml.spool"))).toBe(false);
  });

  test("can be written where its folder cannot be made: senders wait, and the log says why once", async () => {
    writeFileSync(join(folder, "positions.yaml.spool"), "a file");
    const loki = await openLoki();
    await start({ url: loki.url });
    expect([await push("one"), await push("two")]).toEqual([204, 204]);
    expect(loki.accepted).toEqual(["one", "two"]);
    expect(logged.filter((line) => line.includes("spool's disk fails"))).toHaveLength(1);
  });
});

test("its directory may be another one", async () => {
  await start({ url: AWAY, more: `spool: {directory: ${folder}/queue}` });
  expect(await push("one")).toBe(204);
  expect(readdirSync(join(folder, "queue", "push")).sort()).toEqual(["0000000000000000.spool", "position"]);
});

test("a spool that no scrape config owns is named at the start", async () => {
  mkdirSync(join(folder, "positions.yaml.spool", "former%20job"), { recursive: true });
  writeFileSync(join(folder, "positions.yaml.spool", "former%20job", "0000000000000000.spool"), "SKS1");
  await start({ url: AWAY });
  expect(logged.filter((line) => line.includes("belongs to no scrape config") && line.includes("former%20job"))).toHaveLength(1);
  expect(existsSync(spoolFolder())).toBe(false);
});

test.each([
  ["spool: {max_bytes: 10kb}", "agent.yaml:7:9: spool.max_bytes: expected 1MB or more"],
  ["spool: {on_full: block}", 'expected one of refuse, drop_oldest, got "block"'],
  ["spool: {size: 1}", "unknown key spool.size"],
])("%s is refused", async (more, says) => {
  configure({ url: AWAY, more });
  await expect(load()).rejects.toThrow(says);
});
