import { deflateRawSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodePush } from "../../../lib/wire/decode-push.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { lineStart, type PushColumns, PushError, type PushStreamEntries, PushTooLarge } from "../../../lib/wire/push-columns.ts";
import { decodePushJson, encodePushJson } from "../../../lib/wire/push-json.ts";
import { decodePushProtobuf, encodePushProtobuf, encodePushRequest } from "../../../lib/wire/push-protobuf.ts";

const VECTOR: PushStreamEntries[] = [
  { labels: LabelSet.fromObject({ job: "x" }), entries: [{ sec: 1_700_000_000, nanos: 5, line: "hi", metadata: [["trace_id", "abc"]] }] },
];
const REQUEST_HEX = "0a2c0a097b6a6f623d2278227d121f0a080880e2cfaa061005120268691a0f0a0874726163655f69641203616263";
const MANY: PushStreamEntries[] = [
  {
    labels: LabelSet.fromObject({ a: 'q"uote', b: "Köln" }),
    entries: Array.from({ length: 300 }, (_, i) => ({
      sec: 1_700_000_000 + i,
      nanos: (i * 7_919_317) % 1e9,
      line: `line ${i} ${"東".repeat(i % 50)}`,
    })),
  },
  {
    labels: LabelSet.fromObject({ c: "d" }),
    entries: [
      { sec: 0, nanos: 0, line: "" },
      {
        sec: 1,
        nanos: 0,
        line: "two\nlines",
        metadata: [
          ["k", "v"],
          ["k2", ""],
        ],
      },
    ],
  },
  { labels: LabelSet.fromObject({ e: "f" }), entries: [] },
];

/** Columns as plain values, the same for every encoding. */
function rows(push: PushColumns): unknown[] {
  return push.streams.map(({ labelsText, from, to }) => [
    labelsText,
    ...Array.from({ length: to - from }, (_, k) => from + k).map((i) => [
      push.sec[i],
      push.nanos[i],
      Buffer.from(push.bytes.subarray(lineStart(push.ends, i), push.ends[i]!)).toString(),
      push.metadata?.[i] ?? [],
    ]),
  ]);
}
const wanted = (streams: readonly PushStreamEntries[]): unknown[] =>
  streams.map(({ labels, entries }) => [
    labels.toString(),
    ...entries.map(({ sec, nanos, line, metadata = [] }) => [sec, nanos, line, metadata]),
  ]);

describe("push codec", () => {
  test("the worked vector, before compression", () => expect(Buffer.from(encodePushRequest(VECTOR)).toString("hex")).toBe(REQUEST_HEX));
  test("the worked vector, as a snappy literal", () =>
    expect(rows(decodePushProtobuf(Buffer.from(`2eb4${REQUEST_HEX}`, "hex"), 1000))).toEqual(wanted(VECTOR)));
  test("the worked vector, as JSON", () =>
    expect(encodePushJson(VECTOR)).toBe('{"streams":[{"stream":{"job":"x"},"values":[["1700000000000000005","hi",{"trace_id":"abc"}]]}]}'));
  test("protobuf both ways", () => expect(rows(decodePushProtobuf(encodePushProtobuf(MANY), 1 << 20))).toEqual(wanted(MANY)));
  test("JSON both ways", async () => expect(rows(await decodePushJson(Buffer.from(encodePushJson(MANY)), false))).toEqual(wanted(MANY)));
  test("the legacy JSON form", async () => {
    const body = Buffer.from('{"streams":[{"labels":"{a=\\"b\\"}","entries":[{"ts":"2026-01-01T00:00:01.5Z","line":"x"}]}]}');
    expect(rows(await decodePushJson(body, true))).toEqual([['{a="b"}', [1767225601, 500_000_000, "x", []]]]);
  });

  test("a declared length above the limit is refused before anything is allocated", () =>
    expect(() => decodePushProtobuf(Buffer.from("ffffffff0f00", "hex"), 1 << 20)).toThrow(PushTooLarge));
  test("every truncation of a body is refused or decodes to less", () => {
    const packed = encodePushProtobuf(VECTOR);
    for (let bytes = 0; bytes < packed.length; bytes++)
      expect(() => decodePushProtobuf(packed.subarray(0, bytes), 1000)).toThrow(PushError);
  });
  for (const [name, body] of [
    ["a time that is a number", '{"streams":[{"stream":{},"values":[[1,"x"]]}]}'],
    ["a time that is no number", '{"streams":[{"stream":{},"values":[["x","x"]]}]}'],
    ["a line that is no text", '{"streams":[{"stream":{},"values":[["1",5]]}]}'],
    ["metadata that is null", '{"streams":[{"stream":{},"values":[["1","x",null]]}]}'],
    ["a metadata value that is no text", '{"streams":[{"stream":{},"values":[["1","x",{"a":1}]]}]}'],
    ["labels that are a text", '{"streams":[{"stream":"{}","values":[]}]}'],
    ["a stream that is null", '{"streams":[null]}'],
    ["labels that are null", '{"streams":[{"stream":null,"values":[]}]}'],
    ["a time with a plus", '{"streams":[{"stream":{},"values":[["+1","x"]]}]}'],
    ["a time of more than 64 bits", '{"streams":[{"stream":{},"values":[["9223372036854775808","x"]]}]}'],
    ["an object that does not end", '{"streams":[]'],
    ["an object with a comma at its end", '{"streams":[],}'],
    ["text that is no JSON", "streams=1"],
    ["nothing", ""],
  ] as const)
    test(`JSON: refuses ${name}`, () => expect(decodePushJson(Buffer.from(body), false)).rejects.toThrow(PushError));
});

