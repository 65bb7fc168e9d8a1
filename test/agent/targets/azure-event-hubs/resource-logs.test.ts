import { describe, expect, test } from "vitest";
import { azureEventHubsSchema } from "../../../../agent/config/rare-blocks.ts";
import { elementsOf } from "../../../../agent/targets/azure-event-hubs/raw-elements.ts";
import { parseResourceLogs } from "../../../../agent/targets/azure-event-hubs/resource-logs.ts";
import { azureSettings } from "../../../../agent/targets/azure-event-hubs/settings.ts";

const record = (more: string, category = "Audit"): string =>
  `{ "time": "2024-05-06T07:08:09.5Z", "category": "${category}", "resourceId": "/r", "operationName": "op", ${more} }`;
const parse = (text: string, disallow = false) => {
  const { entries, refusedCount } = parseResourceLogs(Buffer.from(text), disallow);
  return { refusedCount, entries: entries.map(({ line, labels, time }) => [Buffer.from(line).toString(), labels?.[0]?.[1], time]) };
};
const TIME = [1_714_979_289, 500_000_000];

describe("a message", () => {
  test("has an entry for each record, as it is written", () => {
    const [a, b] = [record('"n": 12345678901234567890, "s": "a \\" ] } b"'), record('"l": [ {}, [1] ]', "Other")];
    expect(parse(`{"other": [1], "records": [ ${a} ,\n${b}]}`)).toEqual({
      refusedCount: 0,
      entries: [
        [a, "Audit", TIME],
        [b, "Other", TIME],
      ],
    });
  });
  test("with timeStamp instead of time", () => {
    const text = record('"x": 1').replace('"time"', '"timeStamp"');
    expect(parse(`{"records":[${text}]}`).entries).toEqual([[text, "Audit", TIME]]);
  });
  test("with single quotes", () => {
    const text = record('"x": 1');
    expect(parse(`{"records":[${text}]}`.replaceAll('"', "'")).entries).toEqual([[text, "Audit", TIME]]);
  });
  test.each([
    ["no JSON", "hello 'there'"],
    ["JSON with a comma too many", '{"records":[{"a":1,}]}'],
    ["no records", '{"a":1}'],
    ["empty records", '{"records":[]}'],
    ["records that are no list", '{"records":{"a":1}}'],
    ["a list", "[1,2]"],
    ["nothing", ""],
  ])("that is %s is sent whole, or refused", (_, text) => {
    expect(parse(text)).toEqual({ refusedCount: 0, entries: [[text, undefined, undefined]] });
    expect(parse(text, true)).toEqual({ refusedCount: 1, entries: [] });
  });
  test.each([
    ["no category", record('"x": 1', "")],
    ["a category that is no text", '{"time":"2024-05-06T07:08:09Z","category":1,"resourceId":"r","operationName":"o"}'],
    ["no object", "7"],
    ["null", "null"],
  ])("of which a record has %s: it is sent without category, or refused alone", (_, text) => {
    const good = record('"x": 1');
    expect(parse(`{"records":[${text},${good}]}`).entries).toEqual([
      [text, undefined, undefined],
      [good, "Audit", TIME],
    ]);
    expect(parse(`{"records":[${text},${good}]}`, true)).toEqual({ refusedCount: 1, entries: [[good, "Audit", TIME]] });
  });
  test("with a time that cannot be read has the message's", () => {
    const text = record('"x": 1').replace("2024-05-06T07:08:09.5Z", "yesterday");
    expect(parse(`{"records":[${text}]}`).entries).toEqual([[text, "Audit", undefined]]);
  });
});

test.each([
  ['{"r":[1, "a,]" ,{"r":[9]}, [2,[3]] , null]}', ["1", '"a,]"', '{"r":[9]}', "[2,[3]]", "null"]],
  ['{"a":{"r":[1]},"r":[2]}', ["2"]],
  ['{"r":[1],"r":[2]}', ["2"]],
  ['{"r":[]}', []],
  ['{"r":7}', undefined],
  ['{"\\u0072":[1]}', ["1"]],
  ["{}", undefined],
  ["[1]", undefined],
])("elements of %s", (json, elements) => expect(elementsOf(json, "r")).toEqual(elements));

describe("a block", () => {
  const given = { fully_qualified_namespace: "n.servicebus.windows.net", event_hubs: ["h"], connection_string: "Endpoint=sb://n/" };
  const settings = (block: Record<string, unknown>) => azureSettings(azureEventHubsSchema().parse({ ...given, ...block }));
  test("asks for TLS and the connection string", () => {
    expect(settings({})).toMatchObject({
      brokers: ["n.servicebus.windows.net:9093"],
      groupId: "promtail",
      tls: {},
      sasl: { mechanism: "plain", username: "$ConnectionString", password: "Endpoint=sb://n/" },
    });
  });
  test.each(["fully_qualified_namespace", "connection_string"])("without %s is refused", (key) => {
    expect(() => settings({ [key]: "" })).toThrow(`${key} is empty`);
  });
  test("without event_hubs is refused", () => expect(() => settings({ event_hubs: [] })).toThrow("event_hubs is empty"));
});
