// What a source needs around it: an intake with an empty pipeline, a sink that keeps what comes and acknowledges when it is told to.

import { expect } from "vitest";
import { Plain } from "../../../agent/config/written.ts";
import { EntryRelabel } from "../../../agent/entry-relabel.ts";
import type { Positions } from "../../../agent/positions.ts";
import { SharedPipeline } from "../../../agent/shared-pipeline.ts";
import { Intake } from "../../../agent/targets/intake.ts";
import type { SourceContext } from "../../../agent/targets/source.ts";
import { type Clock, systemClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { Registry } from "../../../lib/runtime/metrics.ts";
import { RELABEL_DEFAULTS, type RelabelConfig } from "../../../lib/text/relabel.ts";
import type { EntryBatch, Ticket } from "../../../lib/wire/entry-batch.ts";
import { Pipeline } from "../../../pipelines/pipeline.ts";

/** A block as the file's reader gives it to the schema. */
export function asWritten(block: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const written = ([key, value]: [string, unknown]) => [
    key,
    typeof value === "boolean" || typeof value === "number" ? new Plain(value) : value,
  ];
  return Object.fromEntries(Object.entries(block).map(written));
}

export interface HarnessOptions {
  readonly relabel?: readonly Partial<RelabelConfig>[];
  readonly positions?: Positions;
  readonly lineBytesMax?: number;
  readonly clock?: Clock;
  /** Acknowledges what comes at once. */
  readonly acknowledging?: boolean;
}

export class SourceHarness {
  /** `{labels} line` of each entry. */
  readonly entries: string[] = [];
  readonly lines: string[] = [];
  /** Nanoseconds since 1970 of each entry. */
  readonly times: bigint[] = [];
  readonly logged: string[] = [];
  readonly registry = new Registry();
  readonly context: SourceContext;
  readonly intake: Intake;
  acknowledging: boolean;
  #held: Ticket[] = [];

  constructor(options: HarnessOptions = {}) {
    const log = createLog({ level: "debug", write: (line) => this.logged.push(line) });
    const clock = options.clock ?? systemClock;
    this.acknowledging = options.acknowledging ?? false;
    this.intake = new Intake({
      pipeline: new SharedPipeline(new Pipeline({ process: () => {} })).lease(),
      sink: { consume: (batch) => this.#consume(batch) },
      clock,
      log,
    });
    this.context = {
      jobName: "job",
      relabel: new EntryRelabel((options.relabel ?? []).map((rule) => ({ ...RELABEL_DEFAULTS, ...rule }))),
      intake: this.intake,
      positions: options.positions as Positions,
      registry: this.registry,
      clock,
      log,
      lineBytesMax: options.lineBytesMax ?? 0,
      onTargetFailed: () => {},
      onTargetsChanged: () => {},
    };
  }

  acknowledge(): void {
    for (const ticket of this.#held.splice(0)) ticket.release();
  }

  /** A counter's value, over all its labels or of those that have these. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { values } = await this.registry.getSingleMetric(name)!.get();
    const wanted = values.filter((value) =>
      Object.entries(labels).every(([key, text]) => (value.labels as Record<string, string>)[key] === text),
    );
    return wanted.reduce((sum, { value }) => sum + value, 0);
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 500 && !(await condition()); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await condition(), `${this.entries.join("\n")}\n${this.logged.join("")}`).toBe(true);
  }

  #consume(batch: EntryBatch): void {
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      this.lines.push(batch.line(i));
      this.entries.push(`${batch.labels.get(i)} ${batch.line(i)}`);
      this.times.push(BigInt(batch.secondsOf(i)) * 1_000_000_000n + BigInt(batch.nanos[i]!));
    }
    for (const ticket of batch.tickets) {
      ticket.hold();
      this.#held.push(ticket);
    }
    if (this.acknowledging) this.acknowledge();
  }
}
