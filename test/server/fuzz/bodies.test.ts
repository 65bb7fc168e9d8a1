// Bodies of pushes that are nearly right, hostile in their lengths and depths, or bombs: taken or refused with a text, never a 500 or 503,
// and the process lives within its memory. SKALD_FUZZ_ROUNDS sets how many, SKALD_SEED which.

import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { encodePushProtobuf } from "../../../lib/wire/push-protobuf.ts";
import { type Random, seeded } from "../../lib/kernels/random.ts";
import { type StartedServer, startServer } from "../clients/started-server.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20_261_127);
const ROUNDS = Number(process.env.SKALD_FUZZ_ROUNDS ?? 60);
const MEMORY_BYTES_MAX = 1200 * 1024 * 1024;
/** What a body may cost the server: several times of what the dearest does, for slower machines. */
const CPU_MS_MAX = 2_000;
const NOW_NS = BigInt(Date.now()) * 1_000_000n;

let server: StartedServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => server?.stop());

interface Kind {
  readonly path: string;
  readonly type: string;
  readonly sound: readonly Buffer[];
}

const otlp = {
  resourceLogs: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "fuzz" } }], droppedAttributesCount: 1 },
      scopeLogs: [
        {
          scope: {
            name: "s",
            version: "1",
            attributes: [{ key: "deep", value: { kvlistValue: { values: [{ key: "a", value: { intValue: 5 } }] } } }],
          },
          logRecords: [
            {
              timeUnixNano: String(NOW_NS),
              observedTimeUnixNano: String(NOW_NS),
              severityNumber: 9,
              severityText: "INFO",
              body: { stringValue: "a line" },
              attributes: [
                { key: "list", value: { arrayValue: { values: [{ doubleValue: 0.5 }, { bytesValue: "AAEC" }, { boolValue: true }] } } },
              ],
              traceId: "0102030405060708090a0b0c0d0e0f10",
              spanId: "0102030405060708",
              flags: 1,
            },
          ],
        },
      ],
    },
  ],
};
const push = {
  streams: [
    {
      stream: { app: "fuzz", level: "info" },
      values: [
        [String(NOW_NS), "a line", { trace_id: "abc" }],
        [String(NOW_NS + 1n), "another"],
      ],
    },
    { stream: { app: "ünïcode" }, values: [[String(NOW_NS), 'quoted "line" \\ with \u0000 and 😀']] },
  ],
};
const legacy = { streams: [{ labels: '{app="fuzz"}', entries: [{ ts: new Date().toISOString(), line: "a line" }] }] };

/** ExportLogsServiceRequest of one record: fields by number, written by hand. */
function otlpProtobuf(): Buffer {
  const field = (number: number, wire: number, ...content: Buffer[]): Buffer => Buffer.concat([varint(number * 8 + wire), ...content]);
  const bytes = (number: number, content: Buffer): Buffer => field(number, 2, varint(content.length), content);
  const time = Buffer.alloc(8);
  time.writeBigUInt64LE(NOW_NS);
  const text = bytes(1, Buffer.from("fuzz"));
  const attribute = bytes(1, Buffer.concat([bytes(1, Buffer.from("service.name")), bytes(2, text)]));
  const nested = bytes(2, bytes(6, bytes(1, Buffer.concat([bytes(1, Buffer.from("k")), bytes(2, bytes(5, bytes(1, text)))]))));
  const record = Buffer.concat([
    field(1, 1, time),
    field(2, 0, varint(9)),
    bytes(3, Buffer.from("INFO")),
    bytes(5, text),
    bytes(6, Buffer.concat([bytes(1, Buffer.from("deep")), nested])),
  ]);
  return bytes(1, Buffer.concat([bytes(1, attribute), bytes(2, bytes(2, record))]));
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return Buffer.from([...out, value]);
}

