import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cloudflareSchema } from "../../../../agent/config/rare-blocks.ts";
import { Plain } from "../../../../agent/config/written.ts";
import type { PositionSource, Positions } from "../../../../agent/positions.ts";
import { partsOf } from "../../../../agent/targets/cloudflare/cloudflare-target.ts";
import { fieldsOf } from "../../../../agent/targets/cloudflare/fields.ts";
import { openCloudflare } from "../../../../agent/targets/cloudflare/open-cloudflare.ts";
import { cloudflareSettings } from "../../../../agent/targets/cloudflare/settings.ts";
import type { Source } from "../../../../agent/targets/source.ts";
import { type Clock, systemClock } from "../../../../lib/runtime/clock.ts";
import { Reading, until } from "../reading.ts";
import { LogpullServer, TOKEN, ZONE } from "./logpull-server.ts";

const NOW_MS = Date.parse("2026-03-01T12:00:00Z");
const MINUTE_MS = 60_000;

/** Stands at NOW_MS; pauses of less than the wait for the next range pass at once. */
function standingClock(): Clock & { aheadMs: number; slept: number[] } {
  const clock = {
    aheadMs: 0,
    slept: [] as number[],
    nowMs: () => NOW_MS + clock.aheadMs,
    sleep: (ms: number, signal?: AbortSignal): Promise<void> => {
      clock.slept.push(ms);
      return systemClock.sleep(ms === 0 || ms <= 1_000 ? 0 : 2 ** 30, signal);
    },
  };
  return clock;
}

class FakePositions {
  readonly values = new Map<string, string>();
  source: PositionSource | undefined;
  get(key: string): string | undefined {
    return this.values.get(key);
  }
  addSource(source: PositionSource): void {
    this.source = source;
  }
  /** What is saved at the moment, as the end of the last range in milliseconds before or after NOW_MS. */
  get savedMs(): number {
    const [[, value] = ["", "0"]] = [...this.source!.positions()];
    return Number(BigInt(value) / 1_000_000n) - MINUTE_MS - NOW_MS;
  }
}

let server: LogpullServer;
let url: string;
let reading: Reading;
let positions: FakePositions;
let clock: ReturnType<typeof standingClock>;
let source: Source | undefined;

beforeEach(async () => {
  server = new LogpullServer();
  url = await server.listen();
  reading = new Reading();
  positions = new FakePositions();
  clock = standingClock();
});
afterEach(async () => {
  await source?.stop({ drain: false });
  source = undefined;
  await reading.intake.stop();
  await server.close();
});

/** @param fromMs where the position is, before NOW_MS; nothing is saved when undefined */
async function open(fromMs?: number, block: Record<string, unknown> = {}): Promise<void> {
  if (fromMs !== undefined) positions.values.set(`cursor-${ZONE}`, String(BigInt(NOW_MS - fromMs + MINUTE_MS) * 1_000_000n));
  const written = { api_token: TOKEN, zone_id: ZONE, labels: { job: "cf" }, ...block };
  source = await openCloudflare(cloudflareSchema().parse(written), reading.context([], positions as unknown as Positions, clock), url);
}
/** Lines every ten seconds, from so long before NOW_MS on. */
function fill(fromMs: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const ms = NOW_MS - fromMs + i * 10_000;
    const line = `{"EdgeStartTimestamp":${BigInt(ms) * 1_000_000n + 7n},"RayID":"${i}"}`;
    server.lines.push([ms, line]);
    return line;
  });
}
const caughtUp = (): Promise<void> =>
  until(
    () => positions.savedMs === -MINUTE_MS,
    () => `${positions.savedMs} ${reading.logged.join("")}`,
  );

describe("a zone", () => {
  test("is read range by range from the position on, each line once, in its own time", async () => {
    const lines = fill(5 * MINUTE_MS, 24);
    await open(5 * MINUTE_MS);
    await caughtUp();
    expect(reading.lines.toSorted()).toEqual(lines.toSorted());
    expect(reading.entries[0]).toBe(`{job="cf"} ${reading.lines[0]}`);
    expect(Math.min(...reading.timesMs)).toBeCloseTo(NOW_MS - 5 * MINUTE_MS, 1);
    expect(server.answered.length).toBe(4 * 3);
    const edges = server.answered.toSorted((a, b) => a.startMs - b.startMs);
    expect(edges.slice(1).every(({ startMs }, i) => startMs === edges[i]!.endMs)).toBe(true);
    expect(await reading.metric("promtail_cloudflare_target_entries_total")).toBe(24);
    expect(await reading.metric("promtail_cloudflare_target_last_requested_end_timestamp")).toBe((NOW_MS - MINUTE_MS) / 1000);
  });

  test("without position is read from one range ago on", async () => {
    fill(5 * MINUTE_MS, 24);
    await open();
    await caughtUp();
    expect(reading.lines.length).toBe(6);
  });

  test("waits until a range is a minute old", async () => {
    await open(MINUTE_MS);
    await until(
      () => clock.slept.length > 0,
      () => "a pause",
    );
    expect(clock.slept).toEqual([MINUTE_MS]);
    expect(server.asked).toEqual([]);
  });

  test("of which a part is older than a week skips that, and says so", async () => {
    const old = 7 * 24 * 60 * MINUTE_MS;
    await open(old + MINUTE_MS);
    await until(
      () => server.answered.length >= 3,
      () => "requests",
    );
    expect(await reading.metric("promtail_cloudflare_target_skipped_seconds_total")).toBe(6 * 60);
    expect(reading.logged.join("")).toContain("they are skipped");
  });

  test("is saved only behind what is acknowledged", async () => {
    fill(3 * MINUTE_MS, 12);
    reading.acknowledging = false;
    await open(3 * MINUTE_MS);
    await until(
      () => reading.lines.length === 12 && server.answered.length === 6,
      () => reading.logged.join(""),
    );
    expect(positions.savedMs).toBe(-3 * MINUTE_MS);
    reading.acknowledge();
    await caughtUp();
  });

  test("begins after a kill where it was saved", async () => {
    const lines = fill(3 * MINUTE_MS, 12);
    reading.acknowledging = false;
    await open(3 * MINUTE_MS);
    await until(
      () => reading.lines.length === 12,
      () => reading.logged.join(""),
    );
    await source!.stop({ drain: false });
    const saved = positions.savedMs;
    reading.lines.length = 0;
    reading.acknowledging = true;
    await open(-saved);
    await caughtUp();
    expect(reading.lines.toSorted()).toEqual(lines.toSorted());
  });
});

