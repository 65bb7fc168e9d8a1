// The kernels' door: the fastest flavour this machine can run, and what their callers need besides.

import type { Kernels } from "./kernels.ts";
import { typescriptKernels } from "./kernels-typescript.ts";

export * from "./kernels.ts";
export { prepareNeedle } from "./needle.ts";

export const kernels: Kernels = typescriptKernels;
