import { describe, expect, test } from "vitest";
import { faultsOf, makeWorld, runStages, timeOf } from "../run-stages.ts";

/** The entry's time when nothing sets it. */
const OWN = "2023-11-14T22:13:20Z";

describe("timestamp", () => {
  const reads = (name: string, config: string, text: string, wanted: string, nowMs = Date.UTC(2024, 5, 1)): void =>
    test(name, () => {
      const world = makeWorld();
      world.nowMs = nowMs;
      const stages = `- json: {expressions: {t: }}\n- timestamp: {source: t, ${config}}`;
      expect(timeOf(runStages(stages, [`{"t":${text}}`], { world })[0]!)).toBe(wanted);
    });

  reads("ANSIC", "format: ANSIC", '"Mon Jan  2 15:04:05 2006"', "2006-01-02T15:04:05Z");
  reads("UnixDate", "format: UnixDate", '"Mon Jan  2 15:04:05 UTC 2006"', "2006-01-02T15:04:05Z");
  reads("RubyDate", "format: RubyDate", '"Mon Jan 02 15:04:05 -0700 2006"', "2006-01-02T22:04:05Z");
  reads("RFC822", "format: RFC822", '"02 Jan 06 15:04 UTC"', "2006-01-02T15:04:00Z");
  reads("RFC822Z", "format: RFC822Z", '"02 Jan 06 15:04 -0700"', "2006-01-02T22:04:00Z");
  reads("RFC850", "format: RFC850", '"Monday, 02-Jan-06 15:04:05 UTC"', "2006-01-02T15:04:05Z");
  reads("RFC1123", "format: RFC1123", '"Mon, 02 Jan 2006 15:04:05 UTC"', "2006-01-02T15:04:05Z");
  reads("RFC1123Z", "format: RFC1123Z", '"Mon, 02 Jan 2006 15:04:05 -0700"', "2006-01-02T22:04:05Z");
  reads("RFC3339", "format: RFC3339", '"2006-01-02T15:04:05.25+01:00"', "2006-01-02T14:04:05.25Z");
  reads("RFC3339Nano", "format: RFC3339Nano", '"2006-01-02T15:04:05.999999999Z"', "2006-01-02T15:04:05.999999999Z");
  reads("RFC3339 with an escape in its text", "format: RFC3339", '"2006-01-02\\u005415:04:05Z"', "2006-01-02T15:04:05Z");
  reads("RFC3339 far ahead", "format: RFC3339", '"2999-12-31T23:59:59Z"', "2999-12-31T23:59:59Z");
  reads("RFC3339 long ago", "format: RFC3339", '"1815-06-18T11:30:00Z"', "1815-06-18T11:30:00Z");
  reads("Unix", "format: Unix", '"1562708916.414123"', "2019-07-09T21:48:36.414123Z");
  reads("Unix as a number", "format: Unix", "1562708916", "2019-07-09T21:48:36Z");
  reads("Unix as a number with a fraction loses digits", "format: Unix", "1562708916.000000123", "2019-07-09T21:48:36.0000002Z");
  reads("Unix before 1970", "format: Unix", '"-5"', "1969-12-31T23:59:55Z");
  reads("UnixMs", "format: UnixMs", '"1562708916414"', "2019-07-09T21:48:36.414Z");
  reads("UnixUs", "format: UnixUs", '"1562708916414123"', "2019-07-09T21:48:36.414123Z");
  reads("UnixNs", "format: UnixNs", '"1562708916000000123"', "2019-07-09T21:48:36.000000123Z");
  reads("a layout", "format: '2006-01-02 15:04:05'", '"2020-03-04 05:06:07,089"', "2020-03-04T05:06:07.089Z");
  reads(
    "a layout with a location",
    "format: '2006-01-02 15:04:05', location: America/New_York",
    '"2020-07-01 12:00:00"',
    "2020-07-01T16:00:00Z",
  );
  reads(
    "a location does not count for names",
    "format: ANSIC, location: America/New_York",
    '"Mon Jan  2 15:04:05 2006"',
    "2006-01-02T15:04:05Z",
  );
  reads("without a year it is this one", "format: 'Jan _2 15:04:05'", '"May  3 01:02:03"', "2024-05-03T01:02:03Z");
  reads(
    "December read in January is last year's",
    "format: 'Jan _2 15:04:05'",
    '"Dec 31 23:59:59"',
    "2023-12-31T23:59:59Z",
    Date.UTC(2024, 0, 2),
  );
  reads(
    "January read in December is next year's",
    "format: 'Jan _2 15:04:05'",
    '"Jan  1 00:00:01"',
    "2025-01-01T00:00:01Z",
    Date.UTC(2024, 11, 30),
  );
  reads("a fallback", "format: RFC3339, fallback_formats: [UnixMs, Unix]", '"1562708916"', "1970-01-19T02:05:08.916Z");
  reads("a time no push can carry is a failure", "format: Unix, fallback_formats: [UnixMs]", '"1562708916414"', "2019-07-09T21:48:36.414Z");
  reads("no format fits", "format: RFC3339", '"soon"', OWN);
  reads("null", "format: RFC3339", "null", OWN);

  const gives = (name: string, config: string, texts: (string | null)[], wanted: string[]): void =>
    test(name, () => {
      const stages = `- json: {expressions: {t: , k: }}\n- labels: {k: }\n- timestamp: {source: t, format: RFC3339, ${config}}`;
      for (const perBatch of [100, 1]) {
        const lines = texts.map((text) => (text === null ? "{}" : `{"t":"${text}"}`));
        expect(runStages(stages, lines, { perBatch }).map(timeOf)).toEqual(wanted);
      }
    });
  gives(
    "fudge is the default",
    "",
    ["2020-01-01T00:00:00Z", "x", null],
    ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000000001Z", "2020-01-01T00:00:00.000000002Z"],
  );
  gives("fudge crosses a second", "", ["2020-01-01T00:00:00.999999999Z", "x"], ["2020-01-01T00:00:00.999999999Z", "2020-01-01T00:00:01Z"]);
  gives("fudge without a good time before", "", ["x"], [OWN]);
  gives("skip", "action_on_failure: skip", ["2020-01-01T00:00:00Z", "x"], ["2020-01-01T00:00:00Z", OWN]);

  test("fudge is by label set", () => {
    const stages = "- json: {expressions: {t: , k: }}\n- labels: {k: }\n- timestamp: {source: t, format: RFC3339}";
    const lines = ['{"k":"a","t":"2020-01-01T00:00:00Z"}', '{"k":"b","t":"2021-01-01T00:00:00Z"}', '{"k":"a"}', '{"k":"b"}', '{"k":"c"}'];
    expect(runStages(stages, lines).map(timeOf).slice(2)).toEqual([
      "2020-01-01T00:00:00.000000001Z",
      "2021-01-01T00:00:00.000000001Z",
      OWN,
    ]);
  });
  test("label sets past the memory's size are forgotten, recent ones are not", () => {
    const stages = "- json: {expressions: {t: , k: }}\n- labels: {k: }\n- timestamp: {source: t, format: RFC3339}";
    const lines = Array.from({ length: 12_000 }, (_, n) => `{"k":"${n}","t":"2020-01-01T00:00:00Z"}`);
    const last = runStages(stages, [...lines, '{"k":"11999"}', '{"k":"0"}']).slice(-2);
    expect(last.map(timeOf)).toEqual(["2020-01-01T00:00:00.000000001Z", OWN]);
  });

  const refuses = (name: string, config: string, wanted: RegExp): void =>
    test(name, () => expect(faultsOf(`- timestamp: ${config}`)).toMatch(wanted));
  refuses("no source", "{format: RFC3339}", /^error 0.timestamp.source timestamp stage: source: is required/);
  refuses("no format", "{source: t}", /^error 0.timestamp.format .*is required/);
  refuses("an unknown location", "{source: t, format: RFC3339, location: Mars/Olympus}", /^error 0.timestamp.location .*Mars\/Olympus/);
  refuses("an empty action", "{source: t, format: RFC3339, action_on_failure: ''}", /action on failure has to be fudge or skip/);
  refuses("an unknown action", "{source: t, format: RFC3339, action_on_failure: explode}", /action on failure has to be fudge or skip/);
});
