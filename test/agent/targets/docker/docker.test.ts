// Containers of a small daemon (docker-server.ts), through the whole agent to a push endpoint.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadAgentConfig } from "../../../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../../../agent/run.ts";
import { systemClock } from "../../../../lib/runtime/clock.ts";
import { createLog } from "../../../../lib/runtime/log.ts";
import { PushServer, type Script } from "../../client/harness.ts";
import { DockerServer } from "./docker-server.ts";

const CERTIFICATE = {
  cert: readFileSync(join(import.meta.dirname, "../../client/loopback-cert.pem")),
  key: readFileSync(join(import.meta.dirname, "../../client/loopback-key.pem")),
};
const RULES = `
- {source_labels: [__meta_docker_container_name], regex: /(.*), target_label: container}
- {source_labels: [__meta_docker_container_log_stream], target_label: stream}`;

let folder: string;
let docker: DockerServer;
let loki: PushServer;
let agent: RunningAgent | undefined;
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-sd-"));
  docker = new DockerServer();
  loki = await PushServer.open();
  logged = [];
  agent = undefined;
});
afterEach(async () => {
  await agent?.stop();
  await docker.close();
  await loki.close();
  rmSync(folder, { recursive: true });
});

const socket = (): string => join(folder, "docker.sock");
interface Started {
  readonly host?: string;
  readonly more?: string;
  readonly rules?: string;
  readonly stages?: string;
  readonly limits?: string;
}
function configure({ host = `unix://${socket()}`, more = "", rules = RULES, stages = "[]", limits = "{}" }: Started = {}): void {
  const yaml = `server: {http_listen_address: 127.0.0.1, http_listen_port: 0, graceful_shutdown_timeout: 1s, enable_runtime_reload: true}
positions: {filename: ${folder}/positions.yaml, sync_period: 50ms}
limits_config: ${limits}
clients: [{url: "${loki.url}", batchwait: 20ms, backoff_config: {min_period: 10ms, max_period: 20ms, max_retries: 0}}]
scrape_configs:
- job_name: containers
  docker_sd_configs: [{host: "${host}", refresh_interval: 1s${more === "" ? "" : `, ${more}`}}]
  pipeline_stages: ${stages}
  relabel_configs: ${rules.replaceAll("\n", "\n  ")}
`;
  writeFileSync(join(folder, "config.yaml"), yaml);
}
const load = async () => {
  const loaded = await loadAgentConfig({
    files: [join(folder, "config.yaml")],
    expandEnv: false,
    env: {},
    overrides: new Map(),
    externalLabels: {},
  });
  expect(loaded.refusals).toEqual([]);
  return loaded.config;
};
async function start(options: Started = {}): Promise<void> {
  configure(options);
  agent = await runAgent(await load(), {
    log: createLog({ write: (line) => logged.push(line) }),
    clock: systemClock,
    dryRun: false,
    load,
    stdin: Readable.from([]),
    write: () => {},
  });
}
async function answering(script: Script): Promise<void> {
  await loki.close();
  loki = await PushServer.open(script);
}
const entries = (): string[] => loki.requests.filter(({ status }) => status < 300).flatMap((request) => [...request.entries]);
const lines = (): string[] => loki.accepted;
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400 && !(await condition()); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await condition(), `${entries().slice(0, 20).join("\n")}\n${logged.join("")}`).toBe(true);
}
const arrived = (count: number): Promise<void> => until(() => lines().length >= count);
const positions = (): string => readFileSync(join(folder, "positions.yaml"), "utf8");
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${agent!.port}/metrics`)).text();

describe("entries", () => {
  test("of both outputs, with labels by rules and Docker's times", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    docker.write(web, "out\r", { at: [1_700_000_000, 123_456_789] });
    docker.write(web, "err", { stream: "stderr" });
    await start();
    await arrived(2);
    docker.write(web, "", {});
    docker.write(web, "followed");
    await arrived(4);
    expect(entries().sort()).toEqual([
      '{container="web", stream="stderr"} err',
      '{container="web", stream="stdout"} ',
      '{container="web", stream="stdout"} followed',
      '{container="web", stream="stdout"} out',
    ]);
    expect(docker.logRequests).toEqual([{ id: "id-web", since: "0", follow: true }]);
    expect(await metrics()).toMatch(/^promtail_docker_target_entries_total 4$/m);
    expect(await metrics()).toMatch(/^promtail_targets_active_total 1$/m);
  });

  test.each([false, true])("longer than Docker's parts come whole (terminal: %s)", async (tty) => {
    await docker.listen(socket());
    const long = "abcdefgh".repeat(10_000);
    const web = docker.run("web", { tty });
    docker.write(web, long);
    docker.write(web, "next");
    await start();
    await arrived(2);
    expect(lines()).toEqual([long, "next"]);
  });

  test("are cut to max_line_size", async () => {
    await docker.listen(socket());
    docker.write(docker.run("web"), "0123456789abcdef");
    await start({ limits: "{max_line_size: 10}" });
    await arrived(1);
    expect(lines()).toEqual(["0123456789"]);
    expect(await metrics()).toMatch(/^promtail_docker_target_truncated_lines_total 1$/m);
  });

  test("pass the stages", async () => {
    await docker.listen(socket());
    docker.write(docker.run("web"), '{"level":"warn"}');
    await start({ stages: "[{json: {expressions: {level: level}}}, {labels: {level: }}]" });
    await arrived(1);
    expect(entries()).toEqual(['{container="web", level="warn", stream="stdout"} {"level":"warn"}']);
  });

  test("of an output that the rules drop are left out", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    docker.write(web, "noise", { stream: "stderr" });
    docker.write(web, "wanted");
    await start({ rules: `${RULES}\n- {source_labels: [stream], regex: stderr, action: drop}` });
    await arrived(1);
    await until(() => positions().includes("cursor-id-web"));
    expect(lines()).toEqual(["wanted"]);
  });
});

describe("containers", () => {
  test("are chosen by filters and rules; those that are dropped are shown", async () => {
    await docker.listen(socket());
    for (const name of ["a", "b", "c"]) docker.write(docker.run(name, { labels: name === "c" ? {} : { "com.x/log": "yes" } }), name);
    const rules = `${RULES}\n- {source_labels: [__meta_docker_container_label_com_x_log, container], regex: yes;a, action: keep}`;
    await start({ more: "filters: [{name: label, values: [com.x/log]}]", rules });
    await arrived(1);
    expect(lines()).toEqual(["a"]);
    expect(docker.logRequests.map(({ id }) => id)).toEqual(["id-a"]);
    await until(async () => /^promtail_targets_failed_total\{reason="dropped"\} 1$/m.test(await metrics()));
  });

  test("are found when they start, and read to the end however short they live", async () => {
    await docker.listen(socket());
    await start();
    await until(() => docker.authorizations.length >= 3);
    const brief = docker.run("brief");
    docker.write(brief, "all it said");
    docker.end(brief);
    await arrived(1);
    expect(entries()).toEqual(['{container="brief", stream="stdout"} all it said']);
  });

  test("go on after a restart, without an entry twice", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    docker.write(web, "one");
    await start();
    await arrived(1);
    docker.end(web);
    await until(() => docker.logRequests.some(({ follow }) => !follow));
    docker.start(web);
    docker.write(web, "two");
    await arrived(2);
    expect(lines()).toEqual(["one", "two"]);
  });

  test("lose their position when they are removed, and not when they end", async () => {
    await docker.listen(socket());
    const [kept, removed] = [docker.run("kept"), docker.run("removed")];
    docker.write(kept, "k");
    docker.write(removed, "r");
    await start();
    await arrived(2);
    await until(() => positions().includes("cursor-id-removed"));
    docker.end(kept);
    docker.end(removed);
    docker.remove(removed);
    await until(() => !positions().includes("cursor-id-removed"));
    expect(positions()).toMatch(/cursor-id-kept: "1700000000"|cursor-id-kept: "1699999999"/);
  });

  test("that match no more are left while they run", async () => {
    await docker.listen(socket());
    const web = docker.run("web", { labels: { log: "yes" } });
    docker.write(web, "one");
    await start({ more: "filters: [{name: label, values: [log]}]" });
    await arrived(1);
    delete web.labels.log;
    await until(async () => /^promtail_targets_active_total 0$/m.test(await metrics()));
    expect(docker.containers.get("id-web")!.running).toBe(true);
  });
});

describe("faults", () => {
  test("streams that break off are asked for again, in the middle of a line too", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    await start();
    await until(() => docker.followerCount === 1);
    const said: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 50; i++) {
        said.push(`line ${round}.${i}`);
        docker.write(web, said.at(-1)!);
      }
      const [sec, nanos] = docker.nextTime();
      docker.writePart(web, { stream: "stdout", sec, nanos, text: Buffer.from("an open ") });
      await arrived(said.length);
      docker.cut();
      docker.writePart(web, { stream: "stdout", sec, nanos, text: Buffer.from("part\n") });
      said.push("an open part");
      await arrived(said.length);
      await until(() => docker.followerCount === 1);
    }
    expect([...lines()].sort()).toEqual([...said].sort());
  });

  test("a flood while the remote is away is read as far as there is room, and arrives once and in order when it answers", async () => {
    let away = true;
    await answering(() => (away ? 500 : 204));
    await docker.listen(socket());
    const web = docker.run("web");
    await start();
    const said = Array.from({ length: 45_000 }, (_, i) => `line ${i} ${"x".repeat(1_000)}`);
    for (const line of said) docker.write(web, line);
    await until(() => loki.requests.length > 3);
    const read = Number(/^promtail_docker_target_entries_total (\d+)/m.exec(await metrics())?.[1]);
    expect(read).toBeLessThan(said.length);
    away = false;
    await until(() => lines().length >= said.length);
    expect(lines()).toEqual(said);
  });

  test("a daemon that is away at the start, and restarts later, is read when it is there", async () => {
    const web = docker.run("web");
    docker.write(web, "one");
    await start();
    await until(() => logged.some((line) => line.includes("containers not listed")));
    await docker.listen(socket());
    await arrived(1);
    await docker.close();
    docker.write(web, "two");
    await docker.listen(socket());
    await arrived(2);
    expect(lines()).toEqual(["one", "two"]);
  });

  test("a log that cannot be read is tried again, and the target says why", async () => {
    await docker.listen(socket());
    docker.refuseLogs = [{ status: 501, message: "configured logging driver does not support reading" }];
    docker.write(docker.run("web"), "one");
    await start();
    await arrived(1);
    expect(logged.join("")).toContain("configured logging driver does not support reading");
  });

  test("a daemon without events is looked at in turn", async () => {
    docker.forbidEvents = true;
    await docker.listen(socket());
    await start();
    docker.write(docker.run("late"), "hello");
    await arrived(1);
  });
});

describe("positions", () => {
  test("follow acknowledgements: after a restart nothing is missing and nothing comes twice", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    for (let i = 0; i < 100; i++) docker.write(web, `line ${i}`);
    await start();
    await arrived(100);
    await agent!.stop();
    expect(positions()).toMatch(/^ {2}cursor-id-web: "1699999999"$/m);
    for (let i = 100; i < 200; i++) docker.write(web, `line ${i}`);
    await start();
    await arrived(200);
    expect(lines()).toEqual(Array.from({ length: 200 }, (_, i) => `line ${i}`));
    expect(docker.logRequests.at(-1)).toEqual({ id: "id-web", since: "1699999999", follow: true });
  });

  test("stay before what the remote has not taken", async () => {
    let accepting = false;
    await answering(() => (accepting ? 204 : 500));
    await docker.listen(socket());
    docker.write(docker.run("web"), "one");
    await start();
    await until(() => loki.requests.length > 0);
    await agent!.stop();
    expect(positions()).not.toContain("cursor-id-web");
    accepting = true;
    await start();
    await arrived(1);
    expect(lines()).toEqual(["one"]);
  });

  test("of Promtail are taken up: from its second on", async () => {
    writeFileSync(join(folder, "positions.yaml"), 'positions:\n  cursor-id-web: "1700000005"\n');
    await docker.listen(socket());
    const web = docker.run("web");
    docker.write(web, "before", { at: [1_700_000_004, 0] });
    docker.write(web, "after", { at: [1_700_000_005, 0] });
    await start();
    await arrived(1);
    expect(lines()).toEqual(["after"]);
  });

  test("are kept over a reload of other rules", async () => {
    await docker.listen(socket());
    const web = docker.run("web");
    docker.write(web, "one");
    await start();
    await arrived(1);
    configure({ rules: RULES.replace("target_label: container", "target_label: name") });
    await agent!.reload();
    docker.write(web, "two");
    await arrived(2);
    expect(entries()).toEqual(['{container="web", stream="stdout"} one', '{name="web", stream="stdout"} two']);
  });
});

describe("hosts", () => {
  test("over TLS, with credentials", async () => {
    await docker.listen(0, CERTIFICATE);
    docker.write(docker.run("web"), "secret");
    const ca = join(import.meta.dirname, "../../client/loopback-cert.pem");
    await start({
      host: `https://127.0.0.1:${docker.port}`,
      more: `tls_config: {ca_file: ${ca}}, basic_auth: {username: u, password: p}`,
    });
    await arrived(1);
    expect(new Set(docker.authorizations)).toEqual(new Set([`Basic ${Buffer.from("u:p").toString("base64")}`]));
  });
  test("over plain TCP, more containers at once than connections are usual", async () => {
    await docker.listen(0);
    for (let i = 0; i < 40; i++) docker.write(docker.run(`c${i}`), `hello ${i}`);
    await start({ host: `tcp://127.0.0.1:${docker.port}` });
    await arrived(40);
    expect(docker.followerCount).toBe(40);
    expect(lines().length).toBe(40);
  });
  test("of an unknown kind stop the start", async () => {
    await expect(start({ host: "ssh://somewhere" })).rejects.toThrow(
      'docker_sd_configs: host "ssh://somewhere": expected unix:///var/run/docker.sock',
    );
  });
});
