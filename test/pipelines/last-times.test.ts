import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { LastTimes } from "../../pipelines/last-times.ts";

function batchOf(labels: LabelSet, sec: number, nanos: number): EntryBatch {
  const batch = new EntryBatch(Buffer.from("line"), 1);
  batch.add(0, 4, sec, nanos, labels);
  return batch;
}

const fudged = (times: LastTimes, labels: LabelSet): [sec: number, nanos: number] => {
  const batch = batchOf(labels, 1, 1);
  times.fudge(batch, 0);
  return [batch.secondsOf(0), batch.nanos[0]!];
};

test("each label set has its own last time", () => {
  const times = new LastTimes();
  const [a, b] = [LabelSet.fromObject({ last: "a" }), LabelSet.fromObject({ last: "b" })];
  times.remember(batchOf(a, 10, 999_999_998), 0);
  times.rememberLive(batchOf(b, 20, 5));
  expect(fudged(times, a)).toEqual([10, 999_999_999]);
  expect(fudged(times, a)).toEqual([11, 0]);
  expect(fudged(times, b)).toEqual([20, 6]);
  expect(fudged(times, LabelSet.fromObject({ last: "nobody's" }))).toEqual([1, 1]);
});

test("of ten thousand sets, those that were used last are remembered", () => {
  const times = new LastTimes();
  const set = (i: number): LabelSet => LabelSet.fromObject({ many: String(i) });
  for (let i = 0; i < 10_000; i++) {
    times.remember(batchOf(set(i), 100 + i, 0), 0);
    times.remember(batchOf(set(0), 7, 0), 0);
  }
  expect(fudged(times, set(0))).toEqual([7, 1]);
  expect(fudged(times, set(9_999))).toEqual([10_099, 1]);
  expect(fudged(times, set(1))).toEqual([1, 1]);
});

test("a set whose stream is gone is not kept for the sake of its time", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const times = new LastTimes();
  const remembered = Array.from({ length: 20 }, (_, i) => {
    const labels = LabelSet.fromObject({ gone: String(i) });
    times.remember(batchOf(labels, 1 + i, 0), 0);
    return new WeakRef(labels);
  });
  times.remember(batchOf(LabelSet.fromObject({ gone: "not" }), 1, 0), 0);
  await new Promise((resolve) => setTimeout(resolve, 1));
  collect();
  expect(remembered.filter((set) => set.deref() !== undefined).length).toBeLessThan(3);
  expect(fudged(times, LabelSet.fromObject({ gone: "0" }))).toEqual([1, 1]);
});
