import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions, ClientsShared } from "../../../agent/client/clients.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { Bench, OPTIONS, PushServer, type Script } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "skald-dead-letters-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

let server: PushServer;
let bench: Bench;
let path: string;
let files = 0;
afterEach(async () => {
  bench.clients.stopNow();
  await server.close();
});

async function open(script: Script, options: Partial<ClientOptions> = {}, shared: Partial<ClientsShared> = {}): Promise<void> {
  path = join(folder, `${files++}.jsonl`);
  server = await PushServer.open(script);
  bench = new Bench([{ ...OPTIONS, url: server.url, deadLetter: { path, maxBytes: 1_000_000 }, ...options }], shared);
}

interface Letter {
  readonly time: string;
  readonly line: string;
}

const read = (file = path): Letter[] => {
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/\n$/);
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Letter);
};

const refusesBad: Script = ({ lines }) => (lines.some((line) => line.startsWith("bad")) ? { status: 400, body: "bad entry\nmore" } : 204);
const lines = (count: number, bad: number): string[] => Array.from({ length: count }, (_, i) => (i === bad ? `bad ${i}` : `good ${i}`));

describe("a refused entry", () => {
  test("is written whole, the others are sent", async () => {
    await open(refusesBad, { tenantId: "acme" });
    const batch = new EntryBatch();
    for (const line of lines(200, 17)) batch.addText(line, 1_700_000_000, 5, LabelSet.fromObject({ job: "app", path: 'C:\\"x"' }));
    batch.metadata = Array.from({ length: 200 }, () => [
      ["trace_id", "abc"],
      ["größe", ""],
    ]);
    bench.consume(batch);
    await bench.settled();
    expect(server.accepted).toHaveLength(199);
    expect(read()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        tenant: "acme",
        reason: "ingester_error",
        status: 400,
        message: "bad entry",
        labels: { job: "app", path: 'C:\\"x"' },
        timestamp: "2023-11-14T22:13:20.000000005Z",
        line: "bad 17",
        metadata: { trace_id: "abc", größe: "" },
      },
    ]);
    expect(await bench.metric("promtail_dead_letter_entries_total", { client: "test" })).toBe(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(bench.ledger.committed()).toBe(200);
  });

  test("of a far time keeps it", async () => {
    await open(() => 400);
    const batch = new EntryBatch();
    for (const [i, sec] of [4_102_444_800, -5_000_000_000, 0].entries()) {
      batch.addText("", 0, 0, LabelSet.fromObject({ job: "app" }));
      batch.setTime(i, sec, 0);
    }
    bench.consume(batch);
    await bench.settled();
    expect(read().map((letter) => (letter as unknown as { timestamp: string }).timestamp)).toEqual([
      "2100-01-01T00:00:00Z",
      "1811-07-23T15:06:40Z",
      "1970-01-01T00:00:00Z",
    ]);
  });

  for (const [name, script, options, want] of [
    ["413 of one line", [413], {}, { status: 413, reason: "ingester_error" }],
    ["another refusal", [403], {}, { status: 403, reason: "ingester_error" }],
    ["tries used up", [500, 500], {}, { status: 500, reason: "ingester_error" }],
    ["the rate, tries used up", [429, 429], {}, { status: 429, reason: "rate_limited" }],
    ["the rate, at once", [429], { dropRateLimitedBatches: true }, { status: 429, reason: "rate_limited" }],
    [
      "no answer",
      [
        { status: 0, reset: true },
        { status: 0, reset: true },
      ],
      {},
      { status: -1, reason: "ingester_error" },
    ],
  ] as [string, Script, Partial<ClientOptions>, object][]) {
    test(`by ${name}`, async () => {
      await open(script, { backoff: { minMs: 1, maxMs: 1, retriesMax: 2 }, ...options });
      bench.push(["x"]);
      await bench.settled();
      expect(read()).toMatchObject([{ ...want, line: "x" }]);
    });
  }

  test("with labels that are none keeps them as text", async () => {
    await open([400]);
    bench.push(["x"], { "a-b": "c" });
    await bench.settled();
    expect(read()).toMatchObject([{ labels: '{a-b="c"}', line: "x" }]);
  });

  test("that the server does not name is told of by number", async () => {
    await open([{ status: 400, body: "entry too far behind, total ignored: 2 out of 5" }]);
    bench.push(["a", "b", "c", "d", "e"]);
    await bench.settled();
    expect(read()).toMatchObject([{ entries: 2, of: 5, status: 400, message: "entry too far behind, total ignored: 2 out of 5" }]);
  });
});

describe("the file", () => {
  test("is bounded: its former half is kept beside it", async () => {
    await open(() => 400, { batchWaitMs: 1, deadLetter: { path: join(folder, "bounded.jsonl"), maxBytes: 4_000 } });
    path = join(folder, "bounded.jsonl");
    for (let i = 0; i < 40; i++) {
      bench.push([`${i} ${"x".repeat(80)}`]);
      await bench.settled();
    }
    const kept = [...read(`${path}.1`), ...read()].map((letter) => Number.parseInt(letter.line, 10));
    expect(statSync(path).size).toBeLessThanOrEqual(2_000);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(2_000);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 40 - kept.length + i));
    expect(kept.length).toBeGreaterThan(6);
    expect(await bench.metric("promtail_dead_letter_entries_total")).toBe(40);
  });

  test("is continued by the next run", async () => {
    await open(() => 400);
    writeFileSync(path, '{"line":"of before"}\n');
    bench.push(["now"]);
    await bench.settled();
    expect(read().map((letter) => letter.line)).toEqual(["of before", "now"]);
  });

  for (const [name, where] of [
    ["a folder that is not there", "/nowhere/x.jsonl"],
    ["a full disk", "/dev/full"],
  ] as const) {
    test.skipIf(where === "/dev/full" && !existsSync(where))(`${name} is counted and told once, and the client goes on`, async () => {
      const told: string[] = [];
      await open(
        refusesBad,
        { deadLetter: { path: where, maxBytes: 1_000_000 } },
        { log: createLog({ write: (line) => void told.push(line) }) },
      );
      for (let i = 0; i < 3; i++) {
        bench.push([`bad ${i}`]);
        await bench.settled();
      }
      bench.push(["good"]);
      await bench.settled();
      expect(server.accepted).toEqual(["good"]);
      expect(bench.ledger.committed()).toBe(4);
      expect(await bench.metric("promtail_dead_letter_failed_entries_total", { client: "test" })).toBe(3);
      expect(told.filter((line) => line.includes("could not write dead letters"))).toHaveLength(1);
    });
  }

  test("takes no record larger than half of it", async () => {
    await open(() => 400, { deadLetter: { path: join(folder, "small.jsonl"), maxBytes: 1_000 } });
    bench.push(["x".repeat(600)]);
    await bench.settled();
    expect(await bench.metric("promtail_dead_letter_failed_entries_total")).toBe(1);
  });
});
