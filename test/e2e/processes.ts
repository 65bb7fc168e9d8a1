// Real programs for end-to-end tests: started from the build, asked over HTTP, ended by signals.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLOCK_TICKS_PER_S = 100;

let build: string | undefined;

/** A copy of the build of its own, so that building meanwhile does not pull it away from under programs that are started again. */
function copiedBuild(): string {
  if (build !== undefined) return build;
  if (!existsSync(join(ROOT, "dist/cli/skald.js"))) throw new Error("dist/cli/skald.js is missing: npm run build makes it");
  const folder = mkdtempSync(join(tmpdir(), "skald-build-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  build = folder;
  return folder;
}

/** The built program, to be run by `process.execPath`. */
export const builtSkald = (): string => join(copiedBuild(), "dist/cli/skald.js");

export interface Program {
  readonly pid: number;
  readonly running: () => boolean;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly output: () => string;
}

/**
 * Starts `skald <args>`; both outputs go to `logFile`.
 *
 * @param how.within a command that runs the rest of its arguments in its place
 */
export function startSkald(
  args: readonly string[],
  logFile: string,
  how: { readonly within?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Program {
  const log = openSync(logFile, "a");
  const [command, ...rest] = [...(how.within ?? []), process.execPath, builtSkald(), ...args];
  const child: ChildProcess = spawn(command!, rest, { stdio: ["ignore", log, log], env: { ...process.env, ...how.env } });
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

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssMb: number;
  /** The most it has had. */
  readonly peakRssMb: number;
  readonly descriptorCount: number;
}

/** What a running process has used so far, as Linux tells it. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_S,
    rssMb: kilobytes("VmRSS") / 1024,
    peakRssMb: kilobytes("VmHWM") / 1024,
    descriptorCount: readdirSync(`/proc/${pid}/fd`).length,
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
