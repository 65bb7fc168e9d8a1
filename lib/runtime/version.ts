import { existsSync, readFileSync } from "node:fs";

// In a build package.json lies two folders up beside lib/; from sources it is the repository's own: the same relative place.
const file = new URL("../../package.json", import.meta.url);

/** The package's version, for `-version`, the User-Agent and build info. */
export const VERSION: string = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : "unknown";
