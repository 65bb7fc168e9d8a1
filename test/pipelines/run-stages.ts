// Runs pipeline stages over lines, for tests: YAML and lines in, entries out.

import { Registry } from "prom-client";
import { parseYaml } from "../../lib/runtime/config-file.ts";
import { EntryBatch as Batch, type EntryBatch, type MetadataPair, type Ticket } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { checkPipeline, compilePipeline, type PipelineContext } from "../../pipelines/compile.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";

export interface Entry {
  readonly line: string;
  readonly labels: Record<string, string>;
  readonly sec: number;
  readonly nanos: number;
  readonly metadata: readonly MetadataPair[];
}

export interface World extends PipelineContext {
  /** Milliseconds since 1970; tests move it. */
  nowMs: number;
  readonly registry: Registry;
  readonly drops: Map<string, number>;
  readonly said: string[];
}

/** A world that stands still at 2024-06-01T00:00:00Z until a test moves it. */
export function makeWorld(random: () => number = () => 0.5): World {
  const drops = new Map<string, number>();
  const said: string[] = [];
  const world: World = {
    nowMs: Date.UTC(2024, 5, 1),
    now: () => world.nowMs,
    random,
    registry: new Registry(),
    jobName: "test",
    drops,
    said,
    dropped: (reason, count = 1) => void drops.set(reason, (drops.get(reason) ?? 0) + count),
    debug: (_fields, text) => void said.push(text),
    warn: (_fields, text) => void said.push(text),
  };
  return world;
}

export function makePipeline(yaml: string, world: PipelineContext): Pipeline {
  return compilePipeline(parseYaml(yaml, "stages.yaml").value, world);
}

export interface BatchOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly source?: string;
  readonly sec?: number;
  readonly tickets?: Ticket[];
}

/** A batch as a file's reader makes it: lines in one block, each followed by a line feed. */
export function makeBatch(lines: readonly (string | Uint8Array)[], options: BatchOptions = {}): EntryBatch {
  const labels = LabelSet.fromObject(options.labels ?? {});
  const parts = lines.flatMap((line) => [typeof line === "string" ? Buffer.from(line) : line, Buffer.from("\n")]);
  const batch = new Batch(new Uint8Array(Buffer.concat(parts)), lines.length);
  let start = 0;
  for (const line of lines) {
    const end = start + (typeof line === "string" ? Buffer.byteLength(line) : line.length);
    batch.add(start, end, options.sec ?? 1_700_000_000, 0, labels);
    start = end + 1;
  }
  batch.source = options.source ?? "";
  batch.tickets = options.tickets ?? [];
  return batch;
}

export function entriesOf(batch: EntryBatch | undefined): Entry[] {
  if (batch === undefined) return [];
  return [...batch.live.subarray(0, batch.liveCount)].map((i) => ({
    line: batch.line(i),
    labels: batch.labels.get(i)!.toObject(),
    sec: batch.secondsOf(i),
    nanos: batch.nanos[i]!,
    metadata: batch.metadata?.[i] ?? [],
  }));
}

export interface RunOptions extends BatchOptions {
  readonly world?: World;
  /** Lines per batch; all in one when absent. */
  readonly perBatch?: number;
}

/** All entries that come out of the stages, held ones at the end. */
export function runStages(yaml: string, lines: readonly (string | Uint8Array)[], options: RunOptions = {}): Entry[] {
  const world = options.world ?? makeWorld();
  const pipeline = makePipeline(yaml, world);
  const perBatch = options.perBatch ?? Math.max(1, lines.length);
  const entries: Entry[] = [];
  for (let first = 0; first < lines.length; first += perBatch) {
    const batch = makeBatch(lines.slice(first, first + perBatch), options);
    pipeline.process(batch);
    entries.push(...entriesOf(batch));
  }
  entries.push(...entriesOf(pipeline.flush(world.now(), true)));
  return entries;
}

/** The time as RFC 3339, without trailing zeros in its fraction. */
export function timeOf({ sec, nanos }: Entry): string {
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return new Date(sec * 1000).toISOString().replace(".000Z", `${fraction}Z`);
}

/** The lines that come out. */
export function linesOut(yaml: string, lines: readonly (string | Uint8Array)[], options: RunOptions = {}): string[] {
  return runStages(yaml, lines, options).map(({ line }) => line);
}

/** The labels of the one entry that comes out. */
export function labelsOut(yaml: string, line: string, options: RunOptions = {}): Record<string, string> {
  return runStages(yaml, [line], options)[0]!.labels;
}

/** What the extracted data holds after the stages, as templates print it: `a=x b=<no value>`. */
export function extractedOut(yaml: string, line: string, names: readonly string[], options: RunOptions = {}): string {
  const template = names.map((name) => `${name}={{ index . "${name}" }}`).join(" ");
  return linesOut(`${yaml}\n- template: {source: _out, template: '${template}'}\n- output: {source: _out}`, [line], options)[0]!;
}

/** The faults of a configuration: `error path message`, one per line. */
export function faultsOf(yaml: string): string {
  return checkPipeline(parseYaml(yaml, "stages.yaml").value, [])
    .map(({ severity, path, message }) => `${severity} ${path.join(".")} ${message}`)
    .join("\n");
}
