// Input made to hurt, and configurations that hurt themselves: each line comes out or is dropped and counted, in bounded time and memory.

import { describe, expect, test } from "vitest";
import { entriesOf, faultsOf, linesOut, makeBatch, makePipeline, makeWorld, runStages } from "./run-stages.ts";

const DEPTH = 100_000;
const DEEP_MAPS = `${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}`;
const DEEP_LISTS = `{"a":${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}}`;
const UNCLOSED = '{"a":'.repeat(DEPTH);

describe("JSON nested a hundred thousand deep", () => {
  test("a key of it is extracted whole", () => {
    const [line] = linesOut("- json: {expressions: {a: }}\n- output: {source: a}", [DEEP_MAPS]);
    expect(line).toBe(DEEP_MAPS.slice(5, -1));
  });
  for (const [name, stages] of [
    ["json", "- json: {expressions: {a: }}"],
    ["json with a path", "- json: {expressions: {x: a.a.a}}"],
    ["json with the whole", "- json: {expressions: {x: '@'}}"],
    ["json with functions", "- json: {expressions: {x: 'keys(@)', u: 'to_string(a)', z: 'a == a'}}"],
    ["json that drops what is malformed", "- json: {drop_malformed: true, expressions: {a: }}"],
    ["docker", "- docker: {}"],
    ["pack", "- json: {expressions: {a: }}\n- pack: {labels: [a]}"],
    ["labels", "- json: {expressions: {a: }}\n- labels: {a: }"],
    ["a template", "- json: {expressions: {a: }}\n- template: {source: b, template: '{{ .a | len }}{{ fromJson .a | toJson | len }}'}"],
  ] as const) {
    test(`${name}: the lines behind it come through`, () => {
      for (const deep of [DEEP_MAPS, DEEP_LISTS]) {
        const lines = linesOut(stages, [deep, '{"a":"next"}'], { perBatch: 1 });
        expect(lines).toHaveLength(2);
      }
    });
  }
  test("one that does not end is malformed", () => {
    const world = makeWorld();
    expect(linesOut("- json: {drop_malformed: true, expressions: {a: }}", [UNCLOSED, "{}"], { world })).toEqual(["{}"]);
    expect([...world.drops.values()]).toEqual([1]);
  });
});

describe("templates that would not end leave the value", () => {
  for (const [name, template, words] of [
    ["calls of itself", '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', /maximum template depth/],
    ["calls of itself, twice each", '{{define "x"}}{{template "x"}}{{template "x"}}{{end}}{{template "x"}}', /maximum template depth/],
    ["a repetition", '{{ repeat 1000000000 "x" }}', /repeat/],
    ["an indentation", '{{ indent 1000000000 "x" }}', /indent/],
    ["a list of numbers", "{{ range until 1000000000 }}x{{ end }}", /until/],
    ["loops in loops", "{{ range until 90000 }}{{ range until 90000 }}{{ end }}{{ end }}", /steps/],
    ["much output", '{{ $a := repeat 100000 "x" }}{{ range until 1000 }}{{ $a }}{{ end }}', /output exceeds/],
    ["a text that doubles", '{{ $a := "x" }}{{ range until 60 }}{{ $a = print $a $a }}{{ end }}', /larger than a template may make/],
    ["a list that doubles", "{{ $l := list 1 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}", /larger than a template may make/],
    ["a list that grows", "{{ $l := list 1 }}{{ range until 90000 }}{{ $l = append $l 1 }}{{ end }}", /steps/],
    ["a replacement that grows", '{{ $a := repeat 9000 "x" }}{{ replace "x" $a $a }}', /replace/],
    ["random texts", "{{ randAlphaNum 1000000000 }}", /randAlphaNum/],
  ] as const) {
    test(name, () => {
      const errors: string[] = [];
      const note = (fields: object): void => void errors.push(JSON.stringify(fields));
      const world = { ...makeWorld(), debug: note, warn: note };
      const stages = `- regex: {expression: '(?P<o>.*)'}\n- template: {source: o, template: '${template}'}\n- output: {source: o}`;
      expect(linesOut(stages, ["kept"], { world })).toEqual(["kept"]);
      expect(errors.join("\n")).toMatch(words);
    });
  }
  test("blocks nested deeper than a template may be are refused", () =>
    expect(faultsOf(`- template: {source: a, template: '${"{{if true}}".repeat(5_000)}${"{{end}}".repeat(5_000)}'}`)).toMatch(
      /exceeded maximum nesting depth/,
    ));
});

describe("regular expressions", () => {
  const fault = (expression: string): string => faultsOf(`- regex: {expression: '${expression}'}`).slice(0, 300);
  for (const [name, expression, words] of [
    ["of a megabyte", "(a|b)?".repeat(170_000), /expression too large: 1020000 characters, at most 131072/],
    ["of a megabyte of letters", "a".repeat(1_000_000), /expression too large/],
    ["nested deeply", `${"(".repeat(50_000)}${")".repeat(50_000)}`, /nests too deeply/],
    ["repeated repetitions", "((a{0,1000}){0,1000}){0,1000}", /invalid repeat count|too large/],
  ] as const) {
    test(`${name} are refused`, () => expect(fault(expression)).toMatch(words));
  }
  test("that backtrack without end elsewhere are linear", () => {
    const line = `${"a".repeat(50_000)}b`;
    const stages = "- regex: {expression: '^(?P<x>(a|aa)+)$'}\n- regex: {expression: '(?P<z>(a*)*c)'}\n- labels: {x: , z: }";
    expect(runStages(stages, [line]).map(({ labels }) => labels)).toEqual([{}]);
  });
});

describe("long lines", () => {
  const MEGABYTE = 1_000_000;
  for (const [name, stages, line] of [
    ["logfmt of many pairs", "- logfmt: {mapping: {a: }}", "a=b ".repeat(MEGABYTE / 4)],
    ["logfmt of quotes", "- logfmt: {mapping: {a: }}", 'a="'.repeat(MEGABYTE / 3)],
    ["escape sequences", "- decolorize: {}", "\x1b[".repeat(MEGABYTE / 10)],
    ["digits", "- luhn: {}", "4".repeat(MEGABYTE)],
    ["digits and blanks", "- luhn: {delimiters: ' -'}", "4 -".repeat(MEGABYTE / 3)],
    ["replacements", "- replace: {expression: '(a)', replace: bb}", "a".repeat(MEGABYTE / 10)],
    ["messages of the event log", "- json: {expressions: {m: }}\n- eventlogmessage: {source: m}", `{"m":"${"k: v\\r\\n".repeat(1_000)}"}`],
    ["CRI flags", "- cri: {}", `2019-01-01T00:00:00Z stdout ${"P:".repeat(MEGABYTE / 2)} x`],
    ["a selector's line filter", '- match: {selector: \'{a=""} |~ "(a*)*c"\', action: drop}', "a".repeat(MEGABYTE / 10)],
  ] as const) {
    test(name, () => expect(runStages(stages, [line, "next"]).at(-1)!.line).toBe("next"));
  }

  test("partial lines without end are held up to a bound", () => {
    const pipeline = makePipeline("- cri: {}", makeWorld());
    const piece = `2019-01-01T00:00:00Z stdout P ${"x".repeat(100_000)}`;
    let out = 0;
    for (let i = 0; i < 400; i++) {
      const batch = makeBatch([piece]);
      pipeline.process(batch);
      out += entriesOf(batch).reduce((sum, { line }) => sum + line.length, 0);
    }
    expect(out).toBeGreaterThan(0);
  });
});
