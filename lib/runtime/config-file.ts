// YAML configuration files: parsed with positions, checked by a strict zod schema, every fault with file:line:column and, for an
// unknown key, the nearest known one. Both programs read their files through here.

import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { z } from "zod";
import { countExpanded } from "./yaml-aliases.ts";

export type ConfigPath = readonly (string | number)[];

export interface ConfigIssue {
  readonly severity: "error" | "warning";
  readonly path: ConfigPath;
  readonly message: string;
}

/** All faults of a file, one per line: `promtail.yaml:3:5: …`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly issues: readonly string[];
  constructor(issues: readonly string[]) {
    super(issues.join("\n"));
    this.issues = issues;
  }
}

/** A parsed file that still knows where everything stood. */
export interface ConfigDocument {
  readonly file: string;
  /** Plain JavaScript values; `null` for an empty file. */
  readonly value: unknown;
  /** `file:line:column` of a key (or, for a list item, of the item); of the nearest parent when the path is not in the file. */
  where(path: ConfigPath): string;
}

/** Changes a parsed document before its values are taken, and returns the faults it found: where in the text, and a sentence. */
export type PrepareDocument = (document: Document.Parsed) => readonly (readonly [offset: number, message: string])[];

/** Values of a document with its aliases written out. Below it Go's decoder does not look at aliases either. */
const VALUES_MAX = 400_000;

/**
 * Parses the first document of a text; what follows it is not read, as in Go's decoder.
 *
 * @param text the file's text, after environment expansion
 * @throws ConfigError for text that is not YAML, for tabs, duplicate keys and alias bombs, and for what `prepare` finds
 */
export function parseYaml(text: string, file: string, prepare?: PrepareDocument): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\uFEFF/, ""), {
    version: "1.1",
    merge: true,
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: "silent",
  });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const errors = document.errors.filter((error) => error.code !== "MULTIPLE_DOCS");
  if (errors.length > 0) throw new ConfigError(errors.map((error) => `${at(error.pos[0])}: ${faultOf(error.message)}`));
  if (countExpanded(document) > VALUES_MAX) {
    throw new ConfigError([
      `${file}:1:1: Excessive alias count: with its aliases (*) written out the file has more than ${VALUES_MAX} values`,
    ]);
  }
  const faults = prepare?.(document) ?? [];
  if (faults.length > 0) throw new ConfigError(faults.map(([offset, message]) => `${at(offset)}: ${message}`));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: -1 });
  } catch (error) {
    throw new ConfigError([`${file}:1:1: ${error instanceof Error ? error.message : String(error)}`]);
  }
  return { file, value, where: (path) => at(offsetOf(document.contents, path)) };
}

/** The parser goes down by recursion, and says so when it cannot go deeper. */
function faultOf(message: string): string {
  return message.startsWith("Maximum call stack") ? "maps and lists are nested too deeply" : message.split("\n")[0]!;
}

function offsetOf(root: unknown, path: ConfigPath): number {
  let node: unknown = root;
  let offset = startOf(root);
  for (const step of path) {
    if (isAlias(node)) break;
    if (isMap(node)) {
      const pair = (node.items as unknown[]).find(
        (item): item is Pair => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) break;
      offset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = startOf(node) || offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

/**
 * Checks a parsed file against its schema.
 *
 * @throws ConfigError naming every fault with its position
 */
export function checkConfig<T>(
  document: ConfigDocument,
  schema: z.ZodType<T>,
  part: unknown = document.value ?? {},
  prefix: ConfigPath = [],
): T {
  const result = schema.safeParse(part);
  if (result.success) return result.data;
  throw new ConfigError(
    issuesOf(result.error, part, schema).map((issue) => describe(document, { ...issue, path: [...prefix, ...issue.path] })),
  );
}

export function describe(document: ConfigDocument, issue: { readonly path: ConfigPath; readonly message: string }): string {
  return `${document.where(issue.path)}: ${issue.message}`;
}

/** Flattens zod's issues: one per unknown key, each with the whole path and a sentence. */
export function issuesOf(error: z.ZodError, input: unknown, schema: z.ZodType): ConfigIssue[] {
  const out: ConfigIssue[] = [];
  for (const issue of error.issues) {
    const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schema, path) ?? [];
      out.push(...issue.keys.map((key) => unknownKey(path, key, known)));
    } else if (issue.code === "invalid_union" && issue.errors.length > 0) {
      out.push({
        severity: "error",
        path,
        message: `${printPath(path)}: ${issue.errors.map((e) => e[0]?.message ?? "invalid").join(", or ")}`,
      });
    } else {
      const got = path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step as string], input);
      const missing = got === undefined && issue.code === "invalid_type";
      out.push({ severity: "error", path, message: missing ? `${printPath(path)} is required` : `${printPath(path)}: ${issue.message}` });
    }
  }
  return out;
}

/** That no part of a schema has the name at the end of a path; undefined where there is one, or where any name may stand. */
export function unknownKeyIssue(schema: z.ZodType, path: ConfigPath): ConfigIssue | undefined {
  const parent = path.slice(0, -1);
  const key = String(path.at(-1));
  const known = knownKeys(schema, parent);
  return known === undefined || known.includes(key) ? undefined : unknownKey(parent, key, known);
}

function unknownKey(parent: ConfigPath, key: string, known: readonly string[]): ConfigIssue {
  const path = [...parent, key];
  const near = nearest(key, known);
  return {
    severity: "error",
    path,
    message: `unknown key ${printPath(path)}${near === undefined ? "" : `; did you mean "${near}"?`}`,
  };
}

function printPath(path: ConfigPath): string {
  return path.length === 0
    ? "the file"
    : path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

/** The keys a schema knows at a path; undefined where it takes any, or cannot be walked. */
function knownKeys(schema: z.ZodType, path: ConfigPath): string[] | undefined {
  let here: unknown = schema;
  for (const step of [...path, undefined]) {
    here = unwrapSchema(here);
    const shape = (here as { shape?: Record<string, unknown> }).shape;
    if (step === undefined) return shape && Object.keys(shape);
    const { element, valueType } = here as { element?: unknown; valueType?: unknown };
    here = shape !== undefined ? shape[step] : (element ?? valueType);
    if (here === undefined) return undefined;
  }
  return undefined;
}

function unwrapSchema(schema: unknown): unknown {
  let here = schema as { def?: { innerType?: unknown; in?: { def?: { type?: string } }; out?: unknown; schema?: unknown } } | undefined;
  for (let depth = 0; depth < 10; depth++) {
    const def = here?.def;
    const inner = def?.innerType ?? (def?.in?.def?.type === "transform" ? def.out : def?.in) ?? def?.schema;
    if (inner === undefined) break;
    here = inner as typeof here;
  }
  return here;
}

/** The known word within an edit distance of a third of the length, if there is one. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
