// Examples and vectors of Promtail's documentation and of its behaviour, that no stage's own test has.

import { describe, expect, test } from "vitest";
import {
  entriesOf,
  extractedOut,
  faultsOf,
  labelsOut,
  linesOut,
  makeBatch,
  makePipeline,
  makeWorld,
  runStages,
  timeOf,
} from "../run-stages.ts";

describe("values as text", () => {
  for (const [written, want] of [
    ["200", "200"],
    ["0.5", "0.5"],
    ["1e21", "1000000000000000000000"],
    ["2e-10", "0.0000000002"],
    ["-0", "-0"],
    ["12345678901234567890", "12345678901234567000"],
    ["true", "true"],
  ] as const) {
    test(`${written} as a line and in a template`, () => {
      expect(linesOut("- json: {expressions: {v: }}\n- output: {source: v}", [`{"v":${written}}`])).toEqual([want]);
      expect(extractedOut("- json: {expressions: {v: }}", `{"v":${written}}`, ["v"])).toBe(`v=${want}`);
    });
  }
});

describe("extracted", () => {
  for (const [name, stages, line, names, want] of [
    ["labels are there from the start", "- labels: {}", "x", ["job"], "job=j"],
    ["a label that is set is not", "- json: {expressions: {a: }}\n- labels: {b: a}", '{"a":"1"}', ["b"], "b=<no value>"],
    ["a group that took no part", "- regex: {expression: '(?P<a>x)|(?P<b>y)'}", "y", ["a", "b"], "a= b=y"],
    ["a name of two groups", "- regex: {expression: '(?P<a>x)|(?P<a>y)'}", "x", ["a"], "a="],
    ["a name without P", "- regex: {expression: '(?<a>x)'}", "x", ["a"], "a=x"],
    ["logfmt with a broken end", "- logfmt: {mapping: {a: , b: }}", 'a=1 b="x', ["a", "b"], "a=1 b=<no value>"],
    [
      "inner groups of a replacement",
      "- replace: {expression: '(?P<o>a(?P<i>b)c)', replace: '{{ .Value | ToUpper }}'}",
      "xabcx",
      ["o", "i"],
      "o=ABC i=B",
    ],
    ["the first of several replacements", "- replace: {expression: '(?P<d>\\d)', replace: '<{{ .Value }}>'}", "1 2", ["d"], "d=<1>"],
    [
      "capitals, code point by code point",
      "- regex: {expression: '(?P<a>.*)'}\n- template: {source: a, template: '{{ ToUpper .Value }}'}",
      "straße",
      ["a"],
      "a=STRAßE",
    ],
    [
      "an event's message, overwriting",
      "- json: {expressions: {message: , Overwritten: }}\n- eventlogmessage: {overwrite_existing: true}",
      '{"message":"Message type:\\r\\nOverwritten: new\\r\\nImage: C:\\\\x.exe","Overwritten":"old"}',
      ["Message_type", "Overwritten", "Image"],
      "Message_type= Overwritten=new Image=C:\\x.exe",
    ],
    [
      "an event's message beside what json left nil",
      "- json: {expressions: {message: , Overwritten: }}\n- eventlogmessage: {}",
      '{"message":"Overwritten: new\\r\\nnocolon\\r\\na b: c"}',
      ["Overwritten", "Overwritten_extracted", "a_b"],
      "Overwritten=<no value> Overwritten_extracted=new a_b=c",
    ],
    [
      "an event's message without invalid names",
      "- json: {expressions: {message: }}\n- eventlogmessage: {drop_invalid_labels: true}",
      '{"message":"a b: c\\r\\nok: d"}',
      ["a_b", "ok"],
      "a_b=<no value> ok=d",
    ],
  ] as const) {
    test(name, () => expect(extractedOut(stages, line, names, { labels: { job: "j" } })).toBe(want));
  }
});

describe("template functions", () => {
  for (const [call, want] of [
    ['Replace "aaa" "a" "b" 2', "bba"],
    ['Trim "xxaxx" "x"', "a"],
    ['TrimLeft "xxa" "x"', "a"],
    ['TrimRight "axx" "x"', "a"],
    ['TrimPrefix "abc" "a"', "bc"],
    ['TrimSuffix "abc" "c"', "ab"],
    ['TrimSpace " a "', "a"],
    ['ToLower "AB"', "ab"],
    ['regexReplaceAll "(a)(b)" "ab" "$2$1"', "ba"],
    ['regexReplaceAllLiteral "a" "ab" "$1"', "$1b"],
    ['trim " x "', "x"],
    ['default "d" .nope', "d"],
    ['splitList "," "a,b" | join "-"', "a-b"],
    ['substr 0 2 "abc"', "ab"],
    ['regexMatch "a+" "aa"', "true"],
  ] as const) {
    test(call, () => expect(extractedOut(`- template: {source: a, template: '{{ ${call} }}'}`, "x", ["a"])).toBe(`a=${want}`));
  }
});

/** The entry's time when nothing sets it. */
const OWN = "2023-11-14T22:13:20Z";

