// Tails with hostile parameters and clients that misbehave: refused before the upgrade or ended with a reason, and others go on.

import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { seeded } from "../../lib/kernels/random.ts";
import { pushJson, type StartedServer, startServer } from "../clients/started-server.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20_261_129);
const ROUNDS = Number(process.env.SKALD_FUZZ_ROUNDS ?? 60);

let server: StartedServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => server?.stop());

/** How an attempt ended: `400 text` without an upgrade, `open`, or `close 1011 reason` soon after it. */
function tail(query: string): Promise<string> {
  return new Promise((resolve) => {
    const client = new WebSocket(`ws://127.0.0.1:${server.port}/loki/api/v1/tail?${query}`);
    client.on("unexpected-response", (_, response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => void parts.push(part));
      response.on("end", () => resolve(`${response.statusCode} ${Buffer.concat(parts)}`));
    });
    client.on("error", (error) => resolve(`error ${error.message}`));
    client.on("close", (code, reason) => resolve(`close ${code} ${reason}`));
    client.on("open", () =>
      setTimeout(() => {
        resolve("open");
        client.terminate();
      }, 100),
    );
  });
}

const QUERIES = [
  '{app="x"}',
  "",
  "{",
  '{app=~".*"}',
  "vector(1)",
  'rate({app="x"}[1m])',
  '{app="x"} | line_format "{{"',
  '{app="x"} | json | unwrap a',
  "\u0000",
  "😀",
  "x".repeat(5000),
];
const NUMBERS = ["", "0", "-1", "1", "5", "6", "1e9", "NaN", "9".repeat(300), "x", "1.5"];
const TIMES = ["", "0", "-1", "9223372036854775808", "2026-01-01T00:00:00Z", "later", "9".repeat(300)];

test("hostile parameters are refused in words, or tailed", { timeout: 300_000 }, async () => {
  const random = seeded(SEED);
  for (let round = 0; round < ROUNDS; round += 6) {
    const asked = Array.from({ length: 6 }, () =>
      new URLSearchParams({
        query: random.pick(QUERIES),
        limit: random.pick(NUMBERS),
        delay_for: random.pick(NUMBERS),
        start: random.pick(TIMES),
      }).toString(),
    );
    const ends = await Promise.all(asked.map(tail));
    ends.forEach((end, i) => {
      expect(end, `seed ${SEED}: ${asked[i]!.slice(0, 300)}`).toMatch(/^(?:open|400 \S|close 1011 \S)/);
      expect(end).not.toMatch(/TypeError|RangeError|Cannot read/);
    });
  }
});

test("clients that send rubbish, much, or nothing do no harm to another", async () => {
  const path = `/loki/api/v1/tail?query=${encodeURIComponent('{app="live"}')}`;
  const upgrade = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n`;
  const random = seeded(SEED + 1);
  const rubbish = [
    Buffer.from(random.bytes(500)),
    Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    Buffer.alloc(200_000, 0x81),
    Buffer.alloc(0),
  ];
  const sockets = rubbish.map((bytes) => {
    const socket = connect(server.port, "127.0.0.1", () => {
      socket.write(upgrade);
      socket.write(bytes);
    });
    return socket.on("error", () => {}).on("data", () => {});
  });
  const client = new WebSocket(`ws://127.0.0.1:${server.port}${path}`);
  const frame = new Promise((resolve, reject) => client.once("message", (data) => resolve(String(data))).once("error", reject));
  await new Promise((resolve) => client.once("open", resolve));
  await pushJson(server.url, [{ stream: { app: "live" }, values: [[`${Date.now()}000000`, "seen"]] }]);
  expect(await frame).toContain("seen");
  client.terminate();
  for (const socket of sockets) socket.destroy();
  expect(server.running()).toBe(true);
});
