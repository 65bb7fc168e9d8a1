// Templates of the recorded conformance cases, run by themselves: Promtail's over extracted data, Loki's over labels.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { goNumber } from "../../../../lib/text/go-json.ts";
import { unquoteGo } from "../../../../lib/text/go-quote.ts";
import { compileTemplate, logqlFunctions, promtailFunctions, TemplateError } from "../../../../lib/text/go-template/index.ts";

// Loki ran in UTC, and templates see the machine's zone.
process.env.TZ = "UTC";

const read = <T>(path: string): T => JSON.parse(readFileSync(new URL(`../../../conformance/${path}`, import.meta.url), "utf8")) as T;

interface AgentCase {
  id: string;
  stages?: string;
  lines?: string[];
  expected: { entries?: { line: string }[] };
}
type Stage = {
  json?: { expressions: Record<string, string | null> };
  template?: { source: string; template: string };
  output?: { source: string };
};

describe("promtail", () => {
  for (const { id, stages, lines, expected } of read<AgentCase[]>("agent/cases/template.json")) {
    const parsed = parseYaml(stages ?? "") as Stage[];
    if (lines === undefined || !Array.isArray(parsed) || !parsed.every((stage) => stage.json || stage.template || stage.output)) continue;
    if (!parsed.some((stage) => stage.output) || !lines.every((line) => line.startsWith("{"))) continue;
    test(id, () =>
      expect(lines.map((line) => runStages(parsed, line)).sort()).toEqual((expected.entries ?? []).map((entry) => entry.line).sort()),
    );
  }
});

function runStages(stages: readonly Stage[], line: string): string {
  const extracted = new Map<string, string | null>();
  let out = line;
  for (const stage of stages) {
    if (stage.json) {
      const document = JSON.parse(line) as Record<string, unknown>;
      for (const [name, expression] of Object.entries(stage.json.expressions))
        extracted.set(name, asText(document[(expression ?? name).replace(/^"(.*)"$/, "$1")]));
    } else if (stage.template) {
      const { source, template } = stage.template;
      const data = new Map(extracted);
      data.set("Value", extracted.get(source) ?? null);
      data.set("Entry", out);
      try {
        const text = compileTemplate(template, promtailFunctions()).execute(data);
        if (text === "") extracted.delete(source);
        else extracted.set(source, text);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
      }
    } else if (stage.output) out = extracted.get(stage.output.source) ?? out;
  }
  return out;
}

function asText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "number" ? goNumber(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}

interface ServerCase {
  id: string;
  given?: { labels: Record<string, string>; entries: [string, string][] }[];
  request: { query_range?: string };
  expected: {
    status: number;
    text?: string;
    json?: { data: { result: { stream: Record<string, string>; values: [string, string][] }[] } };
  };
}

describe("loki", () => {
  const { cases } = read<{ cases: ServerCase[] }>("server/cases/templates.json");
  const line = cases.find(({ id }) => id === "templates-075")!.expected.json!.data.result[0]!.values[0]![1];
  for (const { id, request, expected } of cases) {
    const query = request.query_range ?? "";
    const literal = /app="api",pod="api-0"\} \| json \| line_format ("(?:[^"\\]|\\.)*"|`[^`]*`)$/.exec(query)?.[1];
    const refused = /line_format ("(?:[^"\\]|\\.)*")' : invalid line template: (.*)$/s.exec(expected.text ?? "");
    if (literal !== undefined && expected.json !== undefined) {
      const { stream, values } = expected.json.data.result[0]!;
      const { __error__: error, __error_details__: _, ...labels } = stream;
      test(`${id} ${literal}`, () => {
        const functions = logqlFunctions({ line: () => line, timestampNs: () => BigInt(values[0]![0]) });
        const run = () => compileTemplate(unquoteGo(literal)!, functions, { name: "line", missingKey: "zero" }).execute(labels);
        if (error === undefined) expect(run()).toBe(values[0]![1]);
        else expect(run).toThrow(TemplateError);
      });
    } else if (refused !== null) {
      test(`${id} is refused`, () =>
        expect(() => compileTemplate(unquoteGo(refused[1]!)!, logqlFunctions(), { name: "line" })).toThrow(refused[2]!));
    }
  }
});

describe("loki, single templates", () => {
  for (const { id, request, given, expected } of read<{ cases: ServerCase[] }>("server/cases/retyped-pipeline.json").cases) {
    const template = /^\{case="[^"]*"\} \| line_format `([^`]*)`$/.exec(request?.query_range ?? "")?.[1];
    const result = expected.json?.data.result[0];
    if (template === undefined || given === undefined || result === undefined) continue;
    test(`${id} ${template}`, () => {
      const [timestampNs, want] = result.values[0]!;
      const functions = logqlFunctions({ line: () => given[0]!.entries[0]![1], timestampNs: () => BigInt(timestampNs) });
      const run = () => compileTemplate(template, functions, { name: "line", missingKey: "zero" }).execute(given[0]!.labels);
      if (result.stream.__error__ === undefined) expect(run()).toBe(want);
      else expect(run).toThrow(TemplateError);
    });
  }
});