describe("times by layout", () => {
  for (const [layout, text, want] of [
    ["2006-01-02 15:04:05", "2020-01-02 24:00:00", OWN],
    ["2006-01-02 15:04:05", "2020-01-02 23:00:60", OWN],
    ["2006-01-02 15:04:05", "2020-01-02 5:00:06", "2020-01-02T05:00:06Z"],
    ["2006-01-02 15:04:05.000", "2020-01-02 05:00:06.12", OWN],
    ["2006-01-02 15:04:05.999", "2020-01-02 03:04:05.12", "2020-01-02T03:04:05.12Z"],
    ["2006-01-02 15:04:05,000", "2020-01-02 03:04:05,123", "2020-01-02T03:04:05.123Z"],
    ["Mon Jan 2 15:04:05 2006", "TUE JAN 2 15:04:05 2006", "2006-01-02T15:04:05Z"],
    ["06-01-02", "69-01-02", "1969-01-02T00:00:00Z"],
    ["06-01-02", "68-01-02", "2068-01-02T00:00:00Z"],
    ["2006 002", "2020 032", "2020-02-01T00:00:00Z"],
    ["2006-01-02 03:04 PM", "2020-01-02 03:04 pm", OWN],
    ["2006-01-02 03:04 pm", "2020-01-02 03:04 pm", "2020-01-02T15:04:00Z"],
    ["2006-01-02 15:04 MST", "2020-01-02 03:04 XYZ", "2020-01-02T03:04:00Z"],
    ["2006-01-02 15:04 MST", "2020-01-02 03:04 GMT+3", "2020-01-02T03:04:00Z"],
    ["2006-01-02 -070000", "2020-01-02 +013015", "2020-01-01T22:29:45Z"],
    ["2006-01-02 -07", "2020-01-02 +01", "2020-01-01T23:00:00Z"],
    ["2006-01-02T15:04:05Z0700", "2020-01-02T03:04:05+0130", "2020-01-02T01:34:05Z"],
    ["02/Jan/2006:15:04:05 -0700", "25/Jan/2000:14:00:01 -0500", "2000-01-25T19:00:01Z"],
    ["Unix", "-3.5", "1969-12-31T23:59:57.5Z"],
  ] as const) {
    test(`${layout} | ${text}`, () => {
      const stages = `- regex: {expression: '(?P<t>.*)'}\n- timestamp: {source: t, format: '${layout}'}`;
      expect(timeOf(runStages(stages, [text])[0]!)).toBe(want);
    });
  }
  test("abbreviations of the location count", () => {
    const stages =
      "- regex: {expression: '(?P<t>.*)'}\n- timestamp: {source: t, format: '2006-01-02 15:04 MST', location: America/New_York}";
    expect(timeOf(runStages(stages, ["2020-01-02 03:04 EST"])[0]!)).toBe("2020-01-02T08:04:00Z");
  });
});

describe("the rest", () => {
  test("json: null is an object for drop_malformed, lists, texts, numbers, rests and empty lines are not", () => {
    const kept = ["null", "[1]", '"a"', "5", "{} x", "", "{}"].filter(
      (line) => linesOut("- json: {drop_malformed: true, expressions: {a: }}", [line]).length > 0,
    );
    expect(kept).toEqual(["null", "{}"]);
  });
  test("json: a missing source never drops", () =>
    expect(linesOut("- json: {drop_malformed: true, source: nope, expressions: {a: }}", ["x"])).toEqual(["x"]));
  test("labels: an empty text is set", () =>
    expect(labelsOut("- json: {expressions: {e: }}\n- labels: {e: }", '{"e":""}')).toEqual({ e: "" }));
  test("limit: by label, each value has its bucket", () => {
    const world = makeWorld();
    const pipeline = makePipeline("- limit: {rate: 10, burst: 10, drop: true, by_label_name: namespace}", world);
    const passed = (namespace: string, lines: number): number => {
      const batch = makeBatch(
        Array.from({ length: lines }, () => "x"),
        { labels: { namespace } },
      );
      pipeline.process(batch);
      return entriesOf(batch).length;
    };
    expect([passed("a", 25), passed("b", 5)]).toEqual([10, 5]);
    expect([...world.drops]).toEqual([["ratelimit_drop_stage", 15]]);
  });
  test("multiline: a block is cut at max_lines, and what comes before the first start passes", () =>
    expect(linesOut("- multiline: {firstline: '^S', max_lines: 2}", ["pre", "S1", "b", "c", "d", "S2"])).toEqual([
      "pre",
      "S1\nb",
      "c\nd",
      "S2",
    ]));
  test("tenant: a number is a text", () =>
    expect(labelsOut("- json: {expressions: {c: }}\n- tenant: {source: c}", '{"c":7}')).toEqual({ __tenant_id__: "7" }));
  test("pack: without ingest_timestamp the time stays", () => {
    const [entry] = runStages("- pack: {labels: [pod], ingest_timestamp: false}", ["hi"], { labels: { pod: "p", x: "y" } });
    expect([entry!.line, entry!.labels, timeOf(entry!)]).toEqual(['{"pod":"p","_entry":"hi"}', { x: "y" }, OWN]);
  });
  for (const [name, line, want] of [
    ["blanks and hyphens", "card 4032-0325 1354 8443 end", "card **REDACTED** end"],
    ["no card", "card 4032-0325 1354 8444 end", "card 4032-0325 1354 8444 end"],
    ["too few digits", "4032-03", "4032-03"],
  ] as const) {
    test(`luhn with delimiters: ${name}`, () => expect(linesOut("- luhn: {delimiters: ' -'}", [line])).toEqual([want]));
  }
  test("luhn: a longer least length", () =>
    expect(linesOut("- luhn: {min_length: 20}", ["4032032513548443"])).toEqual(["4032032513548443"]));
  for (const [stages, words] of [
    ["- cri", /bare word/],
    ["- cri: {}\n  json: {expressions: {a: }}", /has one key, this one has cri, json/],
    ["- sampling: {rate: 1.1}", /has to be from 0/],
    ["- tenant: {source: a, value: b}", /exclude each other/],
    ["- match: {selector: '{a=\"b\"}', action: drop, stages: [{cri: {}}]}", /cannot have stages/],
    ["- metrics: {a: {type: counter, max_idle_duration: 0.5s, config: {action: inc}}}", /at least 1s/],
  ] as const) {
    test(`refused: ${stages}`, () => expect(faultsOf(stages)).toMatch(words));
  }
});
