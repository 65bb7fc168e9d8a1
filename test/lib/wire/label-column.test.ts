import { describe, expect, test } from "vitest";
import { LabelColumn } from "../../../lib/wire/label-column.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

const A = LabelSet.fromObject({ app: "a" });
const B = LabelSet.fromObject({ app: "b" });

function columnOf(...sets: LabelSet[]): LabelColumn {
  const column = new LabelColumn(new Int32Array(2));
  sets.forEach((set, i) => column.set(i, set));
  return column;
}

function all(column: LabelColumn, count: number): (string | undefined)[] {
  return Array.from({ length: count }, (_, i) => column.get(i)?.toString());
}

const picks = (...of: number[]): [Int32Array, number] => [Int32Array.of(...of), of.length];

describe("labels of a batch", () => {
  test("a set that is set again has the same number, among few and among many", () => {
    const many = Array.from({ length: 40 }, (_, i) => LabelSet.fromObject({ app: String(i % 10) }));
    const column = columnOf(...many);
    expect(all(column, 40)).toEqual(many.map(String));
    expect(column.sets.length).toBe(10);
  });

  test("entries without labels have none, also where the column grew past them", () => {
    const column = new LabelColumn(new Int32Array(0));
    column.set(3, A);
    expect(all(column, 6)).toEqual([undefined, undefined, undefined, String(A), undefined, undefined]);
  });

  test("filling forgets what was there", () => {
    const column = columnOf(A, B);
    column.fill(B, 2);
    expect([all(column, 2), column.sets]).toEqual([[String(B), String(B)], [B]]);
  });

  test("labels are common to all entries from filling until one gets others, in a copy as well", () => {
    const changes: ((column: LabelColumn) => void)[] = [
      (column) => column.set(1, B),
      (column) => column.change(...picks(1), () => B),
      (column) => column.combine(...picks(1), new Int32Array(2), 1, () => B),
    ];
    expect(columnOf(A, A).common).toBeUndefined();
    for (const change of changes) {
      const column = columnOf(B, B);
      column.fill(A, 2);
      const copy = column.copy(2);
      expect([column.common, copy.common]).toEqual([A, A]);
      change(column);
      expect([column.common, copy.common]).toEqual([undefined, A]);
      change(copy);
      expect(copy.common).toBeUndefined();
    }
  });

  test("a copy does not change with the column", () => {
    const column = columnOf(A, B);
    const copy = column.copy(2);
    column.set(0, B);
    column.set(1, A.with("x", "1"));
    expect(all(copy, 2)).toEqual([String(A), String(B)]);
  });

  test("change asks once for each set that a picked entry has", () => {
    const column = columnOf(A, B, A, B, A);
    const asked: LabelSet[] = [];
    column.change(...picks(0, 2, 4), (labels) => {
      asked.push(labels);
      return labels.with("x", "1");
    });
    expect(asked).toEqual([A]);
    expect(all(column, 5)).toEqual([0, 1, 0, 1, 0].map((b) => String(b === 1 ? B : A.with("x", "1"))));
  });

  test("a change may give one set what another had", () => {
    const column = columnOf(A, B);
    column.change(...picks(0, 1), (labels) => (labels === A ? B : A));
    expect(all(column, 2)).toEqual([String(B), String(A)]);
  });

  test.each([
    ["few", 3],
    ["so many pairs that they are not noted", 70_000],
  ])("combine goes by set and value, and leaves entries of negative values: %s", (_name, valueCount) => {
    const column = columnOf(A, B, A, B);
    column.combine(...picks(0, 1, 2, 3), Int32Array.of(0, 0, 2, -1), valueCount, (labels: LabelSet, value) =>
      labels.with("v", String(value)),
    );
    expect(all(column, 4)).toEqual([A.with("v", "0"), B.with("v", "0"), A.with("v", "2"), B].map(String));
  });

  test("combine gives labels to entries that have none", () => {
    const column = new LabelColumn(new Int32Array(0));
    column.reserve(2);
    column.combine(...picks(0, 1), Uint8Array.of(0, 1), 2, (labels: LabelSet | undefined, value) => labels ?? (value === 0 ? A : B));
    expect(all(column, 2)).toEqual([String(A), String(B)]);
  });

  test("counts and last entries by set", () => {
    const column = columnOf(A, B, A, A);
    expect([...column.countOf(...picks(0, 2, 3))]).toEqual([3, 0]);
    expect([...column.lastOf(...picks(0, 1, 2))]).toEqual([2, 1]);
  });
});
