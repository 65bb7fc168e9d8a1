// The kernels' door: the fastest flavour this machine can run, and what their callers need besides.
// SKALD_KERNELS=typescript takes the plain flavour, for comparison and in case of doubt.

import type { Kernels } from "./kernels.ts";
import { typescriptKernels } from "./kernels-typescript.ts";
import { loadWasmKernels, WasmUnsupported } from "./kernels-wasm.ts";

export { filterMayContain, GRAM_WINDOW_BYTES, gramsOf } from "./gram-filter.ts";
export * from "./kernels.ts";
export { prepareNeedle } from "./needle.ts";

export const kernels: Kernels = process.env.SKALD_KERNELS === "typescript" ? typescriptKernels : loadFastest();

/** `kernels.allocate` for a column. */
export function allocateWords(count: number): Int32Array {
  const bytes = kernels.allocate(count * 4);
  return new Int32Array(bytes.buffer, bytes.byteOffset, count);
}

function loadFastest(): Kernels {
  try {
    return loadWasmKernels();
  } catch (cause) {
    // A missing or damaged module, on the other hand, is a broken installation.
    if (cause instanceof WasmUnsupported) return typescriptKernels;
    throw cause;
  }
}
