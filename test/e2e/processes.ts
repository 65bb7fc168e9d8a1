// Real programs for end-to-end tests: started from the build, asked over HTTP, ended by signals.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

export const SKALD = fileURLToPath(new URL("../../dist/cli/skald.js", import.meta.url));

export interface Program {
  readonly pid: number;
  readonly running: () => boolean;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly output: () => string;
}

/** Starts `skald <args>`; both outputs go to `logFile`. */
export function startSkald(args: readonly string[], logFile: string): Program {
  if (!existsSync(SKALD)) throw new Error(`${SKALD} is missing: npm run build makes it`);
  const log = openSync(logFile, "a");
  const child: ChildProcess = spawn(process.execPath, [SKALD, ...args], { stdio: ["ignore", log, log] });
  closeSync(log);
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    pid: child.pid!,
    running: () => child.exitCode === null && child.signalCode === null,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
    },
    output: () => readFileSync(logFile, "utf8"),
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a condition; the error names what did not come true. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(`${what}: not within ${withinMs} ms`);
}

export async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2000) }).then(
    async (response) => (await response.text()) !== "" && response.ok,
    () => false,
  );
}

export interface Entry {
  readonly ns: bigint;
  readonly line: string;
}

/** All entries of a selector, oldest first, by stream (its labels as JSON). */
export async function readStreams(port: number, query: string, startMs: number): Promise<Map<string, Entry[]>> {
  const parameters = new URLSearchParams({
    query,
    start: `${startMs}000000`,
    end: `${Date.now() + 60_000}000000`,
    limit: "5000000",
    direction: "forward",
  });
  const response = await fetch(`http://127.0.0.1:${port}/loki/api/v1/query_range?${parameters}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`query answered ${response.status}: ${text}`);
  const { data } = JSON.parse(text) as { data: { result: { stream: Record<string, string>; values: [string, string][] }[] } };
  return new Map(data.result.map(({ stream, values }) => [JSON.stringify(stream), values.map(([ns, line]) => ({ ns: BigInt(ns), line }))]));
}
