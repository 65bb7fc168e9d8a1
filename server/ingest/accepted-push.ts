// The part of a push that was accepted: what ingest hands to storage.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";

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
