// Stages of a few lines each: pack, tenant, structured_metadata, sampling, limit, decolorize, eventlogmessage, luhn, truncate, geoip.

import { describe, expect, test } from "vitest";
import { goJson } from "../../../lib/text/go-json.ts";
import { startExtracted } from "../../../pipelines/extracted-data.ts";
import { geoipStage } from "../../../pipelines/stages/geoip.ts";
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

const refuses = (name: string, config: string, wanted: RegExp): void => test(name, () => expect(faultsOf(config)).toMatch(wanted));

describe("pack", () => {
  const LABELS = { pod: "p", container: "c", other: "o" };
  test("the example", () => {
    const [entry] = runStages("- pack: {labels: [pod, container]}", ["hi"], { labels: LABELS });
    expect([entry!.line, entry!.labels]).toEqual(['{"container":"c","pod":"p","_entry":"hi"}', { other: "o" }]);
  });
  test("no labels", () => expect(linesOut("- pack:", ["hi"])).toEqual(['{"_entry":"hi"}']));
  test("now is the time, unless told otherwise", () => {
    const time = (config: string): string => timeOf(runStages(`- pack: ${config}`, ["x"])[0]!);
    expect([time("{}"), time("{ingest_timestamp: false}")]).toEqual(["2024-06-01T00:00:00Z", "2023-11-14T22:13:20Z"]);
  });
  test("an extracted value wins over a label; where it is nil the label stays", () => {
    const stages = "- json: {expressions: {pod: , container: }}\n- pack: {labels: [container, pod]}";
    const [entry] = runStages(stages, ['{"pod":"q"}'], { labels: LABELS });
    expect([entry!.line, entry!.labels]).toEqual(['{"pod":"q","_entry":"{\\"pod\\":\\"q\\"}"}', { container: "c", other: "o" }]);
  });
  test("a label that was not extracted stays", () => {
    const [entry] = runStages("- static_labels: {env: prod}\n- pack: {labels: [env, pod]}", ["x"], { labels: { pod: "p" } });
    expect([entry!.line, entry!.labels]).toEqual(['{"pod":"p","_entry":"x"}', { env: "prod" }]);
  });
  test("an escape for bytes that are no UTF-8", () =>
    expect(linesOut("- pack:", [Buffer.from([97, 255, 98]), "a\ufffdb"])).toEqual(['{"_entry":"a\\ufffdb"}', '{"_entry":"a\\ufffdb"}']));
  test("texts are printed as Go prints them", () => {
    const text = "<a href='x'>&amp;\u2028\u2029\u0000\u001f\u007f\t\\\"é😀";
    expect(linesOut("- pack:", [text])).toEqual([`{"_entry":${goJson(text)}}`]);
  });
  test("ASCII is printed as Go prints it, however much of it is escaped", () => {
    const lines = Array.from(
      { length: 128 },
      (_, code) => `${"a".repeat(code % 40)}${String.fromCharCode(code).repeat(1 + (code % 50))}"b`,
    );
    expect(linesOut("- pack:", lines)).toEqual(lines.map((line) => `{"_entry":${goJson(line, { iterator: true })}}`));
  });
  test("entries of several streams have their own labels", () => {
    const stages = "- json: {expressions: {pod: }}\n- labels: {pod: }\n- pack: {labels: [pod]}";
    const packed = runStages(stages, ['{"pod":"a"}', '{"pod":"b"}', '{"pod":"b"}', "no object"], { labels: { pod: "start" } });
    expect(packed.map(({ line }) => /"pod":"(\w+)"/.exec(line)![1])).toEqual(["a", "b", "b", "start"]);
    const untouched = runStages("- pack: {labels: [pod]}", ["x", "y"], { labels: { pod: "p", other: "o" } });
    expect(untouched.map(({ line, labels }) => [line, labels])).toEqual(
      ["x", "y"].map((line) => [`{"pod":"p","_entry":"${line}"}`, { other: "o" }]),
    );
  });
});

describe("tenant", () => {
  const sets = (name: string, config: string, line: string, wanted: string | undefined): void =>
    test(name, () =>
      expect(labelsOut(`- json: {expressions: {customer_id: }}\n- tenant: ${config}`, line, { labels: { ns: "team" } }).__tenant_id__).toBe(
        wanted,
      ),
    );
  sets("of an extracted text", "{source: customer_id}", '{"customer_id":"7"}', "7");
  sets("of an extracted number", "{source: customer_id}", '{"customer_id":7}', "7");
  sets("of nothing", "{source: customer_id}", "{}", undefined);
  sets("of an empty text", "{source: customer_id}", '{"customer_id":""}', undefined);
  sets("a constant", "{value: team-a}", "{}", "team-a");
  sets("of a label", "{label: ns}", "{}", "team");
  sets("of a label that is not there", "{label: nope}", "{}", undefined);
  refuses("none of the three", "- tenant: {}", /label, source and value exclude each other/);
  refuses("two of the three", "- tenant: {label: a, value: b}", /label, source and value exclude each other/);
});

