import { describe, expect, test } from "vitest";
import { parseMatches } from "../../../../agent/targets/journal/matches.ts";
import { cursorTimeMs, startPointOf } from "../../../../agent/targets/journal/start-point.ts";

const CURSOR = "s=a9ac;i=3;b=9e16;m=44371b8b;t=661303b79a3c1;x=fce7";
const WRITTEN_MS = 0x661303b79a3c1 / 1000;
const HOUR_MS = 3_600_000;

describe("reading begins", () => {
  test("without a cursor at max_age", () =>
    expect(startPointOf(undefined, 10 * HOUR_MS, HOUR_MS)).toEqual({ kind: "since", sinceMs: 9 * HOUR_MS }));
  test("with an empty one too", () => expect(startPointOf("", 10 * HOUR_MS, HOUR_MS).kind).toBe("since"));
  test("at the cursor", () => expect(startPointOf(CURSOR, WRITTEN_MS + HOUR_MS, HOUR_MS)).toEqual({ kind: "cursor", cursor: CURSOR }));
  test("at max_age when the cursor is older", () =>
    expect(startPointOf(CURSOR, WRITTEN_MS + HOUR_MS + 1, HOUR_MS)).toEqual({ kind: "since", sinceMs: WRITTEN_MS + 1 }));
  test("at a cursor that does not say when it was written", () => expect(startPointOf("s=1;i=2", 1, 1).kind).toBe("cursor"));
  test("not before 1970", () => expect(startPointOf(undefined, 5, HOUR_MS)).toEqual({ kind: "since", sinceMs: 0 }));
});

test("a cursor says when its entry was written", () => {
  expect(cursorTimeMs(CURSOR)).toBe(WRITTEN_MS);
  expect(cursorTimeMs("t=zz")).toBeUndefined();
});

describe("matches", () => {
  test("are terms separated by blanks", () => expect(parseMatches(" A=1  _B=x-y\tA=2 ")).toEqual(["A=1", "_B=x-y", "A=2"]));
  test("may be absent", () => expect(parseMatches("")).toEqual([]));
  test.each(["a", "A=1=2", "a=1", "/usr/bin/x", "--vacuum-size=1", "=1"])("%j is refused", (text) =>
    expect(() => parseMatches(text)).toThrow("not of the form FIELD=value"),
  );
  test("+ is refused with advice", () => expect(() => parseMatches("A=1 + B=2")).toThrow("a scrape config for each alternative"));
});
