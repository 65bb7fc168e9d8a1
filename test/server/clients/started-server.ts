// A server process of the build with an empty store, for tests that talk to it as clients do.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, isReady, startSkald, until } from "../../e2e/processes.ts";

export interface StartedServer {
  readonly port: number;
  readonly url: string;
  /** Resident memory. */
  memoryBytes(): number;
  /** Processor time of all its threads since it began, in steps of ten milliseconds: unlike a clock's, it does not grow with others' load. */
  cpuMs(): number;
  readonly running: () => boolean;
  readonly log: () => string;
  /** Ends it and starts it again with what it has on disk. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param config lines of YAML beside ports and folders */
export async function startServer(config = ""): Promise<StartedServer> {
  const folder = mkdtempSync(join(tmpdir(), "skald-clients-"));
  const port = await freePort();
  const file = join(folder, "server.yaml");
  const logFile = join(folder, "server.log");
  const listening = `server:\n  http_listen_address: 127.0.0.1\n  http_listen_port: ${port}\n`;
  writeFileSync(file, `auth_enabled: false\n${listening}common:\n  path_prefix: ${folder}\n${config}`);
  const start = async () => {
    const started = startSkald(["server", `-config.file=${file}`], logFile);
    await until("server ready", () => !started.running() || isReady(port));
    if (!started.running()) throw new Error(`the server ended:\n${started.output()}`);
    return started;
  };
  let program = await start();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    memoryBytes: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${program.pid}/status`, "utf8"))![1]) * 1024,
    cpuMs() {
      // Fields 14 and 15, user and system, in hundredths of a second; the name before them may have spaces.
      const fields = readFileSync(`/proc/${program.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    running: () => program.running(),
    log: () => program.output(),
    async restart() {
      await program.stop();
      program = await start();
    },
    async stop() {
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A JSON answer. @throws when the server refuses, with what it says */
export async function getJson<T = unknown>(url: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url, { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

export async function pushJson(url: string, streams: readonly object[]): Promise<void> {
  const response = await fetch(`${url}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ streams }),
  });
  if (response.status !== 204) throw new Error(`the push was answered ${response.status}: ${await response.text()}`);
}
