import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseYaml } from "../../lib/runtime/config-file.ts";
import { compileInspected } from "../../pipelines/inspect.ts";
import { entriesOf, makeBatch, makeWorld } from "./run-stages.ts";

interface Case {
  readonly id: string;
  readonly promtail_yaml: string;
  readonly command: { readonly stdin: string };
  readonly expected: { readonly stderr: readonly string[] };
}

function inspect(
  stages: unknown,
  lines: readonly string[],
  labels: Record<string, string>,
  options: { everyStage?: boolean; color?: boolean } = {},
) {
  const written: string[] = [];
  const pipeline = compileInspected(stages, makeWorld(), {
    write: (text) => written.push(text),
    color: options.color ?? false,
    ...options,
  });
  const batch = makeBatch(lines, { labels });
  pipeline.process(batch);
  return { said: written.join(""), entries: entriesOf(batch) };
}

describe("-inspect as Promtail prints it", () => {
  test("times stand in the zone they were written in", () => {
    const stages = [
      { regex: { expression: "^(?P<t>\\S+)( (?P<u>.+))?$" } },
      { timestamp: { source: "t", format: "RFC3339" } },
      { timestamp: { source: "u", format: "2006-01-02 15:04:05", location: "Europe/Berlin" } },
    ];
    const lines = ["2020-01-02T03:04:05+05:30", "x", "2020-01-02T03:04:05Z 2020-07-02 03:04:05"];
    const { said } = inspect(stages, lines, {});
    expect(said.match(/(?<=\+: )\d{4}-\d\d-\d\d .* \+\d{4} .*/g)).toEqual([
      "2020-01-02 03:04:05 +0530 +0530",
      "2020-01-02 03:04:05.000000001 +0530 +0530",
      "2020-01-02 03:04:05 +0000 UTC",
      "2020-07-02 03:04:05 +0200 CEST",
    ]);
  });
  const cases = JSON.parse(readFileSync(new URL("../conformance/agent/cases/command-line.json", import.meta.url), "utf8")) as Case[];
  for (const testCase of cases.filter(({ id }) => id.startsWith("command-line-inspect"))) {
    test(testCase.id, () => {
      const config = parseYaml(testCase.promtail_yaml.replaceAll("$", "_"), "promtail.yaml").value as {
        scrape_configs: { pipeline_stages: unknown; static_configs: { labels: Record<string, string> }[] }[];
      };
      const job = config.scrape_configs[0]!;
      const { said } = inspect(job.pipeline_stages, testCase.command.stdin.trimEnd().split("\n"), job.static_configs[0]!.labels);
      const lines = said
        .trimEnd()
        .split("\n")
        .map((line) => line.replace("2023-11-14 22:13:20 +0000 UTC", "<now>"));
      expect(lines).toEqual(testCase.expected.stderr.map((line) => line));
    });
  }
});

