// Receivers of the agent with real processes: senders get their 204 while the store is away, the agent is killed with SIGKILL again
// and again, and in the end every line that was confirmed is in the store. A kill at rest repeats nothing.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { freePort, isReady, type Program, readStreams, sleep, startSkald, until } from "./processes.ts";

const KILLS = Number(process.env.SKALD_KILLS ?? 3);
const SEED = Number(process.env.SKALD_SEED ?? 20261126);
const LINES_PER_PUSH = 20;

const folder = mkdtempSync(join(tmpdir(), "skald-spooled-"));
const programs: Program[] = [];

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  rmSync(folder, { recursive: true, force: true });
});

type Kind = "push" | "raw" | "drain" | "gcp";

/** Of each request. Google pushes one message a time. */
const linesPerRequest = (kind: Kind): number => (kind === "gcp" ? 1 : LINES_PER_PUSH);

/** Pushes numbered lines one request after the other; a request that is not confirmed is sent again, as real clients do. */
class Sender {
  readonly kind: Kind;
  confirmed = 0;
  refused = 0;
  #stopped = false;
  readonly #pushesMax: number;
  readonly #done: Promise<void>;

  constructor(kind: Kind, port: number, pushesMax = Number.POSITIVE_INFINITY) {
    this.kind = kind;
    this.#pushesMax = pushesMax;
    this.#done = this.#run(port);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(port: number): Promise<void> {
    while (!this.#stopped && this.confirmed < this.#pushesMax * linesPerRequest(this.kind)) {
      const status = await this.#push(port).catch(() => 0);
      if (status === 204) this.confirmed += linesPerRequest(this.kind);
      else {
        this.refused++;
        await sleep(30);
      }
    }
  }

  async #push(port: number): Promise<number> {
    const lines = Array.from({ length: linesPerRequest(this.kind) }, (_, i) => `${this.kind} n=${this.confirmed + i + 1} `);
    const { path, body, headers = {} } = requestOf(this.kind, lines);
    const signal = AbortSignal.timeout(5_000);
    return (await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body, headers, signal })).status;
  }
}

function requestOf(kind: Sender["kind"], lines: readonly string[]): { path: string; body: string; headers?: Record<string, string> } {
  if (kind === "raw") return { path: "/promtail/api/v1/raw", body: lines.join("\n") };
  if (kind === "push") {
    const body = JSON.stringify({ streams: [{ stream: { kind }, values: lines.map((line) => [`${Date.now()}000000`, line]) }] });
    return { path: "/loki/api/v1/push", body, headers: { "content-type": "application/json" } };
  }
  if (kind === "gcp") {
    const entry = { logName: "projects/p/logs/stdout", textPayload: lines[0], timestamp: new Date().toISOString() };
    const message = { data: Buffer.from(JSON.stringify(entry)).toString("base64"), messageId: "1" };
    return { path: "/gcp/api/v1/push", body: JSON.stringify({ message, subscription: "projects/p/subscriptions/s" }) };
  }
  const messages = lines.map((line) => `<190>1 ${new Date().toISOString()} host app web.1 - ${line}`);
  return { path: "/heroku/api/v1/drain", body: messages.map((message) => `${Buffer.byteLength(message)} ${message}`).join("") };
}

