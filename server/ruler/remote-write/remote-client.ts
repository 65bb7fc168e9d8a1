// Sends a tenant's samples to one remote: in order, one request at a time, from the queue on disk. A remote that is away is asked again
// and again; what it refuses for good is dropped and counted, and of a request with many samples only the part that it refuses.

import { kernels } from "../../../lib/kernels/index.ts";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { compileRelabel, type Relabel } from "../../../lib/text/relabel.ts";
import { toResultLabels } from "../evaluate-alerting.ts";
import type { RecordedSample } from "../evaluate-recording.ts";
import { type HttpAnswer, HttpSender } from "../http-sender.ts";
import type { RulerMetrics } from "../ruler-metrics.ts";
import type { RemoteWriteSettings } from "../settings.ts";
import type { QueuedBatch, QueuedRecord, SampleQueue } from "./sample-queue.ts";
import { encodeSample } from "./write-request.ts";

export interface RemoteClientOptions {
  readonly tenant: string;
  readonly settings: RemoteWriteSettings;
  readonly queue: SampleQueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RulerMetrics;
  readonly random?: () => number;
}

/** Series of one record: what is refused together when a remote refuses a part of a request. */
const RECORD_SAMPLES_MAX = 500;
const RETRY_AFTER_MS_MAX = 10 * 60_000;
const HEADERS = {
  "Content-Type": "application/x-protobuf",
  "Content-Encoding": "snappy",
  "X-Prometheus-Remote-Write-Version": "0.1.0",
};

export class RemoteClient {
  readonly settings: RemoteWriteSettings;
  readonly #options: RemoteClientOptions;
  readonly #labels: { readonly tenant: string; readonly rw_client: string };
  readonly #relabel: Relabel;
  readonly #sender: HttpSender;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wake: (() => void) | undefined;

