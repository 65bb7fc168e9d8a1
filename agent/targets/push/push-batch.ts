// From a push, or from lines of text, to a batch of entries.

import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import { DuplicateLabel, LabelsError, parseLabels } from "../../../lib/wire/parse-labels.ts";
import { lineStart, type PushColumns, type PushStream } from "../../../lib/wire/push-columns.ts";
import { TENANT_LABEL } from "../../client/stream-labels.ts";
import type { EntryRelabel } from "../../entry-relabel.ts";
import type { Received } from "./receiver.ts";

export interface PushRules {
  readonly relabel: EntryRelabel;
  /** Given to every stream, over its own labels of these names; the rules see them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Counts entries that the rules drop. */
  readonly dropped: (entryCount: number) => void;
  readonly nowNs: () => readonly [sec: number, nanos: number];
  /** Entries keep their time; else they get the present. */
  readonly keepTime: boolean;
}

/**
 * @param columns are copied
 * @param tenant of the request, which rules see as `__tenant_id__` and which goes no further, as with Promtail
 * @returns a fault when labels of streams cannot be read: those streams are left out, as Loki does
 */
export function batchOfPush(columns: PushColumns, tenant: string, rules: PushRules): Received {
  const batch = new EntryBatch(Uint8Array.from(columns.bytes), columns.entryCount);
  let fault: string | undefined;
  for (const stream of columns.streams) {
    const labels = labelsOf(stream, tenant, rules);
    if (typeof labels === "string") fault = labels;
    else if (labels === undefined) rules.dropped(stream.to - stream.from);
    else addStream(batch, columns, stream, labels, rules);
  }
  return fault === undefined ? { batch } : { batch, fault };
}

/** @returns a text that says what is wrong with the labels; undefined when the rules drop the stream */
function labelsOf({ labelsText }: PushStream, tenant: string, { relabel, labels }: PushRules): LabelSet | string | undefined {
  let raw: Map<string, string>;
  try {
    raw = new Map(parseLabels(labelsText));
  } catch (error) {
    if (error instanceof LabelsError || error instanceof DuplicateLabel) return error.message;
    throw error;
  }
  if (tenant !== "") raw.set(TENANT_LABEL, tenant);
  for (const [name, value] of Object.entries(labels)) raw.set(name, value);
  return relabel.labelsOf(raw);
}

function addStream(batch: EntryBatch, columns: PushColumns, { from, to }: PushStream, labels: LabelSet, rules: PushRules): void {
  const { ends, sec, nanos, metadata } = columns;
  for (let k = from; k < to; k++) {
    const [seconds, nanoseconds] = rules.keepTime ? [sec[k]!, nanos[k]!] : rules.nowNs();
    const i = batch.add(lineStart(ends, k), ends[k]!, seconds, nanoseconds, labels);
    for (const [name, value] of metadata?.[k] ?? []) batch.addMetadata(i, name, value);
  }
}

/** Lines of text: without the line feed and carriage returns at their ends, empty ones left out, of the present time. */
export function batchOfText(
  body: Buffer,
  { labels, nowNs }: { readonly labels: LabelSet; readonly nowNs: PushRules["nowNs"] },
): EntryBatch {
  const batch = new EntryBatch(body);
  for (let start = 0; start < body.length; ) {
    const feed = body.indexOf(10, start);
    const next = feed < 0 ? body.length : feed + 1;
    let end = feed < 0 ? body.length : feed;
    while (end > start && body[end - 1] === 13) end--;
    if (end > start) batch.add(start, end, ...nowNs(), labels);
    start = next;
  }
  return batch;
}
