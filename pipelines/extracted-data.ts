// The extracted data of a pipeline as a whole: what it starts with, and how labels come back into it when a nested pipeline starts.

import { type Column, type EntryBatch, type Value, ValueColumn } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { SpanColumn } from "./span-column.ts";

/** Starts the extracted data of a batch: empty but for the labels, which `EntryBatch.extract` reads from here. */
export function startExtracted(batch: EntryBatch): void {
  batch.extracted.clear();
  batch.initialLabels = batch.labels.copy(batch.count);
}

/** Ends the extracted data; columns may stand on memory that stages use again. */
export function endExtracted(batch: EntryBatch): void {
  batch.extracted.clear();
  batch.initialLabels = undefined;
}

/**
 * A nested pipeline starts (`match`, the insides of `docker` and `cri`): the labels of the live entries are copied into the extracted
 * data again, over values of the same names.
 */
export function copyLabelsOverExtracted(batch: EntryBatch): void {
  const initial = batch.initialLabels;
  if (initial === undefined) return;
  const { labels, live, liveCount } = batch;
  initial.reserve(batch.count);
  if (initial.common === undefined || initial.common !== labels.common)
    initial.combine(live, liveCount, labels.ids, labels.sets.length, (under, over) => merge(under, labels.sets[over]!));
  const hidden = labels.sets.map((set) => columnsNamedAs(set, batch.extracted));
  if (hidden.every((columns) => columns.length === 0)) return;
  for (let k = 0; k < liveCount; k++) {
    const i = live[k]!;
    for (const [column, value] of hidden[labels.ids[i]!]!) {
      // Most often the label was made of this very value.
      if (!(column instanceof SpanColumn && column.holdsAscii(i, value))) column.set(i, value);
    }
  }
}

function columnsNamedAs(labels: LabelSet, extracted: ReadonlyMap<string, Column>): [Column, string][] {
  const found: [Column, string][] = [];
  for (const [name, column] of extracted) if (labels.has(name)) found.push([column, labels.get(name)]);
  return found;
}

function merge(under: LabelSet | undefined, over: LabelSet): LabelSet {
  if (under === undefined || under === over) return over;
  let merged = under;
  for (const [name, value] of over) merged = merged.put(name, value);
  return merged;
}

/** The column of a name, made when there is none yet. */
export function columnOf(batch: EntryBatch, name: string): Column {
  let column = batch.extracted.get(name);
  if (column === undefined) batch.extracted.set(name, (column = new ValueColumn()));
  return column;
}

/** Is there a value, be it nil? Labels at the pipeline's start count. */
export function hasExtracted(batch: EntryBatch, name: string, i: number): boolean {
  return batch.extract(name, i) !== undefined;
}

/** Removes a name from the extracted data of entry i, also when a label gave it. */
export function deleteExtracted(batch: EntryBatch, name: string, i: number): void {
  batch.extracted.get(name)?.set(i, undefined);
  const initial = batch.initialLabels;
  const labels = initial?.get(i);
  if (labels?.has(name)) initial!.set(i, labels.without(name));
}

/** Calls `visit` with every name that entry i has a value for: first those of labels alone, then extracted ones. */
export function eachExtracted(batch: EntryBatch, i: number, visit: (name: string, value: Value) => void): void {
  const labels = batch.initialLabels?.get(i);
  if (labels !== undefined) {
    for (let k = 0; k < labels.names.length; k++) {
      const name = labels.names[k]!;
      if (batch.extracted.get(name)?.get(i) === undefined) visit(name, labels.values[k]!);
    }
  }
  for (const [name, column] of batch.extracted) {
    const value = column.get(i);
    if (value !== undefined) visit(name, value);
  }
}
