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

/** Columns that the next use of a kernel does not overwrite. */
export function withOwnColumns(push: PushColumns): PushColumns {
  const { bytes, ends, sec, nanos, entryCount } = push;
  return {
    ...push,
    bytes: bytes.slice(),
    ends: ends.slice(0, entryCount),
    sec: sec.slice(0, entryCount),
    nanos: nanos.slice(0, entryCount),
  };
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
