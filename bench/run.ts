// `npm run bench`: agent and server measured beside public yardsticks in the same run; the table goes to bench/RESULTS.md.
// `npm run bench -- smoke`: the same on a small corpus, in under two minutes, printed only.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { measureStages } from "./micro/stages.ts";

interface Scale {
  readonly corpusMb: number;
  readonly agentLines: number;
  readonly serverMb: number;
  readonly pipelines: readonly string[];
}
const FULL: Scale = { corpusMb: 1200, agentLines: 400_000, serverMb: 800, pipelines: ["raw", "cri", "parse", "more"] };
const SMOKE: Scale = { corpusMb: 80, agentLines: 60_000, serverMb: 48, pipelines: ["cri", "parse"] };

interface AgentResult {
  readonly pipeline: string;
  readonly wanted: number;
  readonly received: number;
  readonly lines_per_cpu_s: number;
  readonly times_grep: number;
  readonly rss_mb: number;
  readonly wire_mb: number;
}
interface QueryResult {
  readonly wall_s: number;
  readonly cpu_s: number;
  readonly value: number | string;
  readonly truth?: number;
  readonly zstdgrep_cpu_s?: number;
  readonly times_zstdgrep?: number;
}
interface ServerResult {
  readonly ingest: Readonly<
    Record<"raw_mb" | "lines" | "rejected" | "cpu_s" | "mb_per_cpu_s" | "rss_mb" | "push_ms_p50" | "push_ms_p99", number>
  >;
  readonly disk_mb: number;
  readonly zstd3_mb: number;
  readonly disk_vs_zstd3: number;
  readonly query_rss_mb: number;
  readonly queries: Readonly<Record<string, QueryResult>>;
  /** By query: what twenty of it, one after the other, cost. */
  readonly in_a_row: Readonly<Record<string, { readonly rows: number; readonly cpu_s: number }>>;
}

const root = resolve(import.meta.dirname, "../..");
const measure = join(root, "bench/measure");
const skald = join(root, "dist/cli/skald.js");

