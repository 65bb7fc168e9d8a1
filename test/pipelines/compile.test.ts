import { describe, expect, test } from "vitest";
import { ConfigError } from "../../lib/runtime/config-file.ts";
import { findStage, stageNames } from "../../pipelines/registry.ts";
import { entriesOf, faultsOf, linesOut, makeBatch, makePipeline, makeWorld, runStages } from "./run-stages.ts";

describe("checkPipeline", () => {
  const finds = (name: string, yaml: string, wanted: string): void => test(name, () => expect(faultsOf(yaml)).toBe(wanted));

  finds("nothing", "", "");
  finds("an empty list", "[]", "");
  finds("no list", "cri: {}", "error  expected a list of pipeline stages, got a map");
  finds("a bare word", "- cri", 'error 0 stage cri is a bare word; a stage is a map with one key, so write "cri:" or "cri: {}"');
  finds("an item that is no map", "- [cri]", "error 0 expected a pipeline stage, a map with one key, got a list");
  finds("two keys", "- cri: {}\n  docker: {}", "error 0 a pipeline stage has one key, this one has cri, docker; make each a list item");
  finds("no key", "- {}", "warning 0 a pipeline stage without a key does nothing");
  finds("an unknown stage", "- nosuchstage: {}", "error 0.nosuchstage unknown stage nosuchstage");
  finds("a misspelt stage", "- lables: {}", 'error 0.lables unknown stage lables; did you mean "labels"?');
  finds("a parser of LogQL", "- unpack: {}", 'error 0.unpack unknown stage unpack; did you mean "pack"?');
  finds(
    "options where there are none",
    "- docker: x\n- decolorize: {a: 1}",
    [0, 1]
      .map(
        (n) =>
          `warning ${n}.${["docker", "decolorize"][n]} ${["docker", "decolorize"][n]} stage: this stage has no options; what is written here has no effect`,
      )
      .join("\n"),
  );
  finds("no map where there are options", "- output: x", "error 0.output output stage: expected a map of options");
  finds("keys in any case, as Promtail's decoder takes them", "- output: {Source: a}", "");
  test("all faults at once", () =>
    expect(
      faultsOf("- drop: {}\n- output: {sauce: x}\n- match: {selector: '{a=\"b\"}', stages: [{json: {}}, {nope: }]}")
        .split("\n")
        .map((line) => line.split(" ").slice(0, 2).join(" ")),
    ).toEqual([
      "error 0.drop",
      "warning 1.output.sauce",
      "error 1.output.source",
      "error 2.match.stages.0.json.expressions",
      "error 2.match.stages.1.nope",
    ]));
});

describe("compilePipeline", () => {
  test("no stages: entries pass", () => expect(linesOut("", ["a", "b"])).toEqual(["a", "b"]));
  test("faults are thrown, warnings are not", () => {
    expect(() => makePipeline("- cri: {nope: 1}", makeWorld())).not.toThrow();
    expect(() => makePipeline("- drop: {}\n- nope: {}", makeWorld())).toThrow(ConfigError);
    expect(() => makePipeline("- match: {selector: '{a=\"b\"}', stages: [{nope: {}}]}", makeWorld())).toThrow(
      /0.match.stages.0.nope: unknown stage/,
    );
  });
  test("a stage that cannot be built says where", () =>
    expect(() => makePipeline("- docker:\n- geoip: {db: /nowhere.mmdb, source: ip, db_type: city}", makeWorld())).toThrow(
      /^1.geoip: geoip stage: /,
    ));
  test("every stage has its own name", () => {
    for (const name of stageNames()) expect(findStage(name)).toBeDefined();
  });

  test("extracted data dies with the pipeline", () => {
    const batch = makeBatch(['{"a":1}'], { labels: { job: "j" } });
    makePipeline("- json: {expressions: {a: }}", makeWorld()).process(batch);
    expect([batch.extracted.size, batch.initialLabels]).toEqual([0, undefined]);
  });
  test("one pipeline over batches of different sizes", () => {
    const pipeline = makePipeline(
      "- cri:\n- json: {expressions: {level: , id: a.id}}\n- labels: {level: }\n- output: {source: id}",
      makeWorld(),
    );
    for (const count of [1, 300, 3, 0, 77]) {
      const lines = Array.from(
        { length: count },
        (_, n) => `2020-01-01T00:00:00Z stdout F {"level":"l${n % 3}","a":{"id":"${count}-${n}"}}`,
      );
      const batch = makeBatch(lines);
      pipeline.process(batch);
      expect(entriesOf(batch).map(({ line, labels }) => [line, labels.level])).toEqual(lines.map((_, n) => [`${count}-${n}`, `l${n % 3}`]));
    }
  });
  test("partial lines, then blocks, then labels: held entries pass the stages behind, in order", () => {
    const line = (flags: string, text: string): string => `2020-01-01T00:00:00Z stdout ${flags} ${text}`;
    const stages =
      "- cri:\n- multiline: {firstline: '^S'}\n- regex: {expression: '(?s)(?P<last>\\w+)$'}\n- labels: {last: }\n- drop: {expression: gone}";
    const lines = [
      line("P", "S 1"),
      line("F", " a"),
      line("F", "b"),
      line("F", "S gone"),
      line("F", "S 2"),
      line("P", "c"),
      line("F", "d"),
    ];
    for (const perBatch of [100, 3, 1]) {
      expect(runStages(stages, lines, { perBatch }).map(({ line: text, labels }) => [text, labels.last])).toEqual([
        ["S 1 a\nb", "b"],
        ["S 2\ncd", "cd"],
      ]);
    }
  });
  test("two stages that hold: what the first lets go late is held by the second", () => {
    const stages = "- multiline: {firstline: '^A', max_wait_time: 1s}\n- multiline: {firstline: '^A.*B'}";
    const lines = ["A B", "x", "A c", "y"];
    for (const perBatch of [100, 1]) expect(linesOut(stages, lines, { perBatch })).toEqual(["A B\nx\nA c\ny"]);
  });
});
