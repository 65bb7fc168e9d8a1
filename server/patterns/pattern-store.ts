// The patterns of recent lines by tenant, stream and level, in memory: learnt from each push, forgotten after three hours.

import type { Matcher } from "../../lib/logql/ast.ts";
import { compileMatcher } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import { DETECTED_LEVEL } from "../ingest/levels.ts";
import { Drain } from "./drain.ts";

const KEEP_MS = 3 * 3_600_000;
const PRUNE_EVERY_MS = 300_000;
/** A pattern of fewer lines is not answered. */
const LINES_MIN = 30;
/** Streams of a tenant that patterns are kept of. */
const STREAMS_MAX = 10_000;

export interface PatternSeries {
  readonly pattern: string;
  readonly level: string;
  /** Lines by the start of their step, seconds since 1970, ascending. */
  readonly samples: readonly (readonly [sec: number, count: number])[];
}

export class PatternStore {
  readonly #tenants = new Map<string, Map<LabelSet, Map<string, Drain>>>();
  readonly #clock: Clock;
  #prunedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#prunedMs = clock.nowMs();
  }

  /** Learns a push while its columns are valid. */
  learn(tenant: string, push: AcceptedPush): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#prunedMs > PRUNE_EVERY_MS) this.#prune(nowMs);
    const oldestSec = (nowMs - KEEP_MS) / 1000;
    const bytes = Buffer.from(push.bytes.buffer, push.bytes.byteOffset, push.bytes.length);
    for (const { labels, from, to } of push.streams) {
      for (let i = from; i < to; i++) {
        if (push.keep?.[i] === 0 || push.sec[i]! < oldestSec) continue;
        const level = push.metadata?.[i]?.find(([name]) => name === DETECTED_LEVEL)?.[1] ?? "unknown";
        this.#drainOf(tenant, labels, level)?.train(bytes.toString("utf8", lineStart(push.ends, i), push.ends[i]!), push.sec[i]!);
      }
    }
  }

  /** Patterns of the streams that satisfy the matchers, those of most lines first. @param stepSec of the samples */
  select(tenant: string, matchers: readonly Matcher[], range: { startSec: number; endSec: number; stepSec: number }): PatternSeries[] {
    const tests = matchers.map((matcher) => ({ name: matcher.name, test: compileMatcher(matcher) }));
    const found = new Map<string, { pattern: string; level: string; counts: Map<number, number>; total: number }>();
    for (const [labels, byLevel] of this.#tenants.get(tenant) ?? []) {
      if (!tests.every(({ name, test }) => test(labels.get(name)))) continue;
      for (const [level, drain] of byLevel) {
        for (const cluster of drain.clusters()) {
          if (cluster.size < LINES_MIN) continue;
          const pattern = cluster.join(cluster.tokens);
          const key = `${level}\u0000${pattern}`;
          let series = found.get(key);
          if (series === undefined) found.set(key, (series = { pattern, level, counts: new Map(), total: 0 }));
          for (const [sec, count] of cluster.samples) {
            if (sec < range.startSec || sec > range.endSec) continue;
            const at = Math.floor(sec / range.stepSec) * range.stepSec;
            series.counts.set(at, (series.counts.get(at) ?? 0) + count);
            series.total += count;
          }
        }
      }
    }
    return [...found.values()]
      .filter(({ total }) => total > 0)
      .sort((a, b) => b.total - a.total)
      .map(({ pattern, level, counts }) => ({ pattern, level, samples: [...counts].sort(([a], [b]) => a - b) }));
  }

  #drainOf(tenant: string, labels: LabelSet, level: string): Drain | undefined {
    let streams = this.#tenants.get(tenant);
    if (streams === undefined) this.#tenants.set(tenant, (streams = new Map()));
    let byLevel = streams.get(labels);
    if (byLevel === undefined) {
      if (streams.size >= STREAMS_MAX) return undefined;
      streams.set(labels, (byLevel = new Map()));
    }
    let drain = byLevel.get(level);
    if (drain === undefined) byLevel.set(level, (drain = new Drain()));
    return drain;
  }

  #prune(nowMs: number): void {
    this.#prunedMs = nowMs;
    for (const streams of this.#tenants.values()) {
      for (const [labels, byLevel] of streams) {
        for (const [level, drain] of byLevel) {
          drain.prune((nowMs - KEEP_MS) / 1000);
          if (drain.isEmpty) byLevel.delete(level);
        }
        if (byLevel.size === 0) streams.delete(labels);
      }
    }
  }
}