const KINDS: readonly Kind[] = [
  { path: "/loki/api/v1/push", type: "application/json", sound: [Buffer.from(JSON.stringify(push))] },
  { path: "/api/prom/push", type: "application/json", sound: [Buffer.from(JSON.stringify(legacy))] },
  {
    path: "/loki/api/v1/push",
    type: "application/x-protobuf",
    sound: [
      Buffer.from(
        encodePushProtobuf([
          {
            labels: LabelSet.fromObject({ app: "fuzz" }),
            entries: [{ sec: Number(NOW_NS / 1_000_000_000n), nanos: 5, line: "a line", metadata: [["trace_id", "abc"]] }],
          },
        ]),
      ),
    ],
  },
  { path: "/otlp/v1/logs", type: "application/json", sound: [Buffer.from(JSON.stringify(otlp))] },
  { path: "/otlp/v1/logs", type: "application/x-protobuf", sound: [otlpProtobuf()] },
];

const TOKENS = [
  "null",
  "true",
  "-1",
  "1e999",
  "9".repeat(40),
  '""',
  "[]",
  "{}",
  '"\\ud800"',
  "[[]]",
  '{"stringValue":5}',
  '"NaN"',
  "\u0000",
  ",",
  ":",
  "}",
  "]",
];

function mutated(body: Buffer, isJson: boolean, random: Random): Buffer {
  let out = Buffer.from(body);
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(out.length + 1);
    const end = Math.min(out.length, at + random.below(12));
    const pieces = [
      () => [out.subarray(0, at)],
      () => [out.subarray(0, at), out.subarray(end)],
      () => [out.subarray(0, at), Buffer.from(random.bytes(1 + random.below(6))), out.subarray(end)],
      () => [out.subarray(0, at), ...Array.from({ length: 1 + random.below(20) }, () => out.subarray(at, end)), out.subarray(end)],
      // A length or a number that promises very much.
      () => [out.subarray(0, at), Buffer.from([0xff, 0xff, 0xff, 0xff, random.below(16)]), out.subarray(end)],
      () => [out.subarray(0, at), isJson ? Buffer.from(random.pick(TOKENS)) : Buffer.from(random.bytes(2)), out.subarray(end)],
    ];
    out = Buffer.concat(random.pick(pieces)());
  }
  return out;
}

async function send({ path, type }: Kind, body: Buffer, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body: new Uint8Array(body),
    signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, text: await response.text() };
}

async function complaintOf(kind: Kind, body: Buffer, headers?: Record<string, string>): Promise<string[]> {
  const cpuBeforeMs = server.cpuMs();
  const { status, text } = await send(kind, body, headers);
  const cpuMs = server.cpuMs() - cpuBeforeMs;
  const helps = status === 204 || (status >= 400 && status < 500 && text.trim() !== "");
  if (
    cpuMs <= CPU_MS_MAX &&
    helps &&
    !/TypeError|RangeError|Cannot read|is not a function|Maximum call stack|Invalid string length/.test(text)
  )
    return [];
  return [
    `${kind.path} ${kind.type} ${JSON.stringify(headers ?? {})} -> ${status} after ${cpuMs} ms of processor time ${text.slice(0, 300)}: ${body.toString("base64").slice(0, 400)}`,
  ];
}

for (const kind of KINDS) {
  const name = `${kind.path}, ${kind.type}`;
  test(`${name}: sound bodies are taken`, async () => {
    for (const body of kind.sound) expect(await send(kind, body)).toEqual({ status: 204, text: "" });
  });

  test(`${name}: mutated bodies are taken or refused`, { timeout: 600_000 }, async () => {
    const random = seeded(SEED);
    const complaints: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const body = mutated(random.pick(kind.sound), kind.type === "application/json", random);
      complaints.push(...(await complaintOf(kind, body)));
    }
    expect(complaints, `seed ${SEED}`).toEqual([]);
  });

  test(`${name}: any bytes, and encodings that are not what they say`, async () => {
    const random = seeded(SEED + 1);
    const complaints: string[] = [];
    for (let round = 0; round < ROUNDS / 10; round++) {
      complaints.push(...(await complaintOf(kind, Buffer.from(random.bytes(random.below(200))))));
      const encoding = random.pick(["gzip", "deflate", "snappy", "lz4", "zstd", "br", "identity", "gzip, gzip", "x"]);
      const body = random.chance(0.5) ? mutated(gzipSync(kind.sound[0]!), false, random) : kind.sound[0]!;
      complaints.push(...(await complaintOf(kind, body, { "content-encoding": encoding })));
    }
    expect(complaints, `seed ${SEED}`).toEqual([]);
  });
}

