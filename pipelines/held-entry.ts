// Entries that outlive the batch they came in (an open multiline block, CRI partials): copied out of the batch together with what the
// stages behind will ask for, and put into another batch when they are due. Whoever holds an entry holds its batch's tickets.

import type { TimeZone } from "../lib/text/time-zone.ts";
import { EntryBatch, type MetadataPair, type Ticket, type Value } from "../lib/wire/entry-batch.ts";
import { LabelColumn } from "../lib/wire/label-column.ts";
import type { LabelSet } from "../lib/wire/labels.ts";

/** All of an entry but its line. */
export interface HeldEntry {
  readonly labels: LabelSet;
  readonly initialLabels: LabelSet | undefined;
  readonly sec: number;
  readonly nanos: number;
  readonly zone: TimeZone | undefined;
  readonly metadata: readonly MetadataPair[] | undefined;
  readonly extracted: readonly (readonly [name: string, value: Value])[];
  readonly source: string;
}

/** Copies entry i, without its line. */
export function holdEntry(batch: EntryBatch, i: number): HeldEntry {
  const extracted: [string, Value][] = [];
  for (const [name, column] of batch.extracted) {
    const value = column.get(i);
    if (value !== undefined) extracted.push([name, value]);
  }
  return {
    labels: batch.labels.get(i)!,
    initialLabels: batch.initialLabels?.get(i),
    sec: batch.secondsOf(i),
    nanos: batch.nanos[i]!,
    zone: batch.zones?.get(i),
    metadata: batch.metadata?.[i]?.slice(),
    extracted,
    source: batch.source,
  };
}

/** Adds a held entry with its line to a batch, live and last. Returns its index. */
export function addHeld(batch: EntryBatch, held: HeldEntry, line: Uint8Array): number {
  const i = batch.addText(line, 0, 0, held.labels);
  batch.setTime(i, held.sec, held.nanos);
  if (held.zone !== undefined) (batch.zones ??= new Map()).set(i, held.zone);
  if (held.initialLabels !== undefined && batch.initialLabels !== undefined) batch.initialLabels.set(i, held.initialLabels);
  for (const [name, value] of held.metadata ?? []) batch.addMetadata(i, name, value);
  for (const [name, value] of held.extracted) batch.setExtracted(name, i, value);
  return i;
}

/** A batch that held entries can be added to. */
export function batchOfHeld(): EntryBatch {
  const batch = new EntryBatch();
  batch.initialLabels = new LabelColumn(new Int32Array(0));
  return batch;
}

/** Adds all live entries of one batch to another, with their extracted data and tickets. */
export function appendBatch(into: EntryBatch, from: EntryBatch): void {
  for (let k = 0; k < from.liveCount; k++) {
    const i = from.live[k]!;
    addHeld(into, holdEntry(from, i), from.lineBytes(i));
  }
  into.tickets.push(...from.tickets);
}

/** The batches of tickets that something held stands on; each is held once. */
export class HeldTickets {
  #tickets: Ticket[] = [];

  /**
   * Holds those of the tickets that are not held yet. They are a batch's as they were when the stage got it: what the stage itself hands
   * to the batch belongs to entries that it lets go.
   */
  hold(tickets: readonly Ticket[]): void {
    for (const ticket of tickets) {
      if (this.#tickets.includes(ticket)) continue;
      ticket.hold();
      this.#tickets.push(ticket);
    }
  }

  /** Hands the holds on to the batch that now carries the entries. */
  handTo(batch: EntryBatch): void {
    batch.tickets.push(...this.#tickets);
    this.#tickets = [];
  }
}
