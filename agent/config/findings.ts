// What is wrong with a configuration file, with its place; and the file without it, so that one fault does not hide the others.

import type { z } from "zod";
import { type ConfigDocument, type ConfigIssue, type ConfigPath, issuesOf } from "../../lib/runtime/config-file.ts";
import { Plain } from "./written.ts";

export interface Finding {
  /** A hint says what may be behind the others. */
  readonly severity: "error" | "refusal" | "warning" | "hint";
  /** `file:line:column`; empty when it is the file as a whole. */
  readonly place: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function findingOf(document: ConfigDocument, { severity, path, message }: ConfigIssue): Finding {
  return { ...findingOfText(`${document.where(path)}: ${message}`), severity };
}

/** An error as the YAML parser tells it: `file:line:column: message`. */
export function findingOfText(text: string): Finding {
  const match = /^(.*?:(\d+):(\d+)): ([\s\S]*)$/.exec(text);
  if (match === null) return { severity: "error", place: "", line: 0, column: 0, message: text };
  return { severity: "error", place: match[1]!, line: Number(match[2]), column: Number(match[3]), message: match[4]! };
}

/** `file:line:column: message`, with what is given between the two. */
export function printFinding({ place, message }: Finding, between = ""): string {
  return `${place === "" ? "" : `${place}: `}${between}${message}`;
}

/** By place, each once. */
export function sortedFindings(findings: readonly Finding[]): Finding[] {
  const once = new Map(findings.map((finding) => [`${finding.severity} ${finding.place} ${finding.message}`, finding]));
  return [...once.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Items that stand in for faulty ones, so that the others keep their place in the list. Nothing is to be said of them. */
const STAND_INS: Readonly<Record<string, (index: number) => unknown>> = {
  clients: (index) => ({ url: `http://stand-in-${index}` }),
  scrape_configs: (index) => ({ job_name: `stand-in ${index}`, static_configs: [] }),
  static_configs: () => ({}),
  relabel_configs: () => ({ target_label: "stand_in" }),
};

/** What a part is wrong without, for another reason. */
const NEEDED: Readonly<Record<string, (index: unknown) => unknown>> = {
  job_name: (index) => `stand-in ${index}`,
  url: (index) => `http://stand-in-${index}`,
  static_configs: () => [],
  file_sd_configs: () => [],
};

/** Each round may uncover faults that others hid; files need two or three. */
const ROUNDS_MAX = 20;

/** The values of a file without those that its schema refuses; undefined when what is left is refused too. */
export function withoutFaults<T>(value: unknown, schema: z.ZodType<T>): T | undefined {
  const rest = copyOf(value);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const parsed = schema.safeParse(rest);
    if (parsed.success) return parsed.data;
    for (const { path } of issuesOf(parsed.error, rest, schema)) takeOut(rest, path);
  }
  return undefined;
}

/** Takes out the innermost part at a path that can be missing. */
function takeOut(root: unknown, path: ConfigPath): void {
  for (let depth = path.length; depth > 0; depth--) {
    const key = path[depth - 1]!;
    const parent = path.slice(0, depth - 1).reduce<unknown>((here, step) => (here as Record<string, unknown> | undefined)?.[step], root);
    const standIn = STAND_INS[String(path[depth - 2])];
    if (Array.isArray(parent)) {
      if (standIn === undefined) continue;
      parent[Number(key)] = standIn(Number(key));
      return;
    }
    if (typeof parent !== "object" || parent === null) continue;
    const needed = NEEDED[String(key)];
    if (needed !== undefined) {
      Object.assign(parent, { [key]: needed(path[depth - 2]) });
      return;
    }
    if (!Object.hasOwn(parent, key)) continue;
    delete (parent as Record<string, unknown>)[key];
    return;
  }
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null || value instanceof Plain) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]));
}
