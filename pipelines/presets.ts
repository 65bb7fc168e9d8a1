// Pipelines that come with the program, one YAML file each in presets/: a list of stages, described by the comment at its head.

import { readdirSync, readFileSync } from "node:fs";
import { nearest, parseYaml } from "../lib/runtime/config-file.ts";

const FOLDER = new URL("./presets/", import.meta.url);
const ENDING = ".yaml";

export interface Preset {
  readonly name: string;
  /** The file as it is, comments included. */
  readonly text: string;
  /** The first line of its comment. */
  readonly summary: string;
}

export function presetNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}

/** @throws Error for an unknown name, with the known ones */
export function readPreset(name: string): Preset {
  const known = presetNames();
  if (!known.includes(name)) {
    const near = nearest(name, known);
    const guess = near === undefined ? "" : `; did you mean "${near}"?`;
    throw new Error(`unknown preset ${JSON.stringify(name)}${guess} (there are ${known.join(", ")})`);
  }
  const text = readFileSync(new URL(name + ENDING, FOLDER), "utf8");
  return { name, text, summary: /^# (.*)/.exec(text)?.[1] ?? "" };
}

/** The stages of a preset, as `pipeline_stages` has them. @throws as `readPreset` */
export function presetStages(name: string): readonly unknown[] {
  return parseYaml(readPreset(name).text, name + ENDING).value as readonly unknown[];
}
