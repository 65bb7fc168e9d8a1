import { describe, expect, test } from "vitest";
import { compileTimestampFormat, formatTime, type GoTime, parseLayout } from "../../../lib/text/go-time.ts";
import { loadZone, UTC } from "../../../lib/text/time-zone.ts";

const iso = (time: GoTime | null) => (time === null ? null : formatTime({ ...time, zone: UTC }, "2006-01-02T15:04:05.999999999Z"));
const NOW = Date.UTC(2026, 5, 15);

describe("parse", () => {
  for (const [layout, text, want] of [
    ["2006-01-02 15:04:05", "2020-03-04 05:06:07.089", "2020-03-04T05:06:07.089Z"],
    ["2006-01-02 15:04:05", "2020-03-04 05:06:07,089", "2020-03-04T05:06:07.089Z"],
    ["2006-01-02 15:04:05", "2020-03-04 5:06:07", "2020-03-04T05:06:07Z"],
    ["2006-01-02 15:04:05", "2020-03-04 24:00:00", null],
    ["2006-01-02 15:04:05", "2020-03-04 23:59:60", null],
    ["2006-01-02 15:04:05", "2020-02-30 00:00:00", null],
    ["2006-01-02 15:04:05.000", "2020-03-04 05:06:07.0891", null],
    ["2006-01-02 15:04:05.000", "2020-03-04 05:06:07.089", "2020-03-04T05:06:07.089Z"],
    ["2006-01-02 15:04:05,000 MST", "2020-03-04 05:06:07,089 UTC", "2020-03-04T05:06:07.089Z"],
    ["2006-01-02 15:04:05.000000 -0700", "2020-03-04 05:06:07.000089 -0930", "2020-03-04T14:36:07.000089Z"],
    ["01/02/2006 03:04:05 PM", "03/04/2020 12:00:00 AM", "2020-03-04T00:00:00Z"],
    ["01/02/2006 03:04:05 PM", "03/04/2020 05:06:07 pm", null],
    ["Jan _2 2006 15:04:05", "Mar  3 2020 05:06:07", "2020-03-03T05:06:07Z"],
    ["Jan _2 2006 15:04:05", "mar 13 2020 05:06:07", "2020-03-13T05:06:07Z"],
    ["2006 002 15:04", "2020 060 05:06", "2020-02-29T05:06:00Z"],
    ["2006 002 15:04", "2021 366 05:06", null],
    ["2006-01-02T15:04:05Z07:00", "2020-03-04T05:06:07+05:30", "2020-03-03T23:36:07Z"],
    ["2006-01-02T15:04:05Z07:00", "2020-03-04T05:06:07", null],
    ["2006-01-02T15:04:05Z07", "2020-03-04T05:06:07-03", "2020-03-04T08:06:07Z"],
    ["20060102150405", "20200304050607", "2020-03-04T05:06:07Z"],
    ["20060102150405", "20200304", null],
    ["2006-01-02'T'15h04m05s", "2020-03-04'T'05h06m07s", "2020-03-04T05:06:07Z"],
    ["060102 15:04:05", "690304 05:06:07", "1969-03-04T05:06:07Z"],
    ["060102 15:04:05", "680304 05:06:07", "2068-03-04T05:06:07Z"],
    ["Monday, January 2 2006", "WEDNESDAY, march 4 2020", "2020-03-04T00:00:00Z"],
    ["2006-01-02 15:04:05 MST", "2020-03-04 05:06:07 GMT+3", "2020-03-04T05:06:07Z"],
    ["2006-01-02 15:04:05 MST", "2020-03-04 05:06:07 XYZ", "2020-03-04T05:06:07Z"],
    ["2006-01-02", "2020-03-04 x", null],
    ["Jan 2 15:04:05", "Feb 29 00:00:00", "0000-02-29T00:00:00Z"],
  ] as const)
    test(`${layout} on ${text}`, () => expect(iso(parseLayout(layout).tryParse(text))).toBe(want));
});

