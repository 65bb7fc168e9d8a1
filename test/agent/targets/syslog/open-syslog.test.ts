// The source over real sockets: every message that is sent is an entry or counted, and nobody can fill the memory or hold others up.

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { syslogSchema } from "../../../../agent/config/rare-blocks.ts";
import type { Source } from "../../../../agent/targets/source.ts";
import { openSyslog } from "../../../../agent/targets/syslog/open-syslog.ts";
import { asWritten, type HarnessOptions, SourceHarness } from "../harness.ts";

let harness: SourceHarness;
let source: Source | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  harness.acknowledge();
  await source?.stop({ drain: false });
  source = undefined;
  await harness.intake.stop();
});

const LABELS = ["severity", "facility", "hostname", "app_name", "proc_id", "msg_id"];
const relabel = LABELS.map((name) => ({ source_labels: [`__syslog_message_${name}`], target_label: name }));

async function start(
  config: Record<string, unknown> = {},
  options: HarnessOptions & { inFlightBytesMax?: number; lookup?: (address: string) => Promise<string> } = {},
): Promise<void> {
  harness = new SourceHarness({ acknowledging: true, relabel, ...options });
  source = await openSyslog(
    syslogSchema().parse(asWritten({ listen_address: "127.0.0.1:0", labels: { job: "j" }, ...config })),
    harness.context,
    options,
  );
}
const port = (): number => Number(/:(\d+)$/.exec((source!.targets[0]!.details() as { address: string }).address)![1]);
const connections = (): number => (source!.targets[0]!.details() as { connections: number }).connections;
async function dial(): Promise<Socket> {
  const socket = connect(port(), "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}
const sendUdp = async (...datagrams: (string | Buffer)[]): Promise<void> => {
  const socket = createSocket("udp4");
  for (const datagram of datagrams) await new Promise((resolve) => socket.send(datagram, port(), "127.0.0.1", resolve));
  socket.close();
};
const has = (count: number): Promise<void> => harness.until(() => harness.lines.length === count);
const counts = async (): Promise<number[]> => [
  await harness.metric("promtail_syslog_target_entries_total"),
  await harness.metric("promtail_syslog_target_parsing_errors_total"),
  await harness.metric("promtail_syslog_empty_messages_total"),
];
const message = (text: string): string => `<165>1 2003-10-11T22:14:15.003Z web app 77 ID47 [origin@9 ip="1"] ${text}`;
const HEAD = '{app_name="app", facility="local4", hostname="web", job="j", msg_id="ID47", proc_id="77", severity="notice"}';

describe("over TCP", () => {
  test("messages in both framings become entries with labels", async () => {
    await start();
    const socket = await dial();
    socket.write(`${message("one")}\n${Buffer.byteLength(message("two\n"))} ${message("two\n")}${message("three")}\n`);
    await has(3);
    expect(harness.entries).toEqual([`${HEAD} one`, `${HEAD} two`, `${HEAD} three`]);
    expect(await counts()).toEqual([3, 0, 0]);
  });

  test("a line needs no next one to be sent, and the last no line feed", async () => {
    await start();
    const socket = await dial();
    socket.write(`${message("one")}\n`);
    await has(1);
    socket.end(message("two"));
    await has(2);
  });

  test("garbage, a message that is too long, an empty one and half a frame are counted, and the others arrive", async () => {
    await start({ max_message_length: 200 });
    const socket = await dial();
    socket.write(
      `GET / HTTP/1.1\n${message("x".repeat(200))}\n<13>Nov 21 20:00:33 h app: old\n<1>1 - - - - - -\n<1>1 - - - - - - \n${message("good")}\n`,
    );
    await has(1);
    socket.end("99 <1>1 half");
    await harness.until(() => connections() === 0);
    expect(harness.lines).toEqual(["good"]);
    expect(await counts()).toEqual([1, 4, 2]);
    expect(harness.logged.join("")).toMatch(/level=debug.*not a syslog message/);
  });

  test("connections that break and come again lose nothing but the half message", async () => {
    await start();
    for (let i = 0; i < 5; i++) {
      const socket = await dial();
      await new Promise((resolve) => socket.write(`${message(`n ${i}`)}\n${message("half")}`, resolve));
      await has(i + 1);
      socket.resetAndDestroy();
    }
    await harness.until(() => connections() === 0);
    expect(harness.lines).toEqual([0, 1, 2, 3, 4].map((i) => `n ${i}`));
    expect(await counts()).toEqual([5, 5, 0]);
  });

  test("who sends nothing whole for idle_timeout is cut off", async () => {
    await start({ idle_timeout: "300ms" });
    const slow = await dial();
    const gone = new Promise((resolve) => slow.once("close", resolve));
    const dripping = setInterval(() => slow.write("<"), 20);
    const busy = await dial();
    const sending = setInterval(() => busy.write(`${message("alive")}\n`), 50);
    await gone;
    clearInterval(dripping);
    await harness.until(() => harness.lines.length > 12);
    clearInterval(sending);
    expect(connections()).toBe(1);
    expect((await counts())[1]).toBe(1);
  });

  test("a sender is not read from while too much is in flight, and loses nothing", async () => {
    await start({}, { acknowledging: false, inFlightBytesMax: 100_000 });
    const socket = await dial();
    const all = 20_000;
    let sent = 0;
    const send = (): void => {
      while (sent < all && socket.write(`${message(`${sent++} ${"x".repeat(500)}`)}\n`));
    };
    socket.on("drain", send);
    send();
    await harness.until(() => harness.lines.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What is read beyond the bound is at most one chunk of the socket.
    expect(harness.lines.length).toBeLessThan(400);
    expect(sent).toBeLessThan(all);
    harness.acknowledging = true;
    harness.acknowledge();
    await has(all);
    expect(harness.lines.map((line) => Number(line.split(" ")[0]))).toEqual(Array.from({ length: all }, (_, i) => i));
  });

  test("when the source stops, what was sent is read", async () => {
    await start();
    const socket = await dial();
    await new Promise((resolve) => socket.write(Array.from({ length: 2_000 }, (_, i) => `${message(`${i}`)}\n`).join(""), resolve));
    await source!.stop({ drain: false });
    expect(harness.lines).toHaveLength(2_000);
    await expect(
      new Promise((resolve, reject) =>
        connect(port() || 1, "127.0.0.1")
          .once("connect", resolve)
          .once("error", reject),
      ),
    ).rejects.toThrow();
  });

  test("what is not confirmed at the end is counted", async () => {
    await start({}, { acknowledging: false });
    (await dial()).write(`${message("a")}\n${message("b")}\n`);
    await has(2);
    await harness.intake.stop();
    await harness.until(async () => (await harness.metric("promtail_syslog_target_dropped_total", { reason: "unconfirmed" })) === 2);
  });
});

describe("options", () => {
  test("structured data becomes labels", async () => {
    await start({ label_structured_data: true }, { relabel: [{ source_labels: ["__syslog_message_sd_origin_9_ip"], target_label: "ip" }] });
    (await dial()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.entries).toEqual(['{ip="1", job="j"} a']);
  });

  test("the sender's time", async () => {
    await start({ use_incoming_timestamp: true });
    (await dial()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.times).toEqual([1_065_910_455_003_000_000n]);
  });

  test("without it, and where the sender gave none, now", async () => {
    const beforeNs = BigInt(Date.now()) * 1_000_000n;
    await start({ use_incoming_timestamp: true });
    (await dial()).write("<1>1 - - - - - - a\n<1>1 - - - - - - b\n");
    await has(2);
    expect(harness.times[0]! >= beforeNs && harness.times[1]! > harness.times[0]!).toBe(true);
  });

  test("as RFC 5424 in an unknown format, on a free port without an address", async () => {
    await start({ listen_address: "", syslog_format: "rfc1" });
    expect(port()).toBeGreaterThan(0);
    (await dial()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.lines).toEqual(["a"]);
  });

  test("the whole message", async () => {
    await start({ use_rfc5424_message: true });
    (await dial()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.lines).toEqual([message("a")]);
  });

  test("RFC 3164", async () => {
    await start({ syslog_format: "rfc3164", use_incoming_timestamp: true });
    (await dial()).write("<34>Oct 11 22:14:15 mymachine su[5]: failed\n");
    await has(1);
    expect(harness.entries).toEqual([
      '{app_name="su", facility="auth", hostname="mymachine", job="j", proc_id="5", severity="critical"} failed',
    ]);
  });

  test("address and name of the sender", async () => {
    const names = [{ source_labels: ["__syslog_connection_ip_address"], target_label: "ip" }, { source_labels: ["__syslog_connection_hostname"], target_label: "from" }]; // biome-ignore format: one line
    await start({}, { relabel: names, lookup: async (address) => `host-of-${address}.` });
    (await dial()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.entries).toEqual(['{from="host-of-127.0.0.1.", ip="127.0.0.1", job="j"} a']);
  });

  test("an entry that a rule drops is counted, one without labels goes on: stages may give it some", async () => {
    await start({ labels: {} }, { relabel: [{ action: "drop", source_labels: ["__syslog_message_app_name"], regex: "app" }] });
    (await dial()).write(`${message("a")}\n<1>1 - - other - - - b\n`);
    await has(1);
    expect(await harness.metric("promtail_syslog_target_dropped_total", { reason: "relabel" })).toBe(1);
    expect(harness.entries).toEqual(["{} b"]);
  });

  test.each([
    [{ listen_address: "localhost" }, "listen_address"],
    [{ listen_protocol: "sctp" }, 'listen_protocol "sctp" is not one of tcp, udp'],
    [{ tls_config: { cert_file: "/nowhere.pem" } }, "cannot read /nowhere.pem of tls_config.cert_file"],
    [{ tls_config: { ca: "x" } }, "tls_config needs both cert_file and key_file"],
  ])("%j is refused", async (config, error) => expect(start(config)).rejects.toThrow(error));

  test("an address in use fails the start", async () => {
    await start();
    const { context } = new SourceHarness();
    const again = syslogSchema().parse({ listen_address: `127.0.0.1:${port()}` });
    await expect(openSyslog(again, context)).rejects.toThrow("EADDRINUSE");
    await context.intake.stop();
  });
});

describe("over UDP", () => {
  test("datagrams become entries, garbage is counted", async () => {
    await start({ listen_protocol: "udp" });
    await sendUdp(message("one"), `${message("two")}\n`, "garbage", message("several\nlines"), Buffer.alloc(9_000, "<"));
    await harness.until(async () => (await counts()).reduce((a, b) => a + b) === 5);
    expect(harness.lines).toEqual(["one", "two", "several\nlines"]);
    expect(await counts()).toEqual([3, 2, 0]);
  });

  test("without a host every address is listened on, IPv4 too", async () => {
    await start(
      { listen_protocol: "udp", listen_address: ":0" },
      { relabel: [{ source_labels: ["__syslog_connection_ip_address"], target_label: "ip" }] },
    );
    await sendUdp(message("a"));
    await has(1);
    expect(harness.entries).toEqual(['{ip="127.0.0.1", job="j"} a']);
  });

  test("a flood is taken while there is room, and the rest counted", async () => {
    await start({ listen_protocol: "udp" }, { acknowledging: false, inFlightBytesMax: 50_000 });
    const all = 500;
    for (let i = 0; i < all; i += 20) {
      await sendUdp(...Array.from({ length: 20 }, (_, k) => message(`${i + k} ${"x".repeat(436)}`)));
      await harness.until(async () => (await counts())[0]! + (await harness.metric("promtail_syslog_target_dropped_total")) === i + 20);
    }
    // 440 bytes or so and 64 for the entry, up to the first that passes the bound.
    expect(harness.lines).toHaveLength(Math.ceil(50_000 / (`0 ${"x".repeat(436)}`.length + 1.5 + 64)));
    expect(await harness.metric("promtail_syslog_target_dropped_total", { reason: "in_flight_limit" })).toBe(all - harness.lines.length);
    harness.acknowledge();
    await sendUdp(message("after"));
    await harness.until(() => harness.lines.at(-1) === "after");
  });
});

describe("over TLS", () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);
  const own = (name: string): string => fileURLToPath(new URL(`../../client/${name}`, import.meta.url));

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "syslog-tls-"));
    const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=authority",
      "-days",
      "2",
      "-keyout",
      file("ca.key"),
      "-out",
      file("ca.pem"),
    );
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sender", "-keyout", file("sender.key"), "-out", file("sender.csr"));
    openssl(
      "x509",
      "-req",
      "-in",
      file("sender.csr"),
      "-CA",
      file("ca.pem"),
      "-CAkey",
      file("ca.key"),
      "-CAcreateserial",
      "-days",
      "2",
      "-out",
      file("sender.pem"),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const dialTls = (options: object = {}) => {
    const socket = connectTls({ port: port(), host: "127.0.0.1", rejectUnauthorized: false, ...options });
    sockets.push(socket);
    return new Promise<Socket>((resolve, reject) => socket.once("secureConnect", () => resolve(socket)).once("error", reject));
  };

  test("messages arrive, and what is no TLS does not hurt", async () => {
    await start({ tls_config: { cert_file: own("loopback-cert.pem"), key_file: own("loopback-key.pem") } });
    const plain = await dial();
    plain.write(`${message("not encrypted")}\n`);
    await new Promise((resolve) => plain.once("close", resolve));
    (await dialTls()).write(`${message("a")}\n`);
    await has(1);
    expect(harness.lines).toEqual(["a"]);
  });

  test("with an authority only its senders are read", async () => {
    await start({ tls_config: { cert_file: own("loopback-cert.pem"), key_file: own("loopback-key.pem"), ca_file: file("ca.pem") } });
    const stranger = await dialTls().catch(() => undefined);
    stranger?.on("error", () => {});
    stranger?.write(`${message("stranger")}\n`);
    const cert = readFileSync(file("sender.pem"));
    const key = readFileSync(file("sender.key"));
    (await dialTls({ cert, key })).write(`${message("known")}\n`);
    await has(1);
    expect(harness.lines).toEqual(["known"]);
  });
});
