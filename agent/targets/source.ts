// The contract of a source: a block of a scrape config that brings entries by itself instead of naming files. One source = one file
// (or folder) beside this one, and one line in open-sources.ts.
//
// A source makes an EntryBatch of what it receives: the line's bytes, the time, and the labels that `relabel` gives for the entry's
// internal labels (`__journal_…`, `__syslog_…`) and the block's own. It hands the batch to the intake. A source that has a position
// issues tickets of a TicketLedger and tells `positions` what is committed; one that has none waits for `intake.secure` before it
// answers its sender.

import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { TargetFailure } from "../agent-metrics.ts";
import type { DroppedTarget } from "../discovery/target-set.ts";
import type { EntryRelabel } from "../entry-relabel.ts";
import type { Positions } from "../positions.ts";
import type { Intake } from "./intake.ts";
import type { Target } from "./target.ts";

export interface SourceContext {
  readonly jobName: string;
  readonly relabel: EntryRelabel;
  readonly intake: Intake;
  readonly positions: Positions;
  readonly registry: Registry;
  readonly clock: Clock;
  /** A child that names the job. */
  readonly log: Log;
  readonly onTargetFailed: (reason: TargetFailure) => void;
  /** To be called when `targets` has changed after the source was opened. */
  readonly onTargetsChanged: () => void;
  /** `limits_config.max_line_size` in bytes, 0 when there is none: for sources that would otherwise gather a line of any length. */
  readonly lineBytesMax: number;
}

/** A source at work. */
export interface Source {
  /** What it reads or listens to at the moment. */
  readonly targets: readonly Target[];
  /** Targets it has found and does not read. */
  readonly dropped: readonly DroppedTarget[];
  /** Takes nothing more in. The intake is stopped after it, by the source's owner. @param options drain: read what is there first */
  stop(options: { readonly drain: boolean }): Promise<void>;
}

/** Opens a source by its block, checked by the schema. @throws Error when it cannot begin (an address in use, a missing program) */
export type OpenSource = (config: never, context: SourceContext) => Promise<Source>;
