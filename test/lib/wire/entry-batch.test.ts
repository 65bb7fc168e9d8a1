import { describe, expect, test } from "vitest";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

function batchOf(...lines: string[]): EntryBatch {
  const batch = new EntryBatch();
  lines.forEach((line, i) => batch.addText(line, 100 + i, i, LabelSet.EMPTY));
  return batch;
}
const linesOf = (batch: EntryBatch): string[] => Array.from(batch.live.subarray(0, batch.liveCount), (i) => batch.line(i));

describe("entry batch", () => {
  test("keeps lines, times and order while it grows", () => {
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i} ${"é".repeat(i % 40)}`);
    const batch = batchOf(...lines);
    expect(linesOf(batch)).toEqual(lines);
    expect([batch.sec[499], batch.nanos[499]]).toEqual([599, 499]);
  });
  test("dropping leaves the others where they are", () => {
    const batch = batchOf("a", "b", "c", "d");
    batch.filterLive((i) => i % 2 === 1);
    expect(linesOf(batch)).toEqual(["b", "d"]);
    expect(batch.line(0)).toBe("a");
  });
  test("a line can be replaced by a longer one", () => {
    const batch = batchOf("a", "b");
    batch.setLine(0, "x".repeat(5000));
    expect(linesOf(batch)).toEqual(["x".repeat(5000), "b"]);
  });
  test("invalid UTF-8 reads as U+FFFD", () => {
    const batch = new EntryBatch(Uint8Array.of(0x61, 0xff, 0x62));
    batch.add(0, 3, 0, 0, LabelSet.EMPTY);
    expect(batch.line(0)).toBe("a\ufffdb");
  });
  test("extracted data falls back to the labels at the pipeline's start", () => {
    const batch = new EntryBatch();
    batch.addText("x", 0, 0, LabelSet.fromObject({ app: "a" }));
    batch.initialLabels = batch.labels.copy(batch.count);
    expect(batch.extract("app", 0)).toBe("a");
    batch.setExtracted("app", 0, 5);
    expect(batch.extract("app", 0)).toBe(5);
    expect(batch.extract("other", 0)).toBeUndefined();
  });
});
