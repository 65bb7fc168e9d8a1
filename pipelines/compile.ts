// From `pipeline_stages` to a pipeline: every stage's configuration is checked by its schema, then the stages are built.

import type { z } from "zod";
import { ConfigError, type ConfigIssue, type ConfigPath, nearest } from "../lib/runtime/config-file.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import { contained } from "./contain.ts";
import { inSequence, Pipeline } from "./pipeline.ts";
import { findStage, stageNames } from "./registry.ts";
import { siftKeys } from "./sift-keys.ts";
import type { Stage, StageContext, StageDefinition } from "./stage.ts";
import { describeValue } from "./stage-config.ts";

/** What the caller provides; how nested pipelines are built is known here. */
export interface PipelineContext extends Omit<StageContext, "compile"> {
  /** Wraps each stage that is built; `path` is where its configuration stands. */
  readonly wrap?: (stage: Stage, name: string, path: ConfigPath) => Stage;
  /** Entries keep the zones of their times. */
  readonly keepsZones?: boolean;
}

/**
 * Builds a pipeline.
 *
 * @param stages the value of `pipeline_stages`; null or nothing is an empty pipeline
 * @param path where it stands in the configuration, for messages
 * @throws ConfigError naming every fault that `checkPipeline` finds
 */
export function compilePipeline(stages: unknown, context: PipelineContext, path: ConfigPath = []): Pipeline {
  return new Pipeline(buildStages(stages, context, path), [], context.keepsZones);
}

/**
 * Checks `pipeline_stages` whole, nested pipelines included. What Promtail refuses at start is an error; what it ignores without a word
 * (an unknown key of a stage) is a warning.
 *
 * @param world given, every stage is also built, for what no schema can tell (a database that cannot be read); nothing is kept
 */
export function checkPipeline(stages: unknown, path: ConfigPath, world?: PipelineContext): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const step of readSteps(stages, path, issues)) {
    const nested = step.definition.nested?.(step.given);
    if (nested !== undefined) issues.push(...checkPipeline(nested.stages, [...step.path, ...nested.path], world));
    if (world !== undefined && step.sound) issues.push(...buildFaults(step, world));
  }
  return issues;
}

function buildFaults({ definition, config, name, path }: Step, world: PipelineContext): ConfigIssue[] {
  try {
    definition.build(config, { ...world, compile: () => inSequence([]) });
    return [];
  } catch (cause) {
    return [{ severity: "error", path, message: `${name} stage: ${messageOf(cause)}` }];
  }
}

/** The stages of a pipeline as one stage. @throws as `compilePipeline` */
export function buildStages(stages: unknown, context: PipelineContext, path: ConfigPath): Stage {
  const issues: ConfigIssue[] = [];
  const steps = readSteps(stages, path, issues);
  const faults = issues.filter(({ severity }) => severity === "error");
  if (faults.length > 0) throw new ConfigError(faults.map(({ path: at, message }) => `${at.join(".")}: ${message}`));
  const compile = (inner: readonly unknown[], at: ConfigPath): Stage => buildStages(inner, context, at);
  return inSequence(
    steps.map(({ definition, name, config, path: at }) => {
      const own: StageContext = { ...context, compile: (inner, below) => compile(inner, [...at, ...below]) };
      const stage = contained(build(definition, config, name, at, own), name, at.join("."), own);
      return context.wrap?.(stage, name, at) ?? stage;
    }),
  );
}

/** A stage may need the world (a database), which no schema can check. */
function build(definition: StageDefinition, config: unknown, name: string, path: ConfigPath, context: StageContext): Stage {
  try {
    return definition.build(config, context);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError([`${path.join(".")}: ${name} stage: ${messageOf(cause)}`]);
  }
}

/** One stage of the list. */
interface Step {
  readonly name: string;
  readonly definition: StageDefinition;
  /** The configuration as written, without keys that have no effect. */
  readonly given: unknown;
  /** The configuration parsed, when it is sound. */
  readonly config: unknown;
  readonly sound: boolean;
  readonly path: ConfigPath;
}

function readSteps(stages: unknown, path: ConfigPath, issues: ConfigIssue[]): Step[] {
  if (stages === null || stages === undefined) return [];
  if (!Array.isArray(stages)) {
    issues.push({ severity: "error", path, message: `expected a list of pipeline stages, got ${describeValue(stages)}` });
    return [];
  }
  return stages.flatMap((item: unknown, n) => readStep(item, [...path, n], issues) ?? []);
}

function readStep(item: unknown, path: ConfigPath, issues: ConfigIssue[]): Step | undefined {
  const wrong = (message: string, at: ConfigPath = path): undefined => {
    issues.push({ severity: "error", path: at, message });
  };
  if (typeof item === "string")
    return wrong(`stage ${item} is a bare word; a stage is a map with one key, so write "${item}:" or "${item}: {}"`);
  if (item === null || typeof item !== "object" || Array.isArray(item)) {
    return wrong(`expected a pipeline stage, a map with one key, got ${describeValue(item)}`);
  }
  const keys = Object.keys(item);
  if (keys.length === 0) {
    issues.push({ severity: "warning", path, message: "a pipeline stage without a key does nothing" });
    return undefined;
  }
  if (keys.length > 1) return wrong(`a pipeline stage has one key, this one has ${keys.join(", ")}; make each a list item`);
  const name = keys[0]!;
  const definition = findStage(name);
  if (definition === undefined) {
    const near = nearest(name, stageNames());
    return wrong(`unknown stage ${name}${near === undefined ? "" : `; did you mean "${near}"?`}`, [...path, name]);
  }
  return readConfig(definition, name, (item as Record<string, unknown>)[name], [...path, name], issues);
}

function readConfig(definition: StageDefinition, name: string, given: unknown, path: ConfigPath, issues: ConfigIssue[]): Step {
  const sifted = siftKeys(definition.config, given, path, (at, message) => {
    issues.push({ severity: "warning", path: at, message: `${name} stage: ${message}` });
  });
  const result = definition.config.safeParse(sifted);
  if (!result.success) {
    issues.push(...result.error.issues.map((issue) => errorOf(issue, name, path)));
    return { name, definition, given: sifted, config: undefined, sound: false, path };
  }
  const warning = definition.warn?.(result.data);
  if (warning !== undefined) issues.push({ severity: "warning", path, message: `${name} stage: ${warning}` });
  return { name, definition, given: sifted, config: result.data, sound: true, path };
}

function errorOf(issue: z.core.$ZodIssue, name: string, path: ConfigPath): ConfigIssue {
  const below = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
  const message = issue.code === "invalid_type" && issue.expected === "object" ? "expected a map of options" : issue.message;
  return {
    severity: "error",
    path: [...path, ...below],
    message: `${name} stage: ${below.length === 0 ? "" : `${below.join(".")}: `}${message}`,
  };
}
