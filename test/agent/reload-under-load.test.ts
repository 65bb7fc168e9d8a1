// Reloads of every kind while files are written: each line arrives, and no line twice when the remote acknowledges.

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadAgentConfig } from "../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../agent/run.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { silentLog } from "../silent-log.ts";
import { PushServer } from "./client/harness.ts";

let folder: string;
let servers: PushServer[];
let agent: RunningAgent;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "agent-reload-"));
  servers = [await PushServer.open(), await PushServer.open()];
});
afterEach(async () => {
  await agent.stop();
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

interface Variant {
  readonly label?: string;
  readonly stages?: string;
  readonly server?: number;
  readonly job?: string;
}

function configure({ label = "x", stages = "[]", server = 0, job = "a" }: Variant): void {
  writeFileSync(
    join(folder, "config.yaml"),
    `server: {disable: true, graceful_shutdown_timeout: 5s}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
target_config: {sync_period: 100ms}
clients: [{url: "${servers[server]!.url}", batchwait: 20ms}]
scrape_configs:
- {job_name: ${job}, pipeline_stages: ${stages}, static_configs: [{labels: {__path__: ${folder}/*.log, job: ${label}}}]}
`,
  );
}

async function load() {
  return (
    await loadAgentConfig({ files: [join(folder, "config.yaml")], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {} })
  ).config;
}

const arrived = (): string[] => servers.flatMap((server) => server.accepted);

/** Writes through `reloads`, one after the other, and compares what arrived with what was written. */
const survives = (name: string, reloads: readonly Variant[]): void =>
  test(name, async () => {
    const written: string[] = [];
    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i++) {
        const line = `line ${i}`;
        written.push(line);
        appendFileSync(join(folder, `${i % 3}.log`), `${line}\n`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    configure({});
    agent = await runAgent(await load(), {
      log: silentLog,
      clock: systemClock,
      dryRun: false,
      load,
      stdin: Readable.from([]),
      write: () => {},
    });
    for (const variant of reloads) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      configure(variant);
      await agent.reload();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    writing = false;
    await writer;
    for (let tries = 0; tries < 200 && arrived().length < written.length; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(arrived().sort()).toEqual(written.sort());
  });

describe("no line is lost or doubled", () => {
  survives("by other labels", [{ label: "y" }, { label: "z" }, { label: "x" }]);
  survives("by another pipeline", [{ stages: "[{static_labels: {k: v}}]" }, { stages: "[{static_labels: {k: w}}]" }]);
  survives("by other clients", [{ server: 1 }, { server: 0 }, { server: 1 }]);
  survives("by another name of the job", [{ job: "b" }, { job: "c" }]);
  survives("by all at once", [
    { label: "y", stages: "[{cri: {}}]", server: 1 },
    { job: "b", server: 0 },
    { label: "q", job: "b", server: 1 },
  ]);
});

test("what is unread when the agent ends is read by the next one", async () => {
  configure({});
  const open = async (): Promise<RunningAgent> =>
    runAgent(await load(), { log: silentLog, clock: systemClock, dryRun: false, load, stdin: Readable.from([]), write: () => {} });
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
  writeFileSync(join(folder, "a.log"), `${lines.join("\n")}\n`);
  agent = await open();
  await agent.stop();
  agent = await open();
  for (let tries = 0; tries < 200 && arrived().length < lines.length; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(arrived()).toEqual(lines);
});
