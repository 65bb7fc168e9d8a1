// From a file, the environment and flags to a configuration: expand, parse, check, and say what has no effect.
//
// Three degrees of wrong: an error stops every run; a refusal stops a start, but not `-check-syntax`, which in Promtail sees less; a
// warning is what Promtail ignores in silence. All of a file's are found at once (findings.ts): what is wrong is taken out, so that the
// rest can be judged.

import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import {
  type ConfigDocument,
  ConfigError,
  type ConfigIssue,
  type ConfigPath,
  issuesOf,
  parseYaml,
  unknownKeyIssue,
} from "../../lib/runtime/config-file.ts";
import { expandEnv } from "../../lib/runtime/expand-env.ts";
import { checkPipeline, type PipelineContext } from "../../pipelines/compile.ts";
import { nameOfClient } from "./clients.ts";
import { type Finding, findingOf, findingOfText, printFinding, sortedFindings, withoutFaults } from "./findings.ts";
import { type AgentConfig, agentSchema } from "./schema.ts";
import { RARE_DISCOVERIES, RARE_SOURCES, type RareBlock } from "./scrape-config.ts";
import { refusalsOf, warningsOf } from "./verdicts.ts";
import { keepAsWritten, nullPaths, Plain, withoutNulls, withoutWritten } from "./written.ts";

export interface LoadOptions {
  /** Candidates; the first that exists is read. None at all: the defaults, and what flags say. */
  readonly files: readonly string[];
  readonly expandEnv: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values by dotted key, which win over the file's. */
  readonly overrides: ReadonlyMap<string, string | Plain>;
  /** Labels for every client in place of those of the file's `client`; a client's own win. */
  readonly externalLabels: Readonly<Record<string, string>>;
}

export interface LoadedConfig {
  readonly config: AgentConfig;
  /** One sentence each, with the place in the file. */
  readonly warnings: readonly string[];
  readonly refusals: readonly string[];
}

// A configuration is read once: compiling each schema to code first would cost more than it saves.
z.config({ jitless: true });

const RARE_BLOCKS = [...RARE_DISCOVERIES, ...RARE_SOURCES];

let schema: ReturnType<typeof agentSchema> | undefined;

/** @throws ConfigError with file:line:column for every fault of the file at once */
export async function loadAgentConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { config, findings } = await judgeAgentConfig(options);
  const told = (wanted: Finding["severity"]): string[] =>
    findings.filter(({ severity }) => severity === wanted).map((finding) => printFinding(finding));
  if (config === undefined) throw new ConfigError([...told("error"), ...told("hint")]);
  return { config, warnings: told("warning"), refusals: told("refusal") };
}

export interface Judgement {
  /** Absent when there is an error. */
  readonly config: AgentConfig | undefined;
  /** By their place in the file. */
  readonly findings: readonly Finding[];
}

/**
 * Everything there is to say about a configuration.
 *
 * @param world given, stages are also built, for what no schema can tell
 * @throws ConfigError when there is no file, or none that can be read
 */
export async function judgeAgentConfig(options: LoadOptions, world?: PipelineContext): Promise<Judgement> {
  const { file, text } = readConfigFile(options.files);
  try {
    return await judgeText(text, file, options, world);
  } catch (error) {
    // Text that cannot be parsed: nothing else can be said of it.
    if (!(error instanceof ConfigError)) throw error;
    return { config: undefined, findings: [...error.issues.map(findingOfText), ...unexpandedHint(text, options)] };
  }
}

async function judgeText(text: string, file: string, options: LoadOptions, world: PipelineContext | undefined): Promise<Judgement> {
  const findings: Finding[] = [];
  const onMissing = (variable: string, word: string, where: string): void => {
    const message = `the variable ${variable} is demanded and not set: its message ${JSON.stringify(word)} becomes the value, as in Promtail`;
    findings.push({ ...findingOfText(`${where}: ${message}`), severity: "warning" });
  };
  const document = parseYaml(options.expandEnv ? expandEnv(text, options.env, { file, onMissing }) : text, file, keepAsWritten);
  const value = withOverrides(document.value, options.overrides, document);
  schema ??= agentSchema();
  const parsed = schema.safeParse(value);
  const sound = parsed.success ? parsed.data : withoutFaults(value, schema);
  const issues: ConfigIssue[] = parsed.success ? [] : issuesOf(parsed.error, value, schema);
  issues.push(...(await emptyKeyIssues(document.value, schema)));
  issues.push(...(await rareIssues(value, sound)), ...jobIssues(value), ...pipelineIssues(value, world));
  const failed = issues.some(({ severity }) => severity === "error");
  const config = sound === undefined ? undefined : withClients(sound, options.externalLabels);
  if (sound !== undefined) issues.push(...warningsOf(sound));
  findings.push(...issues.map((issue) => findingOf(document, issue)));
  if (config !== undefined)
    findings.push(...refusalsOf(config).map((issue) => ({ ...findingOf(document, issue), severity: "refusal" as const })));
  if (failed) findings.push(...unexpandedHint(text, options));
  return { config: failed ? undefined : config, findings: sortedFindings(findings) };
}

/** What is likely when a file with variables has a fault. */
function unexpandedHint(text: string, { expandEnv }: LoadOptions): Finding[] {
  if (expandEnv || !text.includes("$" + "{")) return [];
  return [
    {
      severity: "hint",
      place: "",
      line: Number.POSITIVE_INFINITY,
      column: 0,
      message: "the file uses $" + "{…}: try -config.expand-env=true",
    },
  ];
}

