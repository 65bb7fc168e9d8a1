// Loggers of real programs push to the agent, which pushes on: every line arrives once, with the labels and metadata they gave.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pino } from "pino";
import { pinoLoki } from "pino-loki";
import { afterEach, beforeEach, expect, test } from "vitest";
import winston from "winston";
import LokiTransport from "winston-loki";
import { loadAgentConfig } from "../../../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../../../agent/run.ts";
import { systemClock } from "../../../../lib/runtime/clock.ts";
import { createLog } from "../../../../lib/runtime/log.ts";
import { freePort } from "../../../e2e/processes.ts";
import { PushServer } from "../../client/harness.ts";

let folder: string;
let loki: PushServer;
let agent: RunningAgent | undefined;
let host: string;
const logged: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "skald-clients-"));
  loki = await PushServer.open();
  const port = await freePort();
  host = `http://127.0.0.1:${port}`;
  const file = join(folder, "agent.yaml");
  writeFileSync(
    file,
    `server: {disable: true}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "${loki.url}", batchwait: 20ms}]
scrape_configs:
- job_name: push
  loki_push_api: {server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}}, labels: {via: agent}, use_incoming_timestamp: true}
  pipeline_stages: [{drop: {expression: unwanted}}]
`,
  );
  const load = async () =>
    (await loadAgentConfig({ files: [file], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {} })).config;
  agent = await runAgent(await load(), {
    log: createLog({ write: (line) => logged.push(line) }),
    clock: systemClock,
    dryRun: false,
    load,
    stdin: Readable.from([]),
    write: () => {},
  });
});
afterEach(async () => {
  await agent?.stop();
  await loki.close();
  rmSync(folder, { recursive: true });
});

const arrived = (): string[] => loki.requests.flatMap(({ entries }) => entries);
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition(), `${logged.join("")}\n${arrived().slice(0, 5).join("\n")}`).toBe(true);
}

test("pino-loki", async () => {
  const stream = pinoLoki({ host, batching: { interval: 0.05 }, labels: { application: "pinoapp" }, replaceTimestamp: false });
  const logger = pino({ base: null }, stream);
  for (let i = 0; i < 200; i++) logger.info({ i }, `line ${i}`);
  logger.error("unwanted");
  await until(() => arrived().length === 200);
  expect(arrived().every((entry) => entry.startsWith('{application="pinoapp", level="info", via="agent"} {'))).toBe(true);
  const numbers = loki.accepted.map((line) => (JSON.parse(line) as { i: number }).i).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i));
  stream.end();
});

for (const json of [false, true]) {
  test(`winston-loki, ${json ? "JSON" : "protobuf"}`, async () => {
    const transport = new LokiTransport({ host, json, interval: 0.1, labels: { job: "winapp" }, format: winston.format.json() });
    const logger = winston.createLogger({ transports: [transport] });
    for (let i = 0; i < 200; i++) logger.info(`line ${i}`);
    logger.warn("unwanted");
    await until(() => arrived().length === 200);
    expect(arrived().every((entry) => entry.startsWith('{job="winapp", level="info", via="agent"} '))).toBe(true);
    const numbers = loki.accepted.map((line) => Number(/line (\d+)/.exec(line)![1])).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i));
    const finished = once(logger, "finish");
    logger.end();
    await finished;
  });
}
