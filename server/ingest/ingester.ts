// The way of a push: judged stream by stream and entry by entry, what is accepted goes to storage in one piece, what is refused is
// counted and answered.

import { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import { createTurns, mapInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { lineStart, type PushColumns, type PushStream } from "../../lib/wire/push-columns.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { AcceptedPush } from "./accepted-push.ts";
import { Discards, type IngestMetrics } from "./ingest-metrics.ts";
import { createLevelFinder, DETECTED_LEVEL, keepOrNormalise, type LevelFinder } from "./levels.ts";
import { ownColumnBytes, prepare, withOwnColumns } from "./prepare.ts";
import { type KnownStream, TenantStreams } from "./tenant-streams.ts";
import {
  checkMetadata,
  checkTime,
  ingestionRateLimited,
  lineTooLong,
  type Rejection,
  Rejections,
  rfc3339,
  streamLimit,
  type TimeBounds,
  timeBounds,
  timeNotHeld,
} from "./validate.ts";

export interface IngesterOptions {
  readonly append: (tenant: string, push: AcceptedPush) => Promise<void>;
  readonly limitsOf: (tenant: string) => Limits;
  /** Entries older than the stream's newest by more than half of this are refused, as Loki does; 0 takes any age. */
  readonly maxChunkAgeMs: number;
  /** A stream not written for this long is no longer active. */
  readonly streamIdleMs: number;
  readonly maxStreamErrors: number;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
}

/** Reason of a body that is too large. */
export const TOO_LARGE = "request_body_too_large";

/** A push on its way through the checks. */
interface Judged {
  readonly push: PushColumns;
  readonly streams: readonly { readonly known: KnownStream; readonly stream: PushStream }[];
  /** 1 for each entry that is still accepted. */
  readonly keep: Uint8Array;
  readonly metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  readonly rejections: Rejections;
  readonly discards: Discards;
}

export class Ingester {
  readonly #options: IngesterOptions;
  readonly #tenants = new Map<string, TenantStreams>();
  readonly #levelFinders = new Map<string, LevelFinder>();
  readonly #pool = new BufferPool();

  constructor(options: IngesterOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every accepted entry is durable.
   *
   * @param options `discoverServiceName: false` leaves the labels as the push has them
   * @throws RequestError after the accepted part is durable, when entries were refused; or before, when the whole push is
   */
  async push(tenant: string, received: PushColumns, options: { readonly discoverServiceName?: boolean } = {}): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const limits = this.#options.limitsOf(tenant);
    refuseBlocked(tenant, received, limits, nowMs, this.#options.metrics);
    if (received.streams.length === 0) throw new RequestError(422, "error at least one valid stream is required for ingestion");

    // From here on others may use the kernels.
    const memory = this.#pool.take(ownColumnBytes(received));
    try {
      await this.#judgeAndAppend(tenant, withOwnColumns(received, memory), limits, nowMs, options.discoverServiceName);
    } finally {
      this.#pool.give(memory);
    }
  }

  async #judgeAndAppend(tenant: string, push: PushColumns, limits: Limits, nowMs: number, discoverServiceName?: boolean): Promise<void> {
    const streams = this.#streamsOf(tenant, limits, nowMs);
    const levels = this.#levelFinder(limits);
    const takeTurn = createTurns();
    const judged = await this.#judgeStreams(streams, push, levels, limits, nowMs, takeTurn, discoverServiceName);
    this.#count(tenant, judged);
    this.#holdRate(tenant, streams, judged, nowMs);
    const reply = await this.#holdStreams(tenant, streams, judged, nowMs, takeTurn);

    const accepted = acceptedPart(judged);
    if (accepted !== undefined) await this.#options.append(tenant, accepted);
    if (reply !== undefined) throw reply;
    const rejected = judged.rejections.answer();
    if (rejected !== undefined) throw rejected;
  }

  /** A body that is too large to be read is counted by its size on the wire: nobody knows what entries it had. */
  countTooLarge(tenant: string, bytes: number): void {
    this.#options.metrics.discarded(tenant, TOO_LARGE, 0, bytes);
  }

  #streamsOf(tenant: string, limits: Limits, nowMs: number): TenantStreams {
    let streams = this.#tenants.get(tenant);
    if (streams?.limits !== limits) this.#tenants.set(tenant, (streams = new TenantStreams(limits, nowMs)));
    return streams;
  }

  #levelFinder(limits: Limits): LevelFinder | undefined {
    if (!limits.discover_log_levels || !limits.allow_structured_metadata) return undefined;
    const key = `${limits.log_level_fields.join()}:${limits.log_level_from_json_max_depth}`;
    let finder = this.#levelFinders.get(key);
    if (finder === undefined)
      this.#levelFinders.set(key, (finder = createLevelFinder(limits.log_level_fields, limits.log_level_from_json_max_depth)));
    return finder;
  }

  /** Labels, times, sizes and metadata, as Loki's distributor checks them. */
  async #judgeStreams(
    streams: TenantStreams,
    received: PushColumns,
    levels: LevelFinder | undefined,
    limits: Limits,
    nowMs: number,
    takeTurn: TakeTurn,
    discoverServiceName?: boolean,
  ): Promise<Judged> {
    const known = await mapInTurns(received.streams, takeTurn, (stream) => ({
      stream,
      known: streams.stream(stream.labelsText, levels, discoverServiceName),
    }));
    const push = await prepare(received, limits, this.#options.metrics, takeTurn);
    const judged: Judged = {
      push,
      streams: known,
      keep: new Uint8Array(push.entryCount).fill(1),
      metadata: push.metadata === undefined && levels === undefined ? undefined : [...(push.metadata ?? [])],
      rejections: new Rejections(),
      discards: new Discards(),
    };
    const bounds = timeBounds(limits, nowMs);
    for (const { stream, known: judgedStream } of known) {
      if (stream.to === stream.from) continue;
      if (judgedStream.rejection !== undefined) {
        judged.rejections.add(judgedStream.rejection);
        judged.discards.add(judgedStream.rejection.reason, stream.to - stream.from, streamBytes(push, stream));
        judged.keep.fill(0, stream.from, stream.to);
      } else {
        for (const run of runsOf(stream)) {
          checkEntries(judged, judgedStream, run, bounds, limits);
          if (levels !== undefined) addLevels(judged, judgedStream, run, levels);
          const turn = takeTurn();
          if (turn instanceof Promise) await turn;
        }
        if (limits.increment_duplicate_timestamp) spreadDuplicates(push, stream);
      }
    }
    return judged;
  }

  #count(tenant: string, { push, metadata, discards }: Judged): void {
    let metadataBytes = 0;
    if (push.metadata !== undefined) metadata?.forEach((pairs) => (metadataBytes += metadataSize(pairs)));
    this.#options.metrics.received(tenant, push.entryCount, lineBytesOf(push), metadataBytes);
    discards.count(this.#options.metrics, tenant);
  }

  /** The tenant's ingestion rate: a push that does not fit is refused whole. */
  #holdRate(tenant: string, streams: TenantStreams, { push, keep, metadata }: Judged, nowMs: number): void {
    let bytes = 0;
    let lines = 0;
    for (let i = 0; i < push.entryCount; i++) {
      if (keep[i] === 0) continue;
      lines++;
      bytes += push.ends[i]! - lineStart(push.ends, i) + (metadata === undefined ? 0 : metadataSize(metadata[i]));
    }
    if (streams.ingestion.take(bytes, nowMs)) return;
    this.#options.metrics.discarded(tenant, "rate_limited", lines, bytes);
    const limited = ingestionRateLimited(tenant, streams.limits.ingestion_rate_mb * 1024 * 1024, lines, bytes);
    throw new RequestError(limited.status, limited.text, { reason: limited.reason });
  }

  /** Number of streams, rate and order per stream, as Loki's ingester checks them; its answer frames what it says of single entries. */
  async #holdStreams(
    tenant: string,
    streams: TenantStreams,
    judged: Judged,
    nowMs: number,
    takeTurn: TakeTurn,
  ): Promise<RequestError | undefined> {
    let reply: RequestError | undefined;
    for (const { stream, known } of judged.streams) {
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
      if (known.rejection !== undefined || !judged.keep.subarray(stream.from, stream.to).includes(1)) continue;
      const active = streams.activate(known.labels, nowMs, this.#options.streamIdleMs);
      if (active === undefined) {
        judged.keep.fill(0, stream.from, stream.to);
        this.#options.metrics.discarded(tenant, "stream_limit", stream.to - stream.from, streamBytes(judged.push, stream));
        const limit = streamLimit(tenant, known.labels.toString());
        reply ??= new RequestError(limit.status, limit.text, { reason: limit.reason });
        continue;
      }
      const bytes = streamBytes(judged.push, stream);
      const limits = streams.limits;
      if (limits.per_stream_rate_limit > 0 && !active.bucket.take(bytes, nowMs)) {
        const why = `Per stream rate limit exceeded (limit: ${printSize(limits.per_stream_rate_limit)}/sec) while attempting to ingest for stream '${known.labels}' totaling ${printSize(bytes)}, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased`;
        const ignored = range(stream.from, stream.to).filter((i) => judged.keep[i] === 1);
        const framed = this.#framed(
          429,
          "per_stream_rate_limit",
          tenant,
          known,
          stream,
          judged,
          ignored.map((i) => [i, why]),
        );
        reply ??= framed;
        judged.keep.fill(0, stream.from, stream.to);
        continue;
      }
      const behind = this.#tooFarBehind(judged, stream, active, limits.unordered_writes);
      if (behind.length > 0) {
        for (const [i] of behind) judged.keep[i] = 0;
        const reason = limits.unordered_writes ? "too_far_behind" : "out_of_order";
        const framed = this.#framed(400, reason, tenant, known, stream, judged, behind);
        reply ??= framed;
      }
    }
    return reply;
  }

  /** Entries older than the stream's newest by more than the window; of streams that must be in order, by anything. */
  #tooFarBehind(
    { push, keep }: Judged,
    stream: PushStream,
    active: { newestSec: number; newestNanos: number },
    unordered: boolean,
  ): [number, string][] {
    const window = unordered ? this.#options.maxChunkAgeMs / 2000 : 0;
    const behind: [number, string][] = [];
    for (let i = stream.from; i < stream.to; i++) {
      if (keep[i] === 0) continue;
      const sec = push.sec[i]!;
      const nanos = push.nanos[i]!;
      const oldest = active.newestSec - window;
      if ((window > 0 || !unordered) && (sec < oldest || (sec === oldest && nanos < active.newestNanos))) {
        behind.push([
          i,
          !unordered
            ? "entry out of order"
            : `entry too far behind, entry timestamp is: ${rfc3339(sec)}, oldest acceptable timestamp is: ${rfc3339(Math.floor(oldest))}`,
        ]);
      } else if (sec > active.newestSec || (sec === active.newestSec && nanos > active.newestNanos)) {
        active.newestSec = sec;
        active.newestNanos = nanos;
      }
    }
    return behind;
  }

  #framed(
    status: number,
    reason: string,
    tenant: string,
    known: KnownStream,
    stream: PushStream,
    { push }: Judged,
    ignored: readonly (readonly [number, string])[],
  ): RequestError {
    const lines = ignored
      .slice(0, this.#options.maxStreamErrors)
      .map(([i, why]) => `entry with timestamp ${goTime(push.sec[i]!, push.nanos[i]!)} ignored, reason: '${why}',\n`);
    const total = stream.to - stream.from;
    this.#options.metrics.discarded(
      tenant,
      reason,
      ignored.length,
      ignored.reduce((sum, [i]) => sum + push.ends[i]! - lineStart(push.ends, i), 0),
    );
    return new RequestError(
      status,
      `${lines.join("")}user '${tenant}', total ignored: ${ignored.length} out of ${total} for stream: ${known.labels}`,
      { reason },
    );
  }
}

