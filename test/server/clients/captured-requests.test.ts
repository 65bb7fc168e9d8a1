// Requests as clients put them on the wire: request line, headers in their order and case, bodies byte for byte; two of a client on one
// connection where it keeps it. Captured from the clients named, or written from their sources where those say all of it.

import { connect } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { encodePushProtobuf } from "../../../lib/wire/push-protobuf.ts";
import { type StartedServer, startServer } from "./started-server.ts";

let server: StartedServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => server?.stop());

const nowMs = Date.now();
const sec = Math.floor(nowMs / 1000);
const ns = `${nowMs}000000`;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Sends the pieces as they are; resolves with so many answers. */
function exchange(pieces: readonly (string | Buffer)[], answers: number): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1");
    let received = Buffer.alloc(0);
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no ${answers} answers, but: ${received.toString("latin1")}`)));
    socket.on("error", reject);
    socket.on("data", (part) => {
      received = Buffer.concat([received, part]);
      const found = readAnswers(received);
      if (found.length < answers) return;
      socket.destroy();
      resolve(found);
    });
    for (const piece of pieces) socket.write(piece);
  });
}

function readAnswers(received: Buffer): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; ; ) {
    const headEnd = received.indexOf("\r\n\r\n", at);
    if (headEnd < 0) return answers;
    const [statusLine = "", ...lines] = received.toString("latin1", at, headEnd).split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
    );
    at = headEnd + 4;
    // 100 is not the answer yet.
    if (status === 100) continue;
    const parts: Buffer[] = [];
    if (headers["transfer-encoding"] === "chunked") {
      for (let size = -1; size !== 0; ) {
        const lineEnd = received.indexOf("\r\n", at);
        if (lineEnd < 0) return answers;
        size = Number.parseInt(received.toString("latin1", at, lineEnd), 16);
        if (received.length < lineEnd + 4 + size) return answers;
        parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
        at = lineEnd + 4 + size;
      }
    } else {
      const size = Number(headers["content-length"] ?? 0);
      if (received.length < at + size) return answers;
      parts.push(received.subarray(at, (at += size)));
    }
    const body = Buffer.concat(parts);
    answers.push({ status, headers, body: headers["content-encoding"] === "gzip" ? gunzipSync(body) : body });
  }
}

function head(...lines: readonly string[]): string {
  return `${lines.map((line) => line.replace("{host}", `127.0.0.1:${server.port}`)).join("\r\n")}\r\n\r\n`;
}

function chunked(body: Buffer, pieceBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += pieceBytes) {
    const piece = body.subarray(at, at + pieceBytes);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

async function linesOf(selector: string): Promise<string[]> {
  const response = await fetch(`${server.url}/loki/api/v1/query_range?${new URLSearchParams({ query: selector, direction: "forward" })}`);
  const { data } = (await response.json()) as { data: { result: { values: [string, string][] }[] } };
  return data.result.flatMap(({ values }) => values.map(([, line]) => line)).sort();
}

function protobuf(client: string, ...lines: string[]): Buffer {
  const labels = LabelSet.fromObject({ client });
  return Buffer.from(encodePushProtobuf([{ labels, entries: lines.map((line, i) => ({ sec, nanos: i, line })) }]));
}
function jsonBody(client: string, ...lines: string[]): Buffer {
  return Buffer.from(JSON.stringify({ streams: lines.map((line) => ({ stream: { client }, values: [[ns, line]] })) }));
}

/** One push per client: what it sends, with `{length}` for the body's. */
const PUSHES: readonly { client: string; head: readonly string[]; body: Buffer; chunkBytes?: number }[] = [
  {
    client: "promtail",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "User-Agent: promtail/3.5.1",
      "Content-Length: {length}",
      "Content-Type: application/x-protobuf",
      "X-Scope-Orgid: ignored-without-auth",
      "Accept-Encoding: gzip",
    ],
    body: protobuf("promtail", "one", "two"),
  },
  {
    client: "fluent-bit",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "Content-Length: {length}",
      "User-Agent: Fluent-Bit",
      "Content-Type: application/json",
      "Connection: keep-alive",
    ],
    body: Buffer.from(
      `{"streams":[{"stream":{"client":"fluent-bit","job":"fluent-bit"},"values":[["${ns}","one",{"trace":"a"}],["${ns}","two",{}]]}]}`,
    ),
  },
  {
    client: "fluent-bit-gzip",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "Content-Length: {length}",
      "User-Agent: Fluent-Bit",
      "Content-Type: application/json",
      "Content-Encoding: gzip",
    ],
    body: gzipSync(jsonBody("fluent-bit-gzip", "one", "two")),
  },
  {
    client: "vector",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "content-type: application/x-protobuf",
      "content-encoding: snappy",
      "user-agent: Vector/0.40.0 (x86_64-unknown-linux-gnu)",
      "accept-encoding: identity",
      "host: {host}",
      "content-length: {length}",
    ],
    body: protobuf("vector", "one", "two"),
  },
  {
    client: "vector-gzip",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "content-type: application/json",
      "content-encoding: gzip",
      "user-agent: Vector/0.40.0 (x86_64-unknown-linux-gnu)",
      "accept-encoding: identity",
      "host: {host}",
      "content-length: {length}",
    ],
    body: gzipSync(jsonBody("vector-gzip", "one", "two")),
  },
  {
    // Some versions forget the word Basic.
    client: "pino-loki",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "host: {host}",
      "connection: keep-alive",
      "content-type: application/json",
      "authorization: dXNlcjpwYXNz",
      "accept: */*",
      "accept-language: *",
      "sec-fetch-mode: cors",
      "user-agent: node",
      "accept-encoding: gzip, deflate",
      "content-length: {length}",
    ],
    body: jsonBody("pino-loki", "one", "two"),
  },
  {
    client: "winston-loki",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Content-Type: application/x-protobuf",
      "Content-Length: {length}",
      "Authorization: Basic dXNlcjpwYXNz",
      "Host: {host}",
      "Connection: keep-alive",
    ],
    body: protobuf("winston-loki", "one", "two"),
  },
  {
    client: "winston-loki-json",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Content-Type: application/json",
      "Content-Length: {length}",
      "Host: {host}",
      "Connection: close",
    ],
    body: Buffer.from(
      `{"streams":[{"stream":{"client":"winston-loki-json"},"values":[["${ns}","one",{"level":"info"}],["${ns}","two",{"level":"warn"}]]}]}`,
    ),
  },
  {
    client: "python-logging-loki",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "User-Agent: python-requests/2.31.0",
      "Accept-Encoding: gzip, deflate",
      "Accept: */*",
      "Connection: keep-alive",
      "Content-Length: {length}",
      "Content-Type: application/json; charset=utf-8",
    ],
    body: jsonBody("python-logging-loki", "one", "two"),
  },
  {
    client: "chunked",
    head: ["POST /loki/api/v1/push HTTP/1.1", "Host: {host}", "Content-Type: application/json", "Transfer-Encoding: chunked"],
    body: jsonBody("chunked", "one", "two"),
    chunkBytes: 7,
  },
  {
    client: "curl-of-many-megabytes",
    head: [
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "User-Agent: curl/7.88.1",
      "Accept: */*",
      "Content-Type: application/json",
      "Content-Length: {length}",
      "Expect: 100-continue",
    ],
    body: jsonBody("curl-of-many-megabytes", "one", "two"),
  },
];

for (const { client, head: lines, body, chunkBytes } of PUSHES) {
  test(`${client}: a push, and another on the same connection`, async () => {
    const request = head(...lines.map((line) => line.replace("{length}", String(body.length))));
    const sent = chunkBytes === undefined ? body : chunked(body, chunkBytes);
    const once = lines.includes("Connection: close") || lines.some((line) => line.startsWith("Expect"));
    const answers = await exchange(once ? [request, sent] : [request, sent, request, sent], once ? 1 : 2);
    for (const answer of answers) expect([answer.status, answer.body.toString()]).toEqual([204, ""]);
    expect(await linesOf(`{client="${client}"}`)).toEqual(["one", "two"]);
  });
}

test("OpenTelemetry: chunks without a length, exact content type", async () => {
  const body = Buffer.from(
    JSON.stringify({
      resourceLogs: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "otel-js" } }], droppedAttributesCount: 0 },
          scopeLogs: [
            {
              scope: { name: "app" },
              logRecords: [
                {
                  timeUnixNano: ns,
                  observedTimeUnixNano: ns,
                  severityNumber: 9,
                  body: { stringValue: "one" },
                  attributes: [{ key: "n", value: { intValue: 5 } }],
                  droppedAttributesCount: 0,
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  const request = head(
    "POST /otlp/v1/logs HTTP/1.1",
    "User-Agent: OTel-OTLP-Exporter-JavaScript/0.223.1",
    "Content-Type: application/json",
    "Content-Encoding: gzip",
    "Host: {host}",
    "Connection: keep-alive",
    "Transfer-Encoding: chunked",
  );
  const [answer] = await exchange([request, chunked(gzipSync(body), 100)], 1);
  expect(answer!.status).toBe(204);
  expect(await linesOf('{service_name="otel-js"}')).toEqual(["one"]);
});

test("Vector asks whether the server is ready before it sends", async () => {
  const [answer] = await exchange([head("GET /ready HTTP/1.1", "host: {host}", "user-agent: Vector/0.40.0")], 1);
  expect([answer!.status, answer!.body.toString()]).toEqual([200, "ready\n"]);
});

/** What logcli asks with `User-Agent: loki-logcli/…`, and how its answers begin. */
const LOGCLI: readonly (readonly [name: string, path: string, begins: string])[] = [
  [
    "query",
    `query_range?direction=BACKWARD&end=${ns}&limit=30&query=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000`,
    '{"status":"success","data":{"resultType":"streams"',
  ],
  [
    "instant-query",
    `query?direction=BACKWARD&limit=30&query=count_over_time%28%7Bclient%3D%22promtail%22%7D%5B1h%5D%29&time=${nowMs + 1000}000000`,
    '{"status":"success","data":{"resultType":"vector"',
  ],
  ["labels", `labels?end=${ns}&start=${(sec - 3600) * 1000}000000`, '{"status":"success","data":["client"'],
  ["labels of a name", `label/client/values?end=${nowMs + 1000}000000&start=${(sec - 3600) * 1000}000000`, '{"status":"success","data":["'],
  [
    "series",
    `series?end=${nowMs + 1000}000000&match=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000`,
    '{"status":"success","data":[{',
  ],
  ["stats", `index/stats?end=${nowMs + 1000}000000&query=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000`, '{"streams":'],
  [
    "volume",
    `index/volume?aggregateBy=series&end=${nowMs + 1000}000000&limit=30&query=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000`,
    '{"status":"success","data":{"resultType":"vector"',
  ],
  [
    "volume_range",
    `index/volume_range?aggregateBy=series&end=${nowMs + 1000}000000&limit=30&query=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000&step=60.000000`,
    '{"status":"success","data":{"resultType":"',
  ],
  [
    "detected-fields",
    `detected_fields?end=${nowMs + 1000}000000&limit=100&line_limit=1000&query=%7Bclient%3D%22promtail%22%7D&start=${(sec - 3600) * 1000}000000`,
    "{",
  ],
];
for (const [name, path, begins] of LOGCLI) {
  test(`logcli ${name}`, async () => {
    const [answer] = await exchange(
      [
        head(
          `GET /loki/api/v1/${path} HTTP/1.1`,
          "Host: {host}",
          "User-Agent: loki-logcli/3.5.1",
          "X-Query-Tags: source=logcli",
          "Accept-Encoding: gzip",
        ),
      ],
      1,
    );
    expect(answer!.status, answer!.body.toString()).toBe(200);
    expect(answer!.body.toString().slice(0, begins.length)).toBe(begins);
  });
}

test("Grafana posts long queries as forms, and its proxy may chunk them", async () => {
  const form = Buffer.from(
    new URLSearchParams({ query: '{client="promtail"}', start: String(sec - 60), end: String(sec + 60), limit: "10" }).toString(),
  );
  const [answer] = await exchange(
    [
      head(
        "POST /loki/api/v1/query_range HTTP/1.1",
        "Host: {host}",
        "User-Agent: Grafana/12.0.0",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
        "X-Loki-Response-Encoding-Flags: categorize-labels",
        "Accept-Encoding: gzip",
      ),
      chunked(form, 20),
    ],
    1,
  );
  expect(answer!.status).toBe(200);
  expect(JSON.parse(answer!.body.toString())).toMatchObject({
    data: { encodingFlags: ["categorize-labels"], result: [{ values: [expect.anything(), expect.anything()] }] },
  });
});

test("mistakes of curl's users are told in words", async () => {
  for (const [body, type, says] of [
    [`{"streams":[{"stream":{"a":"b"},"values":[[${ns},"x"]]}]}`, "application/json", "time"],
    [`{"streams":[{"stream":{"a":"b"},"values":[["${nowMs}","x"]]}]}`, "application/json", "too old"],
    [`{"streams":[]}`, "application/json", "at least one valid stream"],
    [`{"streams":[{"stream":{"a.b":"c"},"values":[["${ns}","x"]]}]}`, "application/json", "unexpected character inside braces: '.'"],
    ["streams", "text/plain", "snappy"],
  ] as const) {
    const request = head(
      "POST /loki/api/v1/push HTTP/1.1",
      "Host: {host}",
      "User-Agent: curl/7.88.1",
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
    );
    const [answer] = await exchange([request, body], 1);
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    expect(answer!.status).toBeLessThan(500);
    expect(answer!.body.toString()).toContain(says);
  }
});
