import { expect, test } from "vitest";
import { fieldTypeOf } from "../../../server/query/field-type.ts";

test.each([
  ["a whole number", "42", "int"],
  ["a negative number", "-7", "int"],
  ["the largest int64", "9223372036854775807", "int"],
  ["the smallest int64", "-9223372036854775808", "int"],
  ["one more than the largest int64", "9223372036854775808", "float"],
  ["leading zeros", "000000000000000000000001", "int"],
  ["a fraction", "0.25", "float"],
  ["an exponent", "1e9", "float"],
  ["not a number, as a number", "NaN", "float"],
  ["underscores between digits", "1_000", "string"],
  ["true", "true", "boolean"],
  ["a capital T", "T", "boolean"],
  ["mixed case is no boolean", "tRUE", "string"],
  ["a duration", "1m30s", "duration"],
  ["a duration wins over bytes", "5m", "duration"],
  ["a size", "1.5KiB", "bytes"],
  ["a size with a space", "12 MB", "bytes"],
  ["nothing", "", "string"],
  ["a word", "GET", "string"],
  ["an address", "10.0.0.1", "string"],
])("%s: %j is %s", (_, text, type) => {
  expect(fieldTypeOf(text)).toBe(type);
});
