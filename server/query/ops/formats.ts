// `| line_format`, `| label_format` and `| decolorize`: they rewrite the line and the labels. Templates are Go's, over the map of labels.

import type { LabelFormat } from "../../../lib/logql/ast.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import { decolorize } from "../../../lib/text/decolorize.ts";
import { compileTemplate, logqlFunctions, type TemplateMap } from "../../../lib/text/go-template/index.ts";
import type { ExtractionState } from "../hints.ts";
import { ERROR_DETAILS_LABEL, ERROR_LABEL, type LineLabels, PARSED_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";

const TEMPLATE_ERROR = "TemplateFormatErr";

/** Of a formatted line or label, Loki's default for lines that are pushed: what a template makes is kept and sent as they are. */
const FORMATTED_CHARS_MAX = 256 * 1024;

type Render = (data: TemplateMap) => string;

/** A template of one op. The functions see the line that is being formatted. */
function compile(text: string, name: "line" | "label", line: () => LineState): Render {
  const functions = logqlFunctions({
    line: () => line().text,
    timestampNs: () => BigInt(line().sec) * 1_000_000_000n + BigInt(line().nanos),
  });
  const template = compileTemplate(text, functions, { name, missingKey: "zero", outputCharsMax: FORMATTED_CHARS_MAX });
  return (data) => template.execute(data);
}

/** The labels as a template sees them, without a copy. */
function viewOf(labels: LineLabels): TemplateMap {
  return { get: (name) => labels.get(name) ?? errorOf(labels, name), entries: () => Object.entries(labels.toObject()) };
}

function errorOf(labels: LineLabels, name: string): string | undefined {
  const text = name === ERROR_LABEL ? labels.error : name === ERROR_DETAILS_LABEL ? labels.errorDetails : "";
  return text === "" ? undefined : text;
}

/** A template that is one field and nothing else: Loki takes the label itself then, and that shows, for errors are no labels to it. */
const LONE_FIELD = /^\{\{(?:- )?\s*\.([a-zA-Z_]\w*)\s*(?: -)?\}\}$/;

export function lineFormatOp(text: string): LineOp {
  const [, field] = LONE_FIELD.exec(text) ?? [];
  if (field !== undefined) {
    return (line) => {
      line.replaceText(line.labels.get(field) ?? "");
      return true;
    };
  }
  let current: LineState;
  const render = compile(text, "line", () => current);
  return (line) => {
    current = line;
    try {
      line.replaceText(render(viewOf(line.labels)));
    } catch (error) {
      line.labels.setError(TEMPLATE_ERROR, messageOf(error));
    }
    return true;
  };
}

export function labelFormatOp(op: LabelFormat, given: ExtractionState): LineOp {
  let current: LineState;
  const formats = op.formats.map(({ label, from }) => ({
    label,
    source: from.text,
    render: from.kind === "template" ? compile(from.text, "label", () => current) : undefined,
  }));
  return (line) => {
    current = line;
    const { labels } = line;
    // All templates of one op see the labels as they were when the first of them ran.
    let data: TemplateMap | undefined;
    for (const { label, source, render } of formats) {
      if (render === undefined) rename(line, source, label, given);
      else {
        try {
          data ??= op.formats.length === 1 ? viewOf(labels) : new Map(Object.entries(labels.toObject()));
          labels.set(PARSED_LABEL, label, render(data));
          given.note(label);
        } catch (error) {
          labels.setError(TEMPLATE_ERROR, messageOf(error));
        }
      }
    }
    return true;
  };
}

/** A renamed label is a parsed one, wherever it came from; one renamed to itself is gone, as in Loki. */
function rename({ labels }: LineState, from: string, to: string, given: ExtractionState): void {
  const value = labels.get(from);
  if (value === undefined) return;
  labels.set(PARSED_LABEL, to, value);
  given.note(to);
  labels.delete(from);
}

export function decolorizeOp(): LineOp {
  return (line) => {
    const { text } = line;
    if (text.includes("\u001b")) line.replaceText(decolorize(text));
    return true;
  };
}

/** What is wrong with a template, in the words of Go's template engine; null when nothing is. */
export function templateFault(text: string, name: string): string | null {
  try {
    compileTemplate(text, logqlFunctions(), { name });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
