// How long a stream is kept. In this order (reference §3.2): the tenant's own `retention_stream` rules, the global ones, the tenant's own
// `retention_period`, the global one. Among rules that match, the highest priority wins, and of equal ones the shortest period.

import { compileMatchers, parseMatchers } from "../../lib/logql/index.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";

interface Rule {
  readonly accepts: (labels: LabelSet) => boolean;
  readonly priority: number;
  readonly periodMs: number;
}

type RetentionLimits = Pick<Limits, "retention_period" | "retention_stream">;

/** Periods in milliseconds; infinite: for ever. */
export interface Retention {
  readonly periodMsOf: (labels: LabelSet) => number;
  readonly shortestMs: number;
  readonly longestMs: number;
}

/**
 * @param own the tenant's limits, overrides applied
 * @param global limits_config
 * @returns undefined when no entry of the tenant ever gets too old
 */
export function retentionOf(own: RetentionLimits, global: RetentionLimits): Retention | undefined {
  const rules = [...rulesOf(own), ...(own.retention_stream === global.retention_stream ? [] : rulesOf(global))];
  const defaultMs = forEverWhenZero(own.retention_period);
  const periodsMs = [defaultMs, ...rules.map(({ periodMs }) => periodMs)];
  const shortestMs = Math.min(...periodsMs);
  if (shortestMs === Number.POSITIVE_INFINITY) return undefined;
  return {
    periodMsOf: (labels) => rules.find(({ accepts }) => accepts(labels))?.periodMs ?? defaultMs,
    shortestMs,
    longestMs: Math.max(...periodsMs),
  };
}

/** The rule that wins first. */
function rulesOf({ retention_stream }: RetentionLimits): Rule[] {
  return retention_stream
    .map(
      ({ selector, priority, period }): Rule => ({
        accepts: compileMatchers(parseMatchers(selector)),
        priority,
        periodMs: forEverWhenZero(period),
      }),
    )
    .sort((a, b) => b.priority - a.priority || a.periodMs - b.periodMs);
}

function forEverWhenZero(periodMs: number): number {
  return periodMs > 0 ? periodMs : Number.POSITIVE_INFINITY;
}