describe("the JSON form, as Loki's decoder takes it", () => {
  const values = '"values":[["1","x"]]';
  for (const [name, body, labels] of [
    ["whatever comes behind the object", `{"streams":[{"stream":{"a":"}\\""},${values}}]} {"streams":[]}`, '{a="}\\""}'],
    ["its first key in any case", `{"Streams":[{"stream":{"a":"1"},${values}}]}`, '{a="1"}'],
    [
      "labels that are numbers, null or objects",
      `{"streams":[{"stream":{"a":5,"b":null,"c":{"d":["e"]}},${values}}]}`,
      '{a="5", b="null", c="{\\"d\\":[\\"e\\"]}"}',
    ],
    ["labels in any order", `{"streams":[{"stream":{"b":"1","a":"2","B":"3"},${values}}]}`, '{B="3", a="2", b="1"}'],
    ["no labels", `{"streams":[{${values}}]}`, "{}"],
  ] as const)
    test(name, async () => expect(rows(await decodePushJson(Buffer.from(body), false))).toEqual([[labels, [0, 1, "x", []]]]));
  test("a broken object with bytes that are no text is refused once", async () => {
    const body = Buffer.concat([Buffer.from('{"a'), Buffer.from([0xff, 0xfe]), Buffer.from('":}}')]);
    await expect(decodePushJson(body, false)).rejects.toThrow(PushError);
  });
  test("nothing in a body of null", async () => expect((await decodePushJson(Buffer.from("null"), false)).streams).toEqual([]));
});

test("JSON is taken in with looks at the clock, within streams and between them", async () => {
  const streamOf = (entries: number): object => ({ stream: { a: "1" }, values: Array.from({ length: entries }, () => ["1", "x"]) });
  const body = Buffer.from(JSON.stringify({ streams: [...Array.from({ length: 100 }, () => streamOf(1)), streamOf(6_400)] }));
  let looks = 0;
  expect((await decodePushJson(body, false, () => void looks++)).entryCount).toBe(6_500);
  expect(looks).toBe(200);
});

