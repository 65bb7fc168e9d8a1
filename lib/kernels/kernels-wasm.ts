// The kernels in WebAssembly. This side (wasm/) brings arguments into the module's memory and results out, and hands what is too large
// for it, or has spans outside its bytes, to the TypeScript twin.

import { readFileSync } from "node:fs";
import { KernelMemory } from "./kernel-memory.ts";
import type { Kernels } from "./kernels.ts";
import { codecKernels, pageKernels } from "./wasm/codecs.ts";
import { jsonFields } from "./wasm/fields.ts";
import { jsonTextKernels } from "./wasm/json-text.ts";
import { lineKernels } from "./wasm/lines.ts";
import { scanStrictLogfmt } from "./wasm/logfmt-strict.ts";
import { instantiate } from "./wasm/module.ts";
import { pushKernels } from "./wasm/push.ts";
import { buildGramFilter, findKernels } from "./wasm/search.ts";
import { spanKernels } from "./wasm/spans.ts";

export { WasmUnsupported } from "./wasm/module.ts";

/**
 * Instantiates the module next to this file. Throws WasmUnsupported when this machine cannot run it.
 * One instance per thread: a call uses the memory alone.
 */
export function loadWasmKernels(): Kernels {
  const module = instantiate(readFileSync(new URL("./kernels.wasm", import.meta.url)));
  const memory = new KernelMemory(module.memory.buffer, module.dataEnd());
  return {
    flavour: "wasm",
    allocate: (bytes) => memory.allocate(bytes),
    ...pageKernels(module, memory),
    ...lineKernels(module, memory),
    ...jsonTextKernels(module, memory),
    scanStrictLogfmt: scanStrictLogfmt(module, memory),
    jsonFields: jsonFields(module, memory),
    ...spanKernels(module, memory),
    ...pushKernels(module, memory),
    ...codecKernels(module, memory),
    ...findKernels(module, memory),
    buildGramFilter: (bytes) => buildGramFilter(module, memory, bytes),
  };
}
