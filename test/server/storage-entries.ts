// Entries into pushes, and out of a storage again, for tests.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { AcceptedPush } from "../../server/ingest/accepted-push.ts";
import type { Page } from "../../server/page.ts";
import type { Storage } from "../../server/storage.ts";

export interface ModelEntry {
  readonly labels: Readonly<Record<string, string>>;
  readonly sec: number;
  readonly nanos: number;
  readonly line: string;
  readonly metadata?: readonly MetadataPair[];
}

/** One push of all entries, those of a stream together. */
export function pushOf(entries: readonly ModelEntry[]): AcceptedPush {
  const byLabels = new Map<LabelSet, ModelEntry[]>();
  for (const entry of entries) {
    const labels = LabelSet.fromObject(entry.labels);
    const known = byLabels.get(labels);
    if (known === undefined) byLabels.set(labels, [entry]);
    else known.push(entry);
  }
  const ordered = [...byLabels.values()].flat();
  const ends = new Int32Array(ordered.length);
  let at = 0;
  ordered.forEach(({ line }, i) => {
    ends[i] = at + Buffer.byteLength(line);
    at = ends[i]! + 1;
  });
  let from = 0;
  return {
    bytes: Buffer.from(ordered.map(({ line }) => `${line}\n`).join("")),
    entryCount: ordered.length,
    ends,
    sec: Int32Array.from(ordered, ({ sec }) => sec),
    nanos: Int32Array.from(ordered, ({ nanos }) => nanos),
    streams: [...byLabels].map(([labels, own]) => ({ labels, from, to: (from += own.length) })),
    metadata: ordered.some(({ metadata }) => metadata !== undefined) ? ordered.map(({ metadata }) => metadata) : undefined,
    keep: undefined,
  };
}

export const ALL_TIME = { startNs: -(2n ** 62n), endNs: 2n ** 62n };

/** Every entry of a tenant, as often as it is stored. */
export async function readAll(storage: Storage, tenant: string): Promise<ModelEntry[]> {
  const reader = storage.openReader();
  const found: ModelEntry[] = [];
  for (const { labels, pages } of await storage.select(tenant, [], ALL_TIME)) {
    for (const ref of pages) found.push(...entriesOf(await reader.open(ref), labels));
  }
  return found;
}

export function entriesOf(page: Page, labels: LabelSet): ModelEntry[] {
  const { stats, bytes, ends, sec, nanos, metadata } = page;
  return Array.from({ length: stats.entryCount }, (_, i) => ({
    labels: labels.toObject(),
    sec: sec[i]!,
    nanos: nanos[i]!,
    line: Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1]! + 1, ends[i])).toString("utf8"),
    ...(metadata?.[i] === undefined ? {} : { metadata: metadata[i]!.map(([name, value]): MetadataPair => [name, value]) }),
  }));
}

/** The entries of a push, in its order. */
export function entriesOfPush(push: AcceptedPush): ModelEntry[] {
  return push.streams.flatMap(({ labels, from, to }) =>
    Array.from({ length: to - from }, (_, k) => {
      const i = from + k;
      const line = Buffer.from(push.bytes.subarray(i === 0 ? 0 : push.ends[i - 1]! + 1, push.ends[i])).toString("utf8");
      const pairs = push.metadata?.[i];
      return {
        labels: labels.toObject(),
        sec: push.sec[i]!,
        nanos: push.nanos[i]!,
        line,
        ...(pairs === undefined ? {} : { metadata: pairs }),
      };
    }),
  );
}
