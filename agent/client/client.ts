// One endpoint: queues per tenant in front of it, and what its answers mean.

import { setMaxListeners } from "node:events";
import { kernels } from "../../lib/kernels/index.ts";
import { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { backoffMs } from "./backoff.ts";
import type { ClientMetrics, DropReason } from "./client-metrics.ts";
import { initHostMetrics, initTenantMetrics } from "./client-metrics.ts";
import type { ClientOptions, ClientsShared } from "./client-options.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { ClientDisk, DiskQueue } from "./disk-queue.ts";
import { createDropLog, type DropLog } from "./drop-log.ts";
import type { Grouping } from "./entry-grouping.ts";
import { compressRequest, type SealedBatch } from "./open-batch.ts";
import { halve, streamMessage, type TakenStream, takeApart } from "./push-body.ts";
import { type Refusal, refusedEntries } from "./refused-entries.ts";
import { type ResolvedStream, StreamLabels } from "./stream-labels.ts";
import { type Outcome, type SharedRoom, TenantQueue } from "./tenant-queue.ts";
import { type PushAnswer, Transport } from "./transport.ts";

/** Batches of a tenant in flight at most, none of which share a stream. */
const LANES = 4;
/** Bytes of lines of a tenant that may wait: eight batches, within these bounds. */
const ROOM_BYTES_MIN = 1024 * 1024;
const ROOM_BYTES_MAX = 32 * 1024 * 1024;
/** A client for which so much waits is full: half of what may be in flight of all files. */
const FULL_BYTES = 16 * 1024 * 1024;
/** Requests spent on finding the refused entries of one batch; the rest of it is dropped then. */
const BISECT_REQUESTS_MAX = 64;
/** Below this a server that has never accepted anything is refusing us, not an entry. */
const BISECT_BYTES_MIN = 1024;
/** What labels, metadata and times may add to the lines of a request of ours. */
const DECOMPRESSED_SLACK_BYTES = 64 * 1024 * 1024;

const QUEUE_DROPS = {
  stream_limited: "too many streams in one batch",
  queue_full: "an optional client has no room for what it has not sent",
};

/** What is sent in one request: a batch, or a part of one. */
interface Part {
  readonly body: Buffer;
  readonly entryCount: number;
  readonly lineBytes: number;
}

export class Client {
  readonly options: ClientOptions;
  readonly host: string;
  readonly #shared: ClientsShared;
  readonly #metrics: ClientMetrics;
  readonly #transport: Transport;
  readonly #labels: StreamLabels;
  readonly #queues = new Map<string, TenantQueue>();
  readonly #pool = new BufferPool();
  readonly #stop = new AbortController();
  readonly #drops: DropLog;
  readonly #deadLetters: DeadLetters | undefined;
  /** Of an optional client. */
  readonly #room: SharedRoom | undefined;
  readonly #disk: ClientDisk | undefined;
  /** Tenants from whom the server has accepted something. */
  readonly #accepted = new Set<string>();
  #draining = false;

  /** @param disk where batches wait when the client is behind; those that are there are sent first */
  constructor(options: ClientOptions, shared: ClientsShared, metrics: ClientMetrics, disk?: ClientDisk) {
    this.options = options;
    this.host = writtenHost(options.url);
    this.#shared = shared;
    this.#metrics = metrics;
    this.#transport = new Transport(options, shared);
    // Each batch on its way listens, of any number of tenants.
    setMaxListeners(0, this.#stop.signal);
    this.#labels = new StreamLabels(options.tenantId, options.externalLabels);
    this.#drops = createDropLog(shared.log, shared.clock, { client: options.name, host: this.host });
    this.#room = options.optional === true ? { bytes: 0 } : undefined;
    this.#disk = disk;
    this.#deadLetters = options.deadLetter && new DeadLetters(options.deadLetter, { client: options.name, metrics, ...shared });
    initHostMetrics(metrics, this.host);
    for (const tenant of disk?.tenants ?? []) this.#queue(tenant);
  }

  get isOptional(): boolean {
    return this.#room !== undefined;
  }

  /** Whether it can fall behind. */
  get hasDisk(): boolean {
    return this.#disk?.mayGrow === true;
  }

  /** Whether the remote refuses something that sources wait for. */
  get inTrouble(): boolean {
    return this.#some((queue) => queue.inTrouble && !queue.isBehind);
  }

  /** Whether sources wait for it, or soon will. */
  get isFull(): boolean {
    let waitingBytes = 0;
    for (const queue of this.#queues.values()) waitingBytes += queue.pendingBytes;
    return waitingBytes >= FULL_BYTES || this.#some((queue) => queue.isFull);
  }

  /** Whether some tenant's batches, or all that there might be, are taken without a way through the disk. */
  get goesDirect(): boolean {
    return this.#queues.size === 0 || this.#some((queue) => !queue.isBehind && !queue.inTrouble);
  }

  /** Puts on disk what sources wait for where the remote refuses it, or all that is more than there is room for. */
  fallBehind(): void {
    const { inTrouble } = this;
    for (const queue of this.#queues.values()) if (inTrouble ? queue.inTrouble : queue.pendingBytes > 0) queue.fallBehind();
  }

  /** To be called from time to time. */
  look(): void {
    for (const queue of this.#queues.values()) queue.look();
  }

  #some(holds: (queue: TenantQueue) => boolean): boolean {
    for (const queue of this.#queues.values()) if (holds(queue)) return true;
    return false;
  }

  /** Takes a batch's live entries as grouped by their labels; resolves when there is room for more. */
  take(batch: EntryBatch, grouping: Grouping): Promise<void> | void {
    const streams = grouping.labels.map((labels) => this.#labels.resolve(labels));
    this.#countMutations(grouping, streams);
    const tenants = new Set(streams.filter((_, slot) => grouping.isUsed[slot] === 1).map((stream) => stream.tenant));
    if (tenants.size === 1) return this.#add([...tenants][0]!, batch, grouping.picks, grouping.count, grouping.slots, streams);
    const waits: Promise<void>[] = [];
    for (const tenant of tenants) {
      const picks = grouping.picks.subarray(0, grouping.count).filter((i) => streams[grouping.slots[i]!]!.tenant === tenant);
      const wait = this.#add(tenant, batch, picks, picks.length, grouping.slots, streams);
      if (wait !== undefined) waits.push(wait);
    }
    if (waits.length > 0) return Promise.all(waits).then(() => {});
  }

  #add(
    tenant: string,
    batch: EntryBatch,
    picks: Int32Array,
    count: number,
    slots: Int32Array,
    streams: readonly ResolvedStream[],
  ): Promise<void> | void {
    return count === 0 ? undefined : this.#queue(tenant).add(batch, picks, count, slots, streams);
  }

  get isIdle(): boolean {
    return [...this.#queues.values()].every((queue) => queue.isIdle);
  }

  idle(): Promise<void> {
    return Promise.all([...this.#queues.values()].map((queue) => queue.idle())).then(() => {});
  }

  drain(): Promise<void> {
    this.#draining = true;
    return Promise.all([...this.#queues.values()].map((queue) => queue.drain())).then(() => {});
  }

  /** Cuts what is in flight. What was not acknowledged keeps its tickets: its sources' positions stay before it. */
  stopNow(): void {
    this.#stop.abort();
    for (const [tenant, queue] of this.#queues) {
      const { entryCount, lineBytes } = queue.stop();
      if (this.isOptional && entryCount > 0) this.#drop(tenant, "shutdown", entryCount, lineBytes, "not sent before the end");
    }
    this.#transport.close();
    this.#drops.close();
  }

  observe(): void {
    for (const [tenant, queue] of this.#queues) this.#metrics.pendingBytes.set({ client: this.options.name, tenant }, queue.pendingBytes);
    this.#disk?.observe();
  }

  #queue(tenant: string): TenantQueue {
    const known = this.#queues.get(tenant);
    if (known !== undefined) return known;
    initTenantMetrics(this.#metrics, this.host, tenant, this.isOptional);
    const { batchBytes, batchWaitMs } = this.options;
    const roomBytes = Math.min(ROOM_BYTES_MAX, Math.max(ROOM_BYTES_MIN, batchBytes * 8));
    const queue = new TenantQueue(
      {
        batchBytes,
        batchWaitMs,
        streamsMax: this.#shared.maxStreams,
        roomBytes,
        lanes: LANES,
        optional: this.#room,
        disk: this.#diskOf(tenant),
      },
      {
        deliver: (batch, onTrouble) => this.#deliver(batch, tenant, onTrouble),
        onDropped: (reason, count, bytes) => this.#drop(tenant, reason, count, bytes, QUEUE_DROPS[reason]),
        nowMs: () => this.#shared.clock.nowMs(),
      },
      this.#pool,
    );
    this.#queues.set(tenant, queue);
    if (this.#draining) void queue.drain();
    return queue;
  }

  #diskOf(tenant: string): DiskQueue | undefined {
    return this.#disk?.queue(tenant, (entryCount, bytes, text) => this.#drop(tenant, "backlog_unreadable", entryCount, bytes, text));
  }

  async #deliver(batch: SealedBatch, tenant: string, onTrouble: () => void): Promise<Outcome> {
    this.#metrics.encodedBytes.inc({ host: this.host }, batch.body.length);
    const answer = await this.#sendUntilAnswered(batch, tenant, onTrouble);
    if (answer === undefined) return "kept";
    if (isSuccess(answer.status)) {
      this.#accepted.add(tenant);
      this.#sent(batch, batch.entryCount);
      return "done";
    }
    const partial = ignoredOf(answer, batch.entryCount);
    if (partial !== undefined) {
      this.#sent(batch, batch.entryCount - partial);
      await this.#dropUnnamed(partial, batch, tenant, answer);
    } else if (this.#mayBisect(batch, tenant, answer)) return this.#bisect(batch, tenant, answer, onTrouble);
    else await this.#dropPart(batch, tenant, answer);
    return isRetryable(answer.status) ? "given up" : "failed";
  }

  /** Sends again while that may help. Undefined: the client was stopped before there was an answer that counts. */
  async #sendUntilAnswered(part: Part, tenant: string, onTrouble: () => void): Promise<PushAnswer | undefined> {
    const { backoff, dropRateLimitedBatches } = this.options;
    const { clock, random } = this.#shared;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#sendOnce(part, tenant, clock);
      if (isSuccess(answer.status)) return answer;
      if (this.#stop.signal.aborted) return undefined;
      if (!isRetryable(answer.status) || (answer.status === 429 && dropRateLimitedBatches)) return answer;
      onTrouble();
      this.#metrics.batchRetries.inc({ host: this.host, tenant });
      this.#drops.retrying(tenant, describeAnswer(answer), attempt);
      if (backoff.retriesMax !== 0 && attempt >= backoff.retriesMax) return answer;
      await clock.sleep(backoffMs(attempt, backoff, random, answer.retryAfterMs), this.#stop.signal);
      if (this.#stop.signal.aborted) return undefined;
    }
  }

  async #sendOnce(part: Part, tenant: string, clock: Clock): Promise<PushAnswer> {
    const startedMs = clock.nowMs();
    const answer = await this.#transport.push(part.body, tenant, this.#stop.signal);
    const seconds = (clock.nowMs() - startedMs) / 1000;
    this.#metrics.requestDuration.observe({ host: this.host, status_code: String(answer.status) }, seconds);
    return answer;
  }

  #mayBisect(batch: Part, tenant: string, { status }: PushAnswer): boolean {
    if (status !== 400 && status !== 413) return false;
    return batch.entryCount > 1 && (this.#accepted.has(tenant) || batch.lineBytes >= BISECT_BYTES_MIN);
  }

  /** Halves a refused batch until the refused entries stand alone; only they are dropped. Order within streams is kept. */
  async #bisect(batch: SealedBatch, tenant: string, refusal: PushAnswer, onTrouble: () => void): Promise<Outcome> {
    const work: TakenStream[][] = halve(streamsOf(batch)).reverse();
    let last = refusal;
    for (let sent = 0; work.length > 0; sent++) {
      const streams = work.pop()!;
      const { part, buffer } = this.#partOf(streams);
      if (sent >= BISECT_REQUESTS_MAX) {
        await this.#dropPart(part, tenant, last);
        this.#pool.give(buffer);
        continue;
      }
      const answer = await this.#sendUntilAnswered(part, tenant, onTrouble);
      if (answer === undefined) return "kept";
      const ignored = isSuccess(answer.status) ? 0 : ignoredOf(answer, part.entryCount);
      if (ignored !== undefined) {
        this.#accepted.add(tenant);
        this.#sent(part, part.entryCount - ignored);
        if (ignored > 0) await this.#dropUnnamed(ignored, part, tenant, answer);
      } else if (part.entryCount > 1 && (answer.status === 400 || answer.status === 413)) {
        work.push(...halve(streams).reverse());
        last = answer;
      } else await this.#dropPart(part, tenant, answer);
      this.#pool.give(buffer);
    }
    return "failed";
  }

  #partOf(streams: readonly TakenStream[]): { readonly part: Part; readonly buffer: Buffer } {
    const { body, buffer } = compressRequest(streams.map(streamMessage), this.#pool);
    const lineBytes = streams.reduce((sum, { entries }) => entries.reduce((inner, { length }) => inner + length, sum), 0);
    return { part: { body, entryCount: countEntries(streams), lineBytes }, buffer };
  }

  #sent(part: Part, entryCount: number): void {
    this.#metrics.sentBytes.inc({ host: this.host }, part.body.length);
    this.#metrics.sentEntries.inc({ host: this.host }, entryCount);
  }

  async #dropPart(part: Part, tenant: string, answer: PushAnswer): Promise<void> {
    const reason = answer.status === 429 ? "rate_limited" : "ingester_error";
    this.#drop(tenant, reason, part.entryCount, part.body.length, describeAnswer(answer));
    await this.#deadLetters?.write(refusedEntries(streamsOf(part), this.#refusal(tenant, reason, answer)));
  }

  /** A server that has stored the rest of a part says how many entries it has not, and not which. */
  async #dropUnnamed(entryCount: number, part: Part, tenant: string, answer: PushAnswer): Promise<void> {
    this.#drop(tenant, "ingester_error", entryCount, 0, describeAnswer(answer));
    await this.#deadLetters?.write([{ ...this.#refusal(tenant, "ingester_error", answer), entries: entryCount, of: part.entryCount }]);
  }

  #refusal(tenant: string, reason: DropReason, { status, message }: PushAnswer): Refusal {
    return { time: new Date(this.#shared.clock.nowMs()).toISOString(), tenant, reason, status, message };
  }

  #drop(tenant: string, reason: DropReason, entryCount: number, bytes: number, text: string): void {
    const labels = { host: this.host, reason, tenant };
    this.#metrics.droppedEntries.inc(labels, entryCount);
    this.#metrics.droppedBytes.inc(labels, bytes);
    this.#drops.dropped(tenant, reason, entryCount, text);
  }

  /** Lines beyond the largest size were dropped or cut before, once for all clients; each counts them. */
  #countMutations(grouping: Grouping, streams: readonly ResolvedStream[]): void {
    for (const { index, bytes, cutBytes } of grouping.tooLong) {
      const tenant = streams[grouping.slots[index]!]!.tenant;
      if (cutBytes === 0) {
        this.#drop(tenant, "line_too_long", 1, bytes, `line of ${bytes} bytes exceeds max_line_size`);
        continue;
      }
      const labels = { host: this.host, reason: "line_too_long", tenant };
      this.#metrics.mutatedEntries.inc(labels);
      this.#metrics.mutatedBytes.inc(labels, cutBytes);
    }
  }
}

/** Host and port as they are written, a port that goes without saying included. */
function writtenHost(url: string): string {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "";
  return authority.slice(authority.lastIndexOf("@") + 1);
}

/** A part taken apart again. */
function streamsOf(part: Part): TakenStream[] {
  return takeApart(kernels.snappyDecompress(part.body, part.lineBytes * 2 + DECOMPRESSED_SLACK_BYTES).slice());
}

function countEntries(streams: readonly TakenStream[]): number {
  return streams.reduce((sum, stream) => sum + stream.entries.length, 0);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

function isRetryable(status: number): boolean {
  return status < 0 || status === 429 || (status >= 500 && status <= 599);
}

function describeAnswer({ status, message }: PushAnswer): string {
  return status < 0 ? message : `server returned HTTP status ${status}: ${message}`;
}

/** A server that has stored the rest says how many entries it ignored ("total ignored: 2 out of 100"). */
function ignoredOf({ status, message }: PushAnswer, entryCount: number): number | undefined {
  if (status !== 400) return undefined;
  const match = /total ignored: (\d+) out of (\d+)/.exec(message);
  if (match === null) return undefined;
  const ignored = Number(match[1]);
  return ignored <= entryCount ? ignored : undefined;
}