describe("structured_metadata", () => {
  const attaches = (name: string, map: string, line: string, wanted: [unknown, unknown]): void =>
    test(name, () => {
      const stages = `- json: {expressions: {a: , job: }}\n- structured_metadata: ${map}`;
      const [entry] = runStages(stages, [line], { labels: { job: "j", pod_uid: "u1" } });
      expect([entry!.labels, entry!.metadata]).toEqual(wanted);
    });
  attaches("a label, once", "{pod_uid: }", "x", [{ job: "j" }, [["pod_uid", "u1"]]]);
  attaches("a label under another name", "{uid: pod_uid}", "x", [{ job: "j" }, [["uid", "u1"]]]);
  attaches("one label under two names", "{a: pod_uid, b: pod_uid}", "x", [
    { job: "j" },
    [
      ["a", "u1"],
      ["b", "u1"],
    ],
  ]);
  attaches("an extracted value", "{a: }", '{"a":5}', [{ job: "j", pod_uid: "u1" }, [["a", "5"]]]);
  attaches("nothing", "{a: }", '{"a":null}', [{ job: "j", pod_uid: "u1" }, []]);
  attaches("an extracted value and another label of its name", "{job: }", '{"job":"k"}', [
    { pod_uid: "u1" },
    [
      ["job", "k"],
      ["job", "j"],
    ],
  ]);
  test("its old name", () =>
    expect(runStages("- non_indexed_labels: {l: }", ["x"], { labels: { l: "v" } })[0]!.metadata).toEqual([["l", "v"]]));
  test("an empty map is taken", () => expect(faultsOf("- structured_metadata: {}")).toBe(""));
  refuses("an invalid name", "- structured_metadata: {a-b: }", /invalid label name: a-b/);
});

describe("sampling", () => {
  const lines = Array.from({ length: 10 }, (_, n) => String(n));
  test("a share passes, the rest is counted", () => {
    let n = 0;
    const world = makeWorld(() => (n++ % 10) / 10);
    expect(linesOut("- sampling: {rate: 0.3}", lines, { world })).toEqual(["0", "1", "2"]);
    expect(world.drops.get("sampling_stage")).toBe(7);
  });
  test("none and all", () =>
    expect([linesOut("- sampling: {rate: 0}", lines).length, linesOut("- sampling: {rate: 1}", lines).length]).toEqual([0, 10]));
  refuses("no rate", "- sampling: {}", /^error 0.sampling.rate /);
  refuses("a rate above 1", "- sampling: {rate: 1.5}", /has to be from 0/);
});

describe("limit", () => {
  const lines = Array.from({ length: 12 }, (_, n) => `line ${n}`);
  test("what exceeds the burst is dropped, and tokens come back", () => {
    const world = makeWorld();
    const pipeline = makePipeline("- limit: {rate: 2, burst: 5, drop: true}", world);
    const passed = (): number => {
      const batch = makeBatch(lines);
      pipeline.process(batch);
      return entriesOf(batch).length;
    };
    expect(passed()).toBe(5);
    world.nowMs += 1_500;
    expect(passed()).toBe(3);
    world.nowMs += 60_000;
    expect(passed()).toBe(5);
    expect(world.drops.get("ratelimit_drop_stage")).toBe(23);
  });
  test("by label", async () => {
    const world = makeWorld();
    const stages =
      "- regex: {expression: '^(?P<namespace>[ab])'}\n- labels: {namespace: }\n- limit: {rate: 10, burst: 10, drop: true, by_label_name: namespace}";
    const many = [
      ...Array.from({ length: 25 }, () => "a"),
      ...Array.from({ length: 5 }, () => "b"),
      ...Array.from({ length: 20 }, () => "none"),
    ];
    expect(linesOut(stages, many, { world }).length).toBe(10 + 5 + 20);
    expect(await world.registry.getSingleMetricAsString("logentry_dropped_lines_by_label_total")).toContain(
      'logentry_dropped_lines_by_label_total{label_name="namespace",label_value="a"} 15',
    );
  });
  test("without drop all pass and the source waits", () => {
    const world = makeWorld();
    const pipeline = makePipeline("- limit: {rate: 10, burst: 2}", world);
    const batch = makeBatch(lines);
    pipeline.process(batch);
    expect([
      entriesOf(batch).length,
      pipeline.delayMs(world.nowMs),
      pipeline.delayMs(world.nowMs + 900),
      pipeline.delayMs(world.nowMs + 1_000),
    ]).toEqual([12, 1_000, 100, 0]);
  });
  test("options of other types are taken as mapstructure takes them", () =>
    expect(faultsOf("- limit: {rate: '1', burst: true, drop: T, by_label_name: 5, max_distinct_labels: ''}")).toBe(""));
  refuses("a rate that is no number", "- limit: {rate: ' 1', burst: 5}", /^error 0.limit.rate /);
  refuses("a negative rate", "- limit: {rate: -1, burst: 5}", /^error 0.limit.rate /);
  refuses("no burst", "- limit: {rate: 1}", /^error 0.limit.burst /);
  refuses("a label without drop", "- limit: {rate: 1, burst: 1, by_label_name: a}", /needs drop: true/);
});

