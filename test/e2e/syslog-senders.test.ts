// Syslog from the programs that send it: logger, rsyslog and syslog-ng, into a whole agent that prints what it would push.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadAgentConfig } from "../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../agent/run.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { freePort, until } from "./processes.ts";

/** syslog-ng and rsyslog exclude each other as packages, so the former may lie unpacked in a folder of its own. */
const UNPACKED = "/var/cache/skald-parts/syslog-ng";
const found = (...paths: string[]): string | undefined => paths.find(existsSync);
const LOGGER = found("/usr/bin/logger");
const RSYSLOGD = found("/usr/sbin/rsyslogd");
const SYSLOG_NG = found("/usr/sbin/syslog-ng", `${UNPACKED}/usr/sbin/syslog-ng`);
const needs = (name: string, path: string | undefined): string => (path === undefined ? `${name} (skipped: not installed)` : name);

const folder = mkdtempSync(join(tmpdir(), "skald-syslog-"));
const ports = { tcp5424: 0, udp5424: 0, udp3164: 0, tcp3164: 0 };
const daemons: ChildProcess[] = [];
let agent: RunningAgent;
let printed = "";
let logged = "";

beforeAll(async () => {
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
  await startAgent();
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    const gone = new Promise((resolve) => daemon.once("exit", resolve));
    if (daemon.exitCode === null && daemon.signalCode === null && daemon.kill()) await gone;
  }
});
afterAll(async () => {
  await agent?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startAgent(): Promise<void> {
  writeFileSync(join(folder, "agent.yaml"), config());
  const load = async () =>
    (await loadAgentConfig({ files: [join(folder, "agent.yaml")], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {} })).config; // biome-ignore format: one line
  agent = await runAgent(await load(), {
    log: createLog({
      level: "debug",
      write: (line) => {
        logged += line;
      },
    }),
    clock: systemClock,
    dryRun: true,
    load,
    stdin: Readable.from([]),
    write: (text) => {
      printed += text;
    },
  });
}

function config(): string {
  const job = (name: keyof typeof ports): string => `
  - job_name: ${name}
    syslog: {listen_address: "127.0.0.1:${ports[name]}", listen_protocol: ${name.slice(0, 3)}, syslog_format: rfc${name.slice(3)}, label_structured_data: true, labels: {job: ${name}}}
    relabel_configs:
      - {source_labels: [__syslog_message_app_name], target_label: app}
      - {source_labels: [__syslog_message_severity], target_label: severity}
      - {source_labels: [__syslog_message_facility], target_label: facility}
      - {source_labels: [__syslog_message_sd_ex_32473_k], target_label: k}`;
  return `
server: {disable: true}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "http://127.0.0.1:9/push"}]
scrape_configs:${Object.keys(ports)
    .map((name) => job(name as keyof typeof ports))
    .join("")}
`;
}

/** Labels and line of the entries of a job that contain a text, in order. */
function entries(job: string, text: string): string[] {
  return printed
    .split("\n")
    .filter((line) => line.includes(`job="${job}"`) && line.includes(text))
    .map((line) => line.split("\t").slice(1).join(" "));
}
const untilCount = (job: string, text: string, count: number): Promise<void> =>
  until(`${count} entries of ${job} with ${text}`, () => entries(job, text).length >= count).catch((error: unknown) => {
    throw new Error(`${error}: ${entries(job, text).length}\n${logged.slice(-3_000)}`);
  });
const send = (job: keyof typeof ports, ...args: string[]): void =>
  void execFileSync(LOGGER!, [
    "--server",
    "127.0.0.1",
    "--port",
    String(ports[job]),
    "--tag",
    "app",
    "--priority",
    "local1.warning",
    ...args,
  ]);
const numbered = (text: string, count: number): string => Array.from({ length: count }, (_, i) => `${text} n=${i}`).join("\n");
const numbersOf = (job: string, text: string): number[] => entries(job, text).map((line) => Number(/ n=(\d+)/.exec(line)![1]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const labels = (job: string, more = ""): string => `{app="app", facility="local1", job="${job}"${more}, severity="warning"}`;

describe.skipIf(LOGGER === undefined)(needs("logger", LOGGER), () => {
  test("RFC 5424 over TCP, by line and counted", async () => {
    send("tcp5424", "--tcp", "--rfc5424", "--sd-id", "ex@32473", "--sd-param", 'k="v"', "by line");
    send("tcp5424", "--tcp", "--rfc5424", "--octet-count", "counted");
    await untilCount("tcp5424", "counted", 1);
    expect(entries("tcp5424", "by line")).toEqual([`${labels("tcp5424", ', k="v"')} by line`]);
    expect(entries("tcp5424", "counted")).toEqual([`${labels("tcp5424")} counted`]);
  });

  test("RFC 5424 and 3164 over UDP", async () => {
    send("udp5424", "--udp", "--rfc5424", "new form");
    send("udp3164", "--udp", "--rfc3164", "old form");
    await untilCount("udp5424", "new form", 1);
    await untilCount("udp3164", "old form", 1);
    expect(entries("udp5424", "new form")).toEqual([`${labels("udp5424")} new form`]);
    expect(entries("udp3164", "old form")).toEqual([`${labels("udp3164")} old form`]);
  });

  test("a flood of 20 000 messages, each of which arrives, in order", async () => {
    writeFileSync(join(folder, "flood"), numbered("flood", 20_000));
    send("tcp5424", "--tcp", "--rfc5424", "--octet-count", "--file", join(folder, "flood"));
    await untilCount("tcp5424", "flood", 20_000);
    expect(numbersOf("tcp5424", "flood")).toEqual(upTo(20_000));
  });
});

describe.skipIf(RSYSLOGD === undefined)(needs("rsyslog", RSYSLOGD), () => {
  test("counted over TCP and in the old form over UDP; what is sent while the agent is away arrives later", {
    timeout: 40_000,
  }, async () => {
    const input = await startRsyslog();
    const write = (text: string, count: number): void =>
      void execFileSync(LOGGER!, ["--socket", input, "--tag", "app", "--priority", "local1.warning"], { input: numbered(text, count) });
    write("before", 500);
    await untilCount("tcp5424", "before", 500);
    await untilCount("udp3164", "before", 500);
    expect(numbersOf("tcp5424", "before")).toEqual(upTo(500));
    expect(entries("tcp5424", "before")[0]).toBe(`${labels("tcp5424")}  before n=0`);
    expect(entries("udp3164", "before")[0]).toBe(`${labels("udp3164")} before n=0`);
    await agent.stop();
    write("away", 500);
    await startAgent();
    await untilCount("tcp5424", "away", 500);
    expect(numbersOf("tcp5424", "away")).toEqual(upTo(500));
  });
});

describe.skipIf(SYSLOG_NG === undefined)(needs("syslog-ng", SYSLOG_NG), () => {
  test("RFC 5424 counted over TCP, and the old form by line", { timeout: 40_000 }, async () => {
    const input = await startSyslogNg();
    execFileSync(LOGGER!, ["--socket", input, "--tag", "app", "--priority", "local1.warning"], { input: numbered("ng", 500) });
    await untilCount("tcp5424", "ng n=", 500);
    await untilCount("tcp3164", "ng n=", 500);
    expect(numbersOf("tcp5424", "ng n=")).toEqual(upTo(500));
    expect(entries("tcp5424", "ng n=")[0]).toBe(`${labels("tcp5424")} ng n=0`);
    expect(entries("tcp3164", "ng n=")[0]).toBe(`${labels("tcp3164")} ng n=0`);
  });
});

/** @returns the socket that it listens on */
async function startRsyslog(): Promise<string> {
  const work = join(folder, "rsyslog");
  mkdirSync(work, { recursive: true });
  const retrying = 'action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.size="10000"';
  writeFileSync(
    join(work, "rsyslog.conf"),
    `global(workDirectory="${work}" maxMessageSize="64k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${work}/in.sock" CreatePath="on" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="${ports.tcp5424}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format" ${retrying})
action(type="omfwd" target="127.0.0.1" port="${ports.udp3164}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat")
`,
  );
  daemons.push(spawn(RSYSLOGD!, ["-n", "-f", join(work, "rsyslog.conf"), "-i", join(work, "pid")], { stdio: "ignore" }));
  await until("rsyslog listens", () => existsSync(`${work}/in.sock`));
  return `${work}/in.sock`;
}

async function startSyslogNg(): Promise<string> {
  const work = join(folder, "syslog-ng");
  mkdirSync(work, { recursive: true });
  writeFileSync(
    join(work, "conf"),
    `@version: 3.35
options { keep-hostname(yes); use-dns(no); };
source s { unix-dgram("${work}/in.sock" flags(no-hostname)); };
destination counted { syslog("127.0.0.1" transport("tcp") port(${ports.tcp5424})); };
destination lines { network("127.0.0.1" transport("tcp") port(${ports.tcp3164})); };
log { source(s); destination(counted); destination(lines); };
`,
  );
  const libraries = SYSLOG_NG!.startsWith(UNPACKED) ? `${UNPACKED}/usr/lib/syslog-ng` : "";
  const args = ["-F", "-f", join(work, "conf"), "--no-caps", "-R", join(work, "persist"), "-c", join(work, "ctl"), "-p", join(work, "pid")];
  if (libraries !== "") args.push(`--module-path=${libraries}/3.38`);
  const env = { ...process.env, ...(libraries === "" ? {} : { LD_LIBRARY_PATH: `${UNPACKED}/usr/lib/x86_64-linux-gnu:${libraries}` }) };
  daemons.push(spawn(SYSLOG_NG!, args, { stdio: "ignore", env }));
  await until("syslog-ng listens", () => existsSync(`${work}/in.sock`));
  return `${work}/in.sock`;
}
