// Go's text/template: compile once, execute over labels or extracted data. The function sets are Promtail's and LogQL's.

import { BUILTINS } from "./builtins.ts";
import { Execution } from "./exec.ts";
import type { TemplateFunctions } from "./function.ts";
import { parseTemplate } from "./parser.ts";
import { isMap, type TemplateMap, type TemplateValue } from "./value.ts";

export type { TemplateFunction, TemplateFunctions } from "./function.ts";
export { logqlFunctions } from "./logql-functions.ts";
export { promtailFunctions } from "./promtail-functions.ts";
export { fromJsonValue, TemplateError, type TemplateMap, type TemplateValue, TimeValue } from "./value.ts";

export interface TemplateOptions {
  /** Stands in error texts, `template: line:1: …`; `template` by default. */
  readonly name?: string;
  /**
   * What `.x` is when the data has no x: `noValue` prints `<no value>` (Go's default over map[string]interface{}, Promtail), `zero` is the
   * empty string (LogQL, whose data is map[string]string).
   */
  readonly missingKey?: "noValue" | "zero";
  /** Nodes, calls and rounds of loops a run may take. */
  readonly stepsMax?: number;
  readonly outputCharsMax?: number;
}

export type TemplateData = TemplateMap | Readonly<Record<string, TemplateValue | undefined>>;

export interface CompiledTemplate {
  /** Runs the template. @throws TemplateError in Go's words */
  execute(data: TemplateData): string;
}

const STEPS_MAX = 100_000;
const OUTPUT_CHARS_MAX = 4 * 1024 * 1024;

/** Compiles a template. @throws TemplateError in Go's words: `template: line:1: unclosed action` */
export function compileTemplate(text: string, functions: TemplateFunctions, options: TemplateOptions = {}): CompiledTemplate {
  const name = options.name ?? "template";
  const all = new Map([...BUILTINS, ...functions]);
  const tree = parseTemplate(name, text, (called) => all.has(called));
  const limits = { stepsMax: options.stepsMax ?? STEPS_MAX, outputCharsMax: options.outputCharsMax ?? OUTPUT_CHARS_MAX };
  const missing = options.missingKey === "zero" ? "" : null;
  const plain = tree.main.every((node) => node.kind === "text")
    ? tree.main.map((node) => (node.kind === "text" ? node.text : "")).join("")
    : null;
  return {
    execute: (data) => plain ?? new Execution(name, text, tree, all, limits, asMap(data), missing).run(),
  };
}

function asMap(data: TemplateData): TemplateMap {
  return isView(data) ? data : new RecordView(data);
}

function isView(data: TemplateData): data is TemplateMap {
  return data instanceof Map || (isMap(data as TemplateValue) && typeof data.get === "function" && typeof data.entries === "function");
}

/** A plain object as a map, without copying it. */
class RecordView implements TemplateMap {
  readonly #record: Readonly<Record<string, TemplateValue | undefined>>;
  constructor(record: Readonly<Record<string, TemplateValue | undefined>>) {
    this.#record = record;
  }
  get(name: string): TemplateValue | undefined {
    return Object.hasOwn(this.#record, name) ? this.#record[name] : undefined;
  }
  *entries(): Iterable<readonly [string, TemplateValue]> {
    for (const [name, value] of Object.entries(this.#record)) if (value !== undefined) yield [name, value];
  }
}
