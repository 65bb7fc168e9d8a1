import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadAgentConfig } from "../../agent/config/load.ts";
import { type RunningAgent, runAgent } from "../../agent/run.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";

let folder: string;
let agent: RunningAgent | undefined;
let out: string;
let logged: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agent-run-"));
  mkdirSync(join(folder, "logs"));
  out = "";
  logged = [];
  agent = undefined;
});
afterEach(async () => {
  await agent?.stop();
  rmSync(folder, { recursive: true });
});

const SERVER = "server: {http_listen_address: 127.0.0.1, http_listen_port: 0, enable_runtime_reload: true}";
const base = (scrape: string, client = "http://127.0.0.1:9/push"): string => `${SERVER}
positions: {filename: ${folder}/positions.yaml, sync_period: 100ms}
target_config: {sync_period: 200ms}
clients: [{url: "${client}", batchwait: 50ms}]
scrape_configs:
${scrape}`;
const job = (labels: string, stages = "[]", name = "a"): string =>
  `- {job_name: ${name}, pipeline_stages: ${stages}, static_configs: [{labels: {__path__: ${folder}/logs/*.log, ${labels}}}]}\n`;

const configure = (yaml: string): void => writeFileSync(join(folder, "config.yaml"), yaml);
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
async function start(yaml: string, options: { dryRun?: boolean; stdin?: string } = {}): Promise<RunningAgent> {
  configure(yaml);
  agent = await runAgent(await load(), {
    log: createLog({ write: (line) => logged.push(line) }),
    clock: systemClock,
    dryRun: options.dryRun ?? true,
    load,
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    write: (text) => {
      out += text;
    },
  });
  return agent;
}

