import { describe, expect, test } from "vitest";
import { parseYaml } from "../../lib/runtime/config-file.ts";
import type { Pipeline } from "../../pipelines/pipeline.ts";
import { compileTapped, type TapListener } from "../../pipelines/tap.ts";
import { entriesOf, makeBatch, makeWorld, runStages } from "./run-stages.ts";

const tapped = (yaml: string): Pipeline => compileTapped(parseYaml(yaml, "stages.yaml").value, makeWorld(), ["here"]);

/** What each tap shows: `id line`, and extracted values of the name. */
function watchAll(pipeline: Pipeline, name = "x"): string[] {
  const seen: string[] = [];
  const show: TapListener = (batch, point) => {
    for (const i of batch.live.subarray(0, batch.liveCount)) {
      const value = batch.extracted.get(name)?.get(i);
      seen.push(`${point.id} ${batch.line(i)}${value === undefined ? "" : ` ${name}=${value}`}`);
    }
  };
  for (const point of pipeline.taps) point.add(show);
  return seen;
}

describe("taps", () => {
  test("before the first stage, behind each, nested ones before the stage they are in, behind the last", () =>
    expect(tapped("- docker:\n- match: {selector: '{a=\"b\"}', stages: [{cri: }]}\n- preset: klog").taps.map(({ id }) => id)).toEqual([
      "input",
      ..."0.json 1.labels 2.timestamp 3.output".split(" ").map((inner) => `0.docker.${inner}`),
      "0.docker",
      "1.match.stages.0.cri",
      "1.match",
      ..."0.regex 1.timestamp 2.template 3.labels".split(" ").map((inner) => `2.preset.${inner}`),
      "2.preset",
      "output",
    ]));
  test("an empty pipeline has both ends", () => expect(tapped("").taps.map(({ id }) => id)).toEqual(["input", "output"]));
  test("show entries as they are at their place, with what is extracted", () => {
    const pipeline = tapped(
      "- regex: {expression: '(?P<x>\\d)'}\n- drop: {expression: bad}\n- template: {source: l, template: new}\n- output: {source: l}",
    );
    const seen = watchAll(pipeline);
    pipeline.process(makeBatch(["a1", "bad2"]));
    expect(seen).toEqual([
      "input a1",
      "input bad2",
      "0.regex a1 x=1",
      "0.regex bad2 x=2",
      "1.drop a1 x=1",
      "2.template a1 x=1",
      "3.output new x=1",
      "output new x=1",
    ]);
  });
  test("show what stages held, when they let it go", () => {
    const pipeline = tapped("- multiline: {firstline: '^S'}\n- decolorize:");
    const seen = watchAll(pipeline);
    pipeline.process(makeBatch(["S 1", "a"]));
    pipeline.flush(0, true);
    expect(seen).toEqual(["input S 1", "input a", "0.multiline S 1\na", "1.decolorize S 1\na", "output S 1\na"]);
  });
  test("any number of listeners, who come and go", () => {
    const pipeline = tapped("- decolorize:");
    const counts = [0, 0];
    const listeners = counts.map(
      (_, n): TapListener =>
        () =>
          void counts[n]!++,
    );
    const point = pipeline.taps[1]!;
    const run = (): void => pipeline.process(makeBatch(["a"]));
    run();
    for (const listener of listeners) point.add(listener);
    run();
    point.remove(listeners[0]!);
    run();
    point.remove(listeners[1]!);
    run();
    expect([counts, point.show]).toEqual([[1, 2], undefined]);
  });
  test("change nothing", () => {
    const yaml =
      "- cri:\n- multiline: {firstline: '^S'}\n- match: {selector: '{stream=\"stdout\"}', stages: [{labeldrop: [stream]}]}\n- limit: {rate: 1, burst: 2}";
    const lines = ["2024-06-01T00:00:00Z stdout P S", "2024-06-01T00:00:00Z stdout F 1", "x", "2024-06-01T00:00:00Z stderr F S 2"];
    const pipeline = tapped(yaml);
    watchAll(pipeline);
    const batch = makeBatch(lines);
    pipeline.process(batch);
    expect([...entriesOf(batch), ...entriesOf(pipeline.flush(0, true))]).toEqual(runStages(yaml, lines));
    expect(pipeline.delayMs(0)).toBeGreaterThanOrEqual(0);
  });
});
