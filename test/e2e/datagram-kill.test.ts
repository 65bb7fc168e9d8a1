// Senders that cannot send again (syslog over TCP and UDP, GELF) to a real agent that is killed with SIGKILL: what its spool has is in the
// store in the end, and what a kill takes is no more than what had not been spooled yet, the last of each sender's, by the count.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PushServer } from "../agent/client/harness.ts";
import { freePort, isReady, type Program, sleep, startSkald, until } from "./processes.ts";

const KILLS = Math.min(Number(process.env.SKALD_KILLS ?? 3), 20);
const PER_ROUND = 300;
/** Few enough at once for the sockets' buffers. */
const BURST = 25;

const folder = mkdtempSync(join(tmpdir(), "skald-datagrams-"));
const programs: Program[] = [];
const senders: Sender[] = [];
let loki: PushServer;

afterAll(async () => {
  for (const sender of senders) sender.close();
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  await loki.close();
  rmSync(folder, { recursive: true, force: true });
});

type Kind = "tcp" | "udp" | "gelf";

/** Sends numbered messages and never one twice. */
class Sender {
  readonly kind: Kind;
  readonly #port: number;
  readonly #udp: UdpSocket | undefined;
  #tcp: Socket | undefined;
  sent = 0;
  /** Numbers of messages that were sent while the agent was dying. */
  readonly atRisk = new Set<number>();

  constructor(kind: Kind, port: number) {
    this.kind = kind;
    this.#port = port;
    this.#udp = kind === "tcp" ? undefined : createSocket("udp4");
  }

  async open(): Promise<void> {
    if (this.kind !== "tcp") return;
    const socket = connect(this.#port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    this.#tcp = socket;
  }

  close(): void {
    this.#tcp?.destroy();
    this.#udp?.close();
  }

  /** Does not wait for anybody. */
  send(count: number, atRisk: boolean): void {
    for (let i = 0; i < count; i++) {
      const n = ++this.sent;
      if (atRisk) this.atRisk.add(n);
      const text = `${this.kind} n=${n} `;
      if (this.kind === "gelf") this.#datagram(JSON.stringify({ version: "1.1", host: "h", short_message: text }));
      else {
        const message = `<14>1 ${new Date().toISOString()} host app - - - ${text}`;
        if (this.kind === "udp") this.#datagram(message);
        else if (this.#tcp!.writable) this.#tcp!.write(`${message.length} ${message}`);
      }
    }
  }

  #datagram(text: string): void {
    this.#udp!.send(text, this.#port, "127.0.0.1", () => {});
  }
}

test(`what is spooled outlives ${KILLS} kills, what is not is the last that was sent`, { timeout: 60_000 + KILLS * 20_000 }, async () => {
  let away = true;
  loki = await PushServer.open(() => (away ? 500 : 204));
  const ports = { http: await freePort(), tcp: await freePort(), udp: await freePort(), gelf: await freePort() };
  writeFileSync(join(folder, "agent.yaml"), agentConfig(ports));
  senders.push(new Sender("tcp", ports.tcp), new Sender("udp", ports.udp), new Sender("gelf", ports.gelf));
  let spooledBefore = 0;

  for (let kill = 0; kill < KILLS; kill++) {
    const agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"));
    programs.push(agent);
    await until("agent ready", () => isReady(ports.http));
    await Promise.all(senders.map((sender) => sender.open()));
    for (let sent = BURST; sent <= PER_ROUND; sent += BURST) {
      for (const sender of senders) sender.send(BURST, false);
      // On disk, though the store is away: from here on a kill may take nothing of it.
      await until("everything spooled", async () => (await spooled(ports.http)) === sent * senders.length);
    }
    spooledBefore += PER_ROUND * senders.length;
    for (const sender of senders) sender.send(BURST, true);
    await sleep(kill * 3);
    await agent.stop("SIGKILL");
  }
  away = false;
  const agent = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "agent.log"));
  programs.push(agent);
  const arrived = new Map<Kind, Set<number>>();
  await until("everything spooled is in the store", () => {
    for (const line of loki.accepted) {
      const [, kind, n] = /(tcp|udp|gelf) n=(\d+) /.exec(line)!;
      arrived.set(kind as Kind, (arrived.get(kind as Kind) ?? new Set()).add(Number(n)));
    }
    return senders.every(
      ({ kind, sent, atRisk }) => count(sent, (n) => !atRisk.has(n) && arrived.get(kind)?.has(n) === true) === sent - atRisk.size,
    );
  });
  await until("the spools are empty", async () => (await lag(ports.http)) === 0);
  const repeated = loki.accepted.length - [...arrived.values()].reduce((sum, { size }) => sum + size, 0);
  expect(repeated, "nothing was acknowledged before, so nothing comes twice").toBe(0);
  expect(spooledBefore).toBe(KILLS * PER_ROUND * senders.length);
  for (const { kind, atRisk } of senders) {
    const lost = [...atRisk].filter((n) => !arrived.get(kind)!.has(n)).sort((a, b) => a - b);
    expect(lost.length).toBeLessThanOrEqual(KILLS * BURST);
    // One connection is read in order: of a burst, what is lost is its end.
    if (kind !== "tcp") continue;
    for (const n of lost) expect(!atRisk.has(n + 1) || lost.includes(n + 1), `${n} is lost, the next one is not`).toBe(true);
  }
  await agent.stop();
});

function count(most: number, holds: (n: number) => boolean): number {
  let found = 0;
  for (let n = 1; n <= most; n++) if (holds(n)) found++;
  return found;
}

async function spooled(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(/^skald_spool_entries_in_total\{[^}]*\} (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function lag(port: number): Promise<number> {
  const jobs = (await (await fetch(`http://127.0.0.1:${port}/targets?format=json`)).json()) as {
    spool?: { details: { lagBytes: number } };
  }[];
  return jobs.reduce((sum, { spool }) => sum + (spool?.details.lagBytes ?? 0), 0);
}

function agentConfig(ports: Readonly<Record<"http" | Kind, number>>): string {
  return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${ports.http}, grpc_listen_port: 0}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
clients: [{url: "${loki.url}", batchwait: 20ms, backoff_config: {min_period: 10ms, max_period: 20ms, max_retries: 0}}]
scrape_configs:
  - {job_name: tcp, syslog: {listen_address: "127.0.0.1:${ports.tcp}", labels: {job: tcp}}}
  - {job_name: udp, syslog: {listen_address: "127.0.0.1:${ports.udp}", listen_protocol: udp, labels: {job: udp}}}
  - {job_name: gelf, gelf: {listen_address: "127.0.0.1:${ports.gelf}", labels: {job: gelf}}}
`;
}
