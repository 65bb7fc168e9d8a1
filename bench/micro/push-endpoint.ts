// A push endpoint on the loopback that takes and forgets, in a process of its own so that its CPU is not counted, and a client for it.

import { fork } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { openClients } from "../../agent/client/clients.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";

const SERVE = "--serve-pushes";
if (process.argv[2] === SERVE) serve();

function serve(): void {
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => response.writeHead(204).end());
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}

export async function startEndpoint(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const child = fork(new URL(import.meta.url).pathname, [SERVE], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => child.once("message", (value) => resolve(value as number)));
  return { port, stop: () => void child.kill() };
}

export function openBenchClients(port: number, { registry, log, clock }: { registry: Registry; log: Log; clock: Clock }) {
  return openClients(
    [
      {
        name: "bench",
        url: `http://127.0.0.1:${port}/loki/api/v1/push`,
        tenantId: "",
        batchWaitMs: 1_000,
        batchBytes: 1_048_576,
        headers: {},
        followRedirects: true,
        backoff: { minMs: 500, maxMs: 5_000, retriesMax: 10 },
        dropRateLimitedBatches: false,
        externalLabels: {},
        timeoutMs: 10_000,
      },
    ],
    {
      maxLineBytes: 0,
      maxLineTruncate: false,
      maxStreams: 0,
      registry,
      log,
      clock,
      random: Math.random,
      userAgent: "skald/bench",
    },
  );
}

/** Entries that were answered with success. */
export async function sentEntries(registry: Registry): Promise<number> {
  const sent = await registry.getSingleMetric("promtail_sent_entries_total")!.get();
  return sent.values.reduce((sum, { value }) => sum + value, 0);
}
