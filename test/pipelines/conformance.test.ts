// The recorded cases about stages, run in this process: stages, labels and lines in, entries and metrics out, compared by the runner's
// own rules. Each runs twice: all lines in one batch, and each line in a batch of its own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Counter } from "prom-client";
import { afterAll, describe, expect, test } from "vitest";
import { parseYaml } from "../../lib/runtime/config-file.ts";
import { checkPipeline } from "../../pipelines/compile.ts";
import { type Entry, entriesOf, makeBatch, makePipeline, makeWorld } from "./run-stages.ts";

const CASES = new URL("../conformance/agent/", import.meta.url);
const TOPICS = [
  ...["cri", "decolorize", "docker", "drop", "eventlogmessage", "geoip", "json", "labelallow", "labeldrop", "labels", "limit"],
  ...["logfmt", "match", "metrics", "multiline", "output", "pack", "recipes", "regex", "replace", "sampling", "static_labels"],
  ...["structured_metadata", "template", "tenant", "timestamp"],
];

type Line = string | { readonly repeat: string; readonly times: number; readonly prefix?: string; readonly suffix?: string };
interface Case {
  readonly id: string;
  readonly stages?: string;
  readonly labels?: Record<string, string>;
  readonly lines?: readonly Line[];
  readonly raw?: string;
  readonly files?: Record<string, { readonly raw?: string; readonly text?: string }>;
  readonly client?: string;
  readonly observe?: { readonly metrics?: string; readonly http?: object };
  readonly order?: string;
  readonly expected: Facts;
  readonly better_expected?: Facts;
}
interface Facts {
  readonly entries?: unknown[];
  readonly metrics?: string[];
  readonly error?: string;
  readonly accepted?: boolean;
}
interface Run {
  readonly dir: string;
  readonly began: number;
  readonly ended: number;
}
/** The runner's functions that turn what came out into facts, and compare them. */
interface Judge {
  entryFacts(entries: object[], testCase: Case, run: Run): object[];
  byStream(entries: object[], testCase: Case): object[];
  metricFacts(exposition: string, testCase: Case, run: Run): string[];
  compareFacts(expected: Facts, actual: Facts): string[];
}

const judge: Judge = {
  ...((await import(new URL("lib/facts.mjs", CASES).href)) as Judge),
  ...((await import(new URL("lib/compare.mjs", CASES).href)) as Judge),
};

/** The reader of MaxMind databases is an optional package. */
const readsGeoip = ((): boolean => {
  try {
    createRequire(import.meta.url).resolve("mmdb-lib");
    return true;
  } catch {
    return false;
  }
})();

const dir = mkdtempSync(join(tmpdir(), "stages-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function load(topic: string): Case[] {
  return JSON.parse(readFileSync(new URL(`cases/${topic}.json`, CASES), "utf8")) as Case[];
}

function linesOf({ lines, raw }: Case): Uint8Array[] {
  if (raw === undefined) {
    return lines!.map((line) =>
      Buffer.from(typeof line === "string" ? line : (line.prefix ?? "") + line.repeat.repeat(line.times) + (line.suffix ?? "")),
    );
  }
  const bytes = Buffer.from(raw, "base64");
  const out: Uint8Array[] = [];
  for (let start = 0, end = bytes.indexOf(10); end >= 0; start = end + 1, end = bytes.indexOf(10, start))
    out.push(bytes.subarray(start, end));
  return out;
}

async function run(testCase: Case, perBatch: number): Promise<Facts> {
  const began = Date.now();
  const world = makeWorld();
  world.nowMs = began;
  const dropped = new Counter({ name: "logentry_dropped_lines_total", help: "-", labelNames: ["reason"], registers: [world.registry] });
  const context = { ...world, dropped: (reason: string, count = 1) => dropped.inc({ reason }, count) };
  for (const [name, file] of Object.entries(testCase.files ?? {})) writeFileSync(join(dir, name), Buffer.from(file.raw!, "base64"));
  const pipeline = makePipeline(testCase.stages!.replaceAll("$dir", dir), context);

  const labels = { job: "app", filename: `${dir}/${testCase.id}.log`, ...testCase.labels };
  const lines = linesOf(testCase);
  const entries: Entry[] = [];
  for (let first = 0; first < lines.length; first += perBatch) {
    const batch = makeBatch(lines.slice(first, first + perBatch), { labels, sec: Math.floor(began / 1000) });
    pipeline.process(batch);
    entries.push(...entriesOf(batch));
  }
  entries.push(...entriesOf(pipeline.flush(began + 5_000, false)));
  entries.push(...entriesOf(pipeline.flush(began + 5_000, true)));

  const runFacts = { dir, began, ended: Date.now() };
  const defaultTenant = /tenant_id: (\S+)/.exec(testCase.client ?? "")?.[1] ?? "";
  // The client sends lines as UTF-8, with U+FFFD for what is none.
  const sent = entries.map(({ line, labels: all, sec, nanos, metadata }) => {
    const { __tenant_id__: tenant = defaultTenant, ...rest } = all;
    return { labels: rest, line: Buffer.from(line), seconds: sec, nanos, metadata: metadata.map((pair) => [...pair]), tenant };
  });
  const metrics = judge.metricFacts(await world.registry.metrics(), testCase, runFacts);
  return {
    entries: judge.byStream(judge.entryFacts(sent, testCase, runFacts), testCase),
    ...((metrics.length > 0 || testCase.observe?.metrics !== undefined) && { metrics }),
  };
}

for (const topic of TOPICS) {
  describe(topic, () => {
    for (const testCase of load(topic)) {
      if (testCase.stages === undefined || testCase.expected.accepted === true || testCase.expected.error !== undefined) continue;
      // A case where Promtail is wrong says what is right.
      const { http: _, ...wanted } = { http: undefined, ...(testCase.better_expected ?? testCase.expected) };
      const expected = wanted.entries === undefined ? wanted : { ...wanted, entries: judge.byStream(wanted.entries as object[], testCase) };
      if ((expected as Facts).error !== undefined) continue;
      for (const perBatch of [1_000, 1]) {
        test.skipIf(topic === "geoip" && !readsGeoip)(`${testCase.id}, ${perBatch} a batch`, async () => {
          const actual = await run(testCase, perBatch);
          expect(judge.compareFacts(expected, actual)).toEqual([]);
        });
      }
    }
  });
}

/** We start with what Promtail starts with, and warn: these have no effect and do no harm. */
const WARNED = new Set(["invalid-regex-no-named-group", "invalid-regex-unknown-key", "invalid-cri-unknown-key"]);

describe("invalid", () => {
  for (const testCase of [...load("invalid"), ...load("geoip")]) {
    const wanted = testCase.better_expected ?? testCase.expected;
    if (testCase.stages === undefined || (wanted.error === undefined && wanted.accepted !== true)) continue;
    test(testCase.id, () => {
      const issues = checkPipeline(parseYaml(testCase.stages!, "stages.yaml").value, ["pipeline_stages"]);
      const errors = issues.filter(({ severity }) => severity === "error").map(({ path, message }) => `${path.join(".")} ${message}`);
      if (WARNED.has(testCase.id)) {
        expect(errors).toEqual([]);
        expect(issues.length).toBe(1);
      } else expect(judge.compareFacts(wanted, errors.length > 0 ? { error: errors.join("\n") } : { accepted: true })).toEqual([]);
    });
  }
});
