// Delete requests in the built server: hidden in what worker threads scan, removed by the compactor, and kept away through SIGKILL at any
// moment of it.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, isReady, type Program, sleep, startSkald, until } from "./processes.ts";

const folder = mkdtempSync(join(tmpdir(), "skald-delete-e2e-"));
const NOW_MS = Date.now();
const START_S = Math.floor(NOW_MS / 1000) - 3600;
/** Enough for scans by worker threads. */
const ENTRIES = 30_000;
const SECRET = 10;

let program: Program | undefined;
let port: number;

beforeAll(async () => {
  await start("24h");
  for (let from = 0; from < ENTRIES; from += 10_000) {
    const values = Array.from({ length: 10_000 }, (_, i) => {
      const n = from + i;
      // Lines that compress badly, one in ten with a secret.
      const word = n % SECRET === 0 ? "secret" : "plain";
      return [
        `${START_S + (n % 1800)}${String(n).padStart(9, "0")}`,
        `${word} n=${n} ${Math.sin(n)}${Math.cos(n)}${Math.tan(n)}`.repeat(4),
      ];
    });
    const pushed = await fetch(`${url()}/loki/api/v1/push`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ streams: [{ stream: { app: "e2e" }, values }] }),
    });
    expect(pushed.status, await pushed.text()).toBe(204);
  }
  await fetch(`${url()}/flush`, { method: "POST" });
});

afterAll(async () => {
  await program?.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const url = (): string => `http://127.0.0.1:${port}`;

async function start(cancelPeriod: string): Promise<void> {
  port = await freePort();
  const config = join(folder, "server.yaml");
  writeFileSync(
    config,
    `auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: ${port}}
common: {path_prefix: ${JSON.stringify(folder)}}
compactor: {retention_enabled: true, delete_request_store: filesystem, compaction_interval: 100ms, delete_request_cancel_period: ${cancelPeriod}}
limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}
`,
  );
  program = startSkald(["server", `-config.file=${config}`], join(folder, "log"));
  await until("the server is ready", () => isReady(port));
}

async function count(query: string): Promise<number> {
  const parameters = new URLSearchParams({ query: `sum(count_over_time(${query}[2h]))`, time: String(START_S + 3600) });
  const response = await fetch(`${url()}/loki/api/v1/query?${parameters}`);
  const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(body.data.result[0]?.value[1] ?? 0);
}

async function requests(): Promise<{ request_id: string; status: string }[]> {
  return (await (await fetch(`${url()}/loki/api/v1/delete`)).json()) as { request_id: string; status: string }[];
}

async function askToDelete(query: string): Promise<void> {
  const parameters = new URLSearchParams({ query, start: String(START_S), end: String(START_S + 3000) });
  expect((await fetch(`${url()}/loki/api/v1/delete?${parameters}`, { method: "POST" })).status).toBe(204);
}

test("what a request selects is hidden from scans of threads and of memory, and comes back when it is cancelled", async () => {
  expect(await count('{app="e2e"}')).toBe(ENTRIES);
  await askToDelete('{app="e2e"} |= "secret" | logfmt | n!=""');
  for (const [query, left] of [
    ['{app="e2e"}', ENTRIES * (1 - 1 / SECRET)],
    ['{app="e2e"} |= "n="', ENTRIES * (1 - 1 / SECRET)],
    ['{app="e2e"} | logfmt | n!=""', ENTRIES * (1 - 1 / SECRET)],
    ['{app="e2e"} |= "secret"', 0],
  ] as const)
    expect(await count(query), query).toBe(left);
  const [request] = await requests();
  await fetch(`${url()}/loki/api/v1/delete?request_id=${request!.request_id}`, { method: "DELETE" });
  expect(await count('{app="e2e"} |= "secret"')).toBe(ENTRIES / SECRET);
});

test("killed again and again while lines are removed, it ends with all of them gone and no other", { timeout: 60_000 }, async () => {
  await askToDelete('{app="e2e"} |= "secret"');
  for (let kill = 0; kill < 2; kill++) {
    await program!.stop("SIGKILL");
    await start("0s");
    expect(await count('{app="e2e"}')).toBe(ENTRIES * (1 - 1 / SECRET));
    await sleep(kill * 120);
  }
  await until("the request is processed", async () => (await requests())[0]!.status === "processed");
  expect(await count('{app="e2e"}')).toBe(ENTRIES * (1 - 1 / SECRET));
  await program!.stop();
  await start("24h");
  expect([await count('{app="e2e"}'), await count('{app="e2e"} |= "secret"')]).toEqual([ENTRIES * (1 - 1 / SECRET), 0]);
  const blocks = readdirSync(join(folder, "chunks"), { recursive: true }).filter((name) => String(name).endsWith(".skb"));
  expect(blocks, "the replaced blocks are gone with the restart").toHaveLength(1);
});
