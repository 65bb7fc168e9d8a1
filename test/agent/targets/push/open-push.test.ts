import { request } from "node:https";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { deflateRawSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLokiPush } from "../../../../agent/targets/push/open-push.ts";
import { BODY_BYTES_MAX } from "../../../../agent/targets/push/receiver.ts";
import type { RelabelConfig } from "../../../../lib/text/relabel.ts";
import { LabelSet } from "../../../../lib/wire/labels.ts";
import { encodePushProtobuf } from "../../../../lib/wire/push-protobuf.ts";
import { SpoolRun } from "../../spool/harness.ts";
import { ReceiverRun } from "../receiver-harness.ts";

let run: ReceiverRun;
beforeEach(() => {
  run = new ReceiverRun();
});
afterEach(() => run.close());

const open = (yaml = "", relabel: Partial<RelabelConfig>[] = []): Promise<void> =>
  run.open("loki_push_api", openLokiPush, yaml, { relabel });
const PUSH = "/loki/api/v1/push";
const JSON_TYPE = { "content-type": "application/json" };
const json = (...streams: [labels: Record<string, string>, values: unknown[]][]): string =>
  JSON.stringify({ streams: streams.map(([stream, values]) => ({ stream, values })) });
const KEEP_TIME = "use_incoming_timestamp: true";

describe("a push", () => {
  test("in protobuf keeps lines, times and structured metadata", async () => {
    await open(KEEP_TIME);
    const labels = LabelSet.fromObject({ app: "a" });
    const body = encodePushProtobuf([
      { labels, entries: [{ sec: 1_700_000_000, nanos: 5, line: "hi ü\nthere", metadata: [["trace", "t"]] }] },
    ]);
    expect((await run.post(PUSH, body, { "content-type": "application/x-protobuf" })).status).toBe(204);
    expect(run.entries).toEqual([{ labels: { app: "a" }, line: "hi ü\nthere", ns: "1700000000000000005", metadata: [["trace", "t"]] }]);
  });

  test("in JSON keeps lines, times and structured metadata", async () => {
    await open(KEEP_TIME);
    expect((await run.post(PUSH, json([{ app: "a" }, [["1700000000000000007", "x", { k: "v" }]]]), JSON_TYPE)).status).toBe(204);
    expect(run.entries).toEqual([{ labels: { app: "a" }, line: "x", ns: "1700000000000000007", metadata: [["k", "v"]] }]);
  });

  for (const [encoding, pack] of [
    ["gzip", gzipSync],
    ["deflate", deflateRawSync],
  ] as const) {
    test(`in JSON and ${encoding}`, async () => {
      await open();
      const body = pack(json([{ app: "a" }, [["1", "packed"]]]));
      expect((await run.post(PUSH, body, { ...JSON_TYPE, "content-encoding": encoding })).status).toBe(204);
      expect(run.lines).toEqual(["packed"]);
    });
  }

  test("on the old path names its labels as one text", async () => {
    await open(KEEP_TIME);
    const body = JSON.stringify({ streams: [{ labels: '{app="a"}', entries: [{ ts: "2024-01-01T00:00:00.5Z", line: "old" }] }] });
    expect((await run.post("/api/prom/push", body, JSON_TYPE)).status).toBe(204);
    expect(run.entries).toEqual([{ labels: { app: "a" }, line: "old", ns: "1704067200500000000" }]);
  });

  test("gets the present time unless it is to keep its own", async () => {
    await open();
    const before = BigInt(Date.now()) * 1_000_000n;
    await run.post(PUSH, json([{ app: "a" }, [["1", "x"], ["2", "y"]]]), JSON_TYPE); // biome-ignore format: one line
    const [x, y] = run.entries.map(({ ns }) => BigInt(ns));
    expect(x! >= before && y! > x!).toBe(true);
  });

  test("without streams is taken", async () => {
    await open();
    expect((await run.post(PUSH, '{"streams": []}', JSON_TYPE)).status).toBe(204);
  });
});

