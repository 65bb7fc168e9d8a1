// Nanoseconds per entry and stage, on generated Kubernetes log lines: CRI form around JSON of about 300 bytes.
//
//   npm run build && node dist/bench/micro/stages.js

import { Registry } from "prom-client";
import { BLOCK_ROOM_BYTES } from "../../agent/tail/read-blocks.ts";
import { allocateWords, kernels } from "../../lib/kernels/index.ts";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { EntryBatch, makeColumns } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { compilePipeline } from "../../pipelines/compile.ts";

const BATCH_ENTRIES = 860;
const ROUNDS = 400;
const WARM_UP_ROUNDS = 60;
const LABELS = LabelSet.fromObject({
  job: "kubernetes-pods",
  namespace: "shop",
  pod: "cart-7d4b9c-x2x4z",
  filename: "/var/log/pods/a/0.log",
});

const JSON_STAGE = { json: { expressions: { level: "", ts: "", msg: "", status: "" } } };
const TIMESTAMP = { timestamp: { source: "ts", format: "RFC3339Nano" } };
const FOUR = [JSON_STAGE, TIMESTAMP, { labels: { level: "" } }, { drop: { source: "level", value: "debug" } }];

/** The stage measured comes last; what it costs is the difference to the stages before it. */
const MEASURED: readonly (readonly [name: string, before: readonly object[], stages: readonly object[]])[] = [
  ["(empty pipeline)", [], []],
  ["cri", [], [{ cri: {} }]],
  ["docker", [], [{ docker: {} }]],
  ["json, 4 keys", [{ cri: {} }], [JSON_STAGE]],
  ["json, nested path", [{ cri: {} }], [{ json: { expressions: { id: "http.request.id" } } }]],
  ["timestamp RFC3339Nano", [{ cri: {} }, JSON_STAGE], [TIMESTAMP]],
  ["timestamp RFC3339Nano (cri's)", [{ cri: {} }], [{ timestamp: { source: "time", format: "RFC3339Nano" } }]],
  ["labels, 1", [{ cri: {} }, JSON_STAGE], [{ labels: { level: "" } }]],
  ["labels, 2", [{ cri: {} }, JSON_STAGE], [{ labels: { level: "", status: "" } }]],
  ["drop by value", [{ cri: {} }, JSON_STAGE], [{ drop: { source: "level", value: "debug" } }]],
  ["drop by expression on the line", [{ cri: {} }], [{ drop: { expression: "nosuchtext" } }]],
  ["drop by expression, prefix", [{ cri: {} }], [{ drop: { expression: "^nosuch.*text" } }]],
  ["json+timestamp+labels+drop", [{ cri: {} }], FOUR],
  ["output", [{ cri: {} }, JSON_STAGE], [{ output: { source: "msg" } }]],
  ["static_labels", [{ cri: {} }], [{ static_labels: { env: "prod", region: "eu" } }]],
  ["labeldrop", [{ cri: {} }], [{ labeldrop: ["filename"] }]],
  ["structured_metadata", [{ cri: {} }, JSON_STAGE], [{ structured_metadata: { status: "" } }]],
  [
    "match, all, static label",
    [{ cri: {} }],
    [{ match: { selector: '{job="kubernetes-pods"}', stages: [{ static_labels: { a: "b" } }] } }],
  ],
  ["match by text, drop", [{ cri: {} }], [{ match: { selector: '{job="kubernetes-pods"} |= "nosuch"', action: "drop" } }]],
  ["regex, 3 groups", [{ cri: {} }], [{ regex: { expression: '"level":"(?P<l>\\w+)".*"status":(?P<s>\\d+),"path":"(?P<p>[^"]*)"' } }]],
  ["logfmt, 3 keys", [], [{ logfmt: { mapping: { level: "", status: "", path: "" } } }]],
  ["multiline", [{ cri: {} }], [{ multiline: { firstline: "^\\{" } }]],
  ["metrics, counter", [{ cri: {} }], [{ metrics: { lines: { type: "Counter", config: { match_all: true, action: "inc" } } } }]],
  ["pack", [{ cri: {} }], [{ pack: { labels: ["pod"] } }]],
  ["template", [{ cri: {} }, JSON_STAGE], [{ template: { source: "level", template: "{{ ToUpper .Value }}" } }]],
  ["replace", [{ cri: {} }], [{ replace: { expression: "(10\\.\\d+\\.\\d+\\.\\d+)", replace: "x" } }]],
  ["decolorize", [{ cri: {} }], [{ decolorize: {} }]],
];

