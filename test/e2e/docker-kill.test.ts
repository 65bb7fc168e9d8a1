// Containers read through Docker's API by a real agent that is killed with SIGKILL while the log grows and the remote fails now and then:
// every line arrives, and only what was in flight comes twice.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { PushServer } from "../agent/client/harness.ts";
import { DockerServer, type TestContainer } from "../agent/targets/docker/docker-server.ts";
import { type Program, sleep, startSkald, until } from "./processes.ts";

const KILLS = Math.min(Number(process.env.SKALD_KILLS ?? 4), 20);
const SEED = Number(process.env.SKALD_SEED ?? 20261126);
const LINES_PER_ROUND = 400;

const folder = mkdtempSync(join(tmpdir(), "skald-docker-"));
const programs: Program[] = [];
const docker = new DockerServer();
let loki: PushServer;

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  await docker.close();
  await loki.close();
  rmSync(folder, { recursive: true, force: true });
});

test(`containers lose nothing over ${KILLS} kills (seed ${SEED})`, { timeout: 30_000 + KILLS * 10_000 }, async () => {
  const random = seededRandom(SEED);
  loki = await PushServer.open(() => (random() < 0.3 ? 500 : 204));
  await docker.listen(join(folder, "docker.sock"));
  const containers = [docker.run("a"), docker.run("b", { tty: true }), docker.run("c")];
  writeFileSync(join(folder, "agent.yaml"), agentConfig());
  const written: string[] = [];
  const write = (container: TestContainer, count: number): void => {
    for (let i = 0; i < count; i++) {
      const line = `${container.name} ${written.length} ${random() < 0.02 ? "long ".repeat(8_000) : ""}`;
      written.push(line);
      docker.write(container, line);
    }
  };
  const start = (): Program => {
    const program = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"));
    programs.push(program);
    return program;
  };

  let agent = start();
  for (let kill = 0; kill < KILLS; kill++) {
    const had = loki.accepted.length;
    for (const container of containers) write(container, LINES_PER_ROUND / 2);
    await until("the agent sends", () => loki.accepted.length > had);
    for (const container of containers) write(container, LINES_PER_ROUND / 2);
    await sleep(Math.floor(random() * 300));
    await agent.stop("SIGKILL");
    agent = start();
  }
  const arrived = (): Set<string> => new Set(loki.accepted);
  await until("every line arrives", () => arrived().size >= written.length);
  await agent.stop();
  expect(written.filter((line) => !arrived().has(line))).toEqual([]);
  expect(loki.accepted.length - arrived().size).toBeLessThanOrEqual(KILLS * containers.length * LINES_PER_ROUND);

  // After an end in order nothing comes twice.
  const before = loki.accepted.length;
  agent = start();
  write(containers[0]!, 1);
  await until("the next line arrives", () => arrived().size >= written.length);
  expect(loki.accepted.slice(before)).toEqual([written.at(-1)]);
});

function agentConfig(): string {
  return `server: {disable: true, graceful_shutdown_timeout: 5s}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
clients: [{url: "${loki.url}", batchwait: 20ms, batchsize: 20000, backoff_config: {min_period: 10ms, max_period: 20ms, max_retries: 0}}]
scrape_configs:
- job_name: containers
  docker_sd_configs: [{host: "unix://${folder}/docker.sock", refresh_interval: 1s}]
  relabel_configs:
  - {source_labels: [__meta_docker_container_name], regex: /(.*), target_label: container}
`;
}
