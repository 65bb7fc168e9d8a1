// A decoded push made fit to be judged: columns of its own, metadata names cleaned, lines cut.

import { mapInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { lineStart, type PushColumns } from "../../lib/wire/push-columns.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { IngestMetrics } from "./ingest-metrics.ts";
import { metadataName } from "./validate.ts";

/** Metadata names cleaned, lines cut when the limits say so. */
export async function prepare(received: PushColumns, limits: Limits, metrics: IngestMetrics, takeTurn: TakeTurn): Promise<PushColumns> {
  let push = received;
  if (push.metadata !== undefined) {
    const clean = (pairs: readonly MetadataPair[] | undefined) => (pairs === undefined ? undefined : cleanMetadata(pairs));
    push = { ...push, metadata: await mapInTurns(push.metadata, takeTurn, clean) };
  }
  return limits.max_line_size_truncate && limits.max_line_size > 0 ? truncateLines(push, limits.max_line_size, metrics) : push;
}

/** Bytes that `withOwnColumns` needs. */
export function ownColumnBytes({ bytes, entryCount }: PushColumns): number {
  return 3 * 4 * entryCount + bytes.length;
}

/**
 * Columns that the next use of a kernel does not overwrite.
 *
 * @param memory the start of an array buffer, for as long as the push is worked on
 */
export function withOwnColumns(push: PushColumns, memory: Buffer): PushColumns {
  const { bytes, entryCount } = push;
  const own = (column: Int32Array, number: number): Int32Array => {
    const copy = new Int32Array(memory.buffer, memory.byteOffset + number * 4 * entryCount, entryCount);
    copy.set(column.subarray(0, entryCount));
    return copy;
  };
  const lines = memory.subarray(3 * 4 * entryCount, ownColumnBytes(push));
  lines.set(bytes);
  return { ...push, bytes: lines, ends: own(push.ends, 0), sec: own(push.sec, 1), nanos: own(push.nanos, 2) };
}

function cleanMetadata(pairs: readonly MetadataPair[]): readonly MetadataPair[] {
  const last = new Map<string, string>();
  for (const [name, value] of pairs) {
    const clean = metadataName(name);
    if (clean === "") throw new RequestError(400, "label name is empty", { reason: "invalid_labels" });
    last.set(clean, value);
  }
  return [...last].filter(([, value]) => value !== "");
}

function truncateLines(push: PushColumns, mostBytes: number, metrics: IngestMetrics): PushColumns {
  const bytes = new Uint8Array(push.bytes.length);
  const ends = new Int32Array(push.entryCount);
  let used = 0;
  let cut = 0;
  let cutBytes = 0;
  for (let i = 0; i < push.entryCount; i++) {
    const start = lineStart(push.ends, i);
    const length = push.ends[i]! - start;
    const kept = Math.min(length, mostBytes);
    if (kept < length) {
      cut++;
      cutBytes += length - kept;
    }
    bytes.set(push.bytes.subarray(start, start + kept), used);
    used += kept;
    ends[i] = used;
    bytes[used++] = 10;
  }
  if (cut > 0) metrics.mutated("", "line_too_long", cut, cutBytes);
  return {
    ...push,
    bytes: bytes.subarray(0, used),
    ends,
    sec: push.sec.slice(0, push.entryCount),
    nanos: push.nanos.slice(0, push.entryCount),
  };
}
