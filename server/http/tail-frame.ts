// Frames of a tail: `{"streams": […], "dropped_entries": […], "encodingFlags": […]}`, and the shape that Loki had before 1.0.

import type { KeptEntry } from "../query/entry-keeper.ts";
import type { ResultLabels } from "../query/series-table.ts";
import { labelsJson, streamsJson } from "./query-json.ts";

export interface TailFrame {
  readonly entries: readonly KeptEntry[];
  readonly dropped: readonly KeptEntry[];
}

/** @param encodingFlags as the client sent them */
export function tailFrame({ entries, dropped }: TailFrame, encodingFlags: readonly string[], categorized: boolean): string {
  const streams = [...streamsJson(entries, categorized)].join("");
  const flags = encodingFlags.length > 0 ? `,"encodingFlags":${JSON.stringify(encodingFlags)}` : "";
  return `{"streams":${streams}${droppedJson(dropped, (labels) => labelsJson(labels))}${flags}}`;
}

/** Of /api/prom/tail: labels are one text, times RFC 3339. */
export function legacyTailFrame({ entries, dropped }: TailFrame): string {
  const streams = new Map<string, string[]>();
  for (const { sec, nanos, line, labels } of entries) {
    const key = labelsText(labels.all);
    const entry = JSON.stringify({ ts: rfc3339Nano(sec, nanos), line });
    const known = streams.get(key);
    if (known === undefined) streams.set(key, [entry]);
    else known.push(entry);
  }
  const listed = [...streams].map(([labels, lines]) => `{"labels":${JSON.stringify(labels)},"entries":[${lines.join(",")}]}`);
  return `{"streams":[${listed.join(",")}]${droppedJson(dropped, (labels) => JSON.stringify(labelsText(labels)))}}`;
}

function droppedJson(dropped: readonly KeptEntry[], labelsOf: (labels: ResultLabels) => string): string {
  if (dropped.length === 0) return "";
  const items = dropped.map(
    ({ sec, nanos, labels }) => `{"labels":${labelsOf(labels.all)},"timestamp":"${BigInt(sec) * 1_000_000_000n + BigInt(nanos)}"}`,
  );
  return `,"dropped_entries":[${items.join(",")}]`;
}

function labelsText({ names, values }: ResultLabels): string {
  return `{${names.map((name, i) => `${name}=${JSON.stringify(values[i])}`).join(", ")}}`;
}

function rfc3339Nano(sec: number, nanos: number): string {
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${new Date(sec * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}
