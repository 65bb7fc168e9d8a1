import { describe, expect, test } from "vitest";
import { parseInstantParams, parseRangeParams, parseTimeNs } from "../../../server/http/query-params.ts";

const NOW_MS = Date.UTC(2026, 0, 1, 12);
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const HOUR_NS = 3_600_000_000_000n;

describe("times", () => {
  const cases: [name: string, text: string, ns: bigint | undefined][] = [
    ["empty is the default's business", "", undefined],
    ["up to ten characters are seconds", "1767225660", 1_767_225_660_000_000_000n],
    ["more are nanoseconds, milliseconds included", "1767225660000", 1_767_225_660_000n],
    ["a fraction is rounded to milliseconds", "1767225660.5006", 1_767_225_660_501_000_000n],
    ["a float with an exponent", "1.7e9", 1_700_000_000_000_000_000n],
    ["RFC 3339 with nanoseconds", "2026-01-01T00:01:00.000000001Z", 1_767_225_660_000_000_001n],
    ["RFC 3339 with a zone", "2025-12-31T19:01:00-05:00", 1_767_225_660_000_000_000n],
  ];
  for (const [name, text, ns] of cases) test(name, () => expect(parseTimeNs(text)).toBe(ns));
});

describe("ranges", () => {
  const parse = (query: string) => parseRangeParams(new URLSearchParams(query), NOW_MS);
  test("default to the last hour, backward, 100 lines", () =>
    expect(parse("query=x")).toEqual({
      query: "x",
      startNs: NOW_NS - HOUR_NS,
      endNs: NOW_NS,
      stepNs: 14_000_000_000n,
      intervalNs: 0n,
      limit: 100,
      direction: "backward",
    }));
  test("since counts from the end", () => expect(parse(`end=${NOW_NS - HOUR_NS}&since=2h`).startNs).toBe(NOW_NS - 3n * HOUR_NS));
  test("since counts from now when the end is in the future", () =>
    expect(parse(`end=${NOW_NS + HOUR_NS}&since=2h`).startNs).toBe(NOW_NS - 2n * HOUR_NS));
  const refused: [query: string, message: string][] = [
    ["start=x", `could not parse 'start' parameter: strconv.ParseInt: parsing "x": invalid syntax`],
    [
      "start=99999999999999999999",
      `could not parse 'start' parameter: strconv.ParseInt: parsing "99999999999999999999": value out of range`,
    ],
    ["since=x", `could not parse 'since' parameter: not a valid duration string: "x"`],
    ["start=2000000000&end=1000000000", "end timestamp must not be before or equal to start time"],
    ["limit=0", "limit must be a positive value"],
    ["limit=1.5", `strconv.Atoi: parsing "1.5": invalid syntax`],
    ["direction=up", "invalid direction 'up'"],
    ["step=0", "zero or negative query resolution step widths are not accepted. Try a positive integer"],
    ["step=x", `cannot parse "x" to a valid duration`],
    ["step=1e20", `cannot parse "1e20" to a valid duration. It overflows int64`],
    ["step=0.001", "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"],
    ["interval=-5", "interval must be >= 0"],
  ];
  for (const [query, message] of refused) {
    test(`refused: ${query}`, () => expect(() => parse(query)).toThrow(expect.objectContaining({ status: 400, message }) as Error));
  }
});

test("an instant query says what is wrong with its time without naming it", () => {
  expect(() => parseInstantParams(new URLSearchParams("time=x"), NOW_MS)).toThrow(`strconv.ParseInt: parsing "x": invalid syntax`);
  expect(parseInstantParams(new URLSearchParams("query=1"), NOW_MS)).toEqual({
    query: "1",
    timeNs: NOW_NS,
    limit: 100,
    direction: "backward",
  });
});