describe("decolorize", () => {
  const becomes = (name: string, line: string, wanted: string): void =>
    test(name, () => expect(linesOut("- decolorize: {}", ["before", line])[1]).toBe(wanted));
  becomes("the example", "\x1b[0;32mhttp\x1b[0m: GET", "http: GET");
  becomes("nothing to remove", "plain é", "plain é");
  becomes("a hyperlink", "\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text");
  becomes("colon parameters", "\x1b[4:3mcurly\x1b[0m", "curly");
  becomes("CSI as one character", "\u009b31mred", "red");
});

describe("eventlogmessage", () => {
  const MESSAGE = '{"message":"Message type:\\r\\nOverwritten: new\\r\\nImage: C:\\\\x: y\\r\\nno colon\\r\\n9 lives: 1"}';
  const NAMES = ["Message_type", "Overwritten", "Overwritten_extracted", "Image", "__lives"];
  const extracts = (name: string, config: string, wanted: string): void =>
    test(name, () =>
      expect(extractedOut(`- json: {expressions: {message: , Overwritten: }}\n- eventlogmessage: ${config}`, MESSAGE, NAMES)).toBe(wanted),
    );
  extracts("defaults", "{}", "Message_type= Overwritten=<no value> Overwritten_extracted=new Image=C:\\x: y __lives=1");
  extracts(
    "overwrite_existing",
    "{overwrite_existing: true}",
    "Message_type= Overwritten=new Overwritten_extracted=<no value> Image=C:\\x: y __lives=1",
  );
  extracts(
    "drop_invalid_labels",
    "{drop_invalid_labels: true}",
    "Message_type=<no value> Overwritten=<no value> Overwritten_extracted=new Image=C:\\x: y __lives=<no value>",
  );
  test("an entry whose value has no text is dropped, as with Promtail, and counted", () => {
    const world = makeWorld();
    const lines = ['{"message":null}', '{"a":1}', "no JSON", '{"message":"A: b"}'];
    expect(linesOut("- json: {expressions: {message: }}\n- eventlogmessage:", lines, { world })).toEqual(["no JSON", '{"message":"A: b"}']);
    expect(world.drops.get("eventlogmessage_without_text")).toBe(2);
  });
  test("a line that begins with a colon", () =>
    expect(extractedOut("- json: {expressions: {message: }}\n- eventlogmessage:", '{"message":": x"}', ["_"])).toBe("_=x"));
  refuses("an empty source", "- eventlogmessage: {source: ''}", /invalid label name: ""/);
});

describe("luhn", () => {
  const becomes = (name: string, config: string, line: string, wanted: string): void =>
    test(name, () => expect(linesOut(`- luhn: ${config}`, [line])).toEqual([wanted]));
  becomes("the example", "{}", "approved 4032032513548443", "approved **REDACTED**");
  becomes("a number that does not pass", "{}", "approved 4032032513548444", "approved 4032032513548444");
  becomes("too short", "{}", "4242424242", "4242424242");
  becomes("a shorter minimum and another text", "{min_length: 10, replacement: X}", "1234567890 and 79927398713", "1234567890 and X");
  test("a source", () =>
    expect(
      linesOut("- json: {expressions: {card: }}\n- luhn: {source: card}\n- output: {source: card}", ['{"card":"n 4032032513548443"}']),
    ).toEqual(["n **REDACTED**"]));
});

