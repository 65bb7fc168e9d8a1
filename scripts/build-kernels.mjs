// Builds lib/kernels/kernels.wasm from lib/kernels/assembly. The result is committed; a test builds it again and compares.
// Usage: node scripts/build-kernels.mjs [output file]
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = process.argv[2] ?? "lib/kernels/kernels.wasm";

// 192 MiB of address space that never grows, so that views of it never detach; pages that are not touched cost no memory.
const memoryPages = String((192 * 1024 * 1024) / 65_536);

execFileSync(
  process.execPath,
  [
    "node_modules/assemblyscript/bin/asc.js",
    "lib/kernels/assembly/index.ts",
    "--outFile",
    output,
    "--optimizeLevel",
    "3",
    "--shrinkLevel",
    "0",
    "--noAssert",
    "--runtime",
    "stub",
    "--enable",
    "simd",
    "--enable",
    "bulk-memory",
    "--use",
    "abort=",
    "--initialMemory",
    memoryPages,
    "--maximumMemory",
    memoryPages,
  ],
  { cwd: root, stdio: "inherit" },
);
