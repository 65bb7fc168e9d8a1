// Pulls the logs of a zone, one time range after the other. The position is the end of the last range of which every line is acknowledged.

import type { Clock } from "../../../lib/runtime/clock.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import type { PositionSource, Positions } from "../../positions.ts";
import { InFlightBudget } from "../../tail/in-flight-budget.ts";
import { TicketLedger } from "../../tickets.ts";
import type { Intake } from "../intake.ts";
import type { Target } from "../target.ts";
import type { CloudflareMetrics } from "./cloudflare-metrics.ts";
import type { LogpullOptions, TimeRange } from "./logpull.ts";
import { RangeReader } from "./range-reader.ts";
import type { CloudflareSettings } from "./settings.ts";

/** Cloudflare wants ranges to end this long ago: the lines of the last minute are not all there. */
const DELAY_MS = 60_000;
/** It keeps lines for seven days; a little less, because asking takes time. */
const KEPT_MS = 7 * 24 * 3_600_000 - 5 * 60_000;
/** It refuses longer ranges. */
const RANGE_MS_MAX = 3_600_000;
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
/** What an entry costs beside its line. */
const ENTRY_OVERHEAD_BYTES = 64;

export interface CloudflareTargetOptions {
  readonly settings: CloudflareSettings;
  readonly logpull: LogpullOptions;
  readonly labels: LabelSet;
  readonly intake: Intake;
  readonly positions: Positions;
  readonly metrics: CloudflareMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onFailed: () => void;
}

export class CloudflareTarget implements Target, PositionSource {
  readonly kind = "Cloudflare";
  readonly labels: LabelSet;
  readonly discovered = {};
  readonly #options: CloudflareTargetOptions;
  readonly #stop = new AbortController();
  readonly #budget = new InFlightBudget(IN_FLIGHT_BYTES_MAX);
  /** Positions are milliseconds since 1970. */
  readonly #ledger: TicketLedger;
  readonly #reader: RangeReader;
  readonly #running: Promise<void>;
  #failed = false;

  constructor(options: CloudflareTargetOptions) {
    const { positions, settings, clock, log, random, logpull, labels, onFailed } = options;
    this.#options = options;
    this.labels = labels;
    const startMs = startOf(positions.get(keyOf(settings.zone)), settings.pullRangeMs) ?? clock.nowMs() - DELAY_MS - settings.pullRangeMs;
    this.#ledger = new TicketLedger(startMs, "", this.#budget.ledgerEvents);
    this.#reader = new RangeReader({
      logpull,
      labels,
      clock,
      log,
      random,
      signal: this.#stop.signal,
      hand: (batch) => this.#hand(batch),
      onFailed: () => {
        this.#failed = true;
        onFailed();
      },
    });
    positions.addSource(this);
    this.#running = this.#run();
  }

  get ready(): boolean {
    return !this.#stop.signal.aborted;
  }

  details(): unknown {
    const { zone, fields } = this.#options.settings;
    return {
      zone_id: zone,
      fields: fields.join(","),
      position: positionOf(this.#ledger.committed(), this.#options.settings.pullRangeMs),
      last_timestamp: new Date(this.#ledger.issued()).toISOString(),
      ...(this.#failed ? { failing: true } : {}),
    };
  }

  /** What is not acknowledged is pulled again at the next start, drained or not. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  records(): [] {
    return [];
  }

  positions(): readonly (readonly [string, string])[] {
    const { zone, pullRangeMs } = this.#options.settings;
    return [[keyOf(zone), positionOf(this.#ledger.committed(), pullRangeMs)]];
  }

  settled(): boolean {
    return this.#stop.signal.aborted && this.#ledger.settled;
  }

  async #run(): Promise<void> {
    const { clock, settings, metrics } = this.#options;
    const { signal } = this.#stop;
    for (let startMs = this.#ledger.committed(); !signal.aborted; ) {
      startMs = this.#skipWhatIsGone(startMs);
      const endMs = startMs + settings.pullRangeMs;
      await clock.sleep(Math.max(0, endMs + DELAY_MS - clock.nowMs()), signal);
      if (signal.aborted) return;
      await this.#pull({ startMs, endMs });
      if (signal.aborted) return;
      this.#failed = false;
      // Behind the tickets of the range's batches: the position moves when they are done.
      this.#ledger.issue(endMs, "", 0).release();
      metrics.lastEnd.set(endMs / 1000);
      startMs = endMs;
    }
  }

  #skipWhatIsGone(startMs: number): number {
    const { clock, log, metrics } = this.#options;
    const keptFromMs = clock.nowMs() - KEPT_MS;
    if (startMs >= keptFromMs) return startMs;
    metrics.skippedSeconds.inc((keptFromMs - startMs) / 1000);
    const fields = { start: new Date(startMs).toISOString(), end: new Date(keptFromMs).toISOString() };
    log.error(fields, "logs from before a week ago are gone at Cloudflare, they are skipped");
    return keptFromMs;
  }

  async #pull(range: TimeRange): Promise<void> {
    const { workers } = this.#options.settings;
    const parts = partsOf(range, workers);
    const work = async (): Promise<void> => {
      for (let part = parts.shift(); part !== undefined && !this.#stop.signal.aborted; part = parts.shift()) await this.#reader.read(part);
    };
    await Promise.all(Array.from({ length: workers }, work));
  }

  async #hand(batch: EntryBatch): Promise<void> {
    const { intake, metrics } = this.#options;
    const { signal } = this.#stop;
    await this.#budget.room(signal);
    if (signal.aborted) return;
    const sizeBytes = batch.bytesUsed + batch.count * ENTRY_OVERHEAD_BYTES;
    this.#budget.take(sizeBytes);
    metrics.entries.inc(batch.count);
    batch.tickets.push(this.#ledger.issue(this.#ledger.issued(), "", sizeBytes));
    await intake.consume(batch);
  }
}

/** The range in as many parts as there are workers, or more where they would be longer than Cloudflare allows. */
export function partsOf({ startMs, endMs }: TimeRange, workers: number): TimeRange[] {
  const lengthMs = endMs - startMs;
  const count = Math.max(1, Math.min(Math.max(workers, Math.ceil(lengthMs / RANGE_MS_MAX)), lengthMs));
  const edge = (i: number): number => startMs + Math.round((lengthMs * i) / count);
  return Array.from({ length: count }, (_, i) => ({ startMs: edge(i), endMs: edge(i + 1) }));
}

const keyOf = (zone: string): string => `cursor-${zone}`;

/** What Promtail writes is the end of the range to be pulled next, in nanoseconds. */
function positionOf(committedMs: number, pullRangeMs: number): string {
  return String(BigInt(Math.round(committedMs + pullRangeMs)) * 1_000_000n);
}

function startOf(position: string | undefined, pullRangeMs: number): number | undefined {
  if (position === undefined || !/^\d{1,19}$/.test(position) || position === "0") return undefined;
  return Number(BigInt(position) / 1_000_000n) - pullRangeMs;
}
