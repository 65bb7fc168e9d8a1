import { describe, expect, test } from "vitest";
import type { Ticket } from "../../../lib/wire/entry-batch.ts";
import { entriesOf, faultsOf, linesOut, makeBatch, makePipeline, makeWorld, runStages } from "../run-stages.ts";

const DATED = "- multiline: {firstline: '^\\[\\d{4}-\\d{2}-\\d{2} ', max_wait_time: 3s}";

describe("multiline", () => {
  const joins = (name: string, stages: string, lines: string[], wanted: string[]): void => {
    describe(name, () => {
      for (const perBatch of [100, 1, 2]) test(`${perBatch} a batch`, () => expect(linesOut(stages, lines, { perBatch })).toEqual(wanted));
    });
  };
  joins(
    "the example",
    DATED,
    ["[2020-12-03 11:36:23] ERROR boom", "Traceback", "  File x", "[2020-12-03 11:36:26] ok"],
    ["[2020-12-03 11:36:23] ERROR boom\nTraceback\n  File x", "[2020-12-03 11:36:26] ok"],
  );
  joins("lines before the first block pass", DATED, ["a", "b", "[2020-12-03 x", "c"], ["a", "b", "[2020-12-03 x\nc"]);
  joins(
    "max_lines",
    "- multiline: {firstline: '^START', max_lines: 2}",
    ["START a", "b", "c", "d", "e", "START f"],
    ["START a\nb", "c\nd", "e", "START f"],
  );
  joins("max_lines 0 is no limit", "- multiline: {firstline: '^START', max_lines: 0}", ["START a", "b", "c"], ["START a\nb\nc"]);
  joins("max_lines 1", "- multiline: {firstline: '^START', max_lines: 1}", ["START a", "b"], ["START a", "b"]);
  joins(
    "lines that a stage before has changed",
    `- replace: {expression: '(x)', replace: zz}\n- multiline: {firstline: '^S'}`,
    ["S x", "x", "S"],
    ["S zz\nzz", "S"],
  );
  joins(
    "lines that a stage before has dropped",
    `- drop: {expression: noise}\n- multiline: {firstline: '^S'}`,
    ["S 1", "noise", "more", "S 2"],
    ["S 1\nmore", "S 2"],
  );
  joins("an empty line inside", "- multiline: {firstline: '^S'}", ["S", "", "b"], ["S\n\nb"]);
  joins("only empty lines", "- multiline: {firstline: '^$'}", ["", ""], []);
  joins("empty lines among others, each a block", "- multiline: {firstline: '^'}", ["a", "", "b", "", "", "c"], ["a", "b", "c"]);
  joins("an empty line at the start of a block", "- multiline: {firstline: '^$'}", ["", "x", "y", "", "", "z"], ["x\ny", "z"]);
  joins(
    "empty lines after max_lines",
    "- multiline: {firstline: '^S', max_lines: 2}",
    ["S1", "a", "", "", "b", "S2", "c", "d"],
    ["S1\na", "b", "S2\nc", "d"],
  );
  test("lines that make no entry are counted", () => {
    const world = makeWorld();
    runStages("- multiline: {firstline: '^'}", ["a", "", "", "b"], { world });
    expect(world.drops.get("multiline_empty")).toBe(2);
  });

  test("a block has the first line's time, labels, metadata and extracted values", () => {
    const stages = `- regex: {expression: '^(?P<first>[A-Z])(?P<num>\\d)'}
- structured_metadata: {seen: first}
- multiline: {firstline: '^[A-Z]'}
- labels: {first: , num: }`;
    for (const perBatch of [100, 1]) {
      const entries = runStages(stages, ["A1", "b2", "C3"], { perBatch });
      expect(entries.map(({ line, labels, metadata }) => [line, labels, metadata])).toEqual([
        ["A1\nb2", { first: "A", num: "1" }, [["seen", "A"]]],
        ["C3", { first: "C", num: "3" }, [["seen", "C"]]],
      ]);
    }
  });
  test("streams have blocks of their own", () => {
    const stages = "- cri:\n- multiline: {firstline: '^S'}";
    const line = (stream: string, text: string): string => `2020-01-01T00:00:00Z ${stream} F ${text}`;
    const lines = [line("stdout", "S o1"), line("stderr", "S e1"), line("stdout", "o2"), line("stderr", "e2"), line("stdout", "S o3")];
    expect(linesOut(stages, lines).sort()).toEqual(["S e1\ne2", "S o1\no2", "S o3"]);
  });
  test("files with equal labels have blocks of their own", () => {
    const pipeline = makePipeline("- multiline: {firstline: '^S'}", makeWorld());
    for (const [source, line] of [
      ["one", "S 1"],
      ["two", "S 2"],
      ["one", "b"],
    ] as const)
      pipeline.process(makeBatch([line], { source }));
    expect(entriesOf(pipeline.flush(0, true)).map(({ line }) => line)).toEqual(["S 1\nb", "S 2"]);
  });
  test("a block is complete when nothing came for max_wait_time", () => {
    const world = makeWorld();
    const pipeline = makePipeline(DATED, world);
    pipeline.process(makeBatch(["[2020-12-03 x"]));
    world.nowMs += 2_000;
    pipeline.process(makeBatch(["more"]));
    expect(pipeline.flush(world.nowMs + 2_999, false)).toBeUndefined();
    expect(entriesOf(pipeline.flush(world.nowMs + 3_000, false)).map(({ line }) => line)).toEqual(["[2020-12-03 x\nmore"]);
    expect(pipeline.flush(world.nowMs + 10_000, true)).toBeUndefined();
  });
  test("what comes after the wait goes on with the old first line's entry", () => {
    const world = makeWorld();
    const pipeline = makePipeline(DATED, world);
    pipeline.process(makeBatch(["[2020-12-03 x"], { sec: 1_000 }));
    pipeline.flush(world.nowMs + 3_000, false);
    pipeline.process(makeBatch(["late"], { sec: 2_000 }));
    expect(entriesOf(pipeline.flush(world.nowMs, true)).map(({ line, sec }) => [line, sec])).toEqual([["late", 1_000]]);
  });
  test("an open block holds the tickets of all its batches, and hands them on", () => {
    const pipeline = makePipeline(DATED, makeWorld());
    const tickets = [ticket(), ticket(), ticket()];
    pipeline.process(makeBatch(["[2020-12-03 a"], { tickets: [tickets[0]!] }));
    pipeline.process(makeBatch(["b"], { tickets: [tickets[1]!] }));
    expect(tickets.map(({ holds }) => holds)).toEqual([1, 1, 0]);
    const batch = makeBatch(["[2020-12-03 c"], { tickets: [tickets[2]!] });
    pipeline.process(batch);
    expect(entriesOf(batch).map(({ line }) => line)).toEqual(["[2020-12-03 a\nb"]);
    expect(tickets.map(({ holds }) => holds)).toEqual([1, 1, 1]);
    expect(batch.tickets).toEqual([tickets[2], tickets[0], tickets[1]]);
    expect(pipeline.flush(0, true)!.tickets).toEqual([tickets[2]]);
  });
  test("a batch whose blocks are complete is not held", () => {
    const pipeline = makePipeline("- multiline: {firstline: '^S', max_lines: 1}", makeWorld());
    const one = ticket();
    pipeline.process(makeBatch(["S 1", "S 2"], { tickets: [one] }));
    expect(one.holds).toBe(0);
  });
  test("more label sets than are remembered: the longest idle is let go", () => {
    const stages = "- regex: {expression: 'k=(?P<k>\\d+)'}\n- labels: {k: }\n- multiline: {firstline: '^S'}";
    const lines = Array.from({ length: 10_002 }, (_, n) => `S k=${n}`);
    expect(linesOut(stages, lines, { perBatch: 5_000 }).length).toBe(10_002);
  });

  const refuses = (name: string, config: string, wanted: RegExp): void =>
    test(name, () => expect(faultsOf(`- multiline: ${config}`)).toMatch(wanted));
  refuses("no firstline", "{}", /^error 0.multiline.firstline .*is required/);
  refuses("a wait that is none", "{firstline: x, max_wait_time: soon}", /^error 0.multiline.max_wait_time .*invalid duration "soon"/);
  refuses("a wait without a unit", "{firstline: x, max_wait_time: 3}", /missing unit in duration "3"/);
});

function ticket(): Ticket & { holds: number } {
  return {
    holds: 0,
    hold() {
      this.holds++;
    },
    release() {
      this.holds--;
    },
  };
}
