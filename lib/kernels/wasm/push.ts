// Calls of the push kernels.

import { type KernelMemory, PAD_BYTES } from "../kernel-memory.ts";
import type { DecodedPush, EntryTails, Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { malformed, NO_ROOM } from "../malformed.ts";
import type { KernelModule } from "./module.ts";
import { placeSpans, SURVEY_BYTES } from "./spans.ts";

/** Room that tails and the table of them take, in two pieces. */
function tailsBytes(tails: EntryTails | undefined): number {
  if (tails === undefined) return 0;
  return tails.texts.reduce((sum, { length }) => sum + length + 8, 4 * tails.ids.length);
}

/** Addresses of the tails' numbers and of the table, and how many tails there are. */
function placeTails(memory: KernelMemory, tails: EntryTails | undefined, count: number): [idsAt: number, table: number, tailCount: number] {
  if (tails === undefined) return [0, 0, 0];
  const { ids, texts } = tails;
  const table = memory.take(tailsBytes(tails) - 4 * ids.length);
  let at = table + 8 * texts.length;
  for (let t = 0; t < texts.length; t++) {
    memory.words[(table >> 2) + 2 * t] = at;
    memory.words[(table >> 2) + 2 * t + 1] = texts[t]!.length;
    memory.bytes.set(texts[t]!, at);
    at += texts[t]!.length;
  }
  return [memory.placeWords(ids, Math.min(count, ids.length)), table, texts.length];
}

export function pushKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "encodeEntries" | "encodeGroups" | "decodePush"> {
  const one: Pick<Kernels, "encodeEntries"> = {
    encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at, tails): number {
      const count = Math.min(starts.length, ends.length);
      const room = out.length - at;
      // Where the module writes into `out` itself, no room is set aside, however large `out` is.
      const resident = memory.isResident(out);
      const brought = (memory.isResident(bytes) ? 0 : bytes.length) + (resident ? 0 : room);
      const need = brought + SURVEY_BYTES + 16 * count + 4 * pickCount + tailsBytes(tails);
      const byTwin = (): number => twin.encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at, tails);
      if (room < 0 || !memory.enter(need, 10, bytes, starts, ends, sec, nanos, picks, out)) return byTwin();
      const [startsAt, endsAt] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const picksAt = memory.placeWords(picks, pickCount);
      const base = placeSpans(module, memory, bytes, startsAt, endsAt, count, { at: picksAt, count: pickCount });
      if (base === undefined) return byTwin();
      const target = resident ? out.byteOffset + at : memory.take(room);
      const written = module.encodeEntries(
        base,
        bytes.length,
        startsAt,
        endsAt,
        memory.placeWords(sec, count),
        memory.placeWords(nanos, count),
        count,
        picksAt,
        pickCount,
        target,
        room,
        ...placeTails(memory, tails, count),
      );
      if (written === -2) return byTwin();
      if (written < 0) return -1;
      if (!resident) out.set(memory.bytes.subarray(target, target + written), at);
      return at + written;
    },
  };

  /** Bytes of an address and a room, and of what was written, for each group. */
  const groupBytes = 12;

  return {
    ...one,

    encodeGroups(bytes, starts, ends, sec, nanos, sorted, groupEnds, outs, ats, tails): void {
      const count = Math.min(starts.length, ends.length);
      const groupCount = outs.length;
      const pickCount = groupCount === 0 ? 0 : groupEnds[groupCount - 1]!;
      const byOne = (group: number): void => {
        const [from, to] = [group === 0 ? 0 : groupEnds[group - 1]!, groupEnds[group]!];
        if (to === from) return;
        const picks = sorted.subarray(from, to);
        ats[group] = one.encodeEntries(bytes, starts, ends, sec, nanos, picks, to - from, outs[group]!, ats[group]!, tails);
      };
      const need = SURVEY_BYTES + 16 * count + 4 * (pickCount + groupCount) + groupBytes * groupCount + tailsBytes(tails);
      if (!memory.isResident(bytes) || !memory.enter(need, 10, bytes, starts, ends, sec, nanos, sorted, groupEnds)) {
        for (let group = 0; group < groupCount; group++) byOne(group);
        return;
      }
      const [table, written] = [memory.take(8 * groupCount), memory.take(4 * groupCount)];
      const { words } = memory;
      for (let group = 0; group < groupCount; group++) {
        const out = outs[group]!;
        // Without room nothing is written: to what is not in the memory, entries go by themselves.
        const resident = memory.isResident(out);
        words[(table >> 2) + 2 * group] = resident ? out.byteOffset + ats[group]! : table;
        words[(table >> 2) + 2 * group + 1] = resident ? Math.max(0, out.length - ats[group]!) : 0;
      }
      const done = module.encodeGroups(
        bytes.byteOffset,
        bytes.length,
        memory.placeWords(starts, count),
        memory.placeWords(ends, count),
        memory.placeWords(sec, count),
        memory.placeWords(nanos, count),
        count,
        memory.placeWords(sorted, pickCount),
        memory.placeWords(groupEnds, groupCount),
        groupCount,
        table,
        written,
        ...placeTails(memory, tails, count),
      );
      if (done === 0) throw new RangeError("BUG: a pick is of no line");
      const results = words.slice(written >> 2, (written >> 2) + groupCount);
      for (let group = 0; group < groupCount; group++) {
        if (!memory.isResident(outs[group]!)) byOne(group);
        else ats[group] = results[group]! < 0 ? -1 : ats[group]! + results[group]!;
      }
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