describe("zones", () => {
  for (const [zone, text, want] of [
    ["America/New_York", "2020-03-08 02:30:00", "2020-03-08T06:30:00Z"],
    ["America/New_York", "2020-11-01 01:30:00", "2020-11-01T05:30:00Z"],
    ["Asia/Tokyo", "2020-03-04 05:06:07", "2020-03-03T20:06:07Z"],
    ["Europe/Berlin", "2020-07-04 05:06:07", "2020-07-04T03:06:07Z"],
  ] as const)
    test(`${text} in ${zone}`, () => expect(iso(parseLayout("2006-01-02 15:04:05").parse(text, { zone: loadZone(zone) }))).toBe(want));
  for (const [text, want] of [
    ["2020-03-04 05:06:07 CET", "2020-03-04T04:06:07Z"],
    ["2020-07-04 05:06:07 CEST", "2020-07-04T03:06:07Z"],
    ["2020-03-04 05:06:07 EST", "2020-03-04T05:06:07Z"],
  ] as const)
    test(`${text} in Europe/Berlin`, () =>
      expect(iso(parseLayout("2006-01-02 15:04:05 MST").parse(text, { zone: loadZone("Europe/Berlin") }))).toBe(want));
  for (const [zone, want] of [
    ["America/New_York", "-0500 EST -0400 EDT"],
    ["Europe/London", "+0000 GMT +0100 BST"],
    ["Europe/Dublin", "+0000 GMT +0100 IST"],
    ["Asia/Kolkata", "+0530 IST +0530 IST"],
    ["Asia/Tokyo", "+0900 JST +0900 JST"],
    ["Asia/Shanghai", "+0800 CST +0800 CST"],
    ["Asia/Jerusalem", "+0200 IST +0300 IDT"],
    ["America/Sao_Paulo", "-0300 -03 -0300 -03"],
    ["Asia/Kathmandu", "+0545 +0545 +0545 +0545"],
    ["Australia/Sydney", "+1100 AEDT +1000 AEST"],
    ["America/Adak", "-1000 HST -0900 HDT"],
    ["America/Chihuahua", "-0600 CST -0600 CST"],
    ["Cuba", "-0500 CST -0400 CDT"],
    ["Asia/Amman", "+0300 +03 +0300 +03"],
    ["Asia/Makassar", "+0800 WITA +0800 WITA"],
    ["Europe/Jersey", "+0000 GMT +0100 BST"],
    ["MET", "+0100 MET +0200 MEST"],
    ["Pacific/Guam", "+1000 ChST +1000 ChST"],
    ["UTC", "+0000 UTC +0000 UTC"],
  ] as const)
    test(`offsets and abbreviations of ${zone}`, () => {
      const at = (month: number) => formatTime({ sec: Date.UTC(2024, month, 15) / 1000, nanos: 0, zone: loadZone(zone) }, "-0700 MST");
      expect(`${at(0)} ${at(6)}`).toBe(want);
    });
  test("a zone in other capitals", () =>
    expect(() => loadZone("Europe/berlin")).toThrow("unknown time zone Europe/berlin; did you mean Europe/Berlin?"));
  test("an unknown zone", () => expect(() => loadZone("Mars/Olympus")).toThrow("unknown time zone Mars/Olympus"));
});

describe("errors in Go's words", () => {
  for (const [layout, text, message] of [
    ["2006-01-02", "2020-13-04", 'parsing time "2020-13-04": month out of range'],
    ["2006-01-02", "2020-02-30", 'parsing time "2020-02-30": day out of range'],
    ["2006-01-02", "x", 'parsing time "x" as "2006-01-02": cannot parse "x" as "2006"'],
    ["2006-01-02", "2020/01/02", 'parsing time "2020/01/02" as "2006-01-02": cannot parse "/01/02" as "-"'],
    ["2006-01-02", "2020-01-02 3", 'parsing time "2020-01-02 3": extra text: " 3"'],
    ["15:04", "24:00", 'parsing time "24:00": hour out of range'],
  ] as const)
    test(message, () => expect(() => parseLayout(layout).parse(text)).toThrow(message));
});