describe("labels", () => {
  const two = json([{ app: "a", keep: "no" }, [["1", "a1"], ["2", "a2"]]], [{ app: "b" }, [["1", "b"]]]); // biome-ignore format: one line

  test("of the configuration stand over those of the stream", async () => {
    await open("labels: {app: fixed, more: m}");
    await run.post(PUSH, two, JSON_TYPE);
    expect(run.entries.map(({ labels }) => labels)).toEqual([
      { app: "fixed", keep: "no", more: "m" },
      { app: "fixed", keep: "no", more: "m" },
      { app: "fixed", more: "m" },
    ]);
  });

  test("are relabelled per stream, and a dropped stream does not hide the next", async () => {
    await open("labels: {more: m}", [
      { action: "drop", source_labels: ["keep"], regex: "no" },
      { source_labels: ["app", "more"], target_label: "both" },
    ]);
    expect((await run.post(PUSH, two, JSON_TYPE)).status).toBe(204);
    expect(run.entries.map(({ labels, line }) => [labels, line])).toEqual([[{ app: "b", more: "m", both: "b;m" }, "b"]]);
    expect(await run.metric("logentry_dropped_lines_total", { reason: "relabel" })).toBe(2);
  });

  test("may be none: stages may give some", async () => {
    await open();
    await run.post(PUSH, json([{ __x: "1" }, [["1", "l"]]], [{}, [["2", "m"]]]), JSON_TYPE);
    expect(run.entries.map(({ labels, line }) => [labels, line])).toEqual([[{}, "l"], [{}, "m"]]); // biome-ignore format: one line
  });

  test("that begin with two underscores are for the rules only, and so is the tenant", async () => {
    await open("", [{ source_labels: ["__tenant_id__", "__x"], target_label: "seen" }]);
    await run.post(PUSH, json([{ app: "a", __x: "1" }, [["1", "l"]]]), { ...JSON_TYPE, "x-scope-orgid": "acme" });
    expect(run.entries[0]!.labels).toEqual({ app: "a", seen: "acme;1" });
  });

  test("that cannot be read cost their stream, which the sender is told", async () => {
    await open();
    const body = JSON.stringify({
      streams: [
        { labels: "{app=a}", entries: [{ ts: "2024-01-01T00:00:00Z", line: "bad" }] },
        { labels: '{app="b"}', entries: [{ ts: "2024-01-01T00:00:00Z", line: "good" }] },
      ],
    });
    const { status, text } = await run.post("/api/prom/push", body, JSON_TYPE);
    expect([status, text]).toEqual([400, '1:6: parse error: unexpected identifier "a" in label set, expected string']);
    expect(run.lines).toEqual(["good"]);
  });
});

describe("text", () => {
  const RAW = "/promtail/api/v1/raw";
  test.each([
    ["a\nb\n", ["a", "b"]],
    ["a\r\n\r\n\n b \r\r\nlast", ["a", " b ", "last"]],
    ["\n\n", []],
    ["", []],
  ])("%j", async (body, lines) => {
    await open("labels: {job: raw}");
    expect((await run.post(RAW, body)).status).toBe(204);
    expect(run.entries.map(({ labels, line }) => [labels.job, line])).toEqual(lines.map((line) => ["raw", line]));
  });
});

describe("what is no push", () => {
  test.each([
    ["{", JSON_TYPE, 400, "push body is not JSON"],
    ["", JSON_TYPE, 400, "EOF"],
    ["garbage", { "content-type": "application/x-protobuf" }, 400, "snappy: corrupt input"],
    ["x", {}, 400, "snappy: corrupt input"],
    ["not compressed", { ...JSON_TYPE, "content-encoding": "gzip" }, 400, "gzip: invalid header"],
    ["x", { ...JSON_TYPE, "content-encoding": "br" }, 400, 'Content-Encoding "br" not supported'],
  ])("%j is refused", async (body, headers, status, says) => {
    await open();
    const answer = await run.post(PUSH, body, headers);
    expect([answer.status, answer.text.slice(0, says.length)]).toEqual([status, says]);
    expect(await run.metric("skald_receiver_requests_total", { status_code: String(status) })).toBe(1);
    expect(run.entries).toEqual([]);
  });

  test("a body that is too large is refused by its announced length", async () => {
    await open();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(run.port, "127.0.0.1", () =>
        socket.write(`POST ${PUSH} HTTP/1.1\r\nhost: x\r\ncontent-length: ${BODY_BYTES_MAX + 1}\r\n\r\n`),
      );
      socket.once("data", (data) => {
        resolve(data.toString());
        socket.destroy();
      });
    });
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  test("senders that announce much and send little hold up nobody", async () => {
    await open();
    const slow = Array.from({ length: 8 }, () => {
      const socket = connect(run.port, "127.0.0.1");
      socket.write(`POST ${PUSH} HTTP/1.1\r\nhost: x\r\ncontent-length: ${BODY_BYTES_MAX}\r\n\r\n${"x".repeat(1000)}`);
      return socket;
    });
    await run.until(() => run.details.unansweredBytes === 8_000);
    expect((await run.post(PUSH, json([{ a: "b" }, [["1", "x"]]]), JSON_TYPE)).status).toBe(204);
    for (const socket of slow) socket.destroy();
    await run.until(() => run.details.unansweredBytes === 0);
  });

  test("a body without a length is refused when it has grown too large", async () => {
    await open();
    const part = Buffer.alloc(1024 * 1024);
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(part),
    });
    const answer = await fetch(`${run.origin}${PUSH}`, { method: "POST", body, duplex: "half" } as RequestInit).then(
      ({ status }) => status,
      () => "cut",
    );
    expect([413, "cut"]).toContain(answer);
    await run.until(async () => (await run.metric("skald_receiver_requests_total", { status_code: "413" })) === 1);
    expect(run.details.unansweredBytes).toBe(0);
  });

  test("a small body that inflates is refused", async () => {
    await open();
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024));
    expect((await run.post(PUSH, bomb, { ...JSON_TYPE, "content-encoding": "gzip" })).status).toBe(413);
    expect(run.details.unansweredBytes).toBe(0);
  });

  test("half a body is nothing", async () => {
    await open();
    for (let i = 0; i < 3; i++)
      await run.writeAndLeave(`POST ${PUSH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"str`);
    await run.until(async () => (await run.metric("skald_receiver_requests_total", { status_code: "gone" })) === 3);
    expect(run.details).toMatchObject({ entries: 0, unansweredBytes: 0 });
    expect((await run.post(PUSH, json([{ a: "b" }, [["1", "after"]]]), JSON_TYPE)).status).toBe(204);
  });

  test("other methods and paths are refused", async () => {
    await open();
    expect((await fetch(`${run.origin}${PUSH}`)).status).toBe(405);
    expect((await fetch(`${run.origin}/metrics`)).status).toBe(404);
    const ready = await fetch(`${run.origin}/ready`);
    expect([ready.status, await ready.text()]).toEqual([200, "ready"]);
  });
});

