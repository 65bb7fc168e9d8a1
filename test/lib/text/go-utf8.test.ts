import { expect, test } from "vitest";
import { decodeGoUtf8 } from "../../../lib/text/go-utf8.ts";

for (const [name, hex, want] of [
  ["plain text", "6162", "ab"],
  ["whole characters", "c3a4e383ad f09f9a80", "äロ🚀"],
  ["a character cut after three bytes is three", "f09f9a", "\ufffd\ufffd\ufffd"],
  ["what begins in the middle of a character", "a4e383ad", "\ufffdロ"],
  ["overlong and surrogate forms", "c0afeda080", "\ufffd\ufffd\ufffd\ufffd\ufffd"],
  ["U+FFFD itself stays one", "efbfbd61", "\ufffda"],
] as const)
  test(`as Go shows bytes: ${name}`, () => expect(decodeGoUtf8(Buffer.from(hex.replaceAll(" ", ""), "hex"))).toBe(want));
