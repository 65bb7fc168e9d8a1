import { expect, test } from "vitest";
import {
  parseConfigBytes,
  parseHumanBytes,
  printConfigBytes,
  printHumanBinaryBytes,
  printHumanBytes,
} from "../../../lib/text/byte-size.ts";

for (const [name, text, bytes] of [
  ["bytes", "12B", 12],
  ["no unit", "512", 512],
  ["powers of 1000", "3.5kB", 3500],
  ["powers of 1024", "4MiB", 4 * 1024 ** 2],
  ["any case", "1KB", 1000],
  ["a space", "1.5 GB", 1.5e9],
  ["a short unit", "2k", 2000],
  ["a short binary unit", "2ki", 2048],
  ["commas", "1,000", 1000],
  ["a rest is cut off", "1.0009kB", 1000],
] as const)
  test(`human bytes: ${name}`, () => expect(parseHumanBytes(text)).toBe(bytes));

for (const [name, text, message] of [
  ["empty", "", 'strconv.ParseFloat: parsing "": invalid syntax'],
  ["no number", "kB", 'strconv.ParseFloat: parsing "": invalid syntax'],
  ["two points", "1.2.3kB", 'strconv.ParseFloat: parsing "1.2.3": invalid syntax'],
  ["negative", "-5B", 'strconv.ParseFloat: parsing "": invalid syntax'],
  ["unknown unit", "5 apples", "unhandled size name: apples"],
  ["too large", "100EB", "too large: 100EB"],
] as const)
  test(`human bytes, refused: ${name}`, () => expect(() => parseHumanBytes(text)).toThrow(message));

for (const [name, text, bytes] of [
  ["lower case", "256kb", 262_144],
  ["upper case", "5MB", 5 * 1024 ** 2],
  ["short", "2M", 2 * 1024 ** 2],
  ["plain", "1048576", 1_048_576],
  ["a number", 1024, 1024],
  ["bytes", "10B", 10],
  ["a space", "1 GB", 1024 ** 3],
  ["nothing", "", 0],
] as const)
  test(`config bytes: ${name}`, () => expect(parseConfigBytes(text)).toBe(bytes));

for (const text of [" ", "MB", "1.5MB", "5XB", "-1", "10KiB", "99999999999EB"])
  test(`config bytes, refused: "${text}"`, () => expect(() => parseConfigBytes(text)).toThrow(/^unable to parse byte size: /));

for (const [bytes, text] of [
  [0, "0B"],
  [1000, "1000B"],
  [262_144, "256KB"],
  [4 * 1024 ** 2, "4MB"],
  [1024 ** 3 + 1024 ** 2, "1025MB"],
] as const)
  test(`config bytes printed: ${text}`, () => expect(printConfigBytes(bytes)).toBe(text));

for (const [bytes, text] of [
  [0, "0 B"],
  [9, "9 B"],
  [82, "82 B"],
  [1500, "1.5 kB"],
  [43_008, "43 kB"],
  [999_999, "1000 kB"],
  [12_345_678, "12 MB"],
] as const)
  test(`human bytes printed: ${text}`, () => expect(printHumanBytes(bytes)).toBe(text));

test("human bytes printed in powers of 1024", () => expect(printHumanBinaryBytes(1536)).toBe("1.5 KiB"));
