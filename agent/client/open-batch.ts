// A batch that is being filled: entries are encoded as they come, each stream into its own buffer, so that nothing of the source's
// bytes is kept. Sealing puts the streams together and compresses them, and that is what waits to be sent.

import { allocateWords, kernels } from "../../lib/kernels/index.ts";
import type { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import type { EntryBatch, Ticket } from "../../lib/wire/entry-batch.ts";
import { type NumberedMetadata, numberMetadata } from "./metadata-bytes.ts";
import { ENTRY_OVERHEAD_BYTES, encodeEntry, entryBytesMax, streamHeadBytesMax, writeStreamHead } from "./push-body.ts";
import { streamBuffers } from "./stream-buffers.ts";
import type { ResolvedStream } from "./stream-labels.ts";

/** A finished request: compressed, with what must happen when its way ends. */
export interface SealedBatch {
  /** Snappy of the request. */
  readonly body: Buffer;
  /** The pooled buffer that `body` is a part of. */
  readonly buffer: Buffer;
  readonly entryCount: number;
  /** Lines and metadata, as they count towards the batch size. */
  readonly lineBytes: number;
  /** The labels of its streams as they are sent. */
  readonly streams: readonly string[];
  readonly tickets: readonly Ticket[];
}

/** Entries from `from` on; before them is room for what the request has before them. */
interface StreamBuffer {
  bytes: Buffer;
  readonly from: number;
  used: number;
}

/** What of a source's batch goes into one of ours: entries `picks[from, to)`, each of the stream its slot stands for. */
export interface Segment {
  readonly batch: EntryBatch;
  readonly picks: Int32Array;
  readonly from: number;
  readonly to: number;
  /** By entry index of the batch. */
  readonly slots: Int32Array;
  readonly streams: readonly ResolvedStream[];
}

const NO_ROOM = new Uint8Array(0);
/** Room of a stream of which nothing is known. */
const BEGIN_BYTES = 1024;
const REQUEST_SCRATCH_BYTES = 2 * 1024 * 1024;
let requestScratch: Uint8Array | undefined;
/** Picks sorted by their streams, while a segment is encoded. */
let grouped = allocateWords(16_384);

export class OpenBatch {
  readonly openedMs: number;
  /** Of the sources' batches its entries are of. */
  readonly tickets = new Set<Ticket>();
  lineBytes = 0;
  entryCount = 0;
  readonly #pool: BufferPool;
  readonly #holdsTickets: boolean;
  readonly #streams = new Map<ResolvedStream, StreamBuffer>();

  constructor(pool: BufferPool, openedMs: number, holdsTickets = true) {
    this.#pool = pool;
    this.openedMs = openedMs;
    this.#holdsTickets = holdsTickets;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get streams(): Iterable<ResolvedStream> {
    return this.#streams.keys();
  }

  has(stream: ResolvedStream): boolean {
    return this.#streams.has(stream);
  }

  /** Takes entries whose size is `lineBytes` in sum. The source's bytes are not needed afterwards. */
  append(segment: Segment, lineBytes: number): void {
    const { batch, picks, from, to } = segment;
    for (const ticket of this.#holdsTickets ? batch.tickets : []) {
      if (this.tickets.has(ticket)) continue;
      ticket.hold();
      this.tickets.add(ticket);
    }
    this.lineBytes += lineBytes;
    this.entryCount += to - from;
    if (segment.streams.length === 1) {
      this.#encode(batch, picks.subarray(from, to), segment.streams[0]!);
      return;
    }
    if (grouped.length < to - from) grouped = new Int32Array((to - from) * 2);
    const groupEnds = new Int32Array(segment.streams.length);
    kernels.groupPicks(picks.subarray(from, to), to - from, segment.slots, segment.streams.length, grouped, groupEnds);
    this.#encodeGroups(batch, groupEnds, segment.streams);
  }

  /** Encodes picks that are sorted by their streams: in one call those whose buffers have room, the others by themselves. */
  #encodeGroups(batch: EntryBatch, groupEnds: Int32Array, streams: readonly ResolvedStream[]): void {
    const metadata = forKernels(batch);
    const isEmpty = (slot: number): boolean => groupEnds[slot] === (slot === 0 ? 0 : groupEnds[slot - 1]);
    const begun = streams.map((stream, slot) =>
      metadata !== undefined && !isEmpty(slot) ? (this.#streams.get(stream) ?? this.#begin(stream)) : undefined,
    );
    const ends = Int32Array.from(begun, (buffer) => buffer?.used ?? -1);
    if (metadata !== undefined) {
      const outs = begun.map((buffer) => buffer?.bytes ?? NO_ROOM);
      kernels.encodeGroups(batch.bytes, batch.starts, batch.ends, batch.sec, batch.nanos, grouped, groupEnds, outs, ends, metadata.tails);
    }
    for (let slot = 0, from = 0; slot < streams.length; from = groupEnds[slot++]!) {
      if (groupEnds[slot] === from) continue;
      if (ends[slot]! >= 0) begun[slot]!.used = ends[slot]!;
      else this.#encode(batch, grouped.subarray(from, groupEnds[slot]), streams[slot]!);
    }
  }

  /** With the room that it took last time, if that is more. */
  #begin(stream: ResolvedStream, room = 0): StreamBuffer {
    const from = streamHeadBytesMax(stream.sentBytes);
    const buffer = { bytes: streamBuffers.take(Math.max(BEGIN_BYTES, from + room, stream.batchBytes)), from, used: from };
    this.#streams.set(stream, buffer);
    return buffer;
  }

  #encode(batch: EntryBatch, picks: Int32Array, stream: ResolvedStream): void {
    const metadata = forKernels(batch);
    if (metadata !== undefined) {
      const { bytes, starts, ends, sec, nanos } = batch;
      const encode = ({ bytes: out, used }: StreamBuffer): number =>
        kernels.encodeEntries(bytes, starts, ends, sec, nanos, picks, picks.length, out, used, metadata.tails);
      // Most often there is room, which is found out by trying.
      const begun = this.#streams.get(stream);
      const end = begun === undefined ? -1 : encode(begun);
      if (end >= 0) begun!.used = end;
      else {
        const buffer = this.#bufferFor(stream, roomFor(batch, picks));
        buffer.used = encode(buffer);
      }
    } else {
      const buffer = this.#bufferFor(stream, roomFor(batch, picks));
      for (const i of picks) buffer.used = encodeEntry(batch, i, buffer.bytes, buffer.used);
    }
  }

  #bufferFor(stream: ResolvedStream, room: number): StreamBuffer {
    const buffer = this.#streams.get(stream) ?? this.#begin(stream, room);
    if (buffer.used + room > buffer.bytes.length) {
      const grown = streamBuffers.take(Math.max(buffer.used + room, buffer.bytes.length * 2));
      grown.set(buffer.bytes.subarray(0, buffer.used));
      streamBuffers.give(buffer.bytes);
      buffer.bytes = grown;
    }
    return buffer;
  }

  /** Ends the filling. The batch must not be used afterwards. */
  seal(): SealedBatch {
    const parts = [...this.#streams].map(([stream, { bytes, from, used }]) => {
      stream.batchBytes = used;
      return bytes.subarray(writeStreamHead(stream.sentBytes, used - from, bytes, from), used);
    });
    const compressed = compressRequest(parts, this.#pool);
    this.giveBuffers();
    const { entryCount, lineBytes } = this;
    return {
      ...compressed,
      entryCount,
      lineBytes,
      streams: [...this.#streams.keys()].map(({ sent }) => String(sent)),
      tickets: [...this.tickets],
    };
  }

  /** For a batch that is not sent, too. It must not be used afterwards. */
  giveBuffers(): void {
    for (const { bytes } of this.#streams.values()) streamBuffers.give(bytes);
  }
}

/** A request of its streams, each with its head, compressed into a pooled buffer. */
export function compressRequest(streams: readonly Uint8Array[], pool: BufferPool): { readonly body: Buffer; readonly buffer: Buffer } {
  const compressed = kernels.snappyCompress(streams.length === 1 ? streams[0]! : joined(streams));
  const buffer = pool.take(compressed.length);
  buffer.set(compressed);
  return { buffer, body: buffer.subarray(0, compressed.length) };
}

function joined(streams: readonly Uint8Array[]): Uint8Array {
  const bytes = streams.reduce((sum, { length }) => sum + length, 0);
  requestScratch ??= kernels.allocate(REQUEST_SCRATCH_BYTES);
  const request = bytes <= REQUEST_SCRATCH_BYTES ? requestScratch : new Uint8Array(bytes);
  let at = 0;
  for (const stream of streams) {
    request.set(stream, at);
    at += stream.length;
  }
  return request.subarray(0, bytes);
}

/** The metadata as the kernels that encode take it; undefined when they cannot: of far years, and of metadata that hardly repeats, they know nothing. */
function forKernels(batch: EntryBatch): NumberedMetadata | undefined {
  return batch.farSec === undefined ? numberMetadata(batch) : undefined;
}

function roomFor(batch: EntryBatch, picks: Int32Array): number {
  const metadata = forKernels(batch);
  if (metadata !== undefined) {
    const overhead = ENTRY_OVERHEAD_BYTES + metadata.bytesMax;
    return kernels.surveyLines(batch.bytes, batch.starts, batch.ends, picks, picks.length).lineBytes + picks.length * overhead;
  }
  let room = 0;
  for (const i of picks) room += entryBytesMax(batch, i);
  return room;
}
