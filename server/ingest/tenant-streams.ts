// What ingest remembers of a tenant: label texts it has seen, its rate limit, and its active streams.

import { LabelSet } from "../../lib/wire/labels.ts";
import { DuplicateLabel, LabelsError, parseLabels } from "../../lib/wire/parse-labels.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { LevelFinder } from "./levels.ts";
import { TokenBucket } from "./rate-limit.ts";
import { checkLabels, duplicateLabel, type Rejection } from "./validate.ts";

/** Label texts remembered per tenant; past this the memory is emptied and filled anew. */
const TEXTS_MAX = 50_000;

/** A stream as a push names it, judged once. */
export interface KnownStream {
  readonly labels: LabelSet;
  readonly rejection: Rejection | undefined;
  /** detected_level of its labels, when they name one. */
  readonly level: string | undefined;
}

/** A stream that was written lately. */
export interface ActiveStream {
  lastSeenMs: number;
  newestSec: number;
  newestNanos: number;
  readonly bucket: TokenBucket;
}

export class TenantStreams {
  readonly #known = new Map<string, KnownStream>();
  readonly #active = new Map<LabelSet, ActiveStream>();
  readonly ingestion: TokenBucket;
  readonly #limits: Limits;

  constructor(limits: Limits, nowMs: number) {
    this.#limits = limits;
    const mb = 1024 * 1024;
    this.ingestion = new TokenBucket(limits.ingestion_rate_mb * mb, limits.ingestion_burst_size_mb * mb, nowMs);
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** @throws RequestError 400 for text that is not a label set: the whole push is refused then, as Loki does */
  stream(text: string, levels: LevelFinder | undefined, discoverServiceName = true): KnownStream {
    const key = discoverServiceName ? text : `as named ${text}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const stream = this.#judge(text, levels, discoverServiceName ? this.#limits.discover_service_name : []);
    if (this.#known.size >= TEXTS_MAX) this.#known.clear();
    this.#known.set(key, stream);
    return stream;
  }

  #judge(text: string, levels: LevelFinder | undefined, discover: readonly string[]): KnownStream {
    try {
      const labels = withServiceName(parseLabels(text), discover);
      return { labels, rejection: checkLabels(labels, this.#limits), level: levels?.ofLabels(labels) };
    } catch (error) {
      if (error instanceof LabelsError)
        throw new RequestError(400, `couldn't parse labels: ${error.message}`, { reason: "invalid_labels" });
      if (!(error instanceof DuplicateLabel)) throw error;
      const pairs = discover.length > 0 ? [...error.pairs, ["service_name", "unknown_service"] as const] : error.pairs;
      return { labels: LabelSet.EMPTY, rejection: duplicateLabel(pairs, error.label), level: undefined };
    }
  }

  /** The active stream of these labels; undefined when the tenant may not have another. */
  activate(labels: LabelSet, nowMs: number, idleMs: number): ActiveStream | undefined {
    const active = this.#active.get(labels);
    if (active !== undefined) {
      active.lastSeenMs = nowMs;
      return active;
    }
    const most = Math.min(...[this.#limits.max_global_streams_per_user, this.#limits.max_streams_per_user].filter((limit) => limit > 0));
    if (this.#active.size >= most) {
      this.#forgetIdle(nowMs - idleMs);
      if (this.#active.size >= most) return undefined;
    }
    const created: ActiveStream = {
      lastSeenMs: nowMs,
      newestSec: Number.NEGATIVE_INFINITY,
      newestNanos: 0,
      bucket: new TokenBucket(this.#limits.per_stream_rate_limit, this.#limits.per_stream_rate_limit_burst, nowMs),
    };
    this.#active.set(labels, created);
    return created;
  }

  #forgetIdle(beforeMs: number): void {
    for (const [labels, { lastSeenMs }] of this.#active) if (lastSeenMs < beforeMs) this.#active.delete(labels);
  }
}

/** service_name, from the first label of the list that is there (reference server-features §1.3 "service_name"). */
export function withServiceName(labels: LabelSet, from: readonly string[]): LabelSet {
  if (from.length === 0 || labels.has("service_name") || labels.has("__aggregated_metric__")) return labels;
  const source = from.find((name) => labels.has(name));
  return labels.with("service_name", source === undefined ? "unknown_service" : labels.get(source));
}
