// Copies what the compiler does not write next to the compiled files: the kernels' module, the page, the presets.
import { chmodSync, cpSync, existsSync } from "node:fs";

for (const path of ["cli/package.json", "lib/kernels/kernels.wasm", "server/ui", "pipelines/presets"]) {
  if (existsSync(path)) cpSync(path, `dist/${path}`, { recursive: true, filter: (file) => !file.endsWith(".ts") });
}
cpSync("package.json", "dist/package.json");
chmodSync("dist/cli/skald.js", 0o755);
