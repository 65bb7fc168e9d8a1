// The journal with a real journald and real processes: rotation, SIGKILL, a vacuumed position, and the agent's own log in the journal
// it reads.

import { type ChildProcess, spawn } from "node:child_process";
import { fstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Journald, journaldMissing, processesWith } from "./journald.ts";
import { builtSkald, freePort, isReady, type Program, readStreams, startSkald, until } from "./processes.ts";

const missing = journaldMissing();
const folder = mkdtempSync(join(tmpdir(), "skald-journal-"));
const startedMs = Date.now() - 60_000;
let journald: Journald;
let server: Program;
let serverPort: number;
let agentPort: number;
const agents: Program[] = [];

afterEach(() => Promise.all(agents.splice(0).map((agent) => agent.stop("SIGKILL"))));

beforeAll(async () => {
  if (missing !== undefined) return;
  journald = await Journald.start(`skald${process.pid}`);
  serverPort = await freePort();
  agentPort = await freePort();
  writeFileSync(join(folder, "server.yaml"), serverConfig());
  server = startSkald(["server", `-config.file=${join(folder, "server.yaml")}`], join(folder, "server.log"));
  await until("server ready", () => isReady(serverPort));
}, 60_000);

afterAll(async () => {
  await server?.stop("SIGKILL");
  await journald?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Numbers of the lines `n=…` that the store has of a job, in order of time. */
async function numbers(job: string): Promise<number[]> {
  const streams = await readStreams(serverPort, `{job="${job}"}`, startedMs);
  const all = [...streams.values()].flat().sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0));
  // journald has something to say as well.
  return all.map(({ line }) => Number(/ n=(\d+)/.exec(line)?.[1])).filter((n) => !Number.isNaN(n));
}
const lines = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `line n=${from + i}`);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
async function untilStored(job: string, wanted: readonly number[]): Promise<number[]> {
  let got: number[] = [];
  await until(`${job}: ${wanted.length} entries stored`, async () => {
    got = await numbers(job);
    return wanted.every((n) => got.includes(n));
  }).catch((error: unknown) => {
    throw new Error(`${error}: got ${got.length}\n${readFileSync(join(folder, `${job}.log`), "utf8").slice(-2_000)}`);
  });
  return got;
}
function startAgent(job: string): Program {
  writeFileSync(join(folder, `${job}.yaml`), agentConfig(job));
  const agent = startSkald(["agent", `-config.file=${join(folder, `${job}.yaml`)}`], join(folder, `${job}.log`));
  agents.push(agent);
  return agent;
}
const metric = async (pattern: RegExp): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${agentPort}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
};