/** The stages of every scrape config, looked at also when the rest of it is wrong. */
function pipelineIssues({ scrape_configs: scrapes }: Record<string, unknown>, world: PipelineContext | undefined): ConfigIssue[] {
  return listOf(scrapes).flatMap((scrape, i) => {
    const stages = (scrape as { pipeline_stages?: unknown } | null)?.pipeline_stages;
    if (!Array.isArray(stages)) return [];
    return checkPipeline(withoutWritten(stages), ["scrape_configs", i, "pipeline_stages"], world);
  });
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function readConfigFile(files: readonly string[]): { file: string; text: string } {
  if (files.length === 0) return { file: "the command line", text: "" };
  const file = files.find((candidate) => statSync(candidate, { throwIfNoEntry: false }) !== undefined);
  if (file === undefined) throw new ConfigError([`${files.join(", ")} does not exist, set config.file for custom config path`]);
  if (statSync(file).isDirectory()) {
    throw new ConfigError([`read ${file}: is a directory; a bind mount of a file that is missing makes one: create the file first`]);
  }
  return { file, text: readText(file) };
}

/** Parsing keeps the place of everything, which takes fifty times the file's size. Kubernetes' own bound of a ConfigMap is 1 MiB. */
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

function readText(file: string): string {
  const { size } = statSync(file);
  if (size > CONFIG_BYTES_MAX) {
    throw new ConfigError([
      `${file} has ${size} bytes, more than the ${CONFIG_BYTES_MAX} a configuration may have; move lists of targets into files of file_sd_configs`,
    ]);
  }
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([`cannot read ${file}: ${(error as Error).message}`]);
  }
}

function withOverrides(value: unknown, overrides: ReadonlyMap<string, string | Plain>, document: ConfigDocument): Record<string, unknown> {
  if (value !== null && (typeof value !== "object" || Array.isArray(value))) {
    throw new ConfigError([
      `${document.where([])}: expected a map of blocks (server, clients, scrape_configs, …), got ${Array.isArray(value) ? "a list" : "a text"}`,
    ]);
  }
  const root = withoutNulls(value ?? {}) as Record<string, unknown>;
  for (const [key, override] of overrides) {
    const steps = key.split(".");
    let here = root;
    for (const step of steps.slice(0, -1)) here = (here[step] ??= {}) as Record<string, unknown>;
    here[steps.at(-1)!] = override;
  }
  return root;
}

/** Keys without a value are taken out before the schema sees them; their names have to be known all the same. */
async function emptyKeyIssues(value: unknown, schema: z.ZodType): Promise<ConfigIssue[]> {
  const issues: (ConfigIssue | undefined)[] = [];
  for (const path of nullPaths(value)) {
    const block = path.slice(0, 3);
    const rest = path.slice(3);
    const key = RARE_BLOCKS.find((name) => path[0] === "scrape_configs" && path[2] === name);
    if (key === undefined || rest.length === 0) issues.push(unknownKeyIssue(schema, path));
    else {
      const { rareSchema } = await import("./rare-blocks.ts");
      const issue = unknownKeyIssue(rareSchema(key), rest);
      issues.push(issue && inside(issue, block));
    }
  }
  return issues.filter((issue) => issue !== undefined);
}

/** Blocks that few files have are checked by schemas that are loaded only then. What they read goes into `config`. */
async function rareIssues(value: Record<string, unknown>, config: AgentConfig | undefined): Promise<ConfigIssue[]> {
  const issues: ConfigIssue[] = [];
  for (const [i, scrape] of listOf(value.scrape_configs).entries()) {
    if (typeof scrape !== "object" || scrape === null) continue;
    for (const key of RARE_BLOCKS) {
      const part = (scrape as Partial<Record<RareBlock, unknown>>)[key];
      if (part === undefined) continue;
      const { rareSchema } = await import("./rare-blocks.ts");
      const block = rareSchema(key);
      const result = block.safeParse(part);
      if (!result.success) issues.push(...issuesOf(result.error, part, block).map((issue) => inside(issue, ["scrape_configs", i, key])));
      else if (config?.scrape_configs[i] !== undefined) config.scrape_configs[i][key] = result.data;
    }
  }
  return issues;
}

function inside(issue: ConfigIssue, prefix: ConfigPath): ConfigIssue {
  const name = prefix
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .slice(1);
  return { ...issue, path: [...prefix, ...issue.path], message: `${name}: ${issue.message}` };
}

function jobIssues(value: Record<string, unknown>): ConfigIssue[] {
  const seen = new Set<unknown>();
  const issues: ConfigIssue[] = [];
  for (const [i, scrape] of listOf(value.scrape_configs).entries()) {
    const written = (scrape as { job_name?: unknown } | null)?.job_name;
    const name = written instanceof Plain ? written.written : written;
    if (typeof name === "string" && seen.has(name)) {
      issues.push({
        severity: "error",
        path: ["scrape_configs", i, "job_name"],
        message: `found multiple scrape configs with job name ${JSON.stringify(name)}`,
      });
    }
    seen.add(name);
  }
  return issues;
}

/**
 * One list of clients: the old single `client` (also made by flags) joins it when it has a URL. Its labels, in whose place come those of
 * the flag if there are any, are every client's, whose own win.
 */
function withClients(config: AgentConfig, flagLabels: Readonly<Record<string, string>>): AgentConfig {
  const { client: single, ...rest } = config;
  const base = Object.keys(flagLabels).length > 0 ? flagLabels : single?.external_labels;
  const all = config.clients.map((client) => ({ ...client, external_labels: { ...base, ...client.external_labels } }));
  if (single !== undefined && single.url !== "") all.push({ ...single, external_labels: { ...base } });
  return { ...rest, clients: all.map((client) => ({ ...client, name: nameOfClient(client) })) };
}