describe("timestamp formats", () => {
  for (const [format, text, want] of [
    ["Unix", "1562708916.5", "2019-07-09T21:48:36.5Z"],
    ["Unix", "1562708916.000000123", "2019-07-09T21:48:36.000000123Z"],
    ["Unix", "-5", "1969-12-31T23:59:55Z"],
    ["Unix", "1562708916414", null],
    ["Unix", "x", null],
    ["UnixMs", "1562708916414", "2019-07-09T21:48:36.414Z"],
    ["UnixMs", "-1", "1969-12-31T23:59:59.999Z"],
    ["UnixMs", "1562708916414.5", null],
    ["UnixUs", "1562708916414123", "2019-07-09T21:48:36.414123Z"],
    ["UnixNs", "1562708916000000123", "2019-07-09T21:48:36.000000123Z"],
    ["RFC3339", "2020-01-02T03:04:05.5-07:00", "2020-01-02T10:04:05.5Z"],
    ["RFC3339Nano", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"],
    ["RFC822Z", "31 Dec 69 23:59 +0000", "1969-12-31T23:59:00Z"],
    ["ANSIC", "Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05Z"],
    ["RFC850", "Monday, 02-Jan-06 15:04:05 MST", "2006-01-02T15:04:05Z"],
    ["Jan _2 15:04:05", "Jun  3 05:06:07", "2026-06-03T05:06:07Z"],
    ["constructor", "constructor", "2026-01-01T00:00:00Z"],
    ["UnixNs", "9223372036854775807", "2262-04-11T23:47:16.854775807Z"],
    ["UnixNs", "9223372036854775808", null],
  ] as const)
    test(`${format} on ${text}`, () => expect(iso(compileTimestampFormat(format)(text, NOW))).toBe(want));
  test("December read in January is last year's", () => {
    expect(iso(compileTimestampFormat("Jan 2")("Dec 31", Date.UTC(2026, 0, 2)))).toBe("2025-12-31T00:00:00Z");
  });
  test("January read in December is next year's", () => {
    expect(iso(compileTimestampFormat("Jan 2")("Jan 1", Date.UTC(2026, 11, 30)))).toBe("2027-01-01T00:00:00Z");
  });
  for (const [zone, text, want] of [
    ["Europe/Berlin", "Jan 12 15:04:05", "2026-01-12T14:04:05Z"],
    ["America/New_York", "Jul 12 15:04:05", "2026-07-12T19:04:05Z"],
    ["Asia/Kolkata", "Feb 29 12:00:00", "2026-03-01T06:30:00Z"],
  ] as const)
    test(`a year is put to ${text} of ${zone}, not to its local mean time`, () =>
      expect(iso(compileTimestampFormat("Jan _2 15:04:05", loadZone(zone))(text, NOW))).toBe(want));
});

describe("format", () => {
  const time: GoTime = { sec: 1_580_702_706, nanos: 7_000_000, zone: UTC };
  for (const [layout, want] of [
    ["02 Jan 06 15:04", "03 Feb 20 04:05"],
    ["Mon Monday January _2 2 002 __2", "Mon Monday February  3 3 034  34"],
    ["3:4:5 PM pm 03", "4:5:6 AM am 04"],
    ["05.000 05.999 .00", "06.007 06.007 .00"],
    ["Z07:00 -07:00 -0700 -07 MST", "Z +00:00 +0000 +00 UTC"],
    ["2006-01-02T15:04:05.999999999Z07:00", "2020-02-03T04:05:06.007Z"],
    ["Janus Month _2006", "Janus Month _2020"],
  ] as const)
    test(layout, () => expect(formatTime(time, layout)).toBe(want));
  test("in a zone", () => expect(formatTime({ ...time, zone: loadZone("Europe/Berlin") }, "15:04 -0700 MST")).toBe("05:05 +0100 CET"));
});
