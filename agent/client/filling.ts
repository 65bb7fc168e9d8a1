// How much of a source's batch the open batch takes.

import { kernels } from "../../lib/kernels/index.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { encodeMetadata, numberMetadata } from "./metadata-bytes.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { ResolvedStream } from "./stream-labels.ts";

/** Which streams may enter the open batch, by slot: those in it, and new ones up to the bound, in order of arrival. */
export function allowedStreams(
  open: OpenBatch,
  streamsMax: number,
  picks: Int32Array,
  slots: Int32Array,
  streams: readonly ResolvedStream[],
): Uint8Array {
  const allowed = new Uint8Array(streams.length);
  let room = streamsMax - open.streamCount;
  const seen = new Set<ResolvedStream>();
  for (const i of picks) {
    const slot = slots[i]!;
    const stream = streams[slot]!;
    if (allowed[slot] === 1) continue;
    if (open.has(stream) || seen.has(stream)) allowed[slot] = 1;
    else if (room > 0) {
      room--;
      seen.add(stream);
      allowed[slot] = 1;
    }
  }
  return allowed;
}

/**
 * How many entries from `from` on an open batch takes: up to the first whose stream is not allowed, or that is beyond `bytesMax` (the
 * first of an empty batch never is). A function of its own, small enough to be compiled once: within `add`, each batch that was sent
 * for the first time made the engine compile all that `add` calls anew.
 */
export function fitting(
  batch: EntryBatch,
  picks: Int32Array,
  from: number,
  count: number,
  isEmpty: boolean,
  bytesMax: number,
  bound: { readonly slots: Int32Array; readonly allowed: Uint8Array } | undefined,
): { readonly to: number; readonly bytes: number } {
  if (bound === undefined && batch.metadata === undefined) {
    const fit = kernels.fitLines(batch.starts, batch.ends, picks.subarray(from, count), count - from, bytesMax);
    if (fit.count === 0 && isEmpty) return { to: from + 1, bytes: batch.lineLength(picks[from]!) };
    return { to: from + fit.count, bytes: fit.bytes };
  }
  const counted = numberMetadata(batch)?.counted;
  let bytes = 0;
  let to = from;
  for (; to < count; to++) {
    if (bound !== undefined && bound.allowed[bound.slots[picks[to]!]!] === 0) break;
    const i = picks[to]!;
    const entryBytes = counted === undefined ? sizeOf(batch, i) : batch.ends[i]! - batch.starts[i]! + counted[i]!;
    if (bytes + entryBytes > bytesMax && !(isEmpty && to === from)) break;
    bytes += entryBytes;
  }
  return { to, bytes };
}

function sizeOf(batch: EntryBatch, i: number): number {
  const bytes = batch.ends[i]! - batch.starts[i]!;
  return batch.metadata === undefined ? bytes : bytes + encodeMetadata(batch.metadata[i]).counted;
}