describe("-inspect", () => {
  const STAGES = (yaml: string): unknown => parseYaml(yaml, "stages.yaml").value;

  test("entries one after the other, each through all stages", () => {
    const { said, entries } = inspect(STAGES("- regex: {expression: '(?P<a>\\w+)'}\n- labels: {a: }"), ["x", "z"], {});
    expect(said.match(/stage]|\+: .*/g)).toEqual(["stage]", "+: x", "stage]", '+: {a="x"}', "stage]", "+: z", "stage]", '+: {a="z"}']);
    expect(entries.map(({ labels }) => labels.a)).toEqual(["x", "z"]);
  });
  test("nothing is said of metrics, as Promtail says nothing", () => {
    const { said } = inspect(STAGES("- metrics: {a: {type: Counter, config: {match_all: true, action: inc}}}"), ["x"], {});
    expect(said).toBe("");
  });
  test("composite stages show their parts", () => {
    const { said, entries } = inspect(STAGES("- cri: {}"), ["2020-01-01T00:00:00Z stdout P a", "2020-01-01T00:00:01Z stdout F b"], {});
    expect(said.match(/inspect: \w+/g)).toEqual(
      Array.from({ length: 2 }, () => "regex labels timestamp output output".split(" "))
        .flat()
        .map((name) => `inspect: ${name}`),
    );
    expect(entries.map(({ line }) => line)).toEqual(["ab"]);
  });
  test("a value of another type, and one of the same", () => {
    const stages = STAGES("- json: {expressions: {a: , b: }}\n- json: {expressions: {a: c, b: d}}");
    const { said } = inspect(stages, ['{"a":1,"b":"x","c":2,"d":true}'], {}, { everyStage: true });
    expect(said.split("\n").slice(5, 11)).toEqual([
      "[inspect: json stage]: ",
      '{stages.Entry}.Extracted["a"].(float64):',
      "\t-: 1",
      "\t+: 2",
      '{stages.Entry}.Extracted["b"]:',
      "\t-: x",
    ]);
  });
  test("metadata and a dropped entry, when all stages are shown", () => {
    const stages = STAGES("- structured_metadata: {l: }\n- drop: {expression: x}");
    expect(inspect(stages, ["x"], { l: "v" }, { everyStage: true }).said).toBe(
      '[inspect: structured_metadata stage]: \n{stages.Entry}.Entry.Labels:\n\t-: {l="v"}\n\t+: {}\n' +
        "{stages.Entry}.Entry.Entry.StructuredMetadata[?->0]:\n\t+: {Name:l Value:v}\n[inspect: drop stage]: \n{stages.Entry}:\n\t-: entry\n",
    );
  });
  test("blocks that a stage holds, when it takes a line and when it lets the block go", () => {
    const written: string[] = [];
    const options = { write: (text: string) => void written.push(text), color: false, everyStage: true };
    const pipeline = compileInspected(STAGES("- multiline: {firstline: '^S'}"), makeWorld(), options);
    pipeline.process(makeBatch(["S 1", "a", "S 2"]));
    pipeline.flush(0, true);
    const took = "[inspect: multiline stage]: \n{stages.Entry}:\n\t-: entry\n";
    const letGo = (line: string): string => `[inspect: multiline stage]: \n{stages.Entry}:\n\t+: ${line}\n`;
    expect(written).toEqual([took, took, letGo("S 1\na"), took, letGo("S 2")]);
  });
  test.each([
    ["cri: {}", "regex labels timestamp output output cri"],
    ["decolorize: ", "decolorize"],
    ["docker: ", "json labels timestamp output docker"],
    ["drop: {expression: x}", "drop"],
    ["eventlogmessage: {source: m}", "eventlogmessage"],
    ["json: {expressions: {a: }}", "json"],
    ["labelallow: [a]", "labelallow"],
    ["labeldrop: [a]", "labeldrop"],
    ["labels: {a: }", "labels"],
    ["limit: {rate: 1, burst: 1}", "limit"],
    ["logfmt: {mapping: {a: }}", "logfmt"],
    ["luhn: {}", "luhn"],
    ["match: {selector: '{job=\"j\"}', stages: [{decolorize: }]}", "decolorize match"],
    ["metrics: {a: {type: Counter, config: {action: inc}}}", "metrics"],
    ["multiline: {firstline: x}", "multiline"],
    ["output: {source: a}", "output"],
    ["pack: {labels: [job]}", "pack"],
    ["preset: klog", "regex timestamp template labels preset"],
    ["regex: {expression: '(?P<a>x)'}", "regex"],
    ["replace: {expression: '(x)', replace: z}", "replace"],
    ["sampling: {rate: 1}", "sampling"],
    ["static_labels: {a: b}", "static_labels"],
    ["structured_metadata: {a: }", "structured_metadata"],
    ["template: {source: a, template: b}", "template"],
    ["tenant: {value: t}", "tenant"],
    ["timestamp: {source: a, format: RFC3339}", "timestamp"],
    ["truncate: {rules: [{limit: 1B, source_type: line}]}", "truncate"],
  ])("every stage, when asked for: %s", (yaml, wanted) => {
    const { said } = inspect(STAGES(`- ${yaml}`), ["x"], { job: "j" }, { everyStage: true });
    expect([...said.matchAll(/inspect: (\w+)/g)].map((match) => match[1]).join(" ")).toBe(wanted);
  });
  test("colours", () => {
    const { said } = inspect(STAGES("- static_labels: {a: b}"), ["x"], {}, { color: true });
    expect(said).toBe(
      '[inspect: \x1b[1mstatic_labels\x1b[0m stage]: \n\x1b[33m{stages.Entry}.Entry.Labels:\x1b[0m\n\t-: \x1b[31m{}\x1b[0m\n\t+: \x1b[32m{a="b"}\x1b[0m\n',
    );
  });
});
