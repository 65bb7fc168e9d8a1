import { describe, expect, test } from "vitest";
import type { Ticket } from "../../../lib/wire/entry-batch.ts";
import { entriesOf, extractedOut, faultsOf, linesOut, makeBatch, makePipeline, makeWorld, runStages, timeOf } from "../run-stages.ts";

const T = "2019-01-01T01:00:00.000000001Z";
const stdout = (flags: string, content: string, time = T): string => `${time} stdout ${flags} ${content}`;

describe("cri", () => {
  const becomes = (name: string, line: string, wanted: [line: string, stream: string | undefined, time: string]): void =>
    test(name, () => {
      const entry = runStages("- cri: {}", [line])[0]!;
      expect([entry.line, entry.labels.stream, timeOf(entry)]).toEqual(wanted);
    });

  becomes("a full line", "2019-04-30T02:12:41.844351500Z stderr F message", ["message", "stderr", "2019-04-30T02:12:41.8443515Z"]);
  becomes("an offset", "2019-04-30T02:12:41.8+02:00 stdout F m", ["m", "stdout", "2019-04-30T00:12:41.8Z"]);
  becomes("a time that is none leaves the entry's", "3242 stderr F message", ["message", "stderr", "2023-11-14T22:13:20Z"]);
  becomes("another form passes untouched", "i'm not cri!", ["i'm not cri!", undefined, "2023-11-14T22:13:20Z"]);
  becomes("empty content", "2019-04-30T02:12:41Z stdout F ", ["", "stdout", "2019-04-30T02:12:41Z"]);
  becomes("no blank behind the flags", "2019-04-30T02:12:41Z stdout F", [
    "2019-04-30T02:12:41Z stdout F",
    undefined,
    "2023-11-14T22:13:20Z",
  ]);
  becomes("a year the kernel does not read", "2099-01-01T00:00:00.5Z stdout F far", ["far", "stdout", "2099-01-01T00:00:00.5Z"]);

  test("time, stream, flags and content are extracted", () =>
    expect(extractedOut("- cri:", stdout("F:x", "a b"), ["time", "stream", "flags", "content"])).toBe(
      `time=${T} stream=stdout flags=F:x content=a b`,
    ));
  test("an unreadable time gets the one before of its stream, plus a nanosecond", () =>
    expect(
      runStages("- cri:", [stdout("F", "a", "2020-01-01T00:00:00Z"), stdout("F", "b", "soon"), `soon stderr F c`]).map(timeOf),
    ).toEqual(["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000000001Z", "2023-11-14T22:13:20Z"]));

  const BY_KEY = "- regex: {expression: '^\\S+ \\S+ \\S+ (?P<k>\\w)'}\n- labels: {k: }\n";
  const joins = (name: string, stages: string, lines: string[], wanted: string[]): void => {
    describe(name, () => {
      for (const perBatch of [100, 1, 2]) test(`${perBatch} a batch`, () => expect(linesOut(stages, lines, { perBatch })).toEqual(wanted));
    });
  };

  joins(
    "pieces are joined by label set",
    `${BY_KEY}- cri: {}`,
    [stdout("P", "a partial line 1 "), stdout("P", "b partial line 2 "), stdout("F", "a log finished"), stdout("F", "b another full log")],
    ["a partial line 1 a log finished", "b partial line 2 b another full log"],
  );
  joins(
    "one stream too many: all that wait come as they are",
    `${BY_KEY}- cri: {max_partial_lines: 3}`,
    ["P a1", "P b2", "P a3", "P c4", "P d5", "F a6", "F c7", "F d8"].map((text) => `${T} stdout ${text}`),
    ["a1a3", "b2", "c4", "a6", "c7", "d5d8"],
  );
  joins("max_partial_lines 0 is the default", "- cri: {max_partial_lines: 0}", [stdout("P", "a"), stdout("F", "b")], ["ab"]);
  joins(
    "joined text is cut",
    `${BY_KEY}- cri: {max_partial_line_size_truncate: true, max_partial_line_size: 11}`,
    [stdout("P", "a partial line 1 "), stdout("F", "a log finished"), stdout("P", "partial"), stdout("F", "pfull")],
    ["a partial l", "partialpful"],
  );
  joins(
    "a single line is not cut",
    "- cri: {max_partial_line_size_truncate: true, max_partial_line_size: 3}",
    [stdout("F", "longer")],
    ["longer"],
  );
  joins(
    "a size without truncate counts for nothing",
    "- cri: {max_partial_line_size: 3}",
    [stdout("P", "long"), stdout("F", "er")],
    ["longer"],
  );
  joins(
    "a cut is between characters",
    "- cri: {max_partial_line_size_truncate: true, max_partial_line_size: 4}",
    [stdout("P", "aé"), stdout("F", "éé")],
    ["aé"],
  );
  joins("flags that only start with P end a line", "- cri:", [stdout("P", "a"), stdout("P:x", "b")], ["ab"]);
  joins(
    "lines without a partial before",
    "- cri:",
    [stdout("F", "a"), stdout("P", "b"), stdout("F", "c"), stdout("F", "d")],
    ["a", "bc", "d"],
  );

  test("pieces of two files are not mixed", () => {
    const pipeline = makePipeline("- cri:", makeWorld());
    const run = (source: string, line: string): string[] => {
      const batch = makeBatch([line], { source });
      pipeline.process(batch);
      return entriesOf(batch).map((entry) => entry.line);
    };
    expect(run("one", stdout("P", "1a"))).toEqual([]);
    expect(run("two", stdout("P", "2a"))).toEqual([]);
    expect(run("one", stdout("F", "1b"))).toEqual(["1a1b"]);
    expect(run("two", stdout("F", "2b"))).toEqual(["2a2b"]);
  });

  test("stages behind see the values of the last piece", () =>
    expect(linesOut("- cri:\n- output: {source: content}", [stdout("P", "a"), stdout("F", "b")], { perBatch: 1 })).toEqual(["b"]));

  test("what waits holds its batch's tickets, and hands them on with the line", () => {
    const world = makeWorld();
    const pipeline = makePipeline("- cri:", world);
    const [first, second] = [countingTicket(), countingTicket()];
    pipeline.process(makeBatch([stdout("P", "a")], { tickets: [first] }));
    expect(first.holds).toBe(1);
    const batch = makeBatch([stdout("F", "b")], { tickets: [second] });
    pipeline.process(batch);
    expect(second.holds).toBe(0);
    expect(batch.tickets).toEqual([second, first]);
  });
  test("what never ends comes after a minute, and not when the pipeline closes", () => {
    const world = makeWorld();
    const pipeline = makePipeline("- cri:", world);
    const ticket = countingTicket();
    pipeline.process(makeBatch([stdout("P", "a")], { tickets: [ticket] }));
    expect(pipeline.flush(world.nowMs + 59_000, false)).toBeUndefined();
    expect(pipeline.flush(world.nowMs + 59_000, true)).toBeUndefined();
    const flushed = pipeline.flush(world.nowMs + 60_000, false);
    expect(entriesOf(flushed).map(({ line, labels }) => [line, labels.stream])).toEqual([["a", "stdout"]]);
    expect(flushed!.tickets).toEqual([ticket]);
    expect(pipeline.flush(world.nowMs + 160_000, false)).toBeUndefined();
  });
  test("numbers as text are taken", () =>
    expect(faultsOf("- cri: {max_partial_lines: '5', max_partial_line_size_truncate: 'true'}")).toBe(""));
  test("an unknown key is a warning", () =>
    expect(faultsOf("- cri: {nope: 1}")).toMatch(/^warning 0.cri.nope cri stage: unknown key nope has no effect$/));
});

function countingTicket(): Ticket & { holds: number } {
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