describe.skipIf(missing !== undefined)(`with a real journald${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test("nothing is lost over SIGKILL and rotation, and no journalctl stays", { timeout: 60_000 }, async () => {
    let agent = startAgent("kill");
    await until("agent ready", () => isReady(agentPort));
    journald.write(lines(1, 400));
    journald.control("--rotate");
    journald.write(lines(401, 800));
    await untilStored("kill", [1]);
    await agent.stop("SIGKILL");
    await until("its journalctl is gone", () => processesWith("journalctl", "--follow", journald.namespace).length === 0);
    journald.write(lines(801, 1_200));
    journald.control("--rotate");
    agent = startAgent("kill");
    journald.write(lines(1_201, 1_600));
    await until("agent ready again", () => isReady(agentPort));
    journald.write(lines(1_601, 2_000));
    const got = await untilStored("kill", range(1, 2_000));
    expect([...new Set(got)]).toEqual(range(1, 2_000));
    expect(got.length - 2_000, "repeated").toBeLessThanOrEqual(800);
    expect(await metric(/^promtail_journal_target_lost_cursors_total (\d+)/m)).toBe(0);
    const [stream] = [...(await readStreams(serverPort, '{job="kill"}', startedMs)).keys()];
    expect(JSON.parse(stream!)).toMatchObject({ job: "kill", identifier: "e2e", level: "warning" });
    await agent.stop();
    expect(processesWith("journalctl", "--follow", journald.namespace)).toEqual([]);
    expect(readFileSync(join(folder, "kill-positions.yaml"), "utf8")).toMatch(/^ {2}cursor-kill: s=/m);
  });

  test("behind a vacuumed position everything that is left is read", { timeout: 60_000 }, async () => {
    let agent = startAgent("vacuum");
    await until("agent ready", () => isReady(agentPort));
    journald.write(lines(3_001, 3_100));
    await untilStored("vacuum", range(3_001, 3_100));
    await agent.stop();
    journald.write(lines(3_101, 3_150));
    journald.control("--rotate");
    journald.control("--vacuum-files=1");
    journald.write(lines(3_151, 3_200));
    agent = startAgent("vacuum");
    const got = await untilStored("vacuum", range(3_151, 3_200));
    const left = journald
      .control("-o", "cat", "--no-pager")
      .split("\n")
      .filter((line) => / n=3\d\d\d/.test(line));
    expect(got.filter((n) => n > 3_100)).toHaveLength(left.length);
    expect(await metric(/^promtail_journal_target_lost_cursors_total (\d+)/m)).toBe(1);
    await agent.stop();
  });

  test("the agent's own log is in the journal with its levels, and is not collected", { timeout: 60_000 }, async () => {
    writeFileSync(join(folder, "own.yaml"), agentConfig("own", "debug"));
    const stream = await journalStream();
    const agent = spawnInto(stream, join(folder, "own.yaml"));
    const gone = new Promise((resolve) => agent.once("exit", resolve));
    try {
      await until("agent ready", () => isReady(agentPort));
      journald.write(lines(5_001, 5_010));
      await until("entries stored", async () => (await numbers("own")).filter((n) => n > 5_000).length === 10);
      await until("own entries seen", async () => (await metric(/^promtail_journal_target_own_entries_total (\d+)/m)) > 3);
    } finally {
      agent.kill();
      await gone;
      stream.destroy();
    }
    const own = journald
      .control("-o", "json", "--no-pager", "-t", "skald-agent", `_PID=${agent.pid}`)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { PRIORITY: string; MESSAGE: string });
    const prioritiesOf = (text: string): string[] => own.filter(({ MESSAGE }) => MESSAGE.includes(text)).map(({ PRIORITY }) => PRIORITY);
    expect(prioritiesOf("agent started")).toEqual(["6"]);
    expect(prioritiesOf("journalctl started")[0]).toBe("7");
    expect(own.every(({ MESSAGE }) => !MESSAGE.startsWith("<"))).toBe(true);
    const collected = [...(await readStreams(serverPort, '{job="own"} |= "agent started"', startedMs)).values()].flat();
    expect(collected).toEqual([]);
  });

  test("of a flood with garbage in it, everything the journal has arrives once", { timeout: 60_000 }, async () => {
    const agent = startAgent("flood");
    await until("agent ready", () => isReady(agentPort));
    const garbage = Buffer.from([0x6e, 0x6f, 0xff, 0xfe, 0x80, 0x20, 0x6e, 0x3d]);
    for (let part = 0; part < 5; part++) {
      const from = 10_000 + part * 2_000;
      journald.write(lines(from, from + 1_998));
      journald.writeBytes(Buffer.concat([garbage, Buffer.from(`${from + 1_999}\n`)]));
    }
    // journald may itself refuse a part of a flood.
    const held = journald
      .control("-o", "export", "--output-fields=MESSAGE", "--no-pager", "-t", "e2e")
      .match(/ n=1\d{4}$/gm)!
      .map((text) => Number(text.slice(3)));
    expect(held.length).toBeGreaterThan(5_000);
    const got = (await untilStored("flood", held)).filter((n) => n >= 10_000);
    expect(got).toEqual(held);
    const strange = [...(await readStreams(serverPort, '{job="flood"} |= "\uFFFD"', startedMs)).values()].flat();
    expect(strange.map(({ line }) => line)).toEqual(held.filter((n) => n % 2_000 === 1_999).map((n) => `no\uFFFD\uFFFD\uFFFD n=${n}`));
    await agent.stop();
  });
});

/** A stream to journald as systemd opens one for a service's output. */
async function journalStream(): Promise<Socket> {
  const socket = connect(journald.socket("stdout"));
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  // Identifier, unit, default priority, whether lines have priorities, and three targets beside the journal.
  await new Promise((resolve) => socket.write("skald-agent\n\n5\n1\n0\n0\n0\n", resolve));
  return socket;
}

function spawnInto(stream: Socket, config: string): ChildProcess {
  const { fd } = (stream as unknown as { _handle: { fd: number } })._handle;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return spawn(process.execPath, [builtSkald(), "agent", `-config.file=${config}`], {
    stdio: ["ignore", "ignore", stream],
    env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
  });
}

function serverConfig(): string {
  return `
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: ${serverPort}, log_level: warn}
common: {path_prefix: ${folder}/data}
limits_config: {discover_log_levels: false, max_entries_limit_per_query: 5000000}
`;
}

function agentConfig(job: string, level = "info"): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${agentPort}, grpc_listen_port: 0, log_level: ${level}}
positions: {filename: ${folder}/${job}-positions.yaml, sync_period: 100ms}
clients: [{url: "http://127.0.0.1:${serverPort}/loki/api/v1/push", batchwait: 100ms, backoff_config: {min_period: 50ms, max_period: 500ms}}]
scrape_configs:
  - job_name: ${job}
    journal: {namespace: ${journald.namespace}, max_age: 1h, labels: {job: ${job}}}
    relabel_configs:
      - {source_labels: [__journal_syslog_identifier], target_label: identifier}
      - {source_labels: [__journal_priority_keyword], target_label: level}
`;
}