describe("a push's headers", () => {
  const json = Buffer.from(encodePushJson(VECTOR));
  const decode = (body: Buffer, type: string | undefined, encoding?: string): Promise<unknown> =>
    decodePush(
      body,
      { ...(type === undefined ? {} : { "content-type": type }), ...(encoding === undefined ? {} : { "content-encoding": encoding }) },
      { legacyPath: false, limitBytes: 1 << 20 },
      rows,
    );
  for (const [name, body, type, encoding] of [
    ["JSON", json, "application/json", undefined],
    ["JSON with parameters", json, 'Application/JSON ; charset="utf-8"; x=y;', undefined],
    ["gzipped JSON", gzipSync(json), "application/json", "gzip"],
    ["deflated JSON", deflateRawSync(json), "application/json", "deflate"],
    ["protobuf by any other type", Buffer.from(encodePushProtobuf(VECTOR)), "text", undefined],
    ["gzip around snappy", gzipSync(encodePushProtobuf(VECTOR)), "application/x-protobuf", "gzip"],
    ["deflate around snappy", deflateRawSync(encodePushProtobuf(VECTOR)), "application/x-protobuf", "deflate"],
  ] as const)
    test(`takes ${name}`, async () => expect(await decode(body, type, encoding)).toEqual(wanted(VECTOR)));
  for (const [type, encoding, want] of [
    [undefined, undefined, "mime: no media type"],
    [undefined, "br", 'Content-Encoding "br" not supported'],
    ["application/json", "GZIP", 'Content-Encoding "GZIP" not supported'],
    ["application/json", "gzip", "gzip: invalid header"],
    ["/json", undefined, "mime: no media type"],
    ["application/", undefined, "mime: expected token after slash"],
    ["application json", undefined, "mime: expected slash after first token"],
    ["application/json x", undefined, "mime: unexpected content after media subtype"],
    ["application/json/x", undefined, "mime: unexpected content after media subtype"],
    ["application/json;charset", undefined, "mime: invalid media parameter"],
    ["application/json;;charset=x", undefined, "mime: invalid media parameter"],
    ["application/json;a=1;a=2", undefined, "mime: duplicate parameter name"],
  ] as const)
    test(`${type ?? "no type"}${encoding === undefined ? "" : ` with ${encoding}`}: ${want}`, () =>
      expect(decode(json, type, encoding)).rejects.toThrow(new PushError(want)));
  test("a gzip that is cut off", () =>
    expect(decode(gzipSync(json).subarray(0, 40), "application/json", "gzip")).rejects.toThrow(new PushError("unexpected EOF")));
});

describe("times that 32-bit seconds cannot hold", () => {
  const far: PushStreamEntries[] = [
    { labels: LabelSet.fromObject({ a: "1" }), entries: [{ sec: 5, nanos: 0, line: "near" }] },
    {
      labels: LabelSet.fromObject({ a: "2" }),
      entries: [
        { sec: 4_102_444_800, nanos: 7, line: "2100", metadata: [["k", "v"]] },
        { sec: 2 ** 31 - 1, nanos: 0, line: "the last second" },
        { sec: -3_000_000_000, nanos: 1, line: "1874" },
      ],
    },
  ];
  const want = {
    sec: [5, 2 ** 31 - 1, 2 ** 31 - 1, -(2 ** 31)],
    far: [
      [1, 4_102_444_800],
      [3, -3_000_000_000],
    ],
  };
  for (const [name, decoded] of [
    ["protobuf", () => decodePushProtobuf(encodePushProtobuf(far), 1e6)],
    ["JSON", () => decodePushJson(Buffer.from(encodePushJson(far)), false)],
  ] as const) {
    test(`${name}: columns have the nearest second, the true ones are kept`, async () => {
      const push = await decoded();
      expect([...push.sec.subarray(0, push.entryCount)]).toEqual(want.sec);
      expect([...(push.farSeconds ?? [])]).toEqual(want.far);
    });
  }

  test("a push without one keeps none", () => {
    expect(decodePushProtobuf(encodePushProtobuf(MANY), 1e7).farSeconds).toBeUndefined();
    const last = [{ labels: LabelSet.fromObject({ a: "1" }), entries: [{ sec: 2 ** 31 - 1, nanos: 0, line: "" }] }];
    expect(decodePushProtobuf(encodePushProtobuf(last), 1e7).farSeconds).toBeUndefined();
  });
});
