// Files that Consul and a file of targets tell of: a real agent is killed with SIGKILL, and Consul fails when it starts again. Targets come
// late then, and each line still arrives once.

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PushServer } from "../agent/client/harness.ts";
import { ConsulServer } from "../agent/discovery/consul/consul-server.ts";
import { freePort, isReady, type Program, startSkald, until } from "./processes.ts";

const LINES = 200;

const folder = mkdtempSync(join(tmpdir(), "skald-discovered-"));
const programs: Program[] = [];
const consul = new ConsulServer();
let loki: PushServer;

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  await Promise.all([consul.close(), loki.close()]);
  rmSync(folder, { recursive: true, force: true });
});

test("targets that a discovery brings late, after a kill, lose and repeat nothing", { timeout: 60_000 }, async () => {
  loki = await PushServer.open();
  await consul.listen();
  const instance = [{ address: "10.0.0.1" }];
  consul.services = { shop: instance, cart: instance };
  writeFileSync(join(folder, "targets.json"), JSON.stringify([{ targets: ["localhost"], labels: { __path__: `${folder}/listed.log` } }]));
  const port = await freePort();
  writeFileSync(join(folder, "agent.yaml"), agentConfig(port));
  const start = async (): Promise<Program> => {
    const agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"));
    programs.push(agent);
    await until("agent answers", () => fetch(`http://127.0.0.1:${port}/metrics`).then(({ ok }) => ok, () => false)); // biome-ignore format: one line
    return agent;
  };
  const wanted: string[] = [];
  const write = (round: string, ...names: readonly string[]): void => {
    for (const name of names) {
      const lines = Array.from({ length: LINES }, (_, i) => `${name} ${round} ${i}`);
      appendFileSync(join(folder, `${name}.log`), `${lines.join("\n")}\n`);
      wanted.push(...lines);
    }
  };
  const arrived = (what: string): Promise<void> =>
    until(what, () => loki.accepted.length >= wanted.length).catch((error: unknown) => {
      throw new Error(
        `${error}: ${loki.accepted.length} of ${wanted.length}\n${readFileSync(join(folder, "agent.log"), "utf8").slice(-3_000)}`,
      );
    });

  write("first", "shop", "cart", "listed");
  let agent = await start();
  await until("agent ready", () => isReady(port));
  await arrived("the first lines");
  await until("positions", () => allSaved());
  await agent.stop("SIGKILL");

  consul.failing = true;
  write("away", "listed");
  agent = await start();
  await arrived("what the file of targets tells of");
  write("away", "shop", "cart");
  // Some of its answers are none.
  consul.garbage = 2;
  consul.failing = false;
  consul.change({ shop: instance, cart: instance });
  await arrived("what Consul tells of, when it is back");
  write("last", "shop", "cart", "listed");
  await arrived("what was written last");
  expect([...loki.accepted].sort()).toEqual(wanted.sort());
  await agent.stop();
});

function allSaved(): boolean {
  const path = join(folder, "positions.yaml");
  const positions = existsSync(path) ? readFileSync(path, "utf8") : "";
  return ["shop", "cart", "listed"].every((name) => {
    const size = readFileSync(join(folder, `${name}.log`)).length;
    return positions.includes(`${folder}/${name}.log: "${size}"`);
  });
}

function agentConfig(port: number): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
target_config: {sync_period: 500ms}
clients: [{url: "${loki.url}", batchwait: 20ms}]
scrape_configs:
  - job_name: consul
    consul_sd_configs: [{server: "${consul.host}", refresh_interval: 100ms}]
    relabel_configs:
      - {source_labels: [__meta_consul_service], regex: (.+), target_label: __path__, replacement: "${folder}/$1.log"}
  - job_name: listed
    file_sd_configs: [{files: ["${folder}/targets.json"], refresh_interval: 1s}]
`;
}