describe("faults lose nothing and repeat nothing:", () => {
  const big = (): string[] => {
    const filler = Array.from(
      { length: 400 },
      (_, i) => `{"RayID":"r${i}","x":"${Math.imul(i + 1, 0x9e3779b1) >>> 0}${"-".repeat(i % 50)}"}`,
    );
    for (const line of filler) server.lines.push([NOW_MS - 2 * MINUTE_MS, line]);
    return filler;
  };
  test.each([
    ["a 429 with Retry-After", [{ kind: "status", status: 429, retryAfter: "1" }], 1],
    ["a 429 without", [{ kind: "status", status: 429 }], 1],
    [
      "500 and 503",
      [
        { kind: "status", status: 500 },
        { kind: "status", status: 503 },
      ],
      2,
    ],
    ["a reset", [{ kind: "reset" }], 1],
    ["a cut body", [{ kind: "cut", bytes: 2_000 }], 1],
    [
      "three cut bodies",
      [
        { kind: "cut", bytes: 1_000 },
        { kind: "cut", bytes: 2_500 },
        { kind: "cut", bytes: 1_500 },
      ],
      3,
    ],
    ["a body cut before its first line", [{ kind: "cut", bytes: 5 }], 1],
  ] as const)("%s", async (_, faults, failures) => {
    for (const gzip of [true, false]) {
      server.gzip = gzip;
      server.shuffles = true;
      server.lines.length = 0;
      reading.lines.length = 0;
      reading.logged.length = 0;
      const lines = big();
      server.faults.push(...faults);
      // Pauses between tries pass at once, the one before the next range does not.
      clock.sleep = (ms, signal) => systemClock.sleep(ms === MINUTE_MS ? 2 ** 30 : 1, signal);
      await open(2 * MINUTE_MS, { workers: new Plain(1) });
      await until(
        () => positions.savedMs >= -MINUTE_MS,
        () => reading.logged.join(""),
      );
      await source!.stop({ drain: false });
      expect(reading.lines.toSorted()).toEqual(lines.toSorted());
      expect(reading.logged.filter((line) => line.includes("could not pull")).length).toBe(failures);
    }
  });

  test("a token that is not taken is tried again, and the position stays", async () => {
    fill(2 * MINUTE_MS, 6);
    await open(2 * MINUTE_MS, { api_token: "other", workers: new Plain(1) });
    await until(
      () => reading.logged.some((line) => line.includes("the server answered 403")),
      () => "a message",
    );
    expect(positions.savedMs).toBe(-2 * MINUTE_MS);
    expect(reading.lines).toEqual([]);
  });
});

describe("settings", () => {
  const parse = (block: Record<string, unknown>) =>
    cloudflareSettings(cloudflareSchema().parse({ api_token: "t", zone_id: "z", ...block }));
  test.each([
    ["no token", { api_token: "" }, /api_token is empty/],
    ["no zone", { zone_id: "" }, /zone_id is empty/],
    ["unknown fields", { fields_type: "most" }, /unknown fields type: most; it is one of default, minimal, extended, all, custom/],
    ["custom without fields", { fields_type: "custom" }, /additional_fields is empty/],
  ])("with %s are refused", (_, block, message) => expect(() => parse(block)).toThrow(message));

  test.each([
    ["default", 10],
    ["", 10],
    ["minimal", 28],
    ["extended", 45],
    ["all", 66],
  ])("fields_type %j has %i fields", (type, count) => expect(fieldsOf(type, []).length).toBe(count));

  test("additional fields count once", () => expect(fieldsOf("custom", ["b", "a", "b"])).toEqual(["a", "b"]));

  test.each([
    [60_000, 3, 3],
    [1, 3, 1],
    [3 * 3_600_000, 1, 3],
  ])("a range of %i ms for %i workers has %i parts", (lengthMs, workers, count) => {
    const parts = partsOf({ startMs: 1_000, endMs: 1_000 + lengthMs }, workers);
    expect(parts.length).toBe(count);
    expect([parts[0]!.startMs, parts.at(-1)!.endMs]).toEqual([1_000, 1_000 + lengthMs]);
  });
});
