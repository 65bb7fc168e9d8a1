// A real logging library pushes to a real agent that is killed with SIGKILL while the store is away: what the library was told is taken
// arrives once, and what it could not send it sends when the agent is back.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import winston from "winston";
import LokiTransport from "winston-loki";
import { PushServer } from "../agent/client/harness.ts";
import { freePort, isReady, type Program, startSkald, until } from "./processes.ts";

const KILLS = Math.min(Number(process.env.SKALD_KILLS ?? 2), 20);
const LINES = 50;

const folder = mkdtempSync(join(tmpdir(), "skald-push-client-"));
const programs: Program[] = [];
let loki: PushServer;

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  await loki.close();
  rmSync(folder, { recursive: true, force: true });
});

test(`winston-loki loses nothing over ${KILLS} kills of the agent`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
  let away = true;
  loki = await PushServer.open(() => (away ? 500 : 204));
  const [port, pushPort] = [await freePort(), await freePort()];
  writeFileSync(join(folder, "agent.yaml"), agentConfig(port, pushPort));
  const start = async (): Promise<Program> => {
    const agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"));
    programs.push(agent);
    await until("agent ready", () => isReady(port));
    return agent;
  };
  let failureCount = 0;
  const transport = new LokiTransport({
    host: `http://127.0.0.1:${pushPort}`,
    labels: { app: "shop" },
    // In seconds: sent when it is told to.
    interval: 3_600,
    onConnectionError: () => void failureCount++,
    format: winston.format.json(),
  });
  const logger = winston.createLogger({ transports: [transport] });
  let written = 0;
  const write = (): void => {
    for (let i = 0; i < LINES; i++) logger.info(`line ${++written} `);
  };
  // What its loop does; after a failure that waits for a minute.
  const { batcher } = transport as unknown as { readonly batcher: { sendBatchToLoki(): Promise<void> } };
  const push = (): Promise<boolean> =>
    batcher.sendBatchToLoki().then(
      () => true,
      () => false,
    );

  let agent = await start();
  for (let kill = 0; kill < KILLS; kill++) {
    write();
    await until("the library's push is taken, though the store is away", push);
    await agent.stop("SIGKILL");
    write();
    const before = failureCount;
    await push();
    expect(failureCount).toBeGreaterThan(before);
    agent = await start();
    await until("what was kept is taken", push);
  }
  away = false;
  const numbers = (): number[] => loki.accepted.map((line) => Number(/line (\d+) /.exec(line)![1]));
  await until("every line", () => new Set(numbers()).size === written);
  await agent.stop();
  expect(numbers().sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * KILLS * LINES }, (_, i) => i + 1));
  await transport.close();
});

function agentConfig(port: number, pushPort: number): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
clients: [{url: "${loki.url}", batchwait: 20ms, backoff_config: {min_period: 10ms, max_period: 50ms, max_retries: 0}}]
scrape_configs:
  - job_name: push
    loki_push_api: {server: {http_listen_address: 127.0.0.1, http_listen_port: ${pushPort}}, use_incoming_timestamp: true}
`;
}