function refuseBlocked(tenant: string, push: PushColumns, limits: Limits, nowMs: number, metrics: IngestMetrics): void {
  if (limits.block_ingestion_until === "" || Date.parse(limits.block_ingestion_until) <= nowMs) return;
  metrics.discarded(tenant, "blocked_ingestion", push.entryCount, lineBytesOf(push));
  const status = limits.block_ingestion_status_code;
  const until = rfc3339(Math.floor(Date.parse(limits.block_ingestion_until) / 1000));
  throw new RequestError(
    status,
    status === 200 ? "" : `ingestion blocked for user '${tenant}' until '${until}' with status code '${status}'`,
    { reason: "blocked_ingestion" },
  );
}

function checkEntries(
  { push, keep, metadata, rejections, discards }: Judged,
  known: KnownStream,
  stream: PushStream,
  bounds: TimeBounds,
  limits: Limits,
): void {
  const name = known.labels.toString();
  const mostBytes = limits.max_line_size > 0 ? limits.max_line_size : Number.POSITIVE_INFINITY;
  for (let i = stream.from; i < stream.to; i++) {
    const sec = push.sec[i]!;
    const lineBytes = push.ends[i]! - lineStart(push.ends, i);
    const farSec = push.farSeconds?.get(i);
    let rejection: Rejection | undefined;
    if (farSec !== undefined) rejection = checkTime(name, farSec, bounds) ?? timeNotHeld(name, farSec);
    else if (sec < bounds.oldestSec || sec > bounds.newestSec) rejection = checkTime(name, sec, bounds);
    else if (lineBytes > mostBytes) rejection = lineTooLong(name, lineBytes, mostBytes);
    else if (metadata?.[i] !== undefined && metadata[i]!.length > 0) rejection = checkMetadata(name, metadata[i]!, limits);
    if (rejection === undefined) continue;
    rejections.add(rejection);
    discards.add(rejection.reason, 1, lineBytes);
    keep[i] = 0;
  }
}

