// `skald up`: a server and an agent that tails this machine's own logs into it, in one process and with no configuration.

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { Document } from "yaml";
import { ClientError } from "./client.mts";
import { runCommand } from "./run-command.mts";

const FLAGS = {
  data: { kind: "string", help: "Folder of everything that is kept.", default: "./skald-data" },
  port: { kind: "string", help: "Port of the server and its page.", default: "3100" },
  address: { kind: "string", help: "Address to listen on.", default: "127.0.0.1" },
  path: { kind: "string", help: "Files to tail, a glob; this machine's logs without it." },
  help: { kind: "boolean", help: "Print this and end." },
} as const;

/** Text logs under /var/log as distributions name them; what is binary there (wtmp, lastlog, the journal) has other names. */
const SYSTEM_LOGS = ["/var/log/**/*.log", "/var/log/{syslog,messages,secure,auth,daemon,kern,user,mail,cron,debug,boot,maillog,dmesg}"];
const READY_WITHIN_MS = 60_000;

export async function up(args: readonly string[]): Promise<number> {
  let status = 0;
  const outcome = await runCommand("up", args, FLAGS, async ({ given, rest }) => {
    if (rest.length > 0) throw new ClientError(`unexpected argument ${rest[0]}`);
    const data = resolve(given.get("data") ?? "./skald-data");
    const port = given.get("port") ?? "3100";
    const address = given.get("address") ?? "127.0.0.1";
    const globs = given.has("path") ? [given.get("path")!] : SYSTEM_LOGS;
    mkdirSync(data, { recursive: true });
    status = await runBoth(data, address, port, globs);
  });
  return outcome !== 0 ? outcome : status;
}

async function runBoth(data: string, address: string, port: string, globs: readonly string[]): Promise<number> {
  const serverFile = join(data, "server.yaml");
  const agentFile = join(data, "agent.yaml");
  writeFileSync(serverFile, new Document(serverConfig(data, address, port)).toString());
  writeFileSync(agentFile, new Document(agentConfig(data, port, await freePort(9080), globs)).toString());

  const { main: server } = await import("../server/main.ts");
  const serving = server([`-config.file=${serverFile}`]);
  const failed = await Promise.race([serving, untilReady(`http://127.0.0.1:${port}/ready`).then(() => undefined)]);
  if (failed !== undefined) return failed;
  const { main: agent } = await import("../agent/main.ts");
  const collecting = agent([`-config.file=${agentFile}`]);
  process.stdout.write(
    `\nSkald is up: http://localhost:${port}\n  tailing ${globs.join(", ")}\n  keeping everything in ${data}\n  ask it:  skald query '{job="varlogs"}'   stop it: Ctrl-C\n\n`,
  );
  const codes = await Promise.all([serving, collecting]);
  return Math.max(...codes);
}

function serverConfig(data: string, address: string, port: string): object {
  return {
    auth_enabled: false,
    server: { http_listen_address: address, http_listen_port: Number(port), log_level: "warn" },
    common: { path_prefix: data },
    // One machine's backlog at the first start is far above what a tenant of a shared server may push.
    limits_config: {
      ingestion_rate_mb: 1000,
      ingestion_burst_size_mb: 2000,
      per_stream_rate_limit: "1GB",
      per_stream_rate_limit_burst: "2GB",
    },
  };
}

function agentConfig(data: string, port: string, agentPort: number, globs: readonly string[]): object {
  return {
    server: { http_listen_address: "127.0.0.1", http_listen_port: agentPort, grpc_listen_port: 0, log_level: "warn" },
    positions: { filename: join(data, "positions.yaml") },
    clients: [{ url: `http://127.0.0.1:${port}/loki/api/v1/push` }],
    scrape_configs: [
      {
        job_name: "system",
        static_configs: globs.map((glob) => ({ targets: ["localhost"], labels: { job: "varlogs", host: hostname(), __path__: glob } })),
      },
    ],
  };
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const ready = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new ClientError(`the server did not get ready at ${url} within ${READY_WITHIN_MS / 1000} s`);
}

/** The wanted port, or 0 (any free one) when somebody has it. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen(wanted, "127.0.0.1", () => probe.close(() => resolve(wanted)));
  });
}
