import { describe, expect, test } from "vitest";
import { lineStart, type PushColumns } from "../../../lib/wire/push-columns.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { otlpToPush } from "../../../server/ingest/otlp.ts";
import { compileOtlpActions, DEFAULT_INDEX_ATTRIBUTES, otlpLabelName } from "../../../server/ingest/otlp-attributes.ts";
import { decodeOtlpJson } from "../../../server/ingest/otlp-json.ts";
import { decodeOtlpProtobuf } from "../../../server/ingest/otlp-protobuf.ts";
import { OtlpError } from "../../../server/ingest/otlp-tree.ts";

const DISCOVER = ["app", "container_name", "k8s_job_name"];

async function pushOf(logs: object | Buffer, otlpConfig: object = {}): Promise<PushColumns> {
  const config = limitsSchema.parse({ otlp_config: otlpConfig }).otlp_config;
  return otlpToPush(await (Buffer.isBuffer(logs) ? decodeOtlpProtobuf(logs) : decodeOtlpJson(Buffer.from(JSON.stringify(logs)))), {
    actions: compileOtlpActions(config, DEFAULT_INDEX_ATTRIBUTES),
    discoverServiceName: DISCOVER,
    severityTextAsLabel: config.severity_text_as_label,
    nowNs: 7_000_000_001n,
  });
}

/** `{labels} sec.nanos line name=value …` per entry. */
function rowsOf({ streams, bytes, ends, sec, nanos, metadata }: PushColumns): string[] {
  return streams.flatMap(({ labelsText, from, to }) =>
    Array.from({ length: to - from }, (_, k) => from + k).map((i) =>
      [
        labelsText,
        `${sec[i]}.${nanos[i]}`,
        Buffer.from(bytes.subarray(lineStart(ends, i), ends[i]!)).toString(),
        ...(metadata?.[i] ?? []).map((pair) => pair.join("=")),
      ].join(" "),
    ),
  );
}

const attribute = (key: string, value: object | string) => ({ key, value: typeof value === "string" ? { stringValue: value } : value });
const logs = (resource: object[], record: object, scope: object = {}) => ({
  resourceLogs: [{ resource: { attributes: resource }, scopeLogs: [{ scope, logRecords: [{ timeUnixNano: "1000000002", ...record }] }] }],
});
const service = attribute("service.name", "s");

describe("a record becomes an entry", () => {
  const row = (name: string, given: object, expected: string, config: object = {}): void =>
    test(name, async () => expect(rowsOf(await pushOf(given, config))).toEqual([expected]));
  row("a text", logs([service], { body: { stringValue: "hi" } }), '{service_name="s"} 1.2 hi');
  row("an integer beyond 2^53", logs([service], { body: { intValue: "9007199254740993" } }), '{service_name="s"} 1.2 9007199254740993');
  row("a whole double", logs([service], { body: { doubleValue: 2 } }), '{service_name="s"} 1.2 2');
  row(
    "a double that is no number",
    logs([service], { body: { doubleValue: "NaN" } }),
    '{service_name="s"} 1.2 json: unsupported value: NaN',
  );
  row("no body", logs([service], {}), '{service_name="s"} 1.2 ');
  row(
    "a map in Go's JSON",
    logs([service], {
      body: { kvlistValue: { values: [attribute("z", "<"), attribute("a", { arrayValue: { values: [{}, { bytesValue: "aGk=" }] } })] } },
    }),
    '{service_name="s"} 1.2 {"a":[null,"aGk="],"z":"\\u003c"}',
  );
  row(
    "the observed time when there is no other",
    logs([service], { timeUnixNano: "0", observedTimeUnixNano: "5000000006" }),
    '{service_name="s"} 5.6 ',
  );
  row("now when there is no time", logs([service], { timeUnixNano: "0" }), '{service_name="s"} 7.1 ');
  row("a named severity", logs([service], { severityNumber: "SEVERITY_NUMBER_ERROR2" }), '{service_name="s"} 1.2  severity_number=18');
  row("an id of zeros is none", logs([service], { traceId: "0".repeat(32), spanId: "" }), '{service_name="s"} 1.2 ');
  row(
    "log, resource, scope: in this order",
    logs([service, attribute("host", "h")], { attributes: [attribute("l", "1")] }, { name: "n", attributes: [attribute("x", "2")] }),
    '{service_name="s"} 1.2  l=1 host=h x=2 scope_name=n',
  );
  row(
    "a map is flattened",
    logs([service, attribute("m", { kvlistValue: { values: [attribute("a.b", "1")] } })], {}),
    '{service_name="s"} 1.2  m_a_b=1',
  );
  row("a service name from the list", logs([attribute("container.name", "c")], {}), '{container_name="c", service_name="c"} 1.2 ');
  row("no service name at all", logs([attribute("app", "not indexed")], {}), '{service_name="unknown_service"} 1.2  app=not indexed');
  row(
    "snake case",
    { resource_logs: [{ scope_logs: [{ log_records: [{ time_unix_nano: 1000000002 }] }] }] },
    '{service_name="unknown_service"} 1.2 ',
  );
  row("severity as a label", logs([service], { severityText: "WARN" }), '{service_name="s", severity_text="WARN"} 1.2 ', {
    severity_text_as_label: true,
  });
});

