import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LogDriver } from "../../../agent/docker-driver/driver.ts";
import { openPluginServer, type PluginServer } from "../../../agent/docker-driver/plugin-server.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { PushServer } from "../client/harness.ts";
import { call, encode, LogPipe } from "./docker-daemon.ts";

let folder: string;
let driver: LogDriver;
let server: PluginServer;
let loki: PushServer;
let accepting: boolean;
let pipes: LogPipe[];
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-driver-"));
  logged = [];
  pipes = [];
  accepting = true;
  const log = createLog({ write: (line) => logged.push(line) });
  driver = new LogDriver(log);
  server = await openPluginServer(socket(), driver, log);
  loki = await PushServer.open(() => (accepting ? 204 : 500));
});
afterEach(async () => {
  await server.close();
  await driver.close(200);
  await loki.close();
  rmSync(folder, { recursive: true });
});

const socket = (): string => join(folder, "plugins/skald.sock");
const pipe = (): LogPipe => {
  const made = new LogPipe(join(folder, `pipe-${pipes.length}`));
  pipes.push(made);
  return made;
};
const infoOf = (config: Record<string, string> = {}, more: object = {}) => ({
  Config: { "loki-url": loki.url, "loki-batch-wait": "20ms", "loki-min-backoff": "10ms", "loki-max-backoff": "20ms", ...config },
  ContainerID: "0123456789abcdef0123",
  ContainerName: "/web",
  ContainerImageName: "nginx:1",
  ContainerEnv: ["TIER=front", "PATH=/bin"],
  ContainerLabels: { "com.docker.compose.service": "api", "team-name": "a" },
  ...more,
});
const startLogging = (file: string, info: object): Promise<unknown> =>
  call(socket(), "/LogDriver.StartLogging", { File: file, Info: info }).then(({ body }) => body);
