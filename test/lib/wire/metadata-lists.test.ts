import { expect, test } from "vitest";
import { EntryBatch, type MetadataPair } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { withPair } from "../../../lib/wire/metadata-lists.ts";
import { seeded } from "../kernels/random.ts";

test("the same pairs are one list, others are not", () => {
  const status = withPair(undefined, "status", "200");
  expect(withPair(undefined, "status", "200")).toBe(status);
  expect(withPair(undefined, "status", "404")).not.toBe(status);
  expect(withPair(undefined, "code", "200")).not.toBe(status);
  const both = withPair(status, "level", "info");
  expect(withPair(status, "level", "info")).toBe(both);
  expect(withPair(undefined, "level", "info")).toEqual([["level", "info"]]);
  expect([status, both]).toEqual([
    [["status", "200"]],
    [
      ["status", "200"],
      ["level", "info"],
    ],
  ]);
});

test("lists are what was put together, whatever came before", () => {
  const random = seeded(7);
  for (let round = 0; round < 5_000; round++) {
    const want: MetadataPair[] = [];
    let list: readonly MetadataPair[] | undefined;
    for (let p = random.below(4); p >= 0; p--) {
      const pair: MetadataPair = [
        random.pick(["a", "b", "", "trace_id"]),
        "x".repeat(random.below(3) * 70) + random.pick(["", "1", "2", "é"]),
      ];
      want.push(pair);
      list = withPair(list, ...pair);
    }
    expect(list).toEqual(want);
  }
});

test("an entry's metadata is its own", () => {
  const batch = new EntryBatch();
  for (const line of ["x", "y"]) batch.addText(line, 0, 0, LabelSet.fromObject({}));
  batch.addMetadata(0, "a", "1");
  batch.addMetadata(1, "a", "1");
  batch.addMetadata(0, "b", "2");
  expect(batch.metadata).toEqual([
    [
      ["a", "1"],
      ["b", "2"],
    ],
    [["a", "1"]],
  ]);
});