/** Entries that are looked at in one go. */
const RUN_ENTRIES = 1024;

/** A stream in parts. */
function* runsOf(stream: PushStream): Generator<PushStream> {
  for (let from = stream.from; from < stream.to; from += RUN_ENTRIES)
    yield { ...stream, from, to: Math.min(stream.to, from + RUN_ENTRIES) };
}

function spreadDuplicates(push: PushColumns, stream: PushStream): void {
  for (let i = stream.from + 1; i < stream.to; i++) {
    if (push.sec[i] !== push.sec[i - 1] || push.nanos[i] !== push.nanos[i - 1]) continue;
    push.nanos[i]!++;
    if (push.nanos[i]! >= 1e9) {
      push.nanos[i] = 0;
      push.sec[i]!++;
    }
  }
}

const levelPairs = new Map<string, readonly MetadataPair[]>();

function addLevels({ push, metadata }: Judged, known: KnownStream, stream: PushStream, levels: LevelFinder): void {
  const ofLines = known.level === undefined ? levels.ofLines(push, stream.from, stream.to) : undefined;
  for (let i = stream.from; i < stream.to; i++) {
    const pairs = metadata![i];
    if (pairs === undefined || pairs.length === 0) {
      metadata![i] = levelPair(known.level ?? ofLines![i - stream.from]!);
      continue;
    }
    const own = pairs.find(([name]) => name === DETECTED_LEVEL);
    if (own !== undefined) metadata![i] = pairs.map((pair) => (pair === own ? [DETECTED_LEVEL, keepOrNormalise(own[1])] : pair));
    else metadata![i] = [...pairs, [DETECTED_LEVEL, known.level ?? levels.ofMetadata(pairs) ?? ofLines![i - stream.from]!]];
  }
}