  /** @throws Error when a certificate cannot be read */
  constructor(options: RemoteClientOptions) {
    this.settings = options.settings;
    this.#options = options;
    this.#labels = { tenant: options.tenant, rw_client: options.settings.id };
    this.#relabel = compileRelabel(options.settings.relabel);
    this.#sender = new HttpSender(options.settings.access);
    for (const counter of [options.metrics.samplesFailed, options.metrics.samplesDropped]) counter.inc(this.#labels, 0);
    this.#running = this.#run();
  }

  /** Resolves when the samples are on disk. @throws the disk's error */
  async append(samples: readonly RecordedSample[]): Promise<void> {
    const records = recordsOf(samples.flatMap((sample) => this.#relabelled(sample) ?? []));
    if (records.length > 0) await this.#options.queue.append(records);
    await this.#options.queue.trim(this.#options.clock.nowMs());
    this.#showPending();
    this.#wake?.();
  }

  /** Breaks off a request in flight: its samples are sent again after the restart. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
    this.#sender.close();
    await this.#options.queue.close();
  }

  #relabelled(sample: RecordedSample): RecordedSample | undefined {
    if (this.settings.relabel.length === 0) return sample;
    const labels = new Map(sample.labels.names.map((name, i) => [name, sample.labels.values[i]!]));
    return this.#relabel(labels) ? { ...sample, labels: toResultLabels(labels) } : undefined;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = 0;
      try {
        await this.#untilBatch();
        const answer = await this.#sendNext();
        if (answer === undefined || isTaken(answer)) failures = 0;
        else waitMs = this.#backoffMs(failures++, answer);
      } catch (error) {
        log.error({ ...this.#labels, error: messageOf(error) }, "the queue of samples cannot be read");
        waitMs = this.settings.maxBackoffMs;
      }
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    }
  }

  /** @returns the answer when the batch has to be sent again */
  async #sendNext(): Promise<HttpAnswer | undefined> {
    const { queue, clock, metrics, log } = this.#options;
    const { ageLimitMs, samplesPerSendMax } = this.settings;
    if (this.#stop.signal.aborted) return undefined;
    const batch = await queue.peek(samplesPerSendMax);
    if (batch === undefined) return undefined;
    const oldestMs = ageLimitMs > 0 ? clock.nowMs() - ageLimitMs : Number.NEGATIVE_INFINITY;
    const young = batch.records.filter(({ newestMs }) => newestMs >= oldestMs);
    const answer = young.length === 0 ? NOTHING_TO_SEND : await this.#send(young);
    if (this.#stop.signal.aborted && !isTaken(answer)) return undefined;
    if (isRetryable(answer, this.settings)) {
      const samples = samplesIn(young);
      metrics.samplesRetried.inc(this.#labels, samples);
      log.warn({ ...this.#labels, samples, status: answer.status, error: answer.message }, "remote write failed, it is tried again");
      await queue.trim(clock.nowMs());
      this.#showPending();
      return answer;
    }
    await this.#settle(batch, young, answer);
    return undefined;
  }

  /** Waits for a full batch, or for the deadline of what is there. */
  async #untilBatch(): Promise<void> {
    const { queue, clock } = this.#options;
    const { signal } = this.#stop;
    while (queue.samples === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const deadlineMs = clock.nowMs() + this.settings.batchDeadlineMs;
    while (queue.samples < this.settings.samplesPerSendMax && clock.nowMs() < deadlineMs && !signal.aborted) {
      const full = new AbortController();
      this.#wake = () => {
        if (signal.aborted || queue.samples >= this.settings.samplesPerSendMax) full.abort();
      };
      await clock.sleep(deadlineMs - clock.nowMs(), full.signal);
    }
    this.#wake = undefined;
  }

  /** The remote has answered for good. */
  async #settle(batch: QueuedBatch, young: readonly QueuedRecord[], answer: HttpAnswer): Promise<void> {
    const { metrics, queue } = this.#options;
    let refused = 0;
    if (!isTaken(answer)) refused = young.length === 1 ? this.#refuse(young[0]!, answer) : await this.#sendApart(young);
    if (this.#stop.signal.aborted && !isTaken(answer)) return;
    if (await queue.advance(batch)) metrics.samplesSent.inc(this.#labels, samplesIn(young) - refused);
    const tooOld = batch.samples - samplesIn(young);
    if (tooOld > 0) metrics.samplesDropped.inc(this.#labels, tooOld);
    this.#showPending();
  }

  /** Each record on its own: one that the remote refuses takes no others with it. @returns samples refused */
  async #sendApart(records: readonly QueuedRecord[]): Promise<number> {
    let refused = 0;
    for (const record of records) {
      for (let failures = 0; !this.#stop.signal.aborted; failures++) {
        const answer = await this.#send([record]);
        if (!isRetryable(answer, this.settings)) {
          if (!isTaken(answer)) refused += this.#refuse(record, answer);
          break;
        }
        await this.#options.clock.sleep(this.#backoffMs(failures, answer), this.#stop.signal);
      }
    }
    return refused;
  }

  #refuse({ samples }: QueuedRecord, { status, message }: HttpAnswer): number {
    this.#options.metrics.samplesFailed.inc(this.#labels, samples);
    this.#options.log.error({ ...this.#labels, samples, status, error: message }, "the remote refuses samples, they are dropped");
    return samples;
  }

  #send(records: readonly QueuedRecord[]): Promise<HttpAnswer> {
    const body = kernels.snappyCompress(Buffer.concat(records.map(({ timeseries }) => timeseries))).slice();
    return this.#sender.post(this.settings.url, body, HEADERS, this.#stop.signal);
  }

  #backoffMs(failures: number, { retryAfter }: HttpAnswer): number {
    const { minBackoffMs, maxBackoffMs } = this.settings;
    const askedMs = Number(retryAfter) * 1000;
    if (askedMs > 0) return Math.min(askedMs, RETRY_AFTER_MS_MAX);
    return Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 30)) * (0.8 + 0.2 * (this.#options.random ?? Math.random)());
  }

  #showPending(): void {
    const { metrics, queue } = this.#options;
    metrics.samplesPending.set(this.#labels, queue.samples);
    metrics.walBytes.set(this.#labels, queue.bytes);
  }
}

const NOTHING_TO_SEND: HttpAnswer = { status: 204, message: "", retryAfter: undefined };

const samplesIn = (records: readonly QueuedRecord[]): number => records.reduce((sum, { samples }) => sum + samples, 0);

const isTaken = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300;

function isRetryable({ status }: HttpAnswer, { retryOnRateLimit }: RemoteWriteSettings): boolean {
  return status < 0 || status >= 500 || (status === 429 && retryOnRateLimit);
}

function recordsOf(samples: readonly RecordedSample[]): QueuedRecord[] {
  const records: QueuedRecord[] = [];
  for (let from = 0; from < samples.length; from += RECORD_SAMPLES_MAX) {
    const part = samples.slice(from, from + RECORD_SAMPLES_MAX);
    const newestMs = Math.max(...part.map(({ timeMs }) => timeMs));
    records.push({ samples: part.length, newestMs, timeseries: Buffer.concat(part.map(encodeSample)) });
  }
  return records;
}