const [pushJsonKind, , pushProtobufKind, otlpJsonKind, otlpProtobufKind] = KINDS as [Kind, Kind, Kind, Kind, Kind];

/** `{ parts: open × depth, middle, close × depth }` */
function nest(open: string, middle: string, close: string, depth: number): string {
  return open.repeat(depth) + middle + close.repeat(depth);
}
const DEEP = 200_000;
const inOtlp = (value: string): string =>
  `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"${NOW_NS}","body":${value}}]}]}]}`;

for (const [name, kind, body] of [
  ["a push of arrays in arrays", pushJsonKind, nest("[", "", "]", DEEP)],
  ["a push of objects in objects", pushJsonKind, nest('{"a":', "1", "}", DEEP)],
  [
    "a line that is deep JSON",
    pushJsonKind,
    JSON.stringify({ streams: [{ stream: { a: "deep" }, values: [[String(NOW_NS), nest('{"a":', "1", "}", 20_000)]] }] }),
  ],
  [
    "metadata that is deep",
    pushJsonKind,
    `{"streams":[{"stream":{"a":"b"},"values":[["${NOW_NS}","x",{"a":${nest("[", "", "]", DEEP)}}]]}]}`,
  ],
  [
    "an unknown key that is deep",
    pushJsonKind,
    `{"x":${nest("[", "", "]", DEEP)},"streams":[{"stream":{"a":"b"},"values":[["${NOW_NS}","x"]]}]}`,
  ],
  ["OTLP of arrays in arrays", otlpJsonKind, nest("[", "", "]", DEEP)],
  ["an OTLP body that is deep", otlpJsonKind, inOtlp(nest('{"arrayValue":{"values":[', '{"stringValue":"x"}', "]}}", 20_000))],
  ["an OTLP body of maps in maps", otlpJsonKind, inOtlp(nest('{"kvlistValue":{"values":[{"key":"k","value":', "{}", "}]}}", 20_000))],
] as const) {
  test(`${name} ends in an answer`, async () => {
    expect(await complaintOf(kind, Buffer.from(body))).toEqual([]);
  });
}

test("protobuf of messages in messages ends in an answer", async () => {
  let value: Buffer = Buffer.from([0x0a, 0x01, 0x78]);
  for (let depth = 0; depth < 5_000; depth++) {
    const list = Buffer.concat([Buffer.from([0x0a]), varint(value.length), value]);
    value = Buffer.concat([Buffer.from([0x2a]), varint(list.length), list]);
  }
  const wrap = (field: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([field * 8 + 2]), varint(content.length), content]);
  const body = wrap(1, wrap(2, wrap(2, wrap(5, value))));
  expect(await complaintOf(otlpProtobufKind, body)).toEqual([]);
});

const BOMB_BYTES = 300 * 1024 * 1024;
const bomb = gzipSync(Buffer.alloc(BOMB_BYTES, 0x20), { level: 9 });
for (const kind of [pushJsonKind, pushProtobufKind, otlpJsonKind, otlpProtobufKind]) {
  test(`${kind.path}, ${kind.type}: a gzip bomb is refused before it is unpacked`, async () => {
    const answer = await send(kind, bomb, { "content-encoding": "gzip" });
    expect(answer.status).toBe(413);
    expect(answer.text).toContain("request body too large");
  });
}

test("snappy that promises four gigabytes is refused", async () => {
  const answer = await send(pushProtobufKind, Buffer.concat([varint(0xffff_fff0), Buffer.alloc(100)]));
  expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
  expect(answer.status, answer.text).toBeLessThan(500);
});

test("a body larger than may come is refused", async () => {
  const answer = await send(pushJsonKind, Buffer.alloc(150 * 1024 * 1024, 0x20));
  expect(answer.status, answer.text).toBe(413);
});

test("the server lives, answers, and has not grown", async () => {
  expect(server.running()).toBe(true);
  expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  expect(server.memoryBytes()).toBeLessThan(MEMORY_BYTES_MAX);
  expect(server.log()).not.toMatch(/request failed|push failed/);
  const query = encodeURIComponent('sum by (app) (count_over_time({app=~".+"}[1h]))');
  expect((await fetch(`${server.url}/loki/api/v1/query?query=${query}`)).status).toBe(200);
});
