// The logging driver, killed with SIGKILL while the remote is away. It has no disk of its own: what it had read from a container's pipe
// and not sent is lost, what stood in the pipe is read by the next one. Together that is all that was written.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PushServer } from "../agent/client/harness.ts";
import { call, LogPipe } from "../agent/docker-driver/docker-daemon.ts";
import { type Program, startSkald, until } from "./processes.ts";

const LINES = 200;

const folder = mkdtempSync(join(tmpdir(), "skald-driver-"));
const socket = join(folder, "skald.sock");
const programs: Program[] = [];
let loki: PushServer;
let pipe: LogPipe | undefined;

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  pipe?.close();
  await loki.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a killed driver loses what it had read and not sent, and nothing of the pipe", { timeout: 60_000 }, async () => {
  let away = false;
  loki = await PushServer.open(() => (away ? 500 : 204));
  const containerPipe = new LogPipe(join(folder, "pipe"));
  pipe = containerPipe;
  const start = async (): Promise<Program> => {
    const driver = startSkald(["docker-driver", `-socket=${socket}`], join(folder, "driver.log"));
    programs.push(driver);
    const info = {
      Config: {
        "loki-url": loki.url,
        "loki-batch-wait": "20ms",
        "loki-retries": "0",
        "loki-min-backoff": "10ms",
        "loki-max-backoff": "20ms",
      },
      ContainerID: "0123456789abcdef",
      ContainerName: "/web",
    };
    const begin = () => call(socket, "/LogDriver.StartLogging", { File: containerPipe.path, Info: info });
    await until("the driver reads the pipe", () => begin().then(({ body }) => (body as { Err: string }).Err === "", () => false)); // biome-ignore format: one line
    return driver;
  };
  const write = (round: string): string[] => {
    const lines = Array.from({ length: LINES }, (_, i) => `${round} ${i}`);
    containerPipe.write(...lines.map((line) => ({ line })));
    return lines;
  };

  let driver = await start();
  const sent = write("sent");
  await until("what was sent", () => loki.accepted.length === LINES);
  away = true;
  const unsent = write("unsent");
  const tried = (): Set<string> => new Set(loki.requests.filter(({ status }) => status === 500).flatMap(({ lines }) => [...lines]));
  await until("the driver has read all", () => tried().has(`unsent 0`));
  await driver.stop("SIGKILL");
  const kept = write("kept");
  away = false;
  driver = await start();
  await until("what stood in the pipe", () => loki.accepted.includes(`kept ${LINES - 1}`));
  const lost = unsent.filter((line) => !loki.accepted.includes(line));
  // What is lost is the beginning: the rest, if any, stood in the pipe.
  expect(lost).toEqual(unsent.slice(0, lost.length));
  expect(lost.length).toBeGreaterThan(0);
  expect(loki.accepted).toEqual([...sent, ...unsent.slice(lost.length), ...kept]);
  await driver.stop();
});
