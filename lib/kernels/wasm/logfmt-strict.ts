// The call of the kernel that reads logfmt.

import type { KernelMemory } from "../kernel-memory.ts";
import type { Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { keyTableBytes, placeKeys } from "./lines.ts";
import type { KernelModule } from "./module.ts";
import { extentOf } from "./spans.ts";

export function scanStrictLogfmt(module: KernelModule, memory: KernelMemory): Kernels["scanStrictLogfmt"] {
  return (bytes, starts, ends, count, picks, pickCount, keys, verdict, kind, valueStart, valueEnd) => {
    const extent = extentOf(bytes, starts, ends, count, picks, pickCount);
    const slots = count * keys.length;
    const need = extent === undefined ? 0 : extent.to - extent.from + 9 * count + 4 * pickCount + 9 * slots + keyTableBytes(keys);
    if (extent === undefined || !memory.enter(need, 9, bytes, starts, ends, picks, verdict, kind, valueStart, valueEnd)) {
      twin.scanStrictLogfmt(bytes, starts, ends, count, picks, pickCount, keys, verdict, kind, valueStart, valueEnd);
      return;
    }
    module.scanStrictLogfmt(
      memory.placeBytes(bytes, extent.from, extent.to) - extent.from,
      memory.placeWords(starts, count),
      memory.placeWords(ends, count),
      count,
      memory.placeWords(picks, pickCount),
      pickCount,
      placeKeys(memory, keys),
      keys.length,
      memory.result(verdict, count),
      memory.result(kind, slots),
      memory.result(valueStart, slots),
      memory.result(valueEnd, slots),
    );
    memory.leave();
  };
}
