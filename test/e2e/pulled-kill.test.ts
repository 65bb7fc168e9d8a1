// Sources that the agent asks for its entries, and may ask again: a subscription of Pub/Sub, a zone of Cloudflare's log pull, compressed
// files. A real agent is killed with SIGKILL again and again while the store fails now and then: everything arrives. Killed when all is
// acknowledged it repeats nothing.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { PushServer } from "../agent/client/harness.ts";
import { LogpullServer, TOKEN, ZONE } from "../agent/targets/cloudflare/logpull-server.ts";
import { FakeGoogle } from "../agent/targets/gcplog/fake-google.ts";
import { freePort, isReady, type Program, sleep, startSkald, until } from "./processes.ts";

const KILLS = Math.min(Number(process.env.SKALD_KILLS ?? 4), 20);
const SEED = Number(process.env.SKALD_SEED ?? 20261127);
const MINUTES = 40;
const LINES_PER_MINUTE = 30;
const MESSAGES = 600;
const FILES = 6;
const LINES_PER_FILE = 400;

const folder = mkdtempSync(join(tmpdir(), "skald-pulled-"));
const loopback = (name: string): Buffer => readFileSync(join(import.meta.dirname, `../agent/client/loopback-${name}.pem`));
const programs: Program[] = [];
const google = new FakeGoogle();
const cloudflare = new LogpullServer({ cert: loopback("cert"), key: loopback("key") });
let tunnel: Server;
let loki: PushServer;

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  tunnel.closeAllConnections();
  tunnel.close();
  await Promise.all([google.close(), cloudflare.close(), loki.close()]);
  rmSync(folder, { recursive: true, force: true });
});

test(`what can be asked for again is not lost over ${KILLS} kills (seed ${SEED})`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
  const random = seededRandom(SEED);
  let failing = 1;
  loki = await PushServer.open(() => (random() < failing ? 500 : 204));
  const pubsub = await google.open();
  google.leaseMs = 500;
  tunnel = await openTunnel(new URL(await cloudflare.listen()).port);
  const port = await freePort();
  writeFileSync(join(folder, "agent.yaml"), agentConfig(port));
  const wanted = new Set([...publish(), ...fillZone(), ...packFiles()]);
  const env = {
    PUBSUB_EMULATOR_HOST: pubsub,
    https_proxy: `http://127.0.0.1:${(tunnel.address() as AddressInfo).port}`,
    // The stand-in for api.cloudflare.com has a certificate of the loopback.
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  };
  const start = async (): Promise<Program> => {
    const agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"), { env });
    programs.push(agent);
    await until("agent ready", () => isReady(port));
    return agent;
  };

  let agent = await start();
  for (let kill = 0; kill < KILLS; kill++) {
    // The first time nothing at all is acknowledged before the kill.
    failing = kill === 0 ? 1 : 0.7;
    await until("something is sent", () => loki.requests.length > kill);
    await sleep(Math.floor(random() * 200));
    await agent.stop("SIGKILL");
    if (kill === 0) {
      expect(loki.accepted).toEqual([]);
      // What is acknowledged to Google by now is in the spool.
      if (google.waiting.size < MESSAGES) expect(spooledBytes()).toBeGreaterThan(0);
      else expect(google.waiting.size).toBe(MESSAGES);
    }
    agent = await start();
  }
  failing = 0;
  const arrived = (): Set<string> => new Set(loki.accepted);
  await until("every line", () => arrived().size >= wanted.size).catch((error: unknown) => {
    const missing = [...wanted].filter((line) => !arrived().has(line));
    throw new Error(`${error}: ${missing.length} missing, ${missing.slice(0, 5).join(", ")}\n${readFileSync(join(folder, "agent.log"))}`);
  });
  expect(arrived()).toEqual(wanted);

  await until("every message is acknowledged", () => google.waiting.size === 0);
  await until("every position is saved", () => lagOf(readFileSync(join(folder, "positions.yaml"), "utf8")) === 0);
  const count = loki.accepted.length;
  await agent.stop("SIGKILL");
  agent = await start();
  google.publish("last");
  await until("what came last", () => loki.accepted.includes("last"));
  expect(loki.accepted.length).toBe(count + 1);
  await agent.stop();
});

/** Of segments, beyond the four bytes that each begins with. */
function spooledBytes(): number {
  const spool = join(folder, "positions.yaml.spool");
  const names = readdirSync(spool, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".spool"));
  return names.reduce((sum, name) => sum + statSync(join(spool, name)).size - 4, 0);
}

function publish(): string[] {
  const texts = Array.from({ length: MESSAGES }, (_, i) => `pubsub ${i}`);
  google.publish(...texts);
  return texts;
}

/** So many minutes of lines, and a position before them. What is younger than a minute is not asked for. */
function fillZone(): string[] {
  const startMs = Date.now() - (MINUTES + 2) * 60_000;
  const position = BigInt(startMs + 60_000) * 1_000_000n;
  writeFileSync(join(folder, "positions.yaml"), `positions:\n  cursor-${ZONE}: "${position}"\n`);
  return Array.from({ length: MINUTES * LINES_PER_MINUTE }, (_, i) => {
    const ms = startMs + Math.floor((i * 60_000) / LINES_PER_MINUTE);
    const line = `{"EdgeStartTimestamp":${BigInt(ms) * 1_000_000n},"RayID":"${i}"}`;
    cloudflare.lines.push([ms, line]);
    return line;
  });
}

function packFiles(): string[] {
  mkdirSync(join(folder, "packed"));
  return Array.from({ length: FILES }, (_, file) => {
    const lines = Array.from({ length: LINES_PER_FILE }, (_, i) => `file ${file} line ${i}`);
    writeFileSync(join(folder, "packed", `${file}.gz`), gzipSync(`${lines.join("\n")}\n`));
    return lines;
  }).flat();
}

/** Lines of files, and ranges of the zone, that are not behind what is saved. */
function lagOf(positions: string): number {
  const lines = [...positions.matchAll(/\.gz: "(\d+)"/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  const cursorMs = Number(/cursor-\w+: "(\d+)"/.exec(positions)?.[1] ?? 0) / 1e6;
  return FILES * LINES_PER_FILE - lines + (cursorMs > Date.now() - 60_000 ? 0 : 1);
}

/** A proxy that takes everybody to one port, whoever is asked for. */
async function openTunnel(port: string): Promise<Server> {
  const server = createServer();
  server.on("connect", (_, socket) => {
    const there = connect(Number(port), "127.0.0.1", () => socket.write("HTTP/1.1 200 Connection established\r\n\r\n"));
    there.pipe(socket).pipe(there);
    for (const [one, other] of [[there, socket] as const, [socket, there] as const]) one.on("error", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function agentConfig(port: number): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
clients: [{url: "${loki.url}", batchwait: 20ms, batchsize: 8192, backoff_config: {min_period: 10ms, max_period: 50ms, max_retries: 0}}]
scrape_configs:
  - {job_name: gcp, gcplog: {project_id: p, subscription: s, labels: {job: gcp}}}
  - {job_name: cf, cloudflare: {api_token: ${TOKEN}, zone_id: ${ZONE}, pull_range: 1m, labels: {job: cf}}}
  - job_name: packed
    decompression: {enabled: true, format: gz, initial_delay: 0s}
    static_configs: [{labels: {job: packed, __path__: "${folder}/packed/*.gz"}}]
`;
}
