// Many files and a remote that is away: reading stops at the bound of bytes in flight, and goes on when the remote is back.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadAgentConfig } from "../../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../../agent/run.ts";
import { IN_FLIGHT_BYTES_MAX } from "../../../agent/tail/in-flight-budget.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { silentLog } from "../../silent-log.ts";
import { PushServer } from "./harness.ts";

const FILES = 40;
const LINES_PER_FILE = 60;
const LINE_BYTES = 10_000;
/** One read may pass the bound: a block for each file at most. */
const OVERSHOOT_BYTES = 1024 * 1024;

let folder: string;
let server: PushServer;
let agent: RunningAgent | undefined;
let away = true;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "skald-dead-remote-"));
  mkdirSync(join(folder, "logs"));
  away = true;
  server = await PushServer.open(() => (away ? 503 : 204));
});
afterEach(async () => {
  await agent?.stop();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<void> {
  const file = join(folder, "config.yaml");
  writeFileSync(
    file,
    `server: {http_listen_address: 127.0.0.1, http_listen_port: 0, graceful_shutdown_timeout: 3s}
positions: {filename: ${folder}/positions.yaml, sync_period: 200ms}
clients: [{url: "${server.url}", batchwait: 50ms, backoff_config: {min_period: 50ms, max_period: 50ms, max_retries: 0}}]
scrape_configs: [{job_name: a, static_configs: [{labels: {__path__: "${folder}/logs/*.log"}}]}]
`,
  );
  const load = async () =>
    (await loadAgentConfig({ files: [file], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {} })).config;
  const stdin = Readable.from([]);
  agent = await runAgent(await load(), { log: silentLog, clock: systemClock, dryRun: false, load, stdin, write: () => {} });
}

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${agent!.port}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 30_000; !(await holds()); ) {
    if (Date.now() > endMs) throw new Error("did not come to hold");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const nameOf = (i: number): string => `${String(i).padStart(4, "0")}.log`;

test("what is in flight is bounded; nothing is lost, nothing comes twice", { timeout: 60_000 }, async () => {
  for (let i = 0; i < FILES; i++) {
    const lines = Array.from({ length: LINES_PER_FILE }, (_, n) => `${i} ${n} `.padEnd(LINE_BYTES, "x"));
    writeFileSync(join(folder, "logs", nameOf(i)), `${lines.join("\n")}\n`);
  }
  await start();
  await until(async () => (await gauge("promtail_in_flight_bytes")) >= IN_FLIGHT_BYTES_MAX / 4);
  // It stands still somewhere below the bound, at the client's or the reader's.
  let before = -1;
  await until(async () => {
    const now = await gauge("promtail_in_flight_bytes");
    expect(now).toBeLessThanOrEqual(IN_FLIGHT_BYTES_MAX + OVERSHOOT_BYTES);
    const stands = now === before;
    before = now;
    return stands;
  });
  expect(before).toBeLessThan(FILES * LINES_PER_FILE * LINE_BYTES);
  away = false;
  await until(() => server.accepted.length >= FILES * LINES_PER_FILE);
  const seen = server.accepted.map((line) => line.slice(0, line.indexOf(" ", line.indexOf(" ") + 1)));
  expect(new Set(seen).size).toBe(FILES * LINES_PER_FILE);
  expect(seen).toHaveLength(FILES * LINES_PER_FILE);
});

test("the end keeps to its deadline, and positions stay before what was not confirmed", { timeout: 60_000 }, async () => {
  writeFileSync(join(folder, "logs", nameOf(0)), "one\ntwo\n");
  await start();
  await until(() => server.requests.length > 1);
  const startedMs = Date.now();
  await agent!.stop();
  expect(Date.now() - startedMs).toBeLessThan(20_000);
  expect(readFileSync(join(folder, "positions.yaml"), "utf8")).toMatch(/0000\.log: "0"|positions: \{\}/);
  agent = undefined;
});
