// What a failed run has to say about a line that did not arrive: where its bytes are now, and what the agent has noted of that file.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const SHOWN = 12;

/**
 * @param logs folder of the followed files
 * @param text the line, or what begins it
 * @param name of the followed path
 */
export function evidenceOf(logs: string, text: string, name: string, agentFolder: string): string {
  const places = readdirSync(logs).flatMap((file) => {
    const path = join(logs, file);
    const at = contentOf(path).indexOf(text);
    if (at < 0) return [];
    const { ino, size, mtime, birthtime } = statSync(path);
    return [`${file}: byte ${at} of ${size}, inode ${ino}, made ${birthtime.toISOString()}, written ${mtime.toISOString()}`];
  });
  const where = places.length === 0 ? "in no file any more" : places.join("\n  ");
  return [
    `"${text.trim()}" is now\n  ${where}`,
    `noted of ${name}:\n  ${records(agentFolder, name).join("\n  ")}`,
    `the agent's log on ${name}:\n  ${told(agentFolder, name).join("\n  ")}`,
  ].join("\n");
}

function contentOf(path: string): Buffer {
  const bytes = readFileSync(path);
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

function records(folder: string, name: string): string[] {
  const path = join(folder, "positions.yaml.identity");
  if (!existsSync(path)) return ["nothing"];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.includes(`"name":"${name}"`))
    .slice(-SHOWN);
}

function told(folder: string, name: string): string[] {
  const lines = readFileSync(join(folder, "agent.log"), "utf8").split("\n");
  return lines.filter((line) => line.includes(`file=${name} `)).slice(-SHOWN);
}
