import { expect, test } from "vitest";
import { parseGoInt, parseGoUint } from "../../../lib/text/go-int.ts";

for (const [text, wanted] of [
  ["0", 0],
  ["9080", 9080],
  ["-5", -5],
  ["+5", 5],
  ["0x1F", 31],
  ["-0x1", -1],
  ["0b101", 5],
  ["0o17", 15],
  ["017", 15],
  ["1_000", 1000],
  ["0_17", 15],
  ["-9223372036854775808", -(2 ** 63)],
  ["9223372036854775808", undefined],
  ["", undefined],
  ["x", undefined],
  ["08", undefined],
  ["_1", undefined],
  ["1__0", undefined],
  ["1.5", undefined],
  [" 1", undefined],
] as const)
  test(`whole number: "${text}"`, () => expect(parseGoInt(text)).toBe(wanted));

for (const [text, wanted] of [
  ["100", 100],
  ["0x10", 16],
  ["18446744073709551615", 2 ** 64],
  ["18446744073709551616", undefined],
  ["+5", undefined],
  ["-5", undefined],
] as const)
  test(`whole number without sign: "${text}"`, () => expect(parseGoUint(text)).toBe(wanted));
