// What a pipeline's taps cost when nobody watches: the same pipeline with and without them, measured in turn.
//
//   npm run build && node dist/bench/micro/tap.js

import { Registry } from "prom-client";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { compilePipeline } from "../../pipelines/compile.ts";
import { compileTapped } from "../../pipelines/tap.ts";

const BATCH_ENTRIES = 860;
const ROUNDS = 100;
const TURNS = 60;
const LABELS = LabelSet.fromObject({ job: "app" });
const LINE = `2024-06-01T10:00:00.123456789Z stdout F {"level":"info","ts":"2024-06-01T10:00:00Z","msg":"served","pad":"${"x".repeat(180)}"}`;
const STAGES = [
  { cri: {} },
  { json: { expressions: { level: "", ts: "" } } },
  { timestamp: { source: "ts", format: "RFC3339Nano" } },
  { labels: { level: "" } },
  { drop: { source: "level", value: "debug" } },
];
const WORLD = { now: Date.now, random: Math.random, jobName: "bench", dropped: () => {}, debug: () => {}, warn: () => {} };

const block = new Uint8Array(Buffer.from(`${LINE}\n`.repeat(BATCH_ENTRIES)));
const lineBytes = LINE.length + 1;

function makeBatch(): EntryBatch {
  const batch = new EntryBatch(block, BATCH_ENTRIES);
  for (let i = 0; i < BATCH_ENTRIES; i++) batch.add(i * lineBytes, (i + 1) * lineBytes - 1, 0, 0, LABELS);
  return batch;
}

const contenders = {
  "without taps": compilePipeline(STAGES, { ...WORLD, registry: new Registry() }),
  "with idle taps": compileTapped(STAGES, { ...WORLD, registry: new Registry() }),
};
const bestNs = new Map<string, number>();
for (let turn = 0; turn < TURNS; turn++) {
  for (const [name, pipeline] of Object.entries(contenders)) {
    const begun = process.cpuUsage();
    for (let round = 0; round < ROUNDS; round++) pipeline.process(makeBatch());
    const { user, system } = process.cpuUsage(begun);
    bestNs.set(name, Math.min(bestNs.get(name) ?? Number.POSITIVE_INFINITY, ((user + system) * 1_000) / (ROUNDS * BATCH_ENTRIES)));
  }
}
console.log(`${BATCH_ENTRIES} entries a batch, ${LINE.length} bytes each; ns of CPU per entry, best of ${TURNS}\n`);
for (const [name, ns] of bestNs) console.log(`${name.padEnd(16)} ${ns.toFixed(1).padStart(7)}`);
