// The recorded answers of Loki 3.7.8, asked of the engine in this process: data sets and pushes go into memory, parameters and JSON through
// the real parsers and printers.

import { readdirSync } from "node:fs";
import { manualClock } from "../../../lib/runtime/clock.ts";
import type { MetadataPair } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { PushBuilder } from "../../../lib/wire/push-columns.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { queryJson } from "../../../server/http/query-json.ts";
import { parseInstantParams, parseRangeParams } from "../../../server/http/query-params.ts";
import { createLevelFinder, keepOrNormalise } from "../../../server/ingest/levels.ts";
import { withServiceName } from "../../../server/ingest/tenant-streams.ts";
import { metadataName } from "../../../server/ingest/validate.ts";
import { createQueryEngine, type QueryEngine } from "../../../server/query/engine.ts";
import { queryLimitsOf } from "../../../server/query/limits.ts";
import { silentLog } from "../../silent-log.ts";
import { MemoryData, type TestEntry } from "./memory-data.ts";

export interface RecordedStep {
  readonly request: {
    readonly query?: string;
    readonly query_range?: string;
    readonly with?: Record<string, string>;
    readonly headers?: Record<string, string>;
  };
  readonly expected: { readonly status: number };
  readonly compare?: object;
}

export interface RecordedCase extends RecordedStep {
  readonly id: string;
  readonly tenant?: string;
  readonly given?: readonly RecordedStream[];
  readonly then?: readonly RecordedStep[];
  readonly loki_bug?: string;
}

interface RecordedStream {
  readonly labels: Record<string, string>;
  readonly entries?: readonly (readonly [string, string, Record<string, string>?])[];
  readonly count?: number;
  readonly first?: number;
  readonly every?: number;
  readonly line?: string;
}

export interface RecordedFile {
  readonly topic: string;
  readonly config?: string;
  readonly tenant?: string;
  readonly dataset?: string;
  readonly setup?: readonly { readonly tenant?: string; readonly streams: readonly RecordedStream[] }[];
  readonly cases: readonly RecordedCase[];
}

const HERE = new URL("../../conformance/server/", import.meta.url);
const { datasetStreams } = (await import(new URL("lib/dataset.mjs", HERE).href)) as {
  datasetStreams: (name: string, perPush: number) => RecordedStream[][];
};
const { expandTimes } = (await import(new URL("lib/time.mjs", HERE).href)) as { expandTimes: <T>(value: T) => T };
const { differences, normalise } = (await import(new URL("lib/compare.mjs", HERE).href)) as {
  differences: (expected: object, given: object, rules: object) => string[];
  normalise: (answer: object, rules: object) => object;
};
const { loadCaseFiles } = (await import(new URL("lib/cases.mjs", HERE).href)) as {
  loadCaseFiles: (places: string[]) => { content: RecordedFile }[];
};

export function recordedFiles(): RecordedFile[] {
  const folder = new URL("cases/", HERE);
  return loadCaseFiles(readdirSync(folder).map((name) => new URL(name, folder).pathname)).map(({ content }) => content);
}

/** The requests of a case that the engine answers by itself. */
export function isQuery({ request }: RecordedStep): boolean {
  return request.query !== undefined || request.query_range !== undefined;
}

const limits = limitsSchema.parse({ reject_old_samples: false, max_query_series: 5000, max_query_length: "0s" });
const levels = createLevelFinder(limits.log_level_fields, limits.log_level_from_json_max_depth);
/** After all data and all queries. */
const NOW_MS = Date.UTC(2026, 1, 1);

export class RecordedServer {
  readonly #data: MemoryData;
  readonly #engine: QueryEngine;
  /** Level detection is off in the configuration for tenants' pushes of retyped cases. */
  readonly #detects: boolean;

  constructor(file: RecordedFile, pageEntries: number) {
    this.#data = new MemoryData(pageEntries);
    this.#detects = file.tenant !== "plain";
    this.#engine = createQueryEngine({
      view: this.#data,
      openReader: () => this.#data.openReader(),
      limits: () => queryLimitsOf(limits),
      clock: manualClock(NOW_MS),
      log: silentLog,
    });
    if (file.dataset !== undefined) for (const batch of datasetStreams(file.dataset, 500)) this.push("fake", batch);
    for (const { tenant, streams } of file.setup ?? []) this.push(tenant ?? file.tenant ?? "fake", streams);
  }

  push(tenant: string, streams: readonly RecordedStream[]): void {
    for (const stream of expandTimes(streams)) {
      const given = LabelSet.fromObject(stream.labels);
      const labels = this.#detects ? withServiceName(given, limits.discover_service_name) : given;
      const entries =
        stream.entries ??
        Array.from({ length: stream.count! }, (_, i) => [expandTimes(`T+${stream.first! + i * stream.every!}`), stream.line!] as const);
      this.#data.add(
        tenant,
        labels,
        entries.map(([ns, line, metadata]) => this.#entry(labels, ns, line, metadata)),
      );
    }
  }

  #entry(labels: LabelSet, ns: string, line: string, metadata: Record<string, string> | undefined): TestEntry {
    const pairs: MetadataPair[] = Object.entries(metadata ?? {}).map(([name, value]) => [metadataName(name), value]);
    if (this.#detects && !pairs.some(([name]) => name === "detected_level")) pairs.push(["detected_level", levelOf(labels, pairs, line)]);
    else if (this.#detects)
      pairs.splice(
        0,
        pairs.length,
        ...pairs.map(([name, value]): MetadataPair => [name, name === "detected_level" ? keepOrNormalise(value) : value]),
      );
    return { ns: BigInt(ns), line, ...(pairs.length > 0 ? { metadata: pairs } : {}) };
  }

  /** What is wrong with the engine's answer to a step; empty when nothing is. */
  async differences(step: RecordedStep, rules: object, tenant: string): Promise<string[]> {
    const answer = await this.answer(step, tenant);
    return differences(step.expected, normalise(answer, rules), rules);
  }

  async answer({ request }: RecordedStep, tenant: string): Promise<object> {
    const params = new URLSearchParams(expandTimes({ query: request.query ?? request.query_range!, ...request.with }));
    const flags = request.headers?.["x-loki-response-encoding-flags"]?.split(",") ?? [];
    try {
      const common = { tenants: [tenant] };
      const answer =
        request.query === undefined
          ? await this.#engine.range({ ...common, ...parseRangeParams(params, NOW_MS) })
          : await this.#engine.instant({ ...common, ...parseInstantParams(params, NOW_MS) });
      return { status: 200, json: JSON.parse([...queryJson(answer, flags)].join("")) as object };
    } catch (error) {
      const { name, message, status } = error as Error & { status?: number };
      if (name !== "QueryError" && name !== "LogqlError") return { status: 500, text: (error as Error).stack };
      return { status: status ?? 400, text: message };
    }
  }
}

function levelOf(labels: LabelSet, pairs: readonly MetadataPair[], line: string): string {
  const builder = new PushBuilder();
  builder.beginStream("{}");
  builder.add(0, 0, line, undefined);
  return levels.ofLabels(labels) ?? levels.ofMetadata(pairs) ?? levels.ofLines(builder.finish(), 0, 1)[0]!;
}
