// Calls of the push kernels.

import { type KernelMemory, PAD_BYTES } from "../kernel-memory.ts";
import type { DecodedPush, Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { malformed, NO_ROOM } from "../malformed.ts";
import type { KernelModule } from "./module.ts";

export function pushKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "encodeEntries" | "decodePush"> {
  return {
    encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at): number {
      const fits = measurePicks(bytes, starts, ends, picks, pickCount);
      // No more room than the entries can take is set aside, however large `out` is.
      const room = Math.min(out.length - at, spanTo - spanFrom + pickBytes + 40 * pickCount);
      const need = spanTo - spanFrom + 16 * starts.length + 4 * pickCount + room;
      if (!fits || room < 0 || !memory.enter(need, 7, bytes, starts, ends, sec, nanos, picks, out)) {
        return twin.encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at);
      }
      const resident = memory.isResident(out);
      const target = resident ? out.byteOffset + at : memory.take(room);
      const written = module.encodeEntries(
        memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom,
        memory.placeWords(starts, pickTop),
        memory.placeWords(ends, pickTop),
        memory.placeWords(sec, pickTop),
        memory.placeWords(nanos, pickTop),
        memory.placeWords(picks, pickCount),
        pickCount,
        target,
        resident ? out.length - at : room,
      );
      if (written < 0) return -1;
      if (!resident) out.set(memory.bytes.subarray(target, target + written), at);
      return at + written;
    },

    decodePush(body: Uint8Array): DecodedPush {
      // Fewer bytes per entry, stream or pair than this are possible but pointless; the twin decodes such requests.
      const entryRoom = (body.length >> 3) + 64;
      const streamRoom = (body.length >> 5) + 64;
      const pairRoom = (body.length >> 4) + 64;
      const need = 2 * body.length + PAD_BYTES + 12 * entryRoom + 16 * streamRoom + 20 * pairRoom + 16;
      if (!memory.enter(need, 8, body)) return twin.decodePush(body);
      const request = memory.placeBytes(body, 0, body.length);
      const lines = memory.take(body.length + PAD_BYTES);
      const [ends, sec, nanos] = [memory.take(4 * entryRoom), memory.take(4 * entryRoom), memory.take(4 * entryRoom)];
      const [streams, pairs, counts] = [memory.take(16 * streamRoom), memory.take(20 * pairRoom), memory.take(16)];
      const code = module.decodePush(
        request,
        body.length,
        lines,
        ends,
        sec,
        nanos,
        entryRoom,
        streams,
        streamRoom,
        pairs,
        pairRoom,
        counts,
      );
      if (code === NO_ROOM) return twin.decodePush(body);
      if (code < 0) throw malformed("push request", code, body.length);
      const [entryCount, streamCount, metadataCount, lineBytes] = memory.words.subarray(counts >> 2, (counts >> 2) + 4);
      return {
        bytes: memory.byteView(lines, lineBytes!),
        entryCount: entryCount!,
        ends: memory.wordView(ends, entryCount!),
        sec: memory.wordView(sec, entryCount!),
        nanos: memory.wordView(nanos, entryCount!),
        streamCount: streamCount!,
        streams: memory.wordView(streams, 4 * streamCount!),
        metadataCount: metadataCount!,
        metadata: memory.wordView(pairs, 5 * metadataCount!),
      };
    },
  };
}

// Of the picks measured last: the part of `bytes` they lie in, line bytes in all (a line may be picked twice), the highest index + 1.
let spanFrom = 0;
let spanTo = 0;
let pickBytes = 0;
let pickTop = 0;

function measurePicks(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, picks: Int32Array, pickCount: number): boolean {
  let low = bytes.length;
  let high = 0;
  pickBytes = pickTop = spanFrom = spanTo = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    const start = starts[i]!;
    const end = ends[i]!;
    if (!(i >= 0 && start >= 0 && end >= start && end <= bytes.length)) return false;
    if (start < low) low = start;
    if (end > high) high = end;
    if (i >= pickTop) pickTop = i + 1;
    pickBytes += end - start;
  }
  spanFrom = Math.min(low, high);
  spanTo = high;
  return true;
}
