// Log entries of Google as entries of a batch: labels by the rules, the configured ones over them, and a time.

import { createNanoClock } from "../../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { TENANT_LABEL } from "../../client/stream-labels.ts";
import { openRelabelCounter, relabelBeside } from "../push/entry-labels.ts";
import type { SourceContext } from "../source.ts";
import type { GcpEntry, GcpOptions } from "./log-entry.ts";
import type { GcplogConfig } from "./open-gcplog.ts";

export class GcpEntries {
  /** How entries are to be read. */
  readonly options: GcpOptions;
  readonly #context: SourceContext;
  readonly #labels: LabelSet;
  readonly #nowNs: () => readonly [sec: number, nanos: number];
  readonly #dropped: (entryCount: number) => void;

  constructor({ labels, use_incoming_timestamp, use_full_line }: GcplogConfig, context: SourceContext) {
    this.options = { keepTime: use_incoming_timestamp, useFullLine: use_full_line };
    this.#context = context;
    this.#labels = LabelSet.fromObject(labels);
    this.#nowNs = createNanoClock(() => context.clock.nowMs());
    this.#dropped = openRelabelCounter(context.registry);
  }

  /** Adds an entry, unless the rules drop it. @param tenant who the sender says it is, or nothing */
  add(batch: EntryBatch, { internal, line, time }: GcpEntry, tenant = ""): void {
    internal.set(TENANT_LABEL, tenant);
    const labels = relabelBeside(this.#context.relabel, internal, this.#labels, "fixed");
    if (labels === undefined) return this.#dropped(1);
    const [sec, nanos] = time === undefined ? this.#nowNs() : [time.sec, time.nanos];
    batch.setTime(batch.addText(line, sec, nanos, labels.with(TENANT_LABEL, tenant)), sec, nanos);
  }
}
