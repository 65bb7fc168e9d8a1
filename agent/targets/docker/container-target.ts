// The log of one container: asked for and followed, put together to entries, handed on, and asked for again after whatever went wrong,
// until the container has ended and its log is read to the end.

import { messageOf } from "../../../lib/runtime/invariant.ts";
import { orAborted } from "../../../lib/runtime/or-aborted.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { backoffMs } from "../../client/backoff.ts";
import type { DiscoveredLabels } from "../../discovery/discovery.ts";
import type { PositionSource } from "../../positions.ts";
import { TicketLedger } from "../../tickets.ts";
import type { SourceContext } from "../source.ts";
import type { Target } from "../target.ts";
import { LOG_BEGINNING, LogCursor, parseMark, printMark, readPosition } from "./cursor.ts";
import { type ContainerState, type DockerApi, isNotFound } from "./docker-api.ts";
import type { DockerMetrics } from "./docker-metrics.ts";
import { FrameReader, type LogStream } from "./frames.ts";
import { type JoinedLine, LineJoiner } from "./line-joiner.ts";

/** Promtail's longest line where `max_line_size` does not say. */
const LINE_BYTES_MAX = 256 * 1024;
const RETRY = { minMs: 500, maxMs: 30_000, retriesMax: 0 };

/** Labels of a container's entries by output; undefined where a rule drops them. */
export interface ContainerLabels {
  readonly discovered: DiscoveredLabels;
  readonly stdout: LabelSet | undefined;
  readonly stderr: LabelSet | undefined;
}

export interface ContainerOptions {
  readonly id: string;
  readonly api: DockerApi;
  readonly labels: ContainerLabels;
  readonly metrics: DockerMetrics;
  readonly context: SourceContext;
}

