// Calls of the kernels that work line by line.

import { type KernelMemory, PAD_BYTES } from "../kernel-memory.ts";
import type { CriColumns, Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import type { KernelModule } from "./module.ts";
import { placeSpans, SURVEY_BYTES, surveySpans } from "./spans.ts";

// The part of `bytes` that the spans measured last lie in.
let spanFrom = 0;
let spanTo = 0;

/** Measures the spans 0..count. False when one is not within `bytes`. Spans that start below 0 are absent. */
function measureSpans(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number): boolean {
  let low = bytes.length;
  let high = 0;
  if (count > starts.length || count > ends.length) return false;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    if (start < 0) continue;
    if (end < start || end > bytes.length) return false;
    if (start < low) low = start;
    if (end > high) high = end;
  }
  spanFrom = Math.min(low, high);
  spanTo = high;
  return true;
}

export function lineKernels(
  module: KernelModule,
  memory: KernelMemory,
): Pick<Kernels, "splitLines" | "parseCri" | "parseRfc3339" | KeyScan> {
  return {
    splitLines(bytes: Uint8Array, from: number, to: number, starts: Int32Array, ends: Int32Array): number {
      const most = Math.min(starts.length, ends.length);
      if (from < 0 || to > bytes.length || to <= from || !memory.enter(to - from + 8 * most, 3, bytes, starts, ends)) {
        return twin.splitLines(bytes, from, to, starts, ends);
      }
      const base = memory.placeBytes(bytes, from, to) - from;
      const count = module.splitLines(base, from, to, memory.result(starts, most), memory.result(ends, most), most);
      memory.leave(count);
      return count;
    },

    parseCri(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, out: CriColumns): number {
      const need = (memory.isResident(bytes) ? 0 : bytes.length) + SURVEY_BYTES + 48 * count;
      if (count > starts.length || count > ends.length || !memory.enter(need, 16, bytes, starts, ends)) {
        return twin.parseCri(bytes, starts, ends, count, out);
      }
      const [startsAt, endsAt] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const base = placeSpans(module, memory, bytes, startsAt, endsAt, count);
      if (base === undefined) return twin.parseCri(bytes, starts, ends, count, out);
      const irregularCount = module.parseCri(
        base,
        bytes.length,
        startsAt,
        endsAt,
        count,
        memory.result(out.ok, count),
        memory.result(out.contentStart, count),
        memory.result(out.timeEnd, count),
        memory.result(out.timeOk, count),
        memory.result(out.sec, count),
        memory.result(out.nanos, count),
        memory.result(out.stream, count),
        memory.result(out.streamStart, count),
        memory.result(out.streamEnd, count),
        memory.result(out.flagsStart, count),
        memory.result(out.flagsEnd, count),
        memory.result(out.partial, count),
      );
      if (irregularCount < 0) return twin.parseCri(bytes, starts, ends, count, out);
      memory.leave();
      return irregularCount;
    },

    parseRfc3339(bytes, starts, ends, count, sec, nanos, ok) {
      const fits = measureSpans(bytes, starts, ends, count);
      if (!fits || !memory.enter(spanTo - spanFrom + 17 * count, 6, bytes, starts, ends, sec, nanos, ok)) {
        return twin.parseRfc3339(bytes, starts, ends, count, sec, nanos, ok);
      }
      const base = memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom;
      const [from, to] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const [secAt, nanosAt, okAt] = [memory.result(sec, count), memory.result(nanos, count), memory.result(ok, count)];
      const okCount = module.parseRfc3339(base, from, to, count, secAt, nanosAt, okAt);
      memory.leave();
      return okCount;
    },

    scanJson: keyScan("scanJson", module, memory),
    scanLogfmt: keyScan("scanLogfmt", module, memory),
  };
}

/** Kernels that look for keys in lines; they take the same arguments, but for what the number behind the keys says. */
type KeyScan = "scanJson" | "scanLogfmt";

function keyScan(name: KeyScan, module: KernelModule, memory: KernelMemory): Kernels["scanJson"] {
  return (bytes, starts, ends, count, keys, mode, verdict, kind, valueStart, valueEnd) => {
    const slots = count * keys.length;
    const need = (memory.isResident(bytes) ? 0 : bytes.length) + SURVEY_BYTES + 9 * count + 9 * slots + keyTableBytes(keys);
    const byTwin = (): number => twin[name](bytes, starts, ends, count, keys, mode, verdict, kind, valueStart, valueEnd) ?? 0;
    const fits = count <= starts.length && count <= ends.length;
    if (!fits || !memory.enter(need, 9, bytes, starts, ends, verdict, kind, valueStart, valueEnd)) return byTwin();
    const [startsAt, endsAt] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
    const extent = surveySpans(module, memory, bytes.length, startsAt, endsAt, count);
    if (extent === undefined) return byTwin();
    const base = memory.placeBytes(bytes, extent.from, extent.to) - extent.from;
    const table = placeKeys(memory, keys);
    const unsureCount = module[name](
      base,
      startsAt,
      endsAt,
      count,
      table,
      keys.length,
      mode,
      memory.result(verdict, count),
      memory.result(kind, slots),
      memory.result(valueStart, slots),
      memory.result(valueEnd, slots),
    );
    memory.leave();
    return unsureCount ?? 0;
  };
}

/** Room that a table of keys takes, beside the one piece counted for it. */
export function keyTableBytes(keys: readonly Uint8Array[]): number {
  let bytes = 8 * keys.length;
  for (const key of keys) bytes += key.length + 2 * PAD_BYTES;
  return bytes;
}

/** Address of a table with each key's address and length. */
export function placeKeys(memory: KernelMemory, keys: readonly Uint8Array[]): number {
  const table = memory.take(8 * keys.length);
  for (let k = 0; k < keys.length; k++) {
    const at = memory.take(keys[k]!.length);
    memory.bytes.set(keys[k]!, at);
    memory.words[(table >> 2) + 2 * k] = at;
    memory.words[(table >> 2) + 2 * k + 1] = keys[k]!.length;
  }
  return table;
}
