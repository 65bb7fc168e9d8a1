import { expect, test } from "vitest";
import { type RecordedSample, RecordingState } from "../../../server/ruler/evaluate-recording.ts";
import type { Sample } from "../../../server/ruler/query.ts";

const series = (labels: Record<string, string>, value: number): Sample => ({
  labels: { names: Object.keys(labels), values: Object.values(labels) },
  value,
});
const recording = (labels: readonly (readonly [string, string])[] = []): RecordingState =>
  new RecordingState({ kind: "recording", name: "r:x", expr: "q", labels });
const shown = (samples: readonly RecordedSample[]): string[] =>
  samples.map(
    ({ labels, timeMs, value }) => `${labels.names.map((name, i) => `${name}=${labels.values[i]}`).join(",")} ${value} @${timeMs}`,
  );

test("the name is the rule's, its labels win, labels are in order", () =>
  expect(
    shown(
      recording([
        ["job", "x"],
        ["Z", "1"],
        ["gone", ""],
      ]).evaluate([series({ __name__: "m", gone: "g", job: "a" }, 2)], 5, 0),
    ),
  ).toEqual(["Z=1,__name__=r:x,job=x 2 @5"]));

test("a series that is not there any more ends, once", () => {
  const state = recording();
  state.evaluate([series({ job: "a" }, 1), series({ job: "b" }, 2)], 1, 0);
  expect(shown(state.evaluate([series({ job: "b" }, 3)], 2, 0))).toEqual(["__name__=r:x,job=b 3 @2", "__name__=r:x,job=a stale @2"]);
  expect(shown(state.evaluate([series({ job: "b" }, 3)], 3, 0))).toEqual(["__name__=r:x,job=b 3 @3"]);
  expect(shown(state.endAll(4))).toEqual(["__name__=r:x,job=b stale @4"]);
});

test("two series that become one are an error, and end nothing", () => {
  const state = recording([["job", "same"]]);
  state.evaluate([series({ job: "a" }, 1)], 1, 0);
  expect(() => state.evaluate([series({ job: "a" }, 1), series({ job: "b" }, 1)], 2, 0)).toThrow(
    "vector contains metrics with the same labelset after applying rule labels",
  );
  expect(shown(state.evaluate([series({ job: "a" }, 1)], 3, 0))).toEqual(["__name__=r:x,job=same 1 @3"]);
});

test("more series than the limit are an error", () =>
  expect(() => recording().evaluate([series({ a: "1" }, 1), series({ a: "2" }, 1)], 1, 1)).toThrow("exceeded limit of 1 with 2 series"));
