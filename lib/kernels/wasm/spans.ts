// Where the spans of a call lie: what has to be brought into the module's memory, and whether the spans may be trusted at all.

import type { KernelMemory } from "../kernel-memory.ts";
import type { Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import type { KernelModule } from "./module.ts";

export interface Extent {
  /** The part of the bytes that all spans lie in. */
  readonly from: number;
  readonly to: number;
  /** Bytes of all spans together. */
  readonly sum: number;
}

/** Of the spans 0..count, or of those among the first `pickCount` of `picks`. Undefined when one is not within `bytes`. */
export function extentOf(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  picks?: Int32Array,
  pickCount = count,
): Extent | undefined {
  if (count > starts.length || count > ends.length || (picks !== undefined && pickCount > picks.length)) return undefined;
  let from = bytes.length;
  let to = 0;
  let sum = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks === undefined ? k : picks[k]!;
    if (i < 0 || i >= count) return undefined;
    const start = starts[i]!;
    const end = ends[i]!;
    if (start < 0 || end < start || end > bytes.length) return undefined;
    if (start < from) from = start;
    if (end > to) to = end;
    sum += end - start;
  }
  return { from: Math.min(from, to), to, sum };
}

/** Of different texts; the kernel's table has room for them. */
const NUMBERS_MAX = 256;

/** Scratch space that `surveySpans` takes, in one piece. */
export const SURVEY_BYTES = 16;

/** What the kernel of that name tells of spans whose columns are in the memory; undefined when one is not within the bytes. */
export function surveySpans(
  module: KernelModule,
  memory: KernelMemory,
  byteCount: number,
  startsAt: number,
  endsAt: number,
  count: number,
  picks: { readonly at: number; readonly count: number } = { at: 0, count },
  base = 0,
): (Extent & { readonly cutCount: number }) | undefined {
  const out = memory.take(SURVEY_BYTES);
  if (module.surveySpans(base, byteCount, startsAt, endsAt, count, picks.at, picks.count, out) === 0) return undefined;
  const { words } = memory;
  const at = out >> 2;
  return { from: words[at]!, to: words[at + 1]!, sum: words[at + 2]!, cutCount: words[at + 3]! };
}

/**
 * Address of `bytes[0]` for a kernel that checks each span itself: bytes that are not in the memory are brought there as far as the spans
 * go. Undefined when one of them is not within the bytes.
 */
export function placeSpans(
  module: KernelModule,
  memory: KernelMemory,
  bytes: Uint8Array,
  startsAt: number,
  endsAt: number,
  count: number,
  picks?: { readonly at: number; readonly count: number },
): number | undefined {
  if (memory.isResident(bytes)) return bytes.byteOffset;
  const extent = surveySpans(module, memory, bytes.length, startsAt, endsAt, count, picks);
  return extent === undefined ? undefined : memory.placeBytes(bytes, extent.from, extent.to) - extent.from;
}

export function spanKernels(
  module: KernelModule,
  memory: KernelMemory,
): Pick<Kernels, "surveyLines" | "fitLines" | "groupPicks" | "numberTexts"> {
  return {
    surveyLines(bytes, starts, ends, picks, pickCount) {
      const count = Math.min(starts.length, ends.length);
      // Bringing the bytes in would cost more than looking at two of each line.
      if (!memory.isResident(bytes) || !memory.enter(SURVEY_BYTES + 8 * count + 4 * pickCount, 4, bytes, starts, ends, picks)) {
        return twin.surveyLines(bytes, starts, ends, picks, pickCount);
      }
      const [startsAt, endsAt] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const picked = { at: memory.placeWords(picks, pickCount), count: pickCount };
      const survey = surveySpans(module, memory, bytes.length, startsAt, endsAt, count, picked, bytes.byteOffset);
      if (survey === undefined) return twin.surveyLines(bytes, starts, ends, picks, pickCount);
      return { from: survey.from, to: survey.to, lineBytes: survey.sum, cutCount: survey.cutCount };
    },

    fitLines(starts, ends, picks, pickCount, bytesMax) {
      const count = Math.min(starts.length, ends.length);
      if (!memory.enter(SURVEY_BYTES + 8 * count + 4 * pickCount, 4, starts, ends, picks)) {
        return twin.fitLines(starts, ends, picks, pickCount, bytesMax);
      }
      const out = memory.take(SURVEY_BYTES);
      const [startsAt, endsAt] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const most = Math.min(bytesMax, 2 ** 31 - 1);
      const fitting = module.fitSpans(startsAt, endsAt, count, memory.placeWords(picks, pickCount), pickCount, most, out);
      if (fitting < 0) throw new RangeError("BUG: a pick is of no line");
      return { count: fitting, bytes: memory.words[out >> 2]! };
    },

    numberTexts(bytes, spans, count, picks, pickCount, numbers, firsts) {
      const { kind, start, end, stride, offset } = spans;
      const slots = count * stride;
      const most = Math.min(NUMBERS_MAX, firsts.length);
      const need = (memory.isResident(bytes) ? 0 : bytes.length) + SURVEY_BYTES + 9 * slots + 4 * (pickCount + count + most);
      if (!memory.enter(need, 8, bytes, kind, start, end, picks, numbers, firsts)) {
        return twin.numberTexts(bytes, spans, count, picks, pickCount, numbers, firsts);
      }
      const out = memory.take(SURVEY_BYTES);
      // Entries that are not picked keep their numbers.
      const numbersAt = memory.result(numbers, count);
      if (!memory.isResident(numbers)) memory.words.set(numbers.subarray(0, count), numbersAt >> 2);
      const done = module.numberTexts(
        memory.placeBytes(bytes, 0, bytes.length),
        bytes.length,
        memory.placeBytes(kind, 0, slots),
        memory.placeWords(start, slots),
        memory.placeWords(end, slots),
        stride,
        offset,
        count,
        memory.placeWords(picks, pickCount),
        pickCount,
        numbersAt,
        memory.result(firsts, most),
        most,
        out,
      );
      if (done === 0) throw new RangeError("BUG: a pick is of no entry, or its value not within the bytes");
      const [textCount, oddCount] = [memory.words[out >> 2]!, memory.words[(out >> 2) + 1]!];
      memory.leave();
      return { textCount, oddCount };
    },

    groupPicks(picks, pickCount, groups, groupCount, sorted, groupEnds) {
      const need = 4 * (2 * pickCount + groups.length + groupCount);
      const fits = sorted.length >= pickCount && groupEnds.length >= groupCount;
      if (!fits || !memory.enter(need, 4, picks, groups, sorted, groupEnds)) {
        twin.groupPicks(picks, pickCount, groups, groupCount, sorted, groupEnds);
        return;
      }
      const done = module.groupPicks(
        memory.placeWords(picks, pickCount),
        pickCount,
        memory.placeWords(groups, groups.length),
        groups.length,
        groupCount,
        memory.result(sorted, pickCount),
        memory.result(groupEnds, groupCount),
      );
      if (done === 0) throw new RangeError("BUG: a pick is of no line or no group");
      memory.leave();
    },
  };
}
