// Runs a case through the pipeline that production runs, in a world where time and chance stand still. Each line is a batch of its own,
// so that entries and drops are known in the order in which they happen.

import { seededRandom } from "../../lib/runtime/clock.ts";
import { Registry } from "../../lib/runtime/metrics.ts";
import type { GoTime } from "../../lib/text/go-time.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { parseLabels } from "../../lib/wire/parse-labels.ts";
import { compilePipeline } from "../../pipelines/compile.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";
import { printMetrics } from "../agent-metrics.ts";
import { TENANT_LABEL } from "../client/stream-labels.ts";
import type { TestSuite } from "./load.ts";
import type { Step, TestCase } from "./schema.ts";

/** When a case does not say what time it is: 2024-01-01T00:00:00Z. */
const NOW_DEFAULT_MS = Date.UTC(2024, 0, 1);
const SEED = 1;
/** A stage may make the reader wait (`limit`); more than this and the case would never end. */
const DELAY_ROUNDS_MAX = 1_000;

export interface Entry {
  readonly kind: "entry";
  readonly line: string;
  /** Without the tenant's. */
  readonly labels: Readonly<Record<string, string>>;
  readonly sec: number;
  readonly nanos: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Empty: the client's own. */
  readonly tenant: string;
  /** Did a stage set another time than that of reading? */
  readonly timed: boolean;
}

export interface Drop {
  readonly kind: "drop";
  readonly reason: string;
}

export interface Outcome {
  /** What came out and what was dropped, in order. */
  readonly events: readonly (Entry | Drop)[];
  /** By `metricKey`. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** @throws ConfigError for stages that cannot be built, such as one whose database is missing */
export async function runCase(suite: TestSuite, testCase: TestCase): Promise<Outcome> {
  const run = new CaseRun(suite, testCase);
  for (const step of testCase.lines) run.take(step);
  run.end();
  return { events: run.events, metrics: readMetrics(await printMetrics(run.registry)) };
}

class CaseRun {
  readonly events: (Entry | Drop)[] = [];
  readonly registry = new Registry();
  readonly #pipeline: Pipeline;
  readonly #labels: Readonly<Record<string, string>>;
  #nowMs: number;
  /** When lines were read; an entry with another time got it from a stage. */
  readonly #readTimes = new Set<string>();
  /** Of the clock's time, what is finer than a millisecond; nanoseconds. */
  readonly #fineNs: number;

  constructor({ stages, jobName, test }: TestSuite, { labels, now = test.now }: TestCase) {
    this.#labels = { ...test.labels, ...labels };
    this.#nowMs = now === undefined ? NOW_DEFAULT_MS : now.sec * 1000 + Math.floor(now.nanos / 1e6);
    this.#fineNs = now === undefined ? 0 : now.nanos % 1e6;
    const nothing = (): void => {};
    this.#pipeline = compilePipeline(stages, {
      now: () => this.#nowMs,
      random: seededRandom(SEED),
      registry: this.registry,
      jobName,
      dropped: (reason, count = 1) => {
        for (let n = 0; n < count; n++) this.events.push({ kind: "drop", reason });
      },
      debug: nothing,
      warn: nothing,
    });
  }

  take(step: Step): void {
    if (step.wait !== undefined) return this.#wait(step.wait);
    for (let round = 0; round < DELAY_ROUNDS_MAX; round++) {
      const delayMs = this.#pipeline.delayMs(this.#nowMs);
      if (delayMs <= 0) break;
      this.#wait(delayMs);
    }
    const batch = this.#batchOf(step);
    this.#pipeline.process(batch);
    this.#collect(batch);
  }

  /** The target ends: what stages hold comes out. */
  end(): void {
    this.#collect(this.#pipeline.flush(this.#nowMs, true));
  }

  #wait(ms: number): void {
    this.#nowMs += ms;
    this.#collect(this.#pipeline.flush(this.#nowMs, false));
  }

  #batchOf({ line = "", labels, file }: Step): EntryBatch {
    const all = { ...this.#labels, ...(file === undefined ? {} : { filename: file }), ...labels };
    const batch = new EntryBatch(new Uint8Array(0), 1);
    const { sec, nanos } = this.#now();
    this.#readTimes.add(`${sec}.${nanos}`);
    batch.setTime(batch.addText(line, 0, 0, LabelSet.fromObject(all)), sec, nanos);
    batch.source = file ?? "";
    return batch;
  }

  #now(): Pick<GoTime, "sec" | "nanos"> {
    const sec = Math.floor(this.#nowMs / 1000);
    return { sec, nanos: Math.round((this.#nowMs - sec * 1000) * 1e6) + this.#fineNs };
  }

  #collect(batch: EntryBatch | undefined): void {
    if (batch === undefined) return;
    for (const i of batch.live.subarray(0, batch.liveCount)) {
      const [sec, nanos] = [batch.secondsOf(i), batch.nanos[i]!];
      this.events.push({
        kind: "entry",
        line: batch.line(i),
        labels: batch.labels.get(i)!.without(TENANT_LABEL).toObject(),
        sec,
        nanos,
        metadata: Object.fromEntries(batch.metadata?.[i] ?? []),
        tenant: batch.labels.get(i)!.get(TENANT_LABEL),
        timed: !this.#readTimes.has(`${sec}.${nanos}`),
      });
    }
  }
}

/** The name of a metric as it is compared: labels sorted. @throws LabelsError */
export const metricKey = (written: string): string => String(parseLabels(written));

/** What the exposition format says, by `metricKey`. */
function readMetrics(exposition: string): Map<string, number> {
  const metrics = new Map<string, number>();
  for (const line of exposition.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    metrics.set(metricKey(line.slice(0, at)), Number(line.slice(at + 1).replace("Inf", "Infinity")));
  }
  return metrics;
}
