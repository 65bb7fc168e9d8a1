// From a file and flags to a configuration: expand, parse, check, apply flags, name the keys without effect.

import { readFileSync, statSync } from "node:fs";
import { type ConfigDocument, ConfigError, type ConfigPath, checkConfig, parseYaml } from "../../lib/runtime/config-file.ts";
import { expandEnv } from "../../lib/runtime/expand-env.ts";
import { noEffectReason } from "./fields.ts";
import { type ServerConfig, serverSchema } from "./schema.ts";

export interface LoadedConfig {
  readonly config: ServerConfig;
  /** The file's values with the flags applied, before defaults. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** One line for each key that was accepted and changes nothing. */
  readonly notes: readonly string[];
}

/**
 * @param files candidates, the first that exists is read; none at all means the defaults
 * @param overrides values of flags, by dotted key, which win over the file
 * @throws ConfigError with file:line:column for each fault
 */
export function loadServerConfig(
  files: readonly string[],
  options: { expandEnv: boolean; overrides: Readonly<Record<string, unknown>> },
): LoadedConfig {
  // Without a file nobody has said who may ask: one tenant, as in every example of Loki's.
  const document = files.length === 0 ? parseYaml("auth_enabled: false", "defaults") : readConfig(files, options.expandEnv);
  const value = withOverrides(document.value, options.overrides);
  return { config: checkConfig(document, serverSchema, value), raw: value as Record<string, unknown>, notes: effectless(document, value) };
}

function readConfig(files: readonly string[], expand: boolean): ConfigDocument {
  const file = files.find((candidate) => statSync(candidate, { throwIfNoEntry: false }) !== undefined);
  if (file === undefined) throw new ConfigError([`${files.join(", ")} does not exist, set config.file for custom config path`]);
  if (statSync(file).isDirectory())
    throw new ConfigError([`read ${file}: is a directory; a bind mount of a missing file makes one: create the file first`]);
  const text = readFileSync(file, "utf8");
  try {
    return parseYaml(expand ? expandEnv(text, process.env) : text, file);
  } catch (error) {
    if (error instanceof ConfigError && !expand && text.includes("${")) {
      throw new ConfigError([...error.issues, "the file uses ${…}: try -config.expand-env=true"]);
    }
    throw error;
  }
}

function withOverrides(value: unknown, overrides: Readonly<Record<string, unknown>>): unknown {
  const root = structuredClone(value ?? {}) as Record<string, unknown>;
  for (const [path, override] of Object.entries(overrides)) {
    const steps = path.split(".");
    let here = root;
    for (const step of steps.slice(0, -1)) here = (here[step] ??= {}) as Record<string, unknown>;
    here[steps.at(-1)!] = override;
  }
  return dropNulls(root);
}

/** An empty block (`limits_config:`) means its defaults, as in Loki. */
function dropNulls(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, dropNulls(inner)]),
  );
}

function effectless(document: ConfigDocument, value: unknown): string[] {
  const notes: string[] = [];
  const walk = (part: unknown, schema: unknown, path: ConfigPath): void => {
    const shape = shapeOf(schema);
    if (shape === undefined || typeof part !== "object" || part === null) return;
    for (const [key, inner] of Object.entries(part)) {
      const reason = noEffectReason(shape[key]);
      const here = [...path, key];
      if (reason !== undefined) notes.push(`${document.where(here)}: ${here.join(".")} has no effect: ${reason}`);
      else walk(inner, shape[key], here);
    }
  };
  walk(value, serverSchema, []);
  return notes;
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  let here = schema as { shape?: Record<string, unknown>; def?: { innerType?: unknown } } | undefined;
  while (here !== undefined && here.shape === undefined) here = here.def?.innerType as typeof here;
  return here?.shape;
}
