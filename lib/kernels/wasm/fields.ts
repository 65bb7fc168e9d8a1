// The call of the kernel that makes dictionary columns of JSON lines.

import type { KernelMemory } from "../kernel-memory.ts";
import { FIELD_KEYS_MAX, FIELD_VALUES_MAX, type Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { keyTableBytes, placeKeys } from "./lines.ts";
import type { KernelModule } from "./module.ts";

/** Of tables, per key. */
const TABLE_BYTES = 3_072;

export function jsonFields(module: KernelModule, memory: KernelMemory): Kernels["jsonFields"] {
  return (bytes, ends, count, keys, ids, valueStart, valueEnd, counts) => {
    const slots = keys.length * FIELD_VALUES_MAX;
    const fits = keys.length > 0 && keys.length <= FIELD_KEYS_MAX && count > 0 && ascend(ends, count, bytes.length);
    const to = fits ? ends[count - 1]! : 0;
    const need = to + 4 * count + keys.length * (TABLE_BYTES + count + 8) + 8 * slots + keyTableBytes(keys);
    if (!fits || !memory.enter(need, 8, bytes, ends, ids, valueStart, valueEnd, counts)) {
      twin.jsonFields(bytes, ends, count, keys, ids, valueStart, valueEnd, counts);
      return;
    }
    module.jsonFields(
      memory.placeBytes(bytes, 0, to),
      memory.placeWords(ends, count),
      count,
      placeKeys(memory, keys),
      keys.length,
      memory.take(keys.length * TABLE_BYTES),
      memory.result(ids, keys.length * count),
      memory.result(valueStart, slots),
      memory.result(valueEnd, slots),
      memory.result(counts, 2 * keys.length),
    );
    memory.leave();
  };
}

/** Whether the lines lie one behind the other, within so many bytes. */
function ascend(ends: Int32Array, count: number, byteCount: number): boolean {
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = ends[i]!;
    if (!(end >= start && end <= byteCount)) return false;
    start = end + 1;
  }
  return true;
}
