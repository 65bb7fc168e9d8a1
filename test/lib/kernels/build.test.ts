// The committed module is what its sources make.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { typescriptKernels } from "../../../lib/kernels/kernels-typescript.ts";
import { loadWasmKernels } from "../../../lib/kernels/kernels-wasm.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("building the kernels again gives the committed module, byte by byte", () => {
  const folder = mkdtempSync(join(tmpdir(), "skald-kernels-"));
  try {
    const output = join(folder, "kernels.wasm");
    execFileSync(process.execPath, ["scripts/build-kernels.mjs", output], { cwd: root, stdio: "pipe" });
    expect(Buffer.compare(readFileSync(output), readFileSync(join(root, "lib/kernels/kernels.wasm")))).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("both flavours offer the same kernels", () =>
  expect(Object.keys(loadWasmKernels()).sort()).toEqual(Object.keys(typescriptKernels).sort()));

test("memory that is allocated stays in the kernels' own until that is used up, then is ordinary", () => {
  const kernels = loadWasmKernels();
  const [first, second] = [kernels.allocate(1_000), kernels.allocate(1 << 20)];
  expect(first.buffer).toBe(second.buffer);
  expect(second.byteOffset).toBeGreaterThanOrEqual(first.byteOffset + 1_000);
  const large = kernels.allocate(1 << 28);
  expect([large.length, large.buffer === first.buffer]).toEqual([1 << 28, false]);
});
