// Installs the dependencies when they are missing or older than the lock file, so that `npm start` and `npm test` work from a clean clone.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

const changedMs = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const installedMs = changedMs("node_modules/.package-lock.json");

if (installedMs === 0 || installedMs < changedMs("package-lock.json")) {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { stdio: "inherit", shell: process.platform === "win32" });
}