type Form = "cri" | "docker" | "logfmt";

function makeLines(form: Form): Uint8Array {
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let text = "";
  for (let i = 0; i < BATCH_ENTRIES; i++) {
    const time = `2024-06-01T10:${String(i % 60).padStart(2, "0")}:${String((i * 7) % 60).padStart(2, "0")}.${String(i * 1_001).padStart(9, "0")}Z`;
    const level = pick(["info", "info", "info", "info", "warn", "error", "debug"]);
    const request = `"http":{"request":{"id":"${Math.floor(random() * 2 ** 40).toString(16)}","method":"GET"}}`;
    const line = `{"level":"${level}","ts":"${time}","msg":"request served in ${i % 90} ms","status":${pick([200, 200, 200, 404, 500])},"path":"/api/v1/items/${i}","ip":"10.1.2.${i % 250}",${request},"user":"u${i % 97}","bytes":${i * 13},"trace":"${"0123456789abcdef".repeat(2)}"}`;
    if (form === "cri") text += `${time} ${random() < 0.1 ? "stderr" : "stdout"} F ${line}\n`;
    else if (form === "docker") text += `${JSON.stringify({ log: `${line}\n`, stream: "stdout", time })}\n`;
    else
      text += `ts=${time} level=${level} msg="request served in ${i % 90} ms" status=200 path=/api/v1/items/${i} user=u${i % 97} bytes=${i * 13}\n`;
  }
  // Where the agent has what it reads, and with the room behind it.
  const block = kernels.allocate(BLOCK_ROOM_BYTES);
  block.set(Buffer.from(text));
  return block.subarray(0, Buffer.byteLength(text));
}

/** As the agent's, they serve batch after batch. */
const COLUMNS = makeColumns(BATCH_ENTRIES, allocateWords);

function makeBatch(lines: Uint8Array, starts: Int32Array, ends: Int32Array): EntryBatch {
  const block = new Uint8Array(lines.buffer, lines.byteOffset, BLOCK_ROOM_BYTES);
  const batch = new EntryBatch(block, COLUMNS, lines.length);
  batch.count = BATCH_ENTRIES;
  batch.starts.set(starts);
  batch.ends.set(ends);
  batch.sec.fill(1_717_236_000);
  batch.labels.fill(LABELS, BATCH_ENTRIES);
  for (let i = 0; i < BATCH_ENTRIES; i++) batch.live[i] = i;
  batch.liveCount = BATCH_ENTRIES;
  return batch;
}

/** Nanoseconds of CPU per entry. */
function measure(stages: readonly object[], block: Uint8Array): number {
  const pipeline = compilePipeline(stages, {
    now: Date.now,
    random: Math.random,
    registry: new Registry(),
    jobName: "bench",
    dropped: () => {},
    debug: () => {},
    warn: () => {},
  });
  const starts = new Int32Array(BATCH_ENTRIES);
  const ends = new Int32Array(BATCH_ENTRIES);
  for (let i = 0, at = 0; i < BATCH_ENTRIES; i++) {
    starts[i] = at;
    ends[i] = block.indexOf(10, at);
    at = ends[i]! + 1;
  }
  const run = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) pipeline.process(makeBatch(block, starts, ends));
  };
  run(WARM_UP_ROUNDS);
  let best = Number.POSITIVE_INFINITY;
  for (let part = 0; part < 5; part++) {
    const begun = process.cpuUsage();
    run(ROUNDS / 5);
    const { user, system } = process.cpuUsage(begun);
    best = Math.min(best, ((user + system) * 1_000) / ((ROUNDS / 5) * BATCH_ENTRIES));
  }
  return best;
}

/** Of each stage, or of those whose name contains the text: nanoseconds of CPU per entry, what comes before it left out. */
export function measureStages(only = ""): { readonly name: string; readonly ns: number }[] {
  const criBlock = makeLines("cri");
  const blocks: Readonly<Record<string, Uint8Array>> = { docker: makeLines("docker"), "logfmt, 3 keys": makeLines("logfmt") };
  return MEASURED.filter(([name]) => name.includes(only)).map(([name, before, stages]) => {
    const block = blocks[name] ?? criBlock;
    const without = measure(before, block);
    return { name, ns: stages.length === 0 ? without : measure([...before, ...stages], block) - without };
  });
}

if (process.argv[1]?.endsWith("stages.js")) {
  for (const { name, ns } of measureStages(process.argv[2])) console.log(`${name.padEnd(34)} ${ns.toFixed(0).padStart(6)}`);
}
