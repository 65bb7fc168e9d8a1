// Calls of the kernels that write and read the inside of JSON strings.

import { type KernelMemory, PAD_BYTES } from "../kernel-memory.ts";
import type { Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { ESCAPED_BYTES_MAX } from "../typescript/json-text.ts";
import { keyTableBytes, placeKeys } from "./lines.ts";
import type { KernelModule } from "./module.ts";
import { extentOf } from "./spans.ts";

export function jsonTextKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "escapeJson" | "unescapeJson"> {
  return {
    escapeJson(bytes, starts, ends, count, prefixes, prefixOf, suffix, textEnds): Uint8Array {
      const spans = extentOf(bytes, starts, ends, count);
      const prefixBytes = spans === undefined ? -1 : sumOfPrefixes(prefixes, prefixOf, count);
      const outRoom = prefixBytes + ESCAPED_BYTES_MAX * (spans?.sum ?? 0) + count * suffix.length + PAD_BYTES;
      const need = (spans?.to ?? 0) - (spans?.from ?? 0) + 16 * count + keyTableBytes(prefixes) + suffix.length + outRoom;
      if (spans === undefined || prefixBytes < 0 || !memory.enter(need, 9, bytes, starts, ends, prefixOf, suffix, textEnds)) {
        return twin.escapeJson(bytes, starts, ends, count, prefixes, prefixOf, suffix, textEnds);
      }
      const base = memory.placeBytes(bytes, spans.from, spans.to) - spans.from;
      const [from, to] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const table = placeKeys(memory, prefixes);
      const [tableOf, last] = [memory.placeWords(prefixOf, count), memory.placeBytes(suffix, 0, suffix.length)];
      const textEndsAt = memory.result(textEnds, count);
      const out = memory.take(outRoom);
      const outBytes = module.escapeJson(base, from, to, count, table, tableOf, last, suffix.length, out, outRoom, textEndsAt);
      memory.leave();
      return memory.byteView(out, outBytes);
    },

    unescapeJson(bytes, starts, ends, count, textEnds): Uint8Array {
      const spans = extentOf(bytes, starts, ends, count);
      if (
        spans === undefined ||
        !memory.enter(spans.to - spans.from + spans.sum + PAD_BYTES + 12 * count, 5, bytes, starts, ends, textEnds)
      ) {
        return twin.unescapeJson(bytes, starts, ends, count, textEnds);
      }
      const base = memory.placeBytes(bytes, spans.from, spans.to) - spans.from;
      const [from, to] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      const textEndsAt = memory.result(textEnds, count);
      const out = memory.take(spans.sum + PAD_BYTES);
      const outBytes = module.unescapeJson(base, from, to, count, out, textEndsAt);
      memory.leave();
      return memory.byteView(out, outBytes);
    },
  };
}

/** Bytes of the prefixes of 0..count together; -1 when one is not in the list. */
function sumOfPrefixes(prefixes: readonly Uint8Array[], prefixOf: Int32Array, count: number): number {
  if (count > prefixOf.length) return -1;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const prefix = prefixes[prefixOf[i]!];
    if (prefix === undefined) return -1;
    sum += prefix.length;
  }
  return sum;
}
