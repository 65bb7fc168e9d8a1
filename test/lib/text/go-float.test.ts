import { expect, test } from "vitest";
import { parseGoFloat } from "../../../lib/text/go-float.ts";

for (const [text, want] of [
  ["1e2", 100],
  [".5", 0.5],
  ["5.", 5],
  ["+3", 3],
  ["1_000.2_5", 1000.25],
  ["1e1_0", 1e10],
  ["1__0", undefined],
  ["1_", undefined],
  ["0x1.8p1", 3],
  ["-0X_fp-2", -3.75],
  ["0x10", undefined],
  ["0x.p1", undefined],
  ["1e999", undefined],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["+inf", Number.POSITIVE_INFINITY],
  ["nan", Number.NaN],
  ["", undefined],
  [" 5", undefined],
] as const)
  test(`${JSON.stringify(text)} is ${want ?? "no number"}`, () => expect(parseGoFloat(text)).toEqual(want));
