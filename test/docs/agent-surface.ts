// What the agent takes and shows, read from the code: keys of schemas, stages, relabel actions, flags, endpoints, metric names.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { httpClientFields, tlsSchema } from "../../agent/config/http-client.ts";
import { rareSchema } from "../../agent/config/rare-blocks.ts";
import { relabelSchema } from "../../agent/config/relabel-configs.ts";
import { agentSchema } from "../../agent/config/schema.ts";
import { RARE_DISCOVERIES, RARE_SOURCES, type RareBlock } from "../../agent/config/scrape-config.ts";
import { serverSchema } from "../../agent/config/server.ts";
import { AGENT_FLAGS } from "../../agent/flags.ts";
import { RELABEL_ACTIONS } from "../../lib/text/relabel.ts";
import { findStage, stageNames } from "../../pipelines/registry.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Peeled {
  readonly shape?: Record<string, z.ZodType>;
  readonly def?: {
    readonly type?: string;
    readonly element?: z.ZodType;
    readonly valueType?: z.ZodType;
    readonly options?: readonly z.ZodType[];
  };
}

/** A schema without its defaults, optionals, transforms and checks. */
function peel(schema: unknown): Peeled {
  let here = schema as { def?: Record<string, unknown> };
  for (let depth = 0; depth < 20; depth++) {
    const { def } = here;
    const piped = def?.type === "pipe" ? ((def.in as typeof here).def?.type === "transform" ? def.out : def.in) : undefined;
    const inner = def?.innerType ?? piped;
    if (inner === undefined) break;
    here = inner as typeof here;
  }
  return here as Peeled;
}

/** Blocks that stand in many places and have a table of their own, by their keys. */
const GROUPS = {
  "TLS of clients": tlsSchema(),
  server: serverSchema(),
  "TLS of servers": peel(serverSchema()).shape!.http_tls_config!,
} as const;
const HTTP_KEYS = new Set(Object.keys(httpClientFields()));

const keysOf = (schema: unknown): string => Object.keys(peel(schema).shape ?? {}).join();
const groupKeys = new Set(Object.values(GROUPS).map(keysOf));

/** Dotted keys of a schema. A block with a table of its own is one key; the keys of every HTTP client are left out. */
function walk(schema: unknown, path: string, out: string[], inGroup = false): string[] {
  const { shape, def } = peel(schema);
  if (shape !== undefined && !inGroup && groupKeys.has(keysOf(schema))) out.push(path);
  else if (shape !== undefined) {
    const names = Object.keys(shape);
    const isClient = !inGroup && [...HTTP_KEYS].every((key) => names.includes(key));
    for (const name of names) {
      if (!(isClient && HTTP_KEYS.has(name))) walk(shape[name], path === "" ? name : `${path}.${name}`, out);
    }
  } else if (def?.type === "array") walk(def.element, `${path}[]`, out);
  else if (def?.type === "record" && peel(def.valueType).shape !== undefined) walk(def.valueType, `${path}.<name>`, out);
  else if (def?.type === "union" && def.options!.some((option) => peel(option).shape !== undefined)) {
    for (const option of def.options!) if (peel(option).shape !== undefined) walk(option, path, out);
  } else if (path !== "") out.push(path.replace(/\[\]$/, ""));
  return [...new Set(out)];
}

function configKeys(): string[] {
  const rare = new Set<string>([...RARE_DISCOVERIES, ...RARE_SOURCES]);
  const all = walk(agentSchema(), "", []);
  // `client` is one of `clients`.
  const kept = all.filter((key) => !key.startsWith("client.") && !rare.has(key.replace(/^scrape_configs\[\]\./, "")));
  return ["client", ...kept.filter((key) => !key.startsWith("scrape_configs[].relabel_configs[]."))];
}

function httpClientKeys(): string[] {
  return Object.entries(httpClientFields()).flatMap(([name, schema]) => walk(schema, name, []));
}

const sourceFiles = ["agent", "pipelines"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), "utf8") })),
);

const found = (pattern: RegExp, within: (file: string) => boolean = () => true): string[] => [
  ...new Set(sourceFiles.filter(({ file }) => within(file)).flatMap(({ text }) => [...text.matchAll(pattern)].map((match) => match[1]!))),
];

/** First cells of each table of docs/agent-reference.md, by the heading above it. */
export const SURFACE: Readonly<Record<string, () => readonly string[]>> = {
  Blocks: configKeys,
  "HTTP client": httpClientKeys,
  "TLS of clients": () => walk(GROUPS["TLS of clients"], "", [], true),
  server: () => walk(GROUPS.server, "", [], true),
  "TLS of servers": () => walk(GROUPS["TLS of servers"], "", [], true),
  "Discoveries and sources": () => [...RARE_DISCOVERIES, ...RARE_SOURCES],
  Stages: () => stageNames(),
  "Relabel keys": () => walk(relabelSchema(), "", []),
  "Relabel actions": () => RELABEL_ACTIONS,
  Flags: () => Object.keys(AGENT_FLAGS).map((name) => `-${name}`),
  Endpoints: () => found(/(?:get\(\s*|path: )"(\/[^"]*)"/g, (file) => file.startsWith("agent/http/")),
  Metrics: () => found(/"((?:promtail|logentry)_[a-z_]+[a-z])"/g),
};

/** Keys of a discovery's or source's block, HTTP client's left out. */
export function keysOfBlock(block: RareBlock): string[] {
  return walk(rareSchema(block), "", []).map((key) => key.replace(/^\[\]\./, ""));
}

/** Keys of a stage's block; none for one that takes names of the user's choice. */
export function keysOfStage(name: string): string[] {
  return walk(findStage(name)!.config, "", [])
    .map((key) => key.replace(/^\.<name>\./, ""))
    .filter((key) => key !== "");
}