describe("without a spool", () => {
  test("the answer waits for the acknowledgement", async () => {
    await open();
    run.holding = true;
    let answered = false;
    const posting = run.post(PUSH, json([{ a: "b" }, [["1", "x"]]]), JSON_TYPE).finally(() => {
      answered = true;
    });
    await run.until(() => run.entries.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(answered).toBe(false);
    run.acknowledge();
    expect((await posting).status).toBe(204);
  });

  test("a flood is told to come again, and every request gets one answer", async () => {
    await open();
    run.holding = true;
    const body = json([{ a: "b" }, [["1", "x".repeat(4 * 1024 * 1024)]]]);
    const posting = Array.from({ length: 20 }, () => run.post(PUSH, body, JSON_TYPE));
    const refused = (async () => (await Promise.all(posting)).filter(({ status }) => status === 503))();
    await run.until(async () => (await run.metric("skald_receiver_requests_total", { status_code: "503" })) + run.entries.length === 20);
    run.acknowledge();
    const answers = await Promise.all(posting);
    const taken = answers.filter(({ status }) => status === 204).length;
    expect(taken).toBe(run.entries.length);
    expect(taken).toBeGreaterThanOrEqual(8);
    expect((await refused).length).toBe(20 - taken);
    expect((await refused).every(({ retryAfter }) => retryAfter === "5")).toBe(true);
    expect(run.details.unansweredBytes).toBe(0);
  });

  test("who waits when the agent ends is cut off or told so", async () => {
    await open();
    run.holding = true;
    const posting = run.post(PUSH, json([{ a: "b" }, [["1", "x"]]]), JSON_TYPE).then(
      ({ status }) => status,
      () => "cut",
    );
    await run.until(() => run.entries.length === 1);
    await run.source!.stop({ drain: false });
    expect(["cut", 503]).toContain(await posting);
  });
});

describe("with a spool", () => {
  const spooled = new SpoolRun();
  afterEach(async () => {
    await spooled.spool?.close();
  });

  test("the answer waits for the disk only; a full spool says when to come again", async () => {
    const spool = await spooled.open({ bytesMax: 1024 * 1024 });
    await run.open("loki_push_api", openLokiPush, "", { spool });
    run.holding = true;
    const body = json([{ a: "b" }, [["1", "x".repeat(200_000)]]]);
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push((await run.post(PUSH, body, JSON_TYPE)).status);
    expect(statuses).toEqual([204, 204, 204, 204, 204, 503, 503]);
    expect((await run.post(PUSH, body, JSON_TYPE)).retryAfter).toBe("5");
    await run.until(() => run.entries.length === 5);
    run.acknowledge();
    await run.until(async () => (await run.post(PUSH, body, JSON_TYPE)).status === 204);
  });
});

describe("the server block", () => {
  const pem = (name: string): string => fileURLToPath(new URL(`../../client/loopback-${name}.pem`, import.meta.url));

  test("may ask for TLS and a prefix", async () => {
    const server = `, http_path_prefix: /in, http_tls_config: {cert_file: ${pem("cert")}, key_file: ${pem("key")}}`;
    await run.open("loki_push_api", openLokiPush, "", { server });
    const status = await new Promise<number>((resolve, reject) => {
      const options = { port: run.port, method: "POST", path: `/in${PUSH}`, headers: JSON_TYPE, rejectUnauthorized: false };
      request(options, (response) => resolve(response.statusCode!))
        .on("error", reject)
        .end(json([{ a: "b" }, [["1", "x"]]]));
    });
    expect([status, run.lines]).toEqual([204, ["x"]]);
  });

  test("names the certificate that cannot be read", () =>
    expect(
      run.open("loki_push_api", openLokiPush, "", { server: ", http_tls_config: {cert_file: /nowhere, key_file: /nowhere}" }),
    ).rejects.toThrow("cannot read /nowhere of loki_push_api.server.http_tls_config"));
});

test("an address that is taken is an error that names the key", async () => {
  await open();
  const other = new ReceiverRun();
  await expect(other.open("loki_push_api", openLokiPush, "", { port: run.port })).rejects.toThrow(
    "change loki_push_api.server.http_listen_port",
  );
});