describe("truncate", () => {
  const becomes = (name: string, rule: string, line: string, wanted: string): void =>
    test(name, () => expect(linesOut(`- truncate: {rules: [${rule}]}`, [line])).toEqual([wanted]));
  becomes("a long line", "{limit: 5b}", "123456", "12345");
  becomes("a line of the limit", "{limit: 5b}", "12345", "12345");
  becomes("a suffix counts", "{limit: 5b, suffix: ..}", "123456", "123..");
  becomes("a cut between characters", "{limit: 4b}", "aééé", "aé");
  test("labels, metadata and extracted values", () => {
    const rules =
      "[{limit: 2b, source_type: label, sources: [l]}, {limit: 1b, source_type: structured_metadata}, {limit: 3b, source_type: extracted_map}]";
    const stages = `- json: {expressions: {long: }}\n- structured_metadata: {m: }\n- truncate: {rules: ${rules}}\n- output: {source: long}`;
    const [entry] = runStages(stages, ['{"long":"abcdef"}'], { labels: { l: "label", k: "kept", m: "meta" } });
    expect([entry!.line, entry!.labels, entry!.metadata]).toEqual(["abc", { l: "la", k: "kept" }, [["m", "m"]]]);
  });
  refuses("no rules", "- truncate: {}", /^error 0.truncate.rules .*is required/);
  refuses("an unknown type", "- truncate: {rules: [{limit: 1b, source_type: word}]}", /has to be one of line, label/);
  refuses("a suffix as long as the limit", "- truncate: {rules: [{limit: 2b, suffix: '..'}]}", /has to be shorter than limit/);
});

describe("geoip", () => {
  const LONDON = {
    city: { names: { en: "London" } },
    country: { names: { en: "United Kingdom" } },
    continent: { code: "EU", names: { en: "Europe" } },
    location: { latitude: 51.5142, longitude: -0.0931, time_zone: "Europe/London" },
    postal: { code: "OX1" },
    subdivisions: [
      { iso_code: "ENG", names: { en: "England" } },
      { iso_code: "WBK", names: { en: "West Berkshire" } },
    ],
  };
  const labelsFor = (record: unknown, type: "city" | "asn" | "country", address = "81.2.69.142"): Record<string, string> => {
    const batch = makeBatch(["x"], { labels: { ip: address } });
    startExtracted(batch);
    geoipStage({ get: () => record }, "ip", type).process(batch);
    const { ip: _, ...set } = entriesOf(batch)[0]!.labels;
    return set;
  };
  test("an address of IPv4 that is written as one of IPv6 is looked up as IPv4", () => {
    const asked: string[] = [];
    const database = { get: (address: string) => void asked.push(address) };
    for (const ip of [
      "81.2.69.142",
      "::ffff:81.2.69.142",
      "::FFFF:5102:458e",
      "0:0:0:0:0:ffff:81.2.69.142",
      "2001:db8::1",
      "::1",
      "no address",
    ]) {
      const batch = makeBatch(["x"], { labels: { ip } });
      startExtracted(batch);
      geoipStage(database, "ip", "city").process(batch);
    }
    expect(asked).toEqual([...Array.from({ length: 4 }, () => "81.2.69.142"), "2001:db8::1", "::1"]);
  });
  test("a city", () =>
    expect(labelsFor(LONDON, "city")).toEqual({
      geoip_city_name: "London",
      geoip_country_name: "United Kingdom",
      geoip_continent_name: "Europe",
      geoip_continent_code: "EU",
      geoip_location_latitude: "51.5142",
      geoip_location_longitude: "-0.0931",
      geoip_postal_code: "OX1",
      geoip_timezone: "Europe/London",
      geoip_subdivision_name: "West Berkshire",
      geoip_subdivision_code: "WBK",
    }));
  test("a country", () =>
    expect(labelsFor(LONDON, "country")).toEqual({
      geoip_country_name: "United Kingdom",
      geoip_continent_name: "Europe",
      geoip_continent_code: "EU",
    }));
  test("a network", () =>
    expect(labelsFor({ autonomous_system_number: 4_200_000_000, autonomous_system_organization: "Org" }, "asn")).toEqual({
      geoip_autonomous_system_number: "4200000000",
      geoip_autonomous_system_organization: "Org",
    }));
  test("nothing known", () =>
    expect([labelsFor(null, "city"), labelsFor({}, "asn"), labelsFor(LONDON, "city", "no address")]).toEqual([{}, {}, {}]));
  refuses("no type", "- geoip: {db: a.mmdb, source: ip}", /^error 0.geoip.db_type .*has to be one of city, asn, country/);
  refuses("no source", "- geoip: {db: a.mmdb, db_type: city}", /^error 0.geoip.source /);
});
