// Calls of the kernels that search pages and build their filters.

import { filterBytesFor } from "../gram-filter.ts";
import { type KernelMemory, NEEDLE_BYTES_MAX, PAD_BYTES } from "../kernel-memory.ts";
import type { Kernels, Needle } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import type { KernelModule } from "./module.ts";
import { extentOf } from "./spans.ts";

/** Bytes copied at a time when a text outside the module's memory is searched: what is behind a hit need not be copied. */
const FIND_WINDOW_BYTES = 65_536;

export function findKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "find" | "findLines" | "countInSpans"> {
  let placed: Needle | undefined;

  /** Brings the needle to its place, unless it is there from the call before. */
  function place(needle: Needle): void {
    if (needle === placed) return;
    memory.bytes.set(needle.bytes, memory.needleAt);
    placed = needle;
  }

  return {
    find(bytes: Uint8Array, from: number, to: number, needle: Needle): number {
      const length = needle.bytes.length;
      const inRange = from >= 0 && to <= bytes.length && length <= to - from;
      if (length === 0 || !inRange || length > NEEDLE_BYTES_MAX) return twin.find(bytes, from, to, needle);
      place(needle);
      const { probeA, probeB } = needle;
      const fold = needle.ignoreCase ? 1 : 0;
      if (memory.isResident(bytes)) return module.find(bytes.byteOffset, from, to, memory.needleAt, length, probeA, probeB, fold);
      // Windows overlap by a needle less one byte.
      for (let at = from; at + length <= to; at += FIND_WINDOW_BYTES) {
        const end = Math.min(to, at + FIND_WINDOW_BYTES + length - 1);
        memory.enter(end - at, 1);
        const window = memory.placeBytes(bytes, at, end) - at;
        const hit = module.find(window, at, end, memory.needleAt, length, probeA, probeB, fold);
        if (hit >= 0) return hit;
      }
      return -1;
    },

    findLines(bytes: Uint8Array, ends: Int32Array, count: number, needle: Needle, hits: Int32Array): number {
      const length = needle.bytes.length;
      const most = Math.min(hits.length, count);
      const to = count === 0 ? 0 : Math.max(0, Math.min(ends[count - 1] ?? 0, bytes.length));
      const fits = length > 0 && length <= NEEDLE_BYTES_MAX && count <= ends.length;
      if (!fits || !memory.enter(to + 4 * count + 4 * most, 3, bytes, ends, hits)) return twin.findLines(bytes, ends, count, needle, hits);
      place(needle);
      const { probeA, probeB } = needle;
      const base = memory.placeBytes(bytes, 0, to);
      const lineEnds = memory.placeWords(ends, count);
      const found = memory.result(hits, most);
      const fold = needle.ignoreCase ? 1 : 0;
      const n = module.findLines(base, to, lineEnds, count, memory.needleAt, length, probeA, probeB, fold, found, most);
      memory.leave(n);
      return n;
    },

    countInSpans(bytes, starts, ends, count, picks, pickCount, needle, most, counts): void {
      const length = needle.bytes.length;
      const spans = length > 0 && length <= NEEDLE_BYTES_MAX ? extentOf(bytes, starts, ends, count, picks, pickCount) : undefined;
      const need = spans === undefined ? 0 : spans.to - spans.from + 9 * count + 4 * pickCount;
      if (spans === undefined || !memory.enter(need, 5, bytes, starts, ends, picks, counts)) {
        twin.countInSpans(bytes, starts, ends, count, picks, pickCount, needle, most, counts);
        return;
      }
      place(needle);
      const base = memory.placeBytes(bytes, spans.from, spans.to) - spans.from;
      const [from, to, picked] = [memory.placeWords(starts, count), memory.placeWords(ends, count), memory.placeWords(picks, pickCount)];
      const { probeA, probeB } = needle;
      const fold = needle.ignoreCase ? 1 : 0;
      const out = memory.result(counts, count);
      module.countInSpans(base, from, to, count, picked, pickCount, memory.needleAt, length, probeA, probeB, fold, most, out);
      memory.leave();
    },
  };
}

export function buildGramFilter(module: KernelModule, memory: KernelMemory, bytes: Uint8Array): Uint8Array {
  const filterRoom = filterBytesFor(bytes.length, bytes.length);
  if (!memory.enter(5 * bytes.length + filterRoom + PAD_BYTES, 3, bytes)) return twin.buildGramFilter(bytes);
  const text = memory.placeBytes(bytes, 0, bytes.length);
  const grams = memory.take(4 * bytes.length + PAD_BYTES);
  const count = module.sampleGrams(text, bytes.length, grams);
  const filterBytes = filterBytesFor(count, bytes.length);
  const filter = memory.take(filterBytes);
  module.setGrams(grams, count, filter, filterBytes);
  return memory.byteView(filter, filterBytes);
}
