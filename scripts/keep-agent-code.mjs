// Runs the built agent over a few thousand lines and keeps the byte code of what that compiled beside the bundle (agent-launcher.cjs reads
// it). Run by the build; to be run again where the files are used with another version of Node.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LINES = 4_000;
const GIVE_UP_MS = 20_000;

const folder = mkdtempSync(join(tmpdir(), "skald-build-"));
const line = (i) =>
  `2026-01-02T03:04:05.${String(i).padStart(9, "0")}Z stdout F {"level":"info","ts":"2026-01-02T03:04:05Z","status":200,"n":${i}}\n`;
writeFileSync(join(folder, "a.log"), Array.from({ length: LINES }, (_, i) => line(i)).join(""));

const pushed = new Promise((resolve) => {
  const sink = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(204).end();
      sink.close();
      setTimeout(resolve, 200);
    });
  }).listen(0, "127.0.0.1", () => {
    writeFileSync(
      join(folder, "agent.yaml"),
      `server: {http_listen_port: 0, http_listen_address: 127.0.0.1, log_level: error}
positions: {filename: ${folder}/positions.yaml}
clients: [{url: "http://127.0.0.1:${sink.address().port}/loki/api/v1/push", batchwait: 100ms}]
scrape_configs:
  - job_name: a
    pipeline_stages: [{cri: {}}, {json: {expressions: {level: level, ts: ts}}}, {timestamp: {source: ts, format: RFC3339}}, {labels: {level: }}]
    relabel_configs: [{source_labels: [job], target_label: app}]
    static_configs: [{targets: [localhost], labels: {job: a, __path__: "${folder}/*.log"}}]
`,
    );
    start().catch(fail);
  });
});
const timer = setTimeout(() => fail(new Error("the agent has pushed nothing")), GIVE_UP_MS);

let script;
async function start() {
  const agent = await import(new URL("../dist/agent/launch.cjs", import.meta.url).href);
  script = agent.default.script;
  await agent.default.main([`-config.file=${folder}/agent.yaml`]);
}

function fail(error) {
  process.stderr.write(`no byte code of the agent was kept: ${error.stack ?? error}\n`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}

await pushed;
clearTimeout(timer);
const file = new URL("../dist/agent/agent.cjs.code", import.meta.url);
const part = new URL("../dist/agent/agent.cjs.code.part", import.meta.url);
writeFileSync(part, script.createCachedData());
renameSync(part, file);
rmSync(folder, { recursive: true, force: true });
process.exit(0);
