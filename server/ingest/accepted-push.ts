// The part of a push that was accepted: what ingest hands to storage.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";

/** Columns are only read while `append` runs synchronously: they may be views that the next kernel call overwrites. */
export interface AcceptedPush {
  /** All lines, each followed by one line feed. */
  readonly bytes: Uint8Array;
  readonly entryCount: number;
  /** Line i is `bytes[i === 0 ? 0 : ends[i - 1] + 1, ends[i])`. */
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  /** Streams as runs of entries; a stream may stand in several runs. */
  readonly streams: readonly { readonly labels: LabelSet; readonly from: number; readonly to: number }[];
  /** Structured metadata by entry; sparse. */
  readonly metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  /** 0 for entries that were refused; absent when all are accepted. */
  readonly keep: Uint8Array | undefined;
}

/** The push without its refused entries, in columns of its own; the push itself when there are none. */
export function withoutRefused(push: AcceptedPush): AcceptedPush {
  const { keep, ends } = push;
  if (keep === undefined) return push;
  const bytes = new Uint8Array(push.bytes.length);
  const to = { ends: new Int32Array(push.entryCount), sec: new Int32Array(push.entryCount), nanos: new Int32Array(push.entryCount) };
  const metadata: (readonly MetadataPair[] | undefined)[] | undefined = push.metadata === undefined ? undefined : [];
  const streams: { labels: LabelSet; from: number; to: number }[] = [];
  let count = 0;
  let used = 0;
  for (const stream of push.streams) {
    const from = count;
    for (let i = stream.from; i < stream.to; i++) {
      if (keep[i] === 0) continue;
      const start = lineStart(ends, i);
      bytes.set(push.bytes.subarray(start, ends[i]! + 1), used);
      used += ends[i]! + 1 - start;
      to.ends[count] = used - 1;
      to.sec[count] = push.sec[i]!;
      to.nanos[count] = push.nanos[i]!;
      const pairs = push.metadata?.[i];
      if (pairs !== undefined) metadata![count] = pairs;
      count++;
    }
    if (count > from) streams.push({ labels: stream.labels, from, to: count });
  }
  return { bytes: bytes.subarray(0, used), entryCount: count, ...to, streams, metadata, keep: undefined };
}
