// The ruler's way to the query engine: an expression at a point in time, as samples.

import type { QueryData, QueryEngine } from "../query/engine.ts";
import { NO_LABELS, type ResultLabels } from "../query/series-table.ts";

export interface Sample {
  readonly labels: ResultLabels;
  readonly value: number;
}

/** @throws what the engine throws: QueryError, LogqlError */
export type RuleQuery = (tenant: string, expr: string, timeMs: number, signal: AbortSignal) => Promise<readonly Sample[]>;

const NS_PER_MS = 1_000_000n;

/** Queries in the process itself, under the tenant's limits and time-out. */
export function engineQuery(engine: Pick<QueryEngine, "instant">): RuleQuery {
  return async (tenant, query, timeMs, signal) => {
    const timeNs = BigInt(Math.round(timeMs)) * NS_PER_MS;
    const answer = await engine.instant({ tenants: [tenant], query, timeNs, limit: 0, direction: "forward", signal, tags: "source=ruler" });
    return samplesOf(answer.data);
  };
}

function samplesOf(data: QueryData): readonly Sample[] {
  if (data.type === "scalar") return [{ labels: NO_LABELS, value: data.value }];
  if (data.type !== "vector") throw new Error("rule result is not a vector or scalar");
  return data.series.map(({ labels, values }) => ({ labels: withoutEmpty(labels), value: values[0]! }));
}

/** Neither an alert nor a sample has labels without a value. */
function withoutEmpty({ names, values }: ResultLabels): ResultLabels {
  if (!values.includes("")) return { names, values };
  const kept = names.map((_, i) => i).filter((i) => values[i] !== "");
  return { names: kept.map((i) => names[i]!), values: kept.map((i) => values[i]!) };
}