const log = (name: string, text: string): void => appendFileSync(join(folder, "logs", name), text);
/** Labels and line of each entry that was printed. */
const entries = (): string[] =>
  out
    .split("\n")
    .filter((line) => line.includes("\t"))
    .map((line) => line.split("\t").slice(1).join(" ").replaceAll(folder, ""));
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300 && !(await condition()); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await condition(), `${out}\n${logged.join("")}`).toBe(true);
}
const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${agent!.port}${path}`, { redirect: "manual", ...init });
const metric = async (line: string): Promise<boolean> => (await (await get("/metrics")).text()).includes(line);

describe("reads", () => {
  test("files of a target through the pipeline", async () => {
    log("a.log", "one\ndebug\ntwo\n");
    await start(base(job("job: x", "[{drop: {expression: debug}}]")));
    await until(() => entries().length === 2);
    expect(entries()).toEqual(['{filename="/logs/a.log", job="x"} one', '{filename="/logs/a.log", job="x"} two']);
    expect((await get("/ready")).status).toBe(200);
    expect(await metric("promtail_targets_active_total 1")).toBe(true);
    expect(await metric('logentry_dropped_lines_total{reason="drop_stage"} 1')).toBe(true);
  });

  test("targets that file_sd tells of, and no longer those it withdraws", async () => {
    log("a.log", "one\n");
    log("b.log", "other\n");
    const targets = (name: string): void =>
      writeFileSync(
        join(folder, "sd.json"),
        JSON.stringify([{ targets: ["localhost"], labels: { __path__: `${folder}/logs/${name}`, job: "sd" } }]),
      );
    targets("a.log");
    const relabel = "relabel_configs: [{source_labels: [__meta_filepath], regex: '.*/(.*)', target_label: from}]";
    await start(base(`- {job_name: a, ${relabel}, file_sd_configs: [{files: ['${folder}/*.json']}]}\n`));
    await until(() => entries().length === 1);
    targets("b.log");
    await until(() => entries().length === 2);
    await until(() => metric("promtail_targets_active_total 1"));
    log("a.log", "too late\n");
    log("b.log", "more\n");
    await until(() => entries().length >= 3);
    expect(entries()).toEqual([
      '{filename="/logs/a.log", from="sd.json", job="sd"} one',
      '{filename="/logs/b.log", from="sd.json", job="sd"} other',
      '{filename="/logs/b.log", from="sd.json", job="sd"} more',
    ]);
  });

  test("goes on with a target's files when its labels change, and reads no line twice", async () => {
    const label = (version: string): void =>
      writeFileSync(
        join(folder, "sd.json"),
        JSON.stringify([{ targets: ["localhost"], labels: { __path__: `${folder}/logs/a.log`, version } }]),
      );
    label("1");
    log("a.log", "one\ntwo\n");
    await start(base(`- {job_name: a, file_sd_configs: [{files: ['${folder}/*.json']}]}\n`));
    await until(() => entries().length === 2);
    label("2");
    await until(() => logged.some((line) => line.includes('version=\\"2\\"')));
    log("a.log", "three\n");
    await until(() => entries().length >= 3);
    expect(entries().map((entry) => entry.replace(/.*version="(\d)"\}/, "$1"))).toEqual(["1 one", "1 two", "2 three"]);
  });

  test("standard input, and ends with it", async () => {
    const running = await start(base(job("job: x", "[{labels: {job: }}]")).replace("target_config: {", "target_config: {stdin: true, "), {
      stdin: "a\n\nb\r\nc",
    });
    await running.ended;
    expect(entries()).toEqual(['{job="x"} a', '{job="x"} b', '{job="x"} c']);
  });

  test("no more lines than the limit allows, and counts them", async () => {
    log("a.log", "1\n2\n3\n4\n5\n");
    await start(`${base(job("job: x"))}limits_config: {readline_rate_enabled: true, readline_rate: 0.001, readline_burst: 2}\n`);
    await until(() => metric('logentry_dropped_lines_total{reason="global_rate_limiter_drop"} 3'));
    expect(entries()).toHaveLength(2);
  });
});

describe("reload", () => {
  test("leaves unchanged targets alone and reads the new one", async () => {
    log("a.log", "one\n");
    const running = await start(base(job("job: x")));
    await until(() => entries().length === 1);
    configure(
      base(job("job: x") + job(`job: y, __path__: ${folder}/other.log`, "[]", "b").replace(`__path__: ${folder}/logs/*.log, `, "")),
    );
    writeFileSync(join(folder, "other.log"), "else\n");
    await running.reload();
    log("a.log", "two\n");
    await until(() => entries().length === 3);
    expect(entries().sort()).toEqual([
      '{filename="/logs/a.log", job="x"} one',
      '{filename="/logs/a.log", job="x"} two',
      '{filename="/other.log", job="y"} else',
    ]);
    expect(await metric("promtail_config_reload_success_total 1")).toBe(true);
  });

  test("takes new labels from the next line on", async () => {
    log("a.log", "one\n");
    const running = await start(base(job("job: x")));
    await until(() => entries().length === 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    configure(base(job("job: y")));
    await running.reload();
    log("a.log", "two\n");
    await until(() => entries().length >= 2);
    expect(entries()).toEqual(['{filename="/logs/a.log", job="x"} one', '{filename="/logs/a.log", job="y"} two']);
    expect(await metric("promtail_targets_active_total 1")).toBe(true);
  });

  test("takes a new pipeline", async () => {
    log("a.log", "one\n");
    const running = await start(base(job("job: x")));
    await until(() => entries().length === 1);
    configure(base(job("job: x", "[{static_labels: {k: v}}]")));
    await running.reload();
    log("a.log", "two\n");
    await until(() => entries().length >= 2);
    expect(entries()[1]).toBe('{filename="/logs/a.log", job="x", k="v"} two');
  });

  test("of a broken file changes nothing and says so", async () => {
    log("a.log", "one\n");
    await start(base(job("job: x")));
    await until(() => entries().length === 1);
    configure(`${base(job("job: x"))}nope: 1\n`);
    const answer = await get("/reload");
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringMatching(/failed to reload config: .*unknown key nope/)]);
    log("a.log", "two\n");
    await until(() => entries().length === 2);
    expect(await metric("promtail_config_reload_fail_total 1")).toBe(true);
  });

  test("of a pipeline that cannot be built changes nothing", async () => {
    log("a.log", "one\n");
    await start(base(job("job: x")));
    await until(() => entries().length === 1);
    configure(base(job("job: x", "[{regex: {expression: '('}}]")));
    expect((await get("/reload")).status).toBe(500);
    log("a.log", "two\n");
    await until(() => entries().length === 2);
  });

  test("of the same file is refused", async () => {
    await start(base(job("job: x")));
    const answer = await get("/reload", { method: "POST" });
    expect([answer.status, await answer.text()]).toEqual([500, "failed to reload config: config has not changed\n"]);
  });

  test("leads entries to new clients", async () => {
    const counts = [0, 0];
    const sinks = await Promise.all(counts.map((_, i) => openSink(() => counts[i]!++)));
    const address = (i: number): string => `http://127.0.0.1:${(sinks[i]!.address() as AddressInfo).port}/push`;
    log("a.log", "one\n");
    const running = await start(base(job("job: x"), address(0)), { dryRun: false });
    await until(() => counts[0] === 1);
    configure(base(job("job: x"), address(1)));
    await running.reload();
    log("a.log", "two\n");
    await until(() => counts[1] === 1);
    expect(counts).toEqual([1, 1]);
    for (const sink of sinks) sink.close();
  });

  test("gives to new clients what the former ones could not send by their deadline", async () => {
    let count = 0;
    const sink = await openSink(() => count++);
    const brief = (client: string): string =>
      base(job("job: x"), client).replace("enable_runtime_reload: true", "enable_runtime_reload: true, graceful_shutdown_timeout: 300ms");
    const path = join(folder, "positions.yaml");
    const position = (): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
    log("a.log", "one\n");
    const running = await start(brief("http://127.0.0.1:9/push"), { dryRun: false });
    await until(() => metric(`promtail_read_bytes_total{path="${folder}/logs/a.log"} 4`));
    configure(brief(`http://127.0.0.1:${(sink.address() as AddressInfo).port}/push`));
    await running.reload();
    await until(() => position().includes('a.log: "4"'));
    expect(count).toBe(1);
    expect(position()).toContain('a.log: "4"');
    sink.close();
  });
});

async function openSink(onRequest: () => void): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      onRequest();
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("pages", () => {
  beforeEach(async () => {
    log("a.log", "one\n");
    await start(base(`${job("job: x")}- {job_name: b, static_configs: [{labels: {job: '<y>'}}]}\n`));
    await until(() => entries().length === 1);
  });
  const answers = (path: string, status: number, words: RegExp, init: RequestInit = {}): void =>
    test(`${path}${init.method === undefined ? "" : ` by ${init.method}`}${init.headers === undefined ? "" : " with headers"}`, async () => {
      const answer = await get(path, init);
      expect([answer.status, await answer.text()]).toEqual([status, expect.stringMatching(words)]);
    });
  answers("/ready", 200, /^Ready\n$/);
  answers("/ready", 200, /^$/, { method: "HEAD" });
  answers("/", 303, /^$/);
  answers("/targets", 200, /<h2>a <small[\s\S]*logs\/a\.log/);
  answers("/targets?format=json", 200, /"job": "a"[\s\S]*"offset": 4/);
  answers("/targets", 200, /"kind": "File"/, { headers: { accept: "application/json" } });
  answers("/service-discovery", 200, /no_path/);
  answers("/service-discovery", 200, /job="&#60;y&#62;"/);
  answers("/service-discovery?format=json", 200, /"reason": "no_path"/);
  answers("/config", 200, /<pre>[\s\S]*sync_period: 100ms/);
  answers("/config?format=json", 200, /"sync_period": "100ms"/);
  answers("/metrics", 200, /^promtail_build_info\{goarch="/m);
  answers("/nope", 404, /not found/);
  answers("/log_level?log_level=warn", 200, /Current log level is warn/, { method: "POST" });
  answers("/log_level?log_level=loud", 400, /unrecognized level/, { method: "POST" });
});

describe("start", () => {
  test("is not ready without targets", async () => {
    await start(base(job("job: x")));
    expect([(await get("/ready")).status, await (await get("/ready")).text()]).toEqual([
      500,
      expect.stringMatching(/^Not ready: Unable to find any logs to tail/),
    ]);
  });
  test("is ready without targets where health_check_target is off", async () => {
    await start(base(job("job: x")).replace("enable_runtime_reload", "health_check_target: false, enable_runtime_reload"));
    expect((await get("/ready")).status).toBe(200);
  });
  test("has no server where it is disabled", async () => {
    await start(base(job("job: x")).replace("enable_runtime_reload", "disable: true, enable_runtime_reload"));
    expect(agent!.port).toBeUndefined();
  });
  test("serves below a prefix", async () => {
    await start(base(job("job: x")).replace("enable_runtime_reload", "http_path_prefix: /p/, enable_runtime_reload"));
    expect([(await get("/p/targets")).status, (await get("/targets")).status, (await get("/p/")).headers.get("location")]).toEqual([
      200,
      404,
      "/p/targets",
    ]);
  });
  test("fails on a port that is taken, and leaves nothing open", async () => {
    const taken = await openSink(() => {});
    const { port } = taken.address() as AddressInfo;
    await expect(start(base(job("job: x")).replace("http_listen_port: 0", `http_listen_port: ${port}`))).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    );
    taken.close();
  });
  test("reports a target that cannot be opened and goes on", async () => {
    log("a.log", "one\n");
    await start(base(`${job("job: x")}- {job_name: b, encoding: klingon, static_configs: [{labels: {__path__: ${folder}/logs/*.log}}]}\n`));
    await until(() => entries().length === 1);
    expect(await metric('promtail_targets_failed_total{reason="error"} 1')).toBe(true);
  });
});
