import { describe, expect, test } from "vitest";
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
  test("JSON both ways", () => expect(rows(decodePushJson(Buffer.from(encodePushJson(MANY)), false))).toEqual(wanted(MANY)));
  test("the legacy JSON form", () => {
    const body = Buffer.from('{"streams":[{"labels":"{a=\\"b\\"}","entries":[{"ts":"2026-01-01T00:00:01.5Z","line":"x"}]}]}');
    expect(rows(decodePushJson(body, true))).toEqual([['{a="b"}', [1767225601, 500_000_000, "x", []]]]);
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
    ["text that is no JSON", "streams=1"],
    ["nothing", ""],
  ] as const)
    test(`JSON: refuses ${name}`, () => expect(() => decodePushJson(Buffer.from(body), false)).toThrow(PushError));
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
    test(`${name}: columns have the nearest second, the true ones are kept`, () => {
      const push = decoded();
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
