// Templates of alerts' labels and annotations: Go's text/template with Prometheus' functions and variables. A template may ask a query;
// since templates run in one go, one that meets a query it has no answer for stops, the query is run, and the template begins again.

import { messageOf } from "../../lib/runtime/invariant.ts";
import { type CompiledTemplate, compileTemplate, type TemplateMap, type TemplateValue } from "../../lib/text/go-template/index.ts";
import type { Sample } from "./query.ts";
import { alertFunctions } from "./template-functions.ts";

export interface AlertTemplateData {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
}

/** What a template is expanded with besides its data. */
export interface AlertTemplateContext {
  readonly nowMs: number;
  /** Runs a query at the evaluation's time. */
  readonly query: (expr: string) => Promise<readonly Sample[]>;
}

/** The variables that Prometheus declares in front of every template. */
const DEFINITIONS = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";
const OUTPUT_CHARS_MAX = 64 * 1024;
/** Different queries of one template. */
const QUERIES_MAX = 10;

/** Why a text is no template, in Go's words; undefined when it is one. */
export function alertTemplateFault(alert: string, text: string): string | undefined {
  try {
    new AlertTemplate(alert, text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export class AlertTemplate {
  readonly #template: CompiledTemplate;
  /** What the functions see of the run that is going on; runs follow one another. */
  readonly #run = {
    nowMs: 0,
    externalUrl: "",
    answers: new Map<string, readonly TemplateValue[]>(),
    missing: undefined as string | undefined,
  };

  /** @throws TemplateError in Go's words */
  constructor(alert: string, text: string) {
    const run = this.#run;
    const ask = (expr: string): readonly TemplateValue[] => {
      const known = run.answers.get(expr);
      if (known !== undefined) return known;
      run.missing = expr;
      throw new Error(`the answer of ${expr} is not there yet`);
    };
    this.#template = compileTemplate(DEFINITIONS + text, alertFunctions(ask, run), {
      name: `__alert_${alert}`,
      missingKey: "zero",
      outputCharsMax: OUTPUT_CHARS_MAX,
    });
  }

  /** A template that fails becomes a text that says so, as in Prometheus. */
  async expand(data: AlertTemplateData, context: AlertTemplateContext, onError: (message: string) => void): Promise<string> {
    Object.assign(this.#run, { nowMs: context.nowMs, externalUrl: data.externalUrl, answers: new Map() });
    try {
      for (;;) {
        const text = this.#attempt(data);
        if (text !== undefined) return text;
        const { answers, missing } = this.#run;
        if (answers.size >= QUERIES_MAX) throw new Error(`a template may ask ${QUERIES_MAX} queries`);
        answers.set(missing!, (await context.query(missing!)).map(sampleValue));
      }
    } catch (error) {
      onError(messageOf(error));
      return `<error expanding template: ${messageOf(error)}>`;
    }
  }

  /** @returns undefined when a query is to be asked first */
  #attempt(data: AlertTemplateData): string | undefined {
    this.#run.missing = undefined;
    try {
      return this.#template.execute(fieldsOf(data));
    } catch (error) {
      if (this.#run.missing === undefined) throw error;
      return undefined;
    }
  }
}

function fieldsOf({ labels, value, externalLabels, externalUrl }: AlertTemplateData): TemplateMap {
  return new Map<string, TemplateValue>([
    ["Labels", textMap(labels)],
    ["ExternalLabels", textMap(new Map(Object.entries(externalLabels)))],
    ["ExternalURL", externalUrl],
    ["Value", value],
  ]);
}

function sampleValue({ labels, value }: Sample): TemplateValue {
  const pairs = labels.names.map((name, i) => [name, labels.values[i]!] as const);
  return new Map<string, TemplateValue>([
    ["Labels", textMap(new Map(pairs))],
    ["Value", value],
  ]);
}

/** A map[string]string: what is not in it is the empty text. */
function textMap(texts: ReadonlyMap<string, string>): TemplateMap {
  return { get: (name) => texts.get(name) ?? "", entries: () => texts.entries() };
}