test(`what was confirmed is in the store after ${KILLS} kills (seed ${SEED})`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
  const random = seededRandom(SEED);
  const startedMs = Date.now() - 60_000;
  const [serverPort, agentPort] = [await freePort(), await freePort()];
  const ports = { push: await freePort(), drain: await freePort(), gcp: await freePort() };
  writeFileSync(join(folder, "server.yaml"), serverConfig(serverPort));
  writeFileSync(join(folder, "agent.yaml"), agentConfig(serverPort, agentPort, ports));
  const start = (kind: "server" | "agent"): Program => {
    const program = startSkald([kind, `-config.file=${join(folder, `${kind}.yaml`)}`], join(folder, `${kind}.log`));
    programs.push(program);
    return program;
  };
  let agent = start("agent");
  await until("agent ready", () => isReady(agentPort));
  const senders = [
    new Sender("push", ports.push),
    new Sender("raw", ports.push),
    new Sender("drain", ports.drain),
    new Sender("gcp", ports.gcp),
  ];
  // There is no store yet.
  await until("pushes confirmed without a store", () => senders.every(({ kind, confirmed }) => confirmed >= 10 * linesPerRequest(kind)));

  let server: Program | undefined;
  for (let kill = 0; kill < KILLS; kill++) {
    if (kill === Math.floor(KILLS / 2)) server = start("server");
    await sleep(200 + random() * 400);
    await agent.stop("SIGKILL");
    agent = start("agent");
    await until("agent ready again", () => isReady(agentPort));
    if (server !== undefined) await until("server ready", () => isReady(serverPort));
  }
  await Promise.all(senders.map((sender) => sender.stop()));
  server ??= start("server");

  let found = new Map<string, number[]>();
  await until(
    "every confirmed line in the store",
    async () => {
      found = await readNumbers(serverPort, startedMs);
      return senders.every(({ kind, confirmed }) => new Set(found.get(kind)?.filter((n) => n <= confirmed)).size === confirmed);
    },
    30_000,
  ).catch((error: unknown) => {
    const counts = senders.map(({ kind, confirmed }) => `${kind}: ${new Set(found.get(kind)).size} of ${confirmed}`);
    throw new Error(`${String(error)}: ${counts.join(", ")}\n${readFileSync(join(folder, "agent.log"), "utf8").slice(-3000)}`);
  });
  for (const { kind, confirmed, refused } of senders) {
    const numbers = found.get(kind)!;
    expect(confirmed, `${kind}: ${refused} refused`).toBeGreaterThan(10 * linesPerRequest(kind));
    expect(Math.max(...numbers), `${kind}: nothing that was not sent`).toBeLessThanOrEqual(confirmed + linesPerRequest(kind));
  }

  // A kill when everything is acknowledged repeats nothing: each spool hands on in order, so a repeated line would come before the last.
  await until("everything acknowledged", () => isDrained(agentPort));
  const before = countLines(await readNumbers(serverPort, startedMs));
  await agent.stop("SIGKILL");
  agent = start("agent");
  await until("agent ready at last", () => isReady(agentPort));
  const last = [new Sender("push", ports.push, 1), new Sender("drain", ports.drain, 1), new Sender("gcp", ports.gcp, 1)];
  await until("last pushes confirmed", () => last.every(({ kind, confirmed }) => confirmed === linesPerRequest(kind)));
  await until("last pushes in the store", () => isDrained(agentPort));
  expect(countLines(await readNumbers(serverPort, startedMs)) - before).toBe(2 * LINES_PER_PUSH + 1);
  await agent.stop();
  await server.stop();
});

const countLines = (found: ReadonlyMap<string, readonly number[]>): number =>
  [...found.values()].reduce((sum, { length }) => sum + length, 0);

/** Whether all spools have had something and hold nothing that is not acknowledged. */
async function isDrained(agentPort: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${agentPort}/targets?format=json`);
  const jobs = (await response.json()) as { spool?: { details: { lagBytes: number } } }[];
  return jobs.length === 3 && jobs.every(({ spool }) => spool?.details.lagBytes === 0);
}

async function readNumbers(port: number, sinceMs: number): Promise<Map<string, number[]>> {
  const byKind = new Map<string, number[]>();
  for (const entries of (await readStreams(port, '{job="received"}', sinceMs)).values()) {
    for (const { line } of entries) {
      const [, kind, number] = /^(\w+) n=(\d+) /.exec(line)!;
      const numbers = byKind.get(kind!);
      if (numbers === undefined) byKind.set(kind!, [Number(number)]);
      else numbers.push(Number(number));
    }
  }
  return byKind;
}

function serverConfig(port: number): string {
  return `
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}, log_level: warn}
common: {path_prefix: ${folder}/data}
limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB, max_entries_limit_per_query: 5000000, discover_log_levels: false}
`;
}

function agentConfig(serverPort: number, agentPort: number, ports: Readonly<Record<"push" | "drain" | "gcp", number>>): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${agentPort}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "http://127.0.0.1:${serverPort}/loki/api/v1/push", batchwait: 100ms, backoff_config: {min_period: 50ms, max_period: 500ms, max_retries: 0}}]
scrape_configs:
  - job_name: push
    loki_push_api: {server: {http_listen_address: 127.0.0.1, http_listen_port: ${ports.push}}, labels: {job: received}}
  - job_name: drain
    heroku_drain: {server: {http_listen_address: 127.0.0.1, http_listen_port: ${ports.drain}}, labels: {job: received}}
  - job_name: gcp
    gcplog: {subscription_type: push, server: {http_listen_address: 127.0.0.1, http_listen_port: ${ports.gcp}}, labels: {job: received}}
`;
}
