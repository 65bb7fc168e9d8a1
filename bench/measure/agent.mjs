// Measures a log agent: file -> pipeline -> push to a counting sink; beside it GNU grep -c and wc -l on the same file, in the same run.
//   node agent.mjs --name skald --agent "node dist/…/skald.js agent" --file cri.log --pipeline raw|cri|parse [--limit seconds]
// The agent is started with Promtail's flags and YAML. CPU is what counts (machines are noisy and shared): `times_grep` is the agent's
// CPU seconds as a multiple of grep's. Prints one line of JSON.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cpuTimed, sink, sleep, start, usage } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    name: { type: "string", default: "agent" },
    agent: { type: "string" },
    file: { type: "string" },
    pipeline: { type: "string", default: "cri" },
    limit: { type: "string", default: "300" },
  },
});
const PIPELINES = {
  raw: "[]",
  cri: "[{cri: {}}]",
  parse: `
      - cri: {}
      - json: {expressions: {level: level, ts: ts, status: status, service: service}}
      - timestamp: {source: ts, format: RFC3339Nano}
      - labels: {level: , service: }
      - drop: {source: level, value: debug}`,
  // parse with two stages that count and annotate.
  more: `
      - cri: {}
      - json: {expressions: {level: level, ts: ts, status: status, service: service}}
      - timestamp: {source: ts, format: RFC3339Nano}
      - labels: {level: , service: }
      - structured_metadata: {status: }
      - metrics: {lines_total: {type: Counter, config: {match_all: true, action: inc}}}
      - drop: {source: level, value: debug}`,
};
const file = path.resolve(o.file),
  dir = fs.mkdtempSync(path.join(os.tmpdir(), "agent-bench-"));
const wc = cpuTimed(`wc -l < '${file}'`),
  lines = +wc.out;
const wanted =
  o.pipeline === "parse" || o.pipeline === "more" ? lines - +cpuTimed(`grep -c '"level":"debug"' '${file}' || true`).out : lines;
const grep = cpuTimed(`for i in 1 2 3 4 5 6 7 8; do LC_ALL=C grep -c nosuchneedle_zq '${file}' || true; done`);
grep.cpu /= 8; // one run is too short to time

const received = await sink();
fs.writeFileSync(
  path.join(dir, "promtail.yaml"),
  `
server: {http_listen_port: 0, grpc_listen_port: 0, http_listen_address: 127.0.0.1}
positions: {filename: ${dir}/positions.yaml}
clients: [{url: "http://127.0.0.1:${received.port}/loki/api/v1/push"}]
scrape_configs:
  - job_name: bench
    static_configs: [{targets: [localhost], labels: {job: bench, __path__: ${file}}}]
    pipeline_stages: ${PIPELINES[o.pipeline]}
`,
);
const [cmd, ...args] = o.agent.split(" "),
  t0 = Date.now();
const child = start(cmd, [...args, `-config.file=${dir}/promtail.yaml`], { log: path.join(dir, "log") });
let used = { cpu: 0, rss: 0 },
  before = -1,
  still = 0;
const alive = () => child.exitCode === null && Date.now() - t0 < +o.limit * 1000 && still < 200;
while (received.entries < wanted && alive()) {
  await sleep(100);
  still = received.entries === before ? still + 1 : 0;
  before = received.entries;
  const now = usage(child.pid);
  used = { cpu: Math.max(used.cpu, now.cpu), rss: Math.max(used.rss, now.rss) };
}
used.cpu = Math.max(used.cpu, usage(child.pid).cpu);
child.kill("SIGTERM");
await Promise.race([new Promise((r) => child.once("exit", r)), sleep(20_000).then(() => child.kill("SIGKILL"))]);

console.log(
  JSON.stringify({
    name: o.name,
    pipeline: o.pipeline,
    lines,
    wanted,
    received: received.entries,
    streams: received.labels.size,
    wall_s: +((received.last - t0) / 1000).toFixed(1),
    cpu_s: +used.cpu.toFixed(2),
    lines_per_cpu_s: Math.round(lines / used.cpu),
    mb_per_cpu_s: +(fs.statSync(file).size / 1e6 / used.cpu).toFixed(1),
    rss_mb: Math.round(used.rss),
    wire_mb: +(received.wire / 1e6).toFixed(1),
    wc_cpu_s: +wc.cpu.toFixed(3),
    grep_cpu_s: +grep.cpu.toFixed(3),
    times_grep: +(used.cpu / grep.cpu).toFixed(1),
  }),
);
received.close();
fs.rmSync(dir, { recursive: true, force: true });
process.exit(0);
