import { createSocket } from "node:dgram";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { gelfSchema } from "../../../../agent/config/rare-blocks.ts";
import { GelfError, readGelf } from "../../../../agent/targets/gelf/gelf-message.ts";
import { openGelf } from "../../../../agent/targets/gelf/open-gelf.ts";
import type { Source } from "../../../../agent/targets/source.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";
import { asWritten, type HarnessOptions, SourceHarness } from "../harness.ts";

const MAX = 10_000;
const FULL = '{"version":"1.1","host":"web","short_message":"hi","timestamp":1700000000.123456,"level":4,"facility":"app","_user":"u"}';

describe("reads", () => {
  const json = (payload: Uint8Array): string => Buffer.from(readGelf(payload, MAX).json).toString();
  test.each([
    ["plain", Buffer.from(FULL)],
    ["gzip", gzipSync(FULL)],
    ["zlib", deflateSync(FULL)],
    ["zlib of little effort", deflateSync(FULL, { level: 1 })],
    ["a NUL at the end", Buffer.from(`${FULL}\0`)],
  ])("%s", (_, payload) => expect(json(payload)).toBe(FULL));

  test("what labels are made of", () =>
    expect(readGelf(Buffer.from(FULL), MAX)).toMatchObject({
      version: "1.1",
      host: "web",
      facility: "app",
      level: "warning",
      time: [1_700_000_000, 123_456_000],
    }));

  test("nothing is asked for", () =>
    expect(readGelf(Buffer.from("{}"), MAX)).toMatchObject({ version: "", host: "", facility: "", level: "emergency", time: undefined }));

  test("numbers in quotes", () =>
    expect(readGelf(Buffer.from('{"level":"3","timestamp":"5.5"}'), MAX)).toMatchObject({ level: "error", time: [5, 500_000_000] }));

  test.each([
    ["no JSON", Buffer.from("hello"), "no JSON"],
    ["no object", Buffer.from("[1]"), "no JSON object"],
    ["nothing", Buffer.alloc(0), "no JSON"],
    ["a host that is no text", Buffer.from('{"host":5}'), "invalid type for field host"],
    ["a level that is no number", Buffer.from('{"level":"high"}'), "invalid type for field level"],
    ["damaged gzip", gzipSync(FULL).subarray(0, 30), "damaged"],
    ["a bomb", gzipSync(Buffer.alloc(50_000_000)), "longer than 10000 bytes"],
    ["a bomb of zlib", deflateSync(Buffer.alloc(50_000_000)), "longer than 10000 bytes"],
    ["too much", Buffer.from(JSON.stringify({ host: "x".repeat(MAX) })), "longer than 10000 bytes"],
  ])("not %s", (_, payload, error) => expect(() => readGelf(payload, MAX)).toThrow(error));

  test("any bytes are a message or an error of its own", () => {
    const random = seededRandom(11);
    const seeds = [Buffer.from(FULL), gzipSync(FULL), deflateSync(FULL)];
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.from(seeds[round % 3]!);
      for (let k = 0; k < 3; k++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      try {
        readGelf(bytes.subarray(0, 1 + Math.floor(random() * bytes.length)), MAX);
      } catch (error) {
        expect(error).toBeInstanceOf(GelfError);
      }
    }
  });
});

describe("the source", () => {
  let harness: SourceHarness;
  let source: Source | undefined;
  afterEach(async () => {
    harness.acknowledge();
    await source?.stop({ drain: false });
    await harness.intake.stop();
  });
  const relabel = ["level", "host", "version", "facility"].map((name) => ({
    source_labels: [`__gelf_message_${name}`],
    target_label: name,
  }));
  async function start(config: object = {}, options: HarnessOptions & { inFlightBytesMax?: number } = {}): Promise<void> {
    harness = new SourceHarness({ acknowledging: true, relabel, ...options });
    source = await openGelf(
      gelfSchema().parse(asWritten({ listen_address: "127.0.0.1:0", labels: { job: "j" }, ...config })),
      harness.context,
      options,
    );
  }
  async function send(...datagrams: (Uint8Array | string)[]): Promise<void> {
    const { address } = source!.targets[0]!.details() as { address: string };
    const socket = createSocket("udp4");
    for (const datagram of datagrams)
      await new Promise((resolve) => socket.send(datagram, Number(address.split(":")[1]), "127.0.0.1", resolve));
    socket.close();
  }
  const chunksOf = (message: Uint8Array, count: number): Buffer[] =>
    Array.from({ length: count }, (_, i) => {
      const size = Math.ceil(message.length / count);
      return Buffer.concat([Buffer.from([0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, i, count]), message.subarray(i * size, (i + 1) * size)]);
    });
  const metric = (name: string, labels = {}): Promise<number> => harness.metric(`promtail_gelf_target_${name}`, labels);

  test("makes entries of messages, whole and in chunks", async () => {
    await start();
    await send(gzipSync(FULL), ...chunksOf(deflateSync(FULL), 3).reverse(), FULL);
    await harness.until(() => harness.lines.length === 3);
    const labels = '{facility="app", host="web", job="j", level="warning", version="1.1"}';
    expect(harness.entries).toEqual(new Array(3).fill(`${labels} ${FULL}`));
    expect(await metric("entries_total")).toBe(3);
  });

  test("counts what a rule drops, and hands on what has no labels: stages may give it some", async () => {
    await start({ labels: {} }, { relabel: [{ action: "drop", source_labels: ["__gelf_message_host"], regex: "web" }] });
    await send(FULL, "{}");
    await harness.until(() => harness.lines.length === 1);
    expect(harness.entries).toEqual(["{} {}"]);
    expect(await metric("dropped_total", { reason: "relabel" })).toBe(1);
  });

  test("counts garbage and messages that stay incomplete", async () => {
    await start();
    await send("garbage", ...chunksOf(Buffer.from(FULL), 4).slice(1), FULL);
    await harness.until(() => harness.lines.length === 1);
    await source!.stop({ drain: false });
    source = undefined;
    expect(await metric("parsing_errors_total")).toBe(1);
    expect(await metric("dropped_total", { reason: "incomplete" })).toBe(1);
  });

  test("takes the sender's time when it is told to", async () => {
    await start({ use_incoming_timestamp: true });
    await send(FULL);
    await harness.until(() => harness.lines.length === 1);
    expect(harness.times).toEqual([1_700_000_000_123_456_000n]);
  });

  test("takes a flood while there is room, and counts the rest", async () => {
    await start({}, { acknowledging: false, inFlightBytesMax: 10 * (FULL.length + 64) });
    for (let i = 0; i < 50; i++) {
      await send(FULL);
      await harness.until(async () => (await metric("entries_total")) + (await metric("dropped_total")) === i + 1);
    }
    expect(harness.lines).toHaveLength(10);
    expect(await metric("dropped_total", { reason: "in_flight_limit" })).toBe(40);
  });
});
