import { describe, expect, test } from "vitest";
import { entriesOf, faultsOf, labelsOut, linesOut, makeBatch, makePipeline, makeWorld, runStages } from "../run-stages.ts";

const LABELS = { app: "web", env: "prod" };

describe("match", () => {
  const matches = (name: string, selector: string, line: string, hit: boolean): void =>
    test(name, () => {
      const stages = `- match:\n    selector: '${selector}'\n    stages: [{static_labels: {hit: "1"}}]`;
      expect(labelsOut(stages, line, { labels: LABELS }).hit).toBe(hit ? "1" : undefined);
    });

  matches("an equal label", '{app="web"}', "x", true);
  matches("another value", '{app="api"}', "x", false);
  matches("an unequal label alone", '{app!="api"}', "x", true);
  matches("an expression is anchored", '{app=~"we"}', "x", false);
  matches("an expression over the whole value", '{app=~"we."}', "x", true);
  matches("an excluding expression", '{app!~"a.*", env="prod"}', "x", true);
  matches("a label that is not there is empty", '{nope="", app="web"}', "x", true);
  matches("a text in the line", '{app="web"} |= "GET"', "a GET b", true);
  matches("a text that is not in the line", '{app="web"} != "GET"', "a GET b", false);
  matches("an expression in the line is not anchored", '{app="web"} |~ "5\\\\d\\\\d"', "a 503 b", true);
  matches("an expression that must not be", '{app="web"} !~ "5.."', "a 503 b", false);
  matches("two filters", '{app="web"} |= "a" != "c"', "a b", true);
  matches("two filters, one fails", '{app="web"} |= "a" != "b"', "a b", false);
  matches("the empty text is in every line", '{app="web"} |= ""', "", true);

  matches("labels called as LogQL's keywords", '{json="", on="", app="web"}', "x", true);

  test("stages behind a match see the values of entries that were outside of it", () => {
    const match = (text: string, stage: string): string => `- match: {selector: '{app="web"} |= "${text}"', stages: [${stage}]}\n`;
    const lines = ['{"level":"info","m":"GET"}', '{"level":"warn","m":"POST"}', '{"level":"warn","m":"GET"}'];
    const levels = (stages: string): (string | undefined)[] =>
      runStages(`- json: {expressions: {level: }}\n${stages}`, lines, { labels: LABELS }).map(({ labels }) => labels.level);
    const setLevel = "labels: {level: }";
    expect(levels(match("GET", setLevel) + match("POST", setLevel))).toEqual(["info", "warn", "warn"]);
    expect(levels(`${match("GET", "drop: {source: level, value: info}")}- ${setLevel}`)).toEqual(["warn", "warn"]);
    expect(levels(`${match("POST", "structured_metadata: {level: }")}- ${setLevel}`)).toEqual(["info", "warn", "warn"]);
  });

  const MATCH = (stages: string): string => `- match:\n    selector: '{app="web"} |= "in"'\n    stages: ${stages}\n`;
  test("the order of entries stays", () => {
    const lines = ["in 1", "out 1", "in 2", "in drop", "out 2", "in 3"];
    const stages = MATCH("[{drop: {expression: drop}}, {static_labels: {a: b}}]");
    expect(linesOut(stages, lines, { labels: LABELS })).toEqual(["in 1", "out 1", "in 2", "out 2", "in 3"]);
  });
  test("entries that come late stand before the one that made them come", () => {
    const lines = ["in A 1", "out 1", "in more", "out 2", "in A 2", "out 3"];
    const stages = MATCH("[{multiline: {firstline: '^in A'}}]");
    expect(linesOut(stages, lines, { labels: LABELS })).toEqual(["in A 1\nin more", "out 1", "out 2", "out 3", "in A 2"]);
    expect(linesOut(stages, lines, { labels: LABELS, perBatch: 1 })).toEqual(["out 1", "out 2", "in A 1\nin more", "out 3", "in A 2"]);
  });
  test("held entries go through the nested stages behind, and the stages behind the match", () => {
    const stages = `${MATCH("[{multiline: {firstline: '^in A'}}, {replace: {expression: '(more)', replace: less}}]")}- pack: {}`;
    expect(linesOut(stages, ["in A", "in more"], { labels: LABELS })).toEqual(['{"_entry":"in A\\nin less"}']);
  });
  test("labels come over extracted values inside", () => {
    const stages = `- regex: {expression: '(?P<env>\\w+)'}\n${MATCH("[{labels: {inside: env}}]")}- labels: {behind: env}`;
    expect(runStages(stages, ["in", "word"], { labels: LABELS }).map(({ labels }) => [labels.inside, labels.behind])).toEqual([
      ["prod", "prod"],
      [undefined, "word"],
    ]);
  });
  test("labels set by a stage before are extracted inside", () =>
    expect(labelsOut(`- static_labels: {made: up}\n${MATCH("[{labels: {copy: made}}]")}`, "in", { labels: LABELS }).copy).toBe("up"));
  test("values extracted inside leave those of other entries alone", () => {
    const stages = `- regex: {expression: '(?P<v>\\w+)'}\n${MATCH("[{json: {expressions: {v: }, source: doc}}, {logfmt: {mapping: {v: k}}}]")}- output: {source: v}`;
    expect(linesOut(stages, ["in k=1", "word k=2"], { labels: LABELS })).toEqual(["1", "word"]);
  });
  test("JSON inside a match over some of the entries", () => {
    const stages = `- json: {expressions: {v: a}}\n${MATCH("[{json: {expressions: {v: b}}}]")}- output: {source: v}`;
    expect(linesOut(stages, ['{"a":"1","b":"in"}', '{"a":"2","b":"x"}'], { labels: LABELS })).toEqual(["in", "2"]);
  });

  test("drop", () => {
    const world = makeWorld();
    const stages = `- match: {selector: '{app="web"} |~ ".*noisy error.*"', action: drop}\n- match: {selector: '{app="web"} |= "x"', action: drop, drop_counter_reason: ex}`;
    expect(linesOut(stages, ["a noisy error b", "x", "ok"], { labels: LABELS, world })).toEqual(["ok"]);
    expect(Object.fromEntries(world.drops)).toEqual({ match_stage: 1, ex: 1 });
  });
  test("a limit inside makes the whole pipeline wait", () => {
    const world = makeWorld();
    const pipeline = makePipeline(MATCH("[{limit: {rate: 1, burst: 1}}]"), world);
    const batch = makeBatch(["in", "out", "in", "in"], { labels: LABELS });
    pipeline.process(batch);
    expect(entriesOf(batch).length).toBe(4);
    expect(pipeline.delayMs(world.nowMs)).toBe(2_000);
  });

  const refuses = (name: string, config: string, wanted: RegExp): void =>
    test(name, () => expect(faultsOf(`- match: ${config}`)).toMatch(wanted));
  const nested = "stages: [{docker: {}}]";
  refuses("no selector", `{${nested}}`, /^error 0.match.selector match stage: selector: is required/);
  refuses("a broken selector", `{selector: '{app=', ${nested}}`, /invalid selector: parse error at line 1, col 6/);
  refuses("an empty selector", `{selector: '{}', ${nested}}`, /no label matcher/);
  refuses("a parser", `{selector: '{a="b"} | json', ${nested}}`, /invalid selector: only line filters/);
  refuses("backticks", `{selector: '{a="b"} |= \`x\`', ${nested}}`, /invalid selector: backticks/);
  refuses("alternatives", `{selector: '{a="b"} |= "x" or "z"', ${nested}}`, /invalid selector: a line filter here/);
  refuses("a broken expression", `{selector: '{a=~"("}', ${nested}}`, /invalid selector: .*missing closing \)/);
  refuses("a metric query", `{selector: 'rate({a="b"}[1m])', ${nested}}`, /a metric query cannot select/);
  refuses("keep without stages", `{selector: '{a="b"}'}`, /^error 0.match.stages .*at least one stage/);
  refuses("drop with stages", `{selector: '{a="b"}', action: drop, ${nested}}`, /^error 0.match.stages .*drops entries cannot have stages/);
  refuses("an empty pipeline name", `{selector: '{a="b"}', pipeline_name: '', ${nested}}`, /^error 0.match.pipeline_name .*is empty/);
  refuses("another action", `{selector: '{a="b"}', action: jump, ${nested}}`, /has to be keep or drop, got "jump"/);
  refuses(
    "faults inside, with their path",
    `{selector: '{a="b"}', stages: [{docker: {}}, {drop: {}}]}`,
    /^error 0.match.stages.1.drop drop stage: at least one/,
  );
});