export class ContainerTarget implements Target, PositionSource {
  readonly kind = "Docker";
  readonly #options: ContainerOptions;
  readonly #ledger: TicketLedger;
  readonly #cursor: LogCursor;
  readonly #keys: { readonly seconds: string; readonly mark: string };
  #labels: ContainerLabels;
  #batch = new EntryBatch();
  #stop = new AbortController();
  #running: Promise<void> | undefined;
  #entryCount = 0;
  #connected = false;
  /** Discovery does not tell of it any more: its log is read to the end and then left. */
  #ending = false;
  /** It came back while its former reading was being stopped. */
  #againAfterStop = false;
  #isGone = false;
  #error = "";

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#labels = options.labels;
    const { id, context } = options;
    this.#keys = { seconds: `cursor-${id}`, mark: `cursor-${id}-${context.jobName}` };
    const position = readPosition(context.positions.get(this.#keys.seconds), context.positions.get(this.#keys.mark));
    this.#cursor = new LogCursor(position);
    this.#ledger = new TicketLedger(0, position === LOG_BEGINNING ? "" : printMark(position));
  }

  get labels(): LabelSet {
    return this.#labels.stdout ?? this.#labels.stderr ?? LabelSet.of([]);
  }

  get discovered(): DiscoveredLabels {
    return this.#labels.discovered;
  }

  /** Whether its log is read at the moment, or tried to. */
  get isReading(): boolean {
    return this.#running !== undefined;
  }

  get ready(): boolean {
    return this.#connected;
  }

  details(): unknown {
    const { sinceSec } = parseMark(this.#ledger.committedMark()) ?? LOG_BEGINNING;
    return { id: this.#options.id, position: String(sinceSec), running: String(this.#connected), error: this.#error };
  }

  /** Begins to read, or goes on after the container has been started again. */
  start(): void {
    this.#ending = false;
    if (this.#running !== undefined) {
      this.#againAfterStop = this.#stop.signal.aborted;
      return;
    }
    this.#options.context.positions.addSource(this);
    this.#stop = new AbortController();
    this.#running = this.#run(this.#stop.signal).finally(() => {
      this.#running = undefined;
      this.#connected = false;
      this.#options.context.onTargetsChanged();
      if (!this.#againAfterStop) return;
      this.#againAfterStop = false;
      this.start();
    });
  }

  /** For the entries that come from now on. */
  relabel(labels: ContainerLabels): void {
    this.#labels = labels;
  }

  /** The container has ended, and its log is read to the end; or it runs on, is none of ours any more, and is left at once. */
  endWithLog(): void {
    if (this.#ending || this.#running === undefined) return;
    this.#ending = true;
    const stop = this.#stop;
    this.#isOver(stop.signal).then(
      (over) => {
        if (!over && this.#ending) stop.abort();
      },
      // The stream will tell.
      () => {},
    );
  }

  /** The container was removed: nobody will ask for its log again. */
  forget(): void {
    this.#isGone = true;
    for (const key of Object.values(this.#keys)) this.#options.context.positions.remove(key);
  }

  async stop({ drain }: { readonly drain: boolean }): Promise<void> {
    this.#againAfterStop = false;
    this.#stop.abort();
    await this.#running;
    if (!drain || this.#isGone) return;
    const { signal } = (this.#stop = new AbortController());
    try {
      const state = await this.#options.api.inspect(this.#options.id, signal);
      if (state !== undefined) await this.#read(state.tty, false, signal);
    } catch (error) {
      this.#options.context.log.warn({ container: this.#options.id, error: messageOf(error) }, "log of a container not read to its end");
    }
  }

  records(): [] {
    return [];
  }

  /** None for a container that was removed: nobody will ask for its log again. */
  *positions(): Iterable<readonly [key: string, value: string]> {
    const mark = this.#ledger.committedMark();
    if (mark === "" || (this.#isGone && this.settled())) return;
    yield [this.#keys.seconds, mark.slice(0, mark.indexOf(" "))];
    yield [this.#keys.mark, mark];
  }

  settled(): boolean {
    return this.#running === undefined && this.#ledger.settled;
  }

  async #run(stop: AbortSignal): Promise<void> {
    const { api, id, context } = this.#options;
    for (let failures = 0; !stop.aborted; ) {
      const before = this.#entryCount;
      try {
        const state = await api.inspect(id, stop);
        if (state === undefined) return this.#removed();
        const following = state.running && !this.#ending;
        await this.#read(state.tty, following, stop);
        this.#error = "";
        if (!following) return;
        // The log of a container that has ended is read once more, to the last entry, by another round.
        failures = this.#entryCount > before ? 0 : failures;
        if (!(await this.#isOver(stop))) failures++;
      } catch (error) {
        if (stop.aborted) return;
        if (isNotFound(error)) return this.#removed();
        failures = this.#entryCount > before ? 1 : failures + 1;
        this.#error = messageOf(error);
        context.log.warn({ container: id, error: this.#error, tries: failures }, "log of a container cannot be read, trying again");
      }
      if (failures > 0) await context.clock.sleep(backoffMs(failures, RETRY, Math.random), stop);
    }
  }

  async #isOver(stop: AbortSignal): Promise<boolean> {
    const state: ContainerState | undefined = await this.#options.api.inspect(this.#options.id, stop);
    return state?.running !== true;
  }

  #removed(): void {
    this.#isGone = true;
    this.#options.context.log.debug({ container: this.#options.id }, "container was removed");
  }

  /** Reads what one request brings. @throws Error when the stream breaks off, or the daemon refuses */
  async #read(tty: boolean, follow: boolean, stop: AbortSignal): Promise<void> {
    const { api, id } = this.#options;
    this.#cursor.restart();
    const stream = await api.logs(id, { sinceSec: this.#cursor.position.sinceSec, follow }, stop);
    const cut = (): void => void stream.destroy();
    stop.addEventListener("abort", cut, { once: true });
    const text = this.#openText(tty);
    this.#connected = true;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        text.push(chunk);
        await this.#hand(stop);
      }
      // While the container runs, the rest of an open line may still come: the next request brings it whole.
      if (!follow && !stop.aborted) text.end();
      await this.#hand(stop);
    } finally {
      this.#connected = false;
      stop.removeEventListener("abort", cut);
      stream.destroy();
    }
  }

  #openText(terminal: boolean): { push(chunk: Buffer): void; end(): void } {
    const textBytesMax = this.#options.context.lineBytesMax || LINE_BYTES_MAX;
    const joiner = (name: LogStream): LineJoiner => new LineJoiner({ textBytesMax, terminal, onLine: (line) => this.#add(name, line) });
    const stdout = joiner("stdout");
    if (terminal) return { push: (chunk) => stdout.push(chunk), end: () => stdout.end() };
    const joiners = { stdout, stderr: joiner("stderr") };
    const frames = new FrameReader({
      begin: (name) => joiners[name].beginFrame(),
      data: (name, bytes) => joiners[name].push(bytes),
    });
    return {
      push: (chunk) => frames.push(chunk),
      end: () => {
        joiners.stdout.end();
        joiners.stderr.end();
      },
    };
  }

  #add(stream: LogStream, line: JoinedLine): void {
    const { metrics, context } = this.#options;
    const { newestSec, newestNanos } = this.#cursor.position;
    const isFirst = newestSec === 0;
    const sec = line.timed ? line.sec : isFirst ? Math.floor(context.clock.nowMs() / 1000) : newestSec;
    const nanos = line.timed ? line.nanos : newestNanos;
    if (!this.#cursor.take(sec, nanos)) return;
    this.#entryCount++;
    if (!line.timed) metrics.untimed();
    if (line.cutBytes > 0) metrics.cut();
    const labels = this.#labels[stream];
    if (labels === undefined) return;
    const i = this.#batch.addText(line.text, 0, 0, labels);
    this.#batch.setTime(i, sec, nanos);
    metrics.entry();
  }

  /** Hands on what the last chunk brought, and waits for room or the end. */
  async #hand(stop: AbortSignal): Promise<void> {
    if (this.#entryCount === this.#ledger.issued()) return;
    const batch = this.#batch;
    this.#batch = new EntryBatch();
    batch.source = this.#options.id;
    batch.tickets.push(this.#ledger.issue(this.#entryCount, printMark(this.#cursor.position)));
    const taken = this.#options.context.intake.consume(batch).catch((error: unknown) => this.#failed(batch, error));
    await orAborted(taken, stop);
  }

  /** A stage that breaks must not hold the log up for good. */
  #failed(batch: EntryBatch, error: unknown): void {
    const { context, id } = this.#options;
    context.log.error(
      { container: id, error: messageOf(error), entries: batch.count },
      "a pipeline stage failed, its entries are not sent",
    );
    for (const ticket of batch.tickets) ticket.release();
  }
}