test("nanoseconds written as a number keep their last digits", async () => {
  const body = Buffer.from(
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1767225601000000001,"body":{"stringValue":"a: 1234567890123456789"}}]}]}]}',
  );
  expect((await decodeOtlpJson(body))[0]!.scopes[0]!.records[0]).toMatchObject({
    timeNs: 1767225601000000001n,
    body: "a: 1234567890123456789",
  });
});

test("a tenant's rules: the first that names an attribute counts, regular expressions match whole names", async () => {
  const config = {
    resource_attributes: {
      ignore_defaults: true,
      attributes_config: [
        { action: "index_label", regex: "zone.*" },
        { action: "drop", attributes: ["secret", "zone.x"] },
      ],
    },
    log_attributes: [{ action: "drop", regex: "tmp" }],
  };
  const given = logs([service, attribute("zone.x", "z"), attribute("secret", "?")], {
    attributes: [attribute("tmp", "1"), attribute("tmp2", "2")],
  });
  expect(rowsOf(await pushOf(given, config))).toEqual(['{zone_x="z"} 1.2  tmp2=2 service_name=s']);
});

describe("label names", () => {
  const name = (from: string, to: string): void => test(`${JSON.stringify(from)} is ${to}`, () => expect(otlpLabelName(from)).toBe(to));
  name("a.b-c d", "a_b_c_d");
  name("a..b__c", "a_b_c");
  name("1x", "key_1x");
  name("_x", "_x");
  name("__x", "_x");
  name("__x__", "__x__");
  name("ünï", "_n_");
  test("nothing left", () => expect(() => otlpLabelName("...")).toThrow('normalization for label name "..." resulted in invalid name "_"'));
  test("empty", () => expect(() => otlpLabelName("")).toThrow("label name is empty"));
});

describe("protobuf", () => {
  const field = (number: number, content: Buffer | string): Buffer => {
    const bytes = Buffer.from(content);
    const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
  };
  const pair = (key: string, value: Buffer): Buffer => Buffer.concat([field(1, key), field(2, value)]);
  const time = Buffer.alloc(9);
  time[0] = 0x09;
  time.writeBigUInt64LE(1_000_000_002n, 1);
  const record = Buffer.concat([
    time,
    Buffer.from([0x10, 17]),
    field(5, field(1, "line")),
    field(6, pair("n", Buffer.from([0x18, 5]))),
    field(9, Buffer.alloc(16, 1)),
  ]);
  const body = field(
    1,
    Buffer.concat([field(1, field(1, pair("service.name", field(1, "s")))), field(2, field(2, record)), Buffer.from([0x78, 1])]),
  );

  test("is read", async () =>
    expect(rowsOf(await pushOf(body))).toEqual([`{service_name="s"} 1.2 line n=5 severity_number=17 trace_id=${"01".repeat(16)}`]));
  test("cut or broken anywhere, it is refused or read, and nothing else happens", async () => {
    for (let at = 0; at < body.length; at++) {
      for (const broken of [body.subarray(0, at), Buffer.from(body).fill(0xff, at, at + 1), Buffer.from(body).fill(0, at, at + 1)]) {
        try {
          await pushOf(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(OtlpError);
        }
      }
    }
  });
  test("a value nested too deep is refused", async () => {
    let value: Buffer = Buffer.from([0x18, 1]);
    for (let i = 0; i < 30; i++) value = field(5, field(1, value));
    await expect(decodeOtlpProtobuf(field(1, field(1, field(1, pair("a", value)))))).resolves.toHaveLength(1);
    let json: object = { intValue: "1" };
    for (let i = 0; i < 70; i++) json = { arrayValue: { values: [json] } };
    await expect(pushOf(logs([attribute("a", json)], {}))).rejects.toThrow("nested more than 64 deep");
  });
});

describe("JSON that is not OTLP", () => {
  const refused = (name: string, body: string, text: string): void =>
    test(name, () => expect(decodeOtlpJson(Buffer.from(body))).rejects.toThrow(text));
  refused("nothing", "", "not JSON");
  refused("an array", "[]", "expected an object");
  refused("a list that is none", '{"resourceLogs":1}', "resourceLogs is 1, expected an array");
  refused("an id of another length", JSON.stringify(logs([], { traceId: "0102" })), "expected 32 hex digits");
});