const smoke = process.argv.includes("smoke");
const scale = smoke ? SMOKE : FULL;
const folder = corpus(scale);
const agents = scale.pipelines.map((pipeline) => measureAgent(folder, pipeline, scale));
const server = measureServer(folder, scale);
const stages = smoke ? [] : measureStages();
const table = render(agents, server, scale);
process.stdout.write(table);
if (!smoke) writeFileSync(join(root, "bench/RESULTS.md"), table);
const wrong = faults(agents, server);
for (const fault of wrong) process.stderr.write(`WRONG: ${fault}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;

/** The corpus of this size, made once and kept outside the tree. */
function corpus({ corpusMb, agentLines }: Scale): string {
  const made = join(process.env.SKALD_BENCH_CACHE ?? join(tmpdir(), "skald-bench"), `corpus-${corpusMb}`);
  const lines = join(made, `cri-${agentLines}.log`);
  if (existsSync(lines)) return made;
  mkdirSync(made, { recursive: true });
  execFileSync(process.execPath, [join(measure, "gencorpus.cjs"), made, String(corpusMb)], { stdio: "ignore" });
  execFileSync("bash", ["-c", `head -${agentLines} '${made}/cri.log' > '${lines}.tmp' && mv '${lines}.tmp' '${lines}'`]);
  return made;
}

function measureAgent(folder: string, pipeline: string, { agentLines }: Scale): AgentResult {
  return run("agent.mjs", [
    "--name",
    "skald",
    "--agent",
    `${process.execPath} ${skald} agent`,
    "--file",
    join(folder, `cri-${agentLines}.log`),
    "--pipeline",
    pipeline,
  ]) as AgentResult;
}

function measureServer(folder: string, { serverMb }: Scale): ServerResult {
  const work = mkdtempSync(join(tmpdir(), "skald-bench-"));
  const data = join(work, "data");
  mkdirSync(data);
  const config = join(work, "server.yaml");
  writeFileSync(config, readFileSync(join(measure, "loki-shaped.yaml"), "utf8").replaceAll("DATA", data));
  try {
    return run("server.mjs", [
      "--name",
      "skald-bench",
      "--server",
      `${process.execPath} ${skald} server -config.file=${config}`,
      "--data",
      data,
      "--corpus",
      folder,
      "--mb",
      String(serverMb),
    ]) as ServerResult;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(script: string, args: readonly string[]): unknown {
  const done = spawnSync(process.execPath, [join(measure, script), ...args], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (done.status !== 0) throw new Error(`${script} ended with status ${done.status}: ${done.stdout.slice(-500)}`);
  return JSON.parse(done.stdout);
}

/** What must hold at any speed: everything arrived, nothing was refused, every count is grep's. */
function faults(agents: readonly AgentResult[], { ingest, queries }: ServerResult): string[] {
  return [
    ...agents
      .filter(({ wanted, received }) => wanted !== received)
      .map(({ pipeline, wanted, received }) => `agent ${pipeline}: ${received} of ${wanted} entries arrived`),
    ...(ingest.rejected > 0 ? [`ingest: ${ingest.rejected} pushes were refused`] : []),
    ...Object.entries(queries)
      .filter(([, { truth, value }]) => truth !== undefined && truth !== value)
      .map(([name, { truth, value }]) => `query ${name}: ${value}, grep counts ${truth}`),
  ];
}

function render(agents: readonly AgentResult[], server: ServerResult, scale: Scale): string {
  const { ingest } = server;
  const corpusBytes = statSync(join(folder, `cri-${scale.agentLines}.log`)).size;
  return `# Benchmark results

${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores ${cpus()[0]?.model ?? ""}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}.
CPU is user and system time of the whole process tree; a multiple is against the yardstick in the same run. Made by \`npm run bench\`.

## Agent: ${scale.agentLines} CRI lines (${(corpusBytes / 1e6).toFixed(0)} MB) from file to a counting sink

\`parse\` is cri + json + timestamp + labels + drop, \`more\` the same with structured_metadata and metrics.

| pipeline | lines per CPU s | CPU ÷ \`grep -c\` | peak RSS MB | wire MB | entries |
|---|--:|--:|--:|--:|--:|
${agents.map((a) => `| ${a.pipeline} | ${a.lines_per_cpu_s} | ${a.times_grep} | ${a.rss_mb} | ${a.wire_mb} | ${a.received} of ${a.wanted} |`).join("\n")}

## Server: ${ingest.raw_mb} MB of lines, ${ingest.lines} entries, 80 streams, each push on disk before its 204

| | |
|---|--:|
| ingest and flush | ${ingest.cpu_s} CPU s, ${ingest.mb_per_cpu_s} MB per CPU s |
| push p50 / p99 | ${ingest.push_ms_p50} / ${ingest.push_ms_p99} ms |
| peak RSS while ingesting / after the queries | ${ingest.rss_mb} / ${server.query_rss_mb} MB |
| on disk after the flush | ${server.disk_mb} MB, ${server.disk_vs_zstd3} x \`zstd -3\` (${server.zstd3_mb} MB) |

| query | CPU s | wall s | CPU ÷ zstdcat\\|grep | answer | grep's |
|---|--:|--:|--:|--:|--:|
${Object.entries(server.queries)
  .map(([name, q]) => `| ${name} | ${q.cpu_s} | ${q.wall_s} | ${q.times_zstdgrep ?? ""} | ${q.value} | ${q.truth ?? ""} |`)
  .join("\n")}

| twenty times in a row | rows each | million rows per CPU s |
|---|--:|--:|
${Object.entries(server.in_a_row)
  .map(([query, { rows, cpu_s }]) => `| \`${query.replaceAll("|", "\\|")}\` | ${rows / 20} | ${(rows / 1e6 / cpu_s).toFixed(1)} |`)
  .join("\n")}
${stages.length === 0 ? "" : stageTable()}`;
}

function stageTable(): string {
  return `
## Stages: CPU of one stage on lines of about 300 bytes, what comes before it left out

| stage | ns per entry |
|---|--:|
${stages.map(({ name, ns }) => `| ${name} | ${ns.toFixed(0)} |`).join("\n")}
`;
}
