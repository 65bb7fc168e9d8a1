// The patterns of recent lines by tenant, stream and level: learnt from each push, kept in files once a minute and at the end, forgotten
// after three hours. Killed, the server has not learnt from the last minute's lines; nothing else is lost.

import type { Matcher } from "../../lib/logql/ast.ts";
import { compileMatcher } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import { DETECTED_LEVEL } from "../ingest/levels.ts";
import { Budget } from "./budget.ts";
import { Drain } from "./drain.ts";
import { type KeptPatterns, readPatterns, removePatterns, writePatterns } from "./pattern-files.ts";
import { joinTokens } from "./tokens.ts";

const KEEP_MS = 3 * 3_600_000;
const PRUNE_EVERY_MS = 300_000;
/** A pattern of fewer lines is not answered. */
const LINES_MIN = 30;
/** Streams of a tenant that patterns are kept of, and levels of a stream: levels are texts of the clients. */
const STREAMS_MAX = 10_000;
const LEVELS_MAX = 16;
/** Lines from further ahead would be kept for longer than others. */
const AHEAD_MS = 3_600_000;
const TENANT_BYTES_MAX = 16 * 1024 * 1024;
const ALL_BYTES_MAX = 64 * 1024 * 1024;
const SAVE_EVERY_MS = 60_000;

export interface PatternStoreOptions {
  /** Where patterns outlive a restart. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface TenantPatterns {
  readonly streams: Map<LabelSet, Map<string, Drain>>;
  readonly budget: Budget;
  /** Learnt from, or pruned, since it was saved. */
  changed: boolean;
}

export interface PatternSeries {
  readonly pattern: string;
  readonly level: string;
  /** Lines by the start of their step, seconds since 1970, ascending. */
  readonly samples: readonly (readonly [sec: number, count: number])[];
}

export class PatternStore {
  readonly #tenants = new Map<string, TenantPatterns>();
  readonly #budget = new Budget(ALL_BYTES_MAX);
  readonly #options: PatternStoreOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #saving: Promise<void> | undefined;
  #prunedMs: number;

  private constructor(options: PatternStoreOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#prunedMs = options.clock.nowMs();
  }

  /** With what was learnt before a restart, as far as it is not too old. @throws the file system's error */
  static async open(options: PatternStoreOptions): Promise<PatternStore> {
    const store = new PatternStore(options);
    await readPatterns(options.folder, (tenant, labels, level) => store.#drainOf(tenant, labels, level), options.log);
    store.#prune(options.clock.nowMs());
    store.#saving = store.#saveNowAndThen();
    return store;
  }

  /** Saves what was learnt. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#saving;
    await this.#save();
  }

  /** Learns a push while its columns are valid. */
  learn(tenant: string, push: AcceptedPush): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#prunedMs > PRUNE_EVERY_MS) this.#prune(nowMs);
    const oldestSec = (nowMs - KEEP_MS) / 1000;
    const newestSec = (nowMs + AHEAD_MS) / 1000;
    const bytes = Buffer.from(push.bytes.buffer, push.bytes.byteOffset, push.bytes.length);
    for (const { labels, from, to } of push.streams) {
      for (let i = from; i < to; i++) {
        if (push.keep?.[i] === 0 || push.sec[i]! < oldestSec || push.sec[i]! > newestSec) continue;
        const level = push.metadata?.[i]?.find(([name]) => name === DETECTED_LEVEL)?.[1] ?? "unknown";
        this.#drainOf(tenant, labels, level)?.train(bytes.toString("utf8", lineStart(push.ends, i), push.ends[i]!), push.sec[i]!);
      }
    }
  }

  /** Patterns of the streams that satisfy the matchers, those of most lines first. @param stepSec of the samples */
  select(tenant: string, matchers: readonly Matcher[], range: { startSec: number; endSec: number; stepSec: number }): PatternSeries[] {
    const tests = matchers.map((matcher) => ({ name: matcher.name, test: compileMatcher(matcher) }));
    const found = new Map<string, { pattern: string; level: string; counts: Map<number, number>; total: number }>();
    for (const [labels, byLevel] of this.#tenants.get(tenant)?.streams ?? []) {
      if (!tests.every(({ name, test }) => test(labels.get(name)))) continue;
      for (const [level, drain] of byLevel) {
        for (const cluster of drain.clusters()) {
          if (cluster.size < LINES_MIN) continue;
          const pattern = joinTokens(cluster.tokens, cluster.layout);
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
    let patterns = this.#tenants.get(tenant);
    if (patterns === undefined) {
      patterns = { streams: new Map(), budget: new Budget(TENANT_BYTES_MAX, this.#budget), changed: true };
      this.#tenants.set(tenant, patterns);
    }
    patterns.changed = true;
    const { streams, budget } = patterns;
    let byLevel = streams.get(labels);
    if (byLevel === undefined) {
      if (streams.size >= STREAMS_MAX) return undefined;
      streams.set(labels, (byLevel = new Map()));
    }
    let drain = byLevel.get(level);
    if (drain === undefined) {
      if (byLevel.size >= LEVELS_MAX) return undefined;
      byLevel.set(level, (drain = new Drain(budget)));
    }
    return drain;
  }

  #prune(nowMs: number): void {
    this.#prunedMs = nowMs;
    for (const patterns of this.#tenants.values()) {
      for (const [labels, byLevel] of patterns.streams) {
        for (const [level, drain] of byLevel) {
          drain.prune((nowMs - KEEP_MS) / 1000);
          if (drain.isEmpty) byLevel.delete(level);
        }
        if (byLevel.size === 0) patterns.streams.delete(labels);
      }
      patterns.changed = true;
    }
  }

  async #saveNowAndThen(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#clock.sleep(SAVE_EVERY_MS, signal);
      if (!signal.aborted) await this.#save();
    }
  }

  /** A file that cannot be written is tried again with the next change. */
  async #save(): Promise<void> {
    const { folder, log } = this.#options;
    for (const [tenant, patterns] of this.#tenants) {
      if (!patterns.changed) continue;
      patterns.changed = false;
      try {
        if (patterns.streams.size > 0) {
          await writePatterns(folder, tenant, keptOf(patterns));
          continue;
        }
        this.#tenants.delete(tenant);
        await removePatterns(folder, tenant);
      } catch (error) {
        patterns.changed = true;
        log.warn({ folder, tenant, error: messageOf(error) }, "patterns cannot be saved: a restart would lose them");
      }
    }
  }
}

function* keptOf({ streams }: TenantPatterns): Generator<KeptPatterns> {
  for (const [labels, byLevel] of streams) for (const [level, drain] of byLevel) yield { labels, level, drain };
}