const stopLogging = (file: string): Promise<unknown> => call(socket(), "/LogDriver.StopLogging", { File: file });
async function arrived(count: number): Promise<void> {
  for (let tries = 0; tries < 300 && loki.accepted.length < count; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(loki.accepted.length, logged.join("")).toBeGreaterThanOrEqual(count);
}
/** Entries without the labels that every container has. */
const entries = (): string[] =>
  loki.requests
    .filter(({ status }) => status < 300)
    .flatMap((request) => request.entries)
    .map((entry) =>
      entry
        .replace(/(, )?filename="[^"]*"/, "")
        .replace(/(, )?host="[^"]*"/, "")
        .replace("{, ", "{"),
    );

describe("the plugin", () => {
  test("says what it is and can", async () => {
    expect((await call(socket(), "/Plugin.Activate")).body).toEqual({ Implements: ["LoggingDriver"] });
    expect((await call(socket(), "/LogDriver.Capabilities")).body).toEqual({ Cap: { ReadLogs: false } });
    expect((await call(socket(), "/LogDriver.ReadLogs")).status).toBe(404);
  });

  test.each<[string, object, string]>([
    ["an unknown option", { "loki-urll": "x" }, "loki: wrong log-opt: 'loki-urll' - 0123456789abcdef0123"],
    ["a URL that is none", { "loki-url": "loki:3100" }, "loki: option loki-url is invalid loki:3100"],
    ["a bad duration", { "loki-timeout": "ten" }, "loki: invalid option loki-timeout"],
    ["a bad number", { "loki-batch-size": "1k" }, "loki: invalid option loki-batch-size format: 1k"],
    ["a bad label", { "loki-external-labels": "a" }, "loki: invalid external labels: a"],
    ["a bad template", { "loki-external-labels": "a={{.Nope" }, "loki: could not expand label value: {{.Nope"],
    ["stages that are none", { "loki-pipeline-stages": "- nope: {}" }, "nope"],
    ["rules that are none", { "loki-relabel-config": "- action: nope" }, "nope"],
    ["stages twice", { "loki-pipeline-stages": "[]", "loki-pipeline-stage-file": "/x" }, "only one of"],
  ])("refuses %s", async (_name, config, text) => {
    const file = pipe();
    expect(await startLogging(file.path, infoOf({ ...config }))).toEqual({ Err: expect.stringContaining(text) });
    file.close();
  });

  test("refuses a container without an address, and a pipe that is not there", async () => {
    expect(await startLogging("/nope", { ...infoOf(), Config: {} })).toEqual({ Err: "loki: loki-url is required in the config" });
    expect(await startLogging("/nope", infoOf())).toEqual({ Err: expect.stringContaining("ENOENT") });
    expect(await startLogging("/nope", { Config: {} })).toEqual({ Err: "must provide container id in log context" });
    const plain = join(folder, "plain");
    writeFileSync(plain, "");
    expect(await startLogging(plain, infoOf())).toEqual({ Err: `${plain} is no named pipe` });
  });
});

describe("entries", () => {
  test("have the labels of Loki's driver", async () => {
    const file = pipe();
    expect(await startLogging(file.path, infoOf({ env: "TIER", labels: "team-name" }))).toEqual({ Err: "" });
    file.write({ line: "hello" }, { line: "oops", source: "stderr" }, { line: "  " });
    await arrived(2);
    const [first] = loki.requests.flatMap((request) => request.entries);
    expect(first).toBe(
      `{TIER="front", compose_service="api", container_name="web", filename="/var/log/docker/0123456789abcdef0123/json.log", host="${hostname()}", source="stdout", team_name="a"} hello`,
    );
    expect(entries()[1]).toContain('source="stderr", team_name="a"} oops');
    expect(loki.accepted).toEqual(["hello", "oops"]);
    file.close();
  });

  test("of long lines come whole", async () => {
    const file = pipe();
    await startLogging(file.path, infoOf({}, { ContainerLabels: {} }));
    const part = (line: string, ordinal: number, last: boolean, source = "stdout") => ({
      line,
      source,
      part: { id: source, last, ordinal },
    });
    file.write(
      part("aa", 1, false),
      part("xx", 1, false, "stderr"),
      part("bb", 2, false),
      part("yy", 2, true, "stderr"),
      part("cc", 3, true),
    );
    await arrived(2);
    expect(entries().sort()).toEqual(['{container_name="web", source="stderr"} xxyy', '{container_name="web", source="stdout"} aabbcc']);
    file.close();
  });

  test("pass rules and stages, with labels by template", async () => {
    const file = pipe();
    await startLogging(
      file.path,
      infoOf({
        "loki-external-labels": "id={{.ID}},image={{.ImageName | upper}},svc={{index .ContainerLabels `team-name`}}",
        "loki-pipeline-stages": "- json: {expressions: {level: level}}\n- labels: {level: }",
        "loki-relabel-config": "- {action: labeldrop, regex: compose_.*}\n- {source_labels: [id], target_label: short}",
      }),
    );
    file.write({ line: '{"level":"warn"}' });
    await arrived(1);
    expect(entries()).toEqual([
      '{id="0123456789ab", image="NGINX:1", level="warn", short="0123456789ab", source="stdout", svc="a"} {"level":"warn"}',
    ]);
    file.close();
  });

  test("of a container that the rules drop are read and not sent", async () => {
    const [dropped, kept] = [pipe(), pipe()];
    await startLogging(dropped.path, infoOf({ "loki-relabel-config": "- {source_labels: [container_name], regex: web, action: drop}" }));
    await startLogging(kept.path, infoOf());
    dropped.write({ line: "no" });
    kept.write({ line: "yes" });
    await arrived(1);
    expect(loki.accepted).toEqual(["yes"]);
  });
});

describe("nothing is lost", () => {
  test("of what stands in the pipe when the container ends", async () => {
    const file = pipe();
    await startLogging(file.path, infoOf());
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`);
    file.write(...lines.map((line) => ({ line })));
    await stopLogging(file.path);
    file.close();
    await arrived(500);
    expect(loki.accepted).toEqual(lines);
    expect(await startLogging(file.path, infoOf())).toEqual({ Err: "" });
  });

  test("while the remote is away, after the container has ended too", async () => {
    accepting = false;
    const file = pipe();
    await startLogging(file.path, infoOf({ "loki-retries": "0" }));
    file.write({ line: "one" }, { line: "two" });
    await stopLogging(file.path);
    file.close();
    for (let tries = 0; tries < 100 && loki.requests.length < 3; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    accepting = true;
    await arrived(2);
    expect(loki.accepted).toEqual(["one", "two"]);
  });

  test("of a flood while the remote is away: the pipe fills, and is read on when it answers", async () => {
    accepting = false;
    const file = pipe();
    await startLogging(file.path, infoOf({ "loki-retries": "0", "loki-min-backoff": "200ms", "loki-max-backoff": "200ms" }));
    const lines = Array.from({ length: 25_000 }, (_, i) => `line ${i} ${"x".repeat(1_000)}`);
    const bytes = Buffer.concat(lines.map((line) => encode({ line })));
    let at = 0;
    const writeUntil = async (isOver: (fullFor: number) => boolean): Promise<void> => {
      for (let fullFor = 0; at < bytes.length && !isOver(fullFor); ) {
        const written = file.writeSome(bytes.subarray(at, at + 65_536));
        at += written;
        fullFor = written > 0 ? 0 : fullFor + 1;
        if (written === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await writeUntil((fullFor) => fullFor > 100);
    expect(at).toBeLessThan(bytes.length);
    accepting = true;
    await writeUntil(() => false);
    await arrived(lines.length);
    expect(loki.accepted).toEqual(lines);
    file.close();
  });

  test("without a word: what could not be sent before the end is told", async () => {
    accepting = false;
    const file = pipe();
    await startLogging(file.path, infoOf({ "loki-retries": "0" }));
    file.write({ line: "one" }, { line: "two" });
    for (let tries = 0; tries < 100 && loki.requests.length === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    await driver.close(100);
    expect(logged.join("")).toMatch(/entries=2 msg="not sent before the end, and lost"/);
    file.close();
  });

  test("with many containers at once, none of which waits for another's first line", async () => {
    const files = Array.from({ length: 30 }, () => pipe());
    for (const file of files) await startLogging(file.path, infoOf());
    files.at(-1)!.write({ line: "last" });
    await arrived(1);
    for (const file of files) file.write({ line: "all" });
    await arrived(31);
    for (const file of files) file.close();
  });

  test("of the driver for a pipe with something else in it", async () => {
    const [broken, fine] = [pipe(), pipe()];
    await startLogging(broken.path, infoOf());
    await startLogging(fine.path, infoOf());
    broken.write({ line: "good" });
    broken.writeBytes(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    fine.write({ line: "fine" });
    await arrived(2);
    expect(loki.accepted.sort()).toEqual(["fine", "good"]);
    for (let tries = 0; tries < 100 && !logged.join("").includes("cannot be read any further"); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(logged.join("")).toContain("the pipe does not carry log entries");
  });
});