/** One shared list per level, so that entries without metadata of their own cost no allocation. */
function levelPair(level: string): readonly MetadataPair[] {
  let pairs = levelPairs.get(level);
  if (pairs === undefined) {
    pairs = [[DETECTED_LEVEL, level]];
    if (levelPairs.size < 1000) levelPairs.set(level, pairs);
  }
  return pairs;
}

function acceptedPart({ push, streams, keep, metadata }: Judged): AcceptedPush | undefined {
  const whole = !keep.includes(0);
  if (!whole && !keep.includes(1)) return undefined;
  if (push.entryCount === 0) return undefined;
  return {
    bytes: push.bytes,
    entryCount: push.entryCount,
    ends: push.ends,
    sec: push.sec,
    nanos: push.nanos,
    streams: streams
      .filter(({ stream }) => stream.to > stream.from)
      .map(({ stream, known }) => ({ labels: known.labels, from: stream.from, to: stream.to })),
    metadata,
    keep: whole ? undefined : keep,
  };
}

function metadataSize(pairs: readonly MetadataPair[] | undefined): number {
  let bytes = 0;
  if (pairs !== undefined) for (const [name, value] of pairs) if (name !== DETECTED_LEVEL) bytes += name.length + value.length;
  return bytes;
}

function streamBytes(push: PushColumns, { from, to }: PushStream): number {
  return to === from ? 0 : push.ends[to - 1]! - lineStart(push.ends, from) - (to - from - 1);
}

function lineBytesOf({ ends, entryCount }: PushColumns): number {
  return entryCount === 0 ? 0 : ends[entryCount - 1]! + 1 - entryCount;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Go's time.String of a UTC time. */
function goTime(sec: number, nanos: number): string {
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${new Date(sec * 1000).toISOString().slice(0, 19).replace("T", " ")}${fraction} +0000 UTC`;
}

/** Byte sizes as Loki's messages print them: 1024-based with a B, no space. */
function printSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${units[unit]}`;
}
