// Queries over a handful of entries, one line per case: entries as text, answers as text.

import { manualClock } from "../../../lib/runtime/clock.ts";
import type { MetadataPair } from "../../../lib/wire/entry-batch.ts";
import { parseLabels } from "../../../lib/wire/parse-labels.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import type { Page } from "../../../server/page.ts";
import { createQueryEngine, type QueryAnswer, type QueryEngine } from "../../../server/query/engine.ts";
import { formatGoFloat } from "../../../server/query/go-number.ts";
import { type QueryLimits, queryLimitsOf } from "../../../server/query/limits.ts";
import type { Direction } from "../../../server/query/plan.ts";
import { printResultLabels } from "../../../server/query/series-table.ts";
import { silentLog } from "../../silent-log.ts";
import { MemoryData } from "./memory-data.ts";

export const SECOND = 1_000_000_000n;
/** What a stream is made of: `[second, line]`, or with structured metadata. */
export type Line = readonly [second: number, line: string, metadata?: Readonly<Record<string, string>>];

export interface Asked {
  readonly data: MemoryData;
  readonly engine: QueryEngine;
  /** Lines of a log query over seconds [from, to). */
  lines(
    query: string,
    options?: { from?: number; to?: number; limit?: number; direction?: Direction; intervalS?: number },
  ): Promise<string[]>;
  /** `labels line` of each entry, so that labels show. */
  entries(query: string): Promise<string[]>;
  /** `labels value` of an instant query. */
  at(query: string, second: number): Promise<string[]>;
  /** `labels v1 v2 _` of a range query; `_` where there is no value. */
  over(query: string, from: number, to: number, step: number): Promise<string[]>;
}

export function ask(
  streams: Readonly<Record<string, readonly Line[]>>,
  options: {
    pageEntries?: number;
    limits?: Partial<QueryLimits>;
    nowMs?: number;
    shape?: (page: Page) => Page;
    tallyBytesMax?: number;
  } = {},
): Asked {
  const data = new MemoryData(options.pageEntries ?? 3, options.shape, options.tallyBytesMax);
  for (const [labels, lines] of Object.entries(streams)) {
    data.add(
      "t",
      parseLabels(labels),
      lines.map(([second, line, metadata]) => ({
        ns: BigInt(Math.round(second * 1e9)),
        line,
        ...(metadata === undefined ? {} : { metadata: Object.entries(metadata) as MetadataPair[] }),
      })),
    );
  }
  return askData(data, options);
}

export function askData(data: MemoryData, options: { limits?: Partial<QueryLimits>; nowMs?: number } = {}): Asked {
  const limits: QueryLimits = { ...queryLimitsOf(limitsSchema.parse({ max_query_length: "0s" })), ...options.limits };
  const engine = createQueryEngine({
    view: data,
    openReader: () => data.openReader(),
    limits: () => limits,
    clock: manualClock(options.nowMs ?? 1_000_000_000),
    log: silentLog,
  });
  const common = { tenants: ["t"], limit: 100, direction: "forward" as Direction };
  const entriesOf = async (
    query: string,
    o: { from?: number; to?: number; limit?: number; direction?: Direction; intervalS?: number } = {},
  ) => {
    const answer = await engine.range({
      ...common,
      query,
      startNs: BigInt(Math.round((o.from ?? 0) * 1e9)),
      endNs: BigInt(Math.round((o.to ?? 1000) * 1e9)),
      stepNs: SECOND,
      intervalNs: BigInt(o.intervalS ?? 0) * SECOND,
      limit: o.limit ?? common.limit,
      direction: o.direction ?? common.direction,
    });
    if (answer.data.type !== "streams") throw new Error(`${query} is no log query`);
    return answer.data.entries;
  };
  return {
    data,
    engine,
    lines: async (query, o) => (await entriesOf(query, o)).map(({ line }) => line),
    entries: async (query) => (await entriesOf(query)).map(({ line, labels }) => `${printResultLabels(labels.all)} ${line}`),
    at: async (query, second) => seriesText(await engine.instant({ ...common, query, timeNs: BigInt(Math.round(second * 1e9)) })),
    over: async (query, from, to, step) =>
      seriesText(
        await engine.range({
          ...common,
          query,
          startNs: BigInt(Math.round(from * 1e9)),
          endNs: BigInt(Math.round(to * 1e9)),
          stepNs: BigInt(Math.round(step * 1e9)),
          intervalNs: 0n,
        }),
      ),
  };
}

function seriesText({ data }: QueryAnswer): string[] {
  if (data.type === "scalar") return [formatGoFloat(data.value)];
  if (data.type === "streams") throw new Error("a metric query answers numbers");
  return data.series.map(({ labels, values, present }) => {
    const points = Array.from(values, (value, k) => (present[k] === 1 ? formatGoFloat(value) : "_"));
    return `${printResultLabels(labels)} ${points.join(" ")}`;
  });
}
