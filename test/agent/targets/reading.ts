// What the source needs around it in tests: an intake with an empty pipeline, and a sink that keeps what comes until it is told to let go.

import { EntryRelabel } from "../../../agent/entry-relabel.ts";
import type { Positions } from "../../../agent/positions.ts";
import { SharedPipeline } from "../../../agent/shared-pipeline.ts";
import { Intake } from "../../../agent/targets/intake.ts";
import { Messages, type ParseMessage, parsePlain } from "../../../agent/targets/kafka/messages.ts";
import type { SourceContext } from "../../../agent/targets/source.ts";
import { type Clock, systemClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { Registry } from "../../../lib/runtime/metrics.ts";
import { RELABEL_DEFAULTS, type RelabelConfig } from "../../../lib/text/relabel.ts";
import type { EntryBatch, Ticket } from "../../../lib/wire/entry-batch.ts";
import { Pipeline } from "../../../pipelines/pipeline.ts";

export class Reading {
  readonly entries: string[] = [];
  readonly lines: string[] = [];
  readonly timesMs: number[] = [];
  readonly logged: string[] = [];
  readonly registry = new Registry();
  readonly log = createLog({ level: "debug", write: (line) => this.logged.push(line) });
  readonly intake = new Intake({
    pipeline: new SharedPipeline(new Pipeline({ process: () => {} })).lease(),
    sink: { consume: (batch) => this.#consume(batch) },
    clock: systemClock,
    log: this.log,
  });
  acknowledging = true;
  /** Told when a batch has come. */
  onBatch: () => void = () => {};
  /** What the sink answers: room now, or later. */
  room: Promise<void> | undefined;
  readonly #held: Ticket[] = [];

  messages(options: { rules?: readonly Partial<RelabelConfig>[]; parse?: ParseMessage; useIncomingTimestamp?: boolean } = {}): Messages {
    return new Messages({
      relabel: this.relabel(options.rules),
      labels: { job: "k" },
      useIncomingTimestamp: options.useIncomingTimestamp ?? false,
      parse: options.parse ?? parsePlain,
      registry: this.registry,
      clock: systemClock,
    });
  }

  relabel(rules: readonly Partial<RelabelConfig>[] = []): EntryRelabel {
    return new EntryRelabel(rules.map((rule) => ({ ...RELABEL_DEFAULTS, ...rule })));
  }

  context(rules: readonly Partial<RelabelConfig>[] = [], positions?: Positions, clock: Clock = systemClock): SourceContext {
    return {
      jobName: "job",
      relabel: this.relabel(rules),
      intake: this.intake,
      positions: positions as Positions,
      registry: this.registry,
      clock,
      log: this.log,
      lineBytesMax: 0,
      onTargetFailed: () => {},
      onTargetsChanged: () => {},
    };
  }

  acknowledge(count = this.#held.length): void {
    for (const ticket of this.#held.splice(0, count)) ticket.release();
  }

  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { values } = await this.registry.getSingleMetric(name)!.get();
    const isWanted = (has: object): boolean => Object.entries(labels).every(([key, text]) => (has as Record<string, string>)[key] === text);
    return values.filter((value) => isWanted(value.labels)).reduce((sum, { value }) => sum + value, 0);
  }

  #consume(batch: EntryBatch): Promise<void> | undefined {
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      this.lines.push(batch.line(i));
      this.entries.push(`${batch.labels.get(i)} ${batch.line(i)}`);
      this.timesMs.push(batch.secondsOf(i) * 1000 + batch.nanos[i]! / 1e6);
    }
    for (const ticket of batch.tickets) {
      ticket.hold();
      this.#held.push(ticket);
    }
    if (this.acknowledging) this.acknowledge();
    this.onBatch();
    return this.room;
  }
}

/** Time that passes twenty times as fast. */
export const hurriedClock: Clock = {
  nowMs: () => Date.now() * 20,
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
};

/** Waits for what must come, for at most 30 s. */
export async function until(condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const deadlineMs = Date.now() + 30_000; !(await condition()); ) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
