import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import {
  parseGoDurationMs,
  parseGoDurationNs,
  parsePrometheusDurationMs,
  plainDurationNs,
  printGoDuration,
  printPrometheusDuration,
} from "../../../lib/text/duration.ts";

for (const [name, text, ns] of [
  ["one unit", "5s", 5e9],
  ["several units", "1h30m", 5400e9],
  ["a fraction", "1.5s", 1.5e9],
  ["a fraction of a nanosecond is cut", "1.9ns", 1],
  ["a fraction without whole", ".5m", 30e9],
  ["a whole with a bare point", "1.s", 1e9],
  ["micro in three spellings", "1us1µs1μs", 3000],
  ["negative", "-1h", -3600e9],
  ["plus", "+250ms", 250e6],
  ["zero without unit", "0", 0],
  ["minus zero is zero", "-0s", 0],
  ["units in any order, repeated", "1s1h1s", 3602e9],
  ["float-safe", "0.1s0.2s", 300e6],
  ["many fraction digits", "0.3333333333333333333h", 1199999999999],
  ["the longest", "2562047h47m16.854775807s", 2 ** 63],
] as const)
  test(`go duration: ${name}`, () => expect(parseGoDurationNs(text)).toBe(ns));

for (const [name, text, message] of [
  ["empty", "", 'time: invalid duration ""'],
  ["only a sign", "-", 'time: invalid duration "-"'],
  ["no number", "s", 'time: invalid duration "s"'],
  ["no unit", "5", 'time: missing unit in duration "5"'],
  ["unknown unit", "5d", 'time: unknown unit "d" in duration "5d"'],
  ["a space is part of the unit", "5 s", 'time: unknown unit " s" in duration "5 s"'],
  ["a point alone", ".s", 'time: invalid duration ".s"'],
  ["too large", "3000000h", 'time: invalid duration "3000000h"'],
  ["too large by a nanosecond", "2562047h47m16.854775808s", 'time: invalid duration "2562047h47m16.854775808s"'],
  ["a prototype's key is no unit", "5constructor", 'time: unknown unit "constructor" in duration "5constructor"'],
] as const)
  test(`go duration, refused: ${name}`, () => expect(() => parseGoDurationNs(text)).toThrow(message));

test("go duration in ms keeps the fraction", () => expect(parseGoDurationMs("1500us")).toBe(1.5));

const plain = (text: string): number | undefined => {
  const bytes = Buffer.from(`7m${text}s9`);
  return plainDurationNs(bytes, 2, bytes.length - 2);
};

for (const text of [
  "",
  "5",
  "s",
  ".s",
  "-1s",
  "1h2m",
  "5d",
  "5 s",
  "5ss",
  "5hs",
  "5µs",
  "1.2.3s",
  "0.3333333333333333333h",
  "1.9ns",
  "9999999h",
])
  test(`plain duration: ${text} is none`, () => expect(plain(text)).toBe(undefined));

test("plain durations are those of go", () => {
  const random = seededRandom(3);
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    const digits = (most: number): string => String(Math.floor(random() * 10 ** Math.floor(random() * most)));
    const text = digits(10) + (random() < 0.6 ? `.${digits(12)}` : "") + ["ns", "us", "ms", "s", "m", "h"][Math.floor(random() * 6)]!;
    const ns = plain(text);
    if (ns === undefined) continue;
    read++;
    expect(ns, text).toBe(parseGoDurationNs(text));
  }
  expect(read).toBeGreaterThan(10_000);
});

for (const [name, text, ms] of [
  ["minutes", "5m", 300_000],
  ["all units", "1y1w1d1h1m1s1ms", 31_536_000_000 + 604_800_000 + 86_400_000 + 3_600_000 + 60_000 + 1_000 + 1],
  ["zero", "0", 0],
  ["zero with unit", "0s", 0],
] as const)
  test(`prometheus duration: ${name}`, () => expect(parsePrometheusDurationMs(text)).toBe(ms));

for (const [name, text, message] of [
  ["empty", "", "empty duration string"],
  ["no unit", "5", 'not a valid duration string: "5"'],
  ["unknown unit", "5minutes", 'unknown unit "minutes" in duration "5minutes"'],
  ["wrong order", "1s1m", 'not a valid duration string: "1s1m"'],
  ["a unit twice", "1s1s", 'not a valid duration string: "1s1s"'],
  ["negative", "-1s", 'not a valid duration string: "-1s"'],
  ["a fraction", "1.5s", 'unknown unit "." in duration "1.5s"'],
  ["too large", "300y", "duration out of range"],
] as const)
  test(`prometheus duration, refused: ${name}`, () => expect(() => parsePrometheusDurationMs(text)).toThrow(message));

for (const [ns, text] of [
  [0, "0s"],
  [1, "1ns"],
  [1100, "1.1µs"],
  [250e6, "250ms"],
  [1.5e9, "1.5s"],
  [60e9, "1m0s"],
  [3600e9, "1h0m0s"],
  [-5400e9, "-1h30m0s"],
  [3723.004e9, "1h2m3.004s"],
  [2562047 * 3600e9, "2562047h0m0s"],
  [2 ** 63, "2562047h47m16.854775807s"],
] as const)
  test(`go duration printed: ${text}`, () => expect(printGoDuration(ns)).toBe(text));

for (const [ms, text] of [
  [0, "0s"],
  [300_000, "5m"],
  [5_400_000, "1h30m"],
  [86_400_000, "1d"],
  [90_000_000, "1d1h"],
  [604_800_000, "1w"],
  [31_536_000_000, "1y"],
  [1_001, "1s1ms"],
] as const)
  test(`prometheus duration printed: ${text}`, () => expect(printPrometheusDuration(ms)).toBe(text));
