import { expect, test } from "vitest";
import { jsonKind } from "../../../lib/text/json-kind.ts";

for (const [value, shown] of [
  [5, "5"],
  [-0.5, "-0.5"],
  [true, "true"],
  [null, "null"],
  [undefined, "nothing"],
  ['a "text"', '"a \\"text\\""'],
  ["x".repeat(200), `"${"x".repeat(100)}"`],
  [[1, [2]], "an array of 2"],
  [{ a: 1 }, "an object"],
] as const) {
  test(`${JSON.stringify(value)?.slice(0, 30)} is shown as ${shown.slice(0, 30)}`, () => expect(jsonKind(value)).toBe(shown));
}

test("what is nested deeper than the stack is shown all the same", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(jsonKind(deep)).toBe("an array of 1");
});
