import { beforeEach, describe, expect, test } from "vitest";
import { ChunkAssembler, isChunk } from "../../../../agent/targets/gelf/chunks.ts";
import { manualClock, seededRandom } from "../../../../lib/runtime/clock.ts";

const chunk = (id: number, number: number, count: number, part: string): Buffer => {
  const head = Buffer.from([0x1e, 0x0f, 0, 0, 0, 0, 0, 0, id >> 8, id & 255, number, count]);
  return Buffer.concat([head, Buffer.from(part)]);
};

let clock: ReturnType<typeof manualClock>;
let faults: string[];
let chunks: ChunkAssembler;
beforeEach(() => {
  clock = manualClock(10_000);
  faults = [];
  chunks = new ChunkAssembler(clock, 1_000, (fault) => faults.push(fault));
});
const take = (bytes: Buffer, sender = "a"): string | undefined => {
  const whole = chunks.take(bytes, sender);
  return whole === undefined ? undefined : Buffer.from(whole).toString();
};

test("what a chunk is", () => {
  expect(isChunk(chunk(1, 0, 1, "x"))).toBe(true);
  expect(isChunk(Buffer.from("{}"))).toBe(false);
  expect(isChunk(Buffer.from([0x1e]))).toBe(false);
});

describe("a message is complete", () => {
  test("when all its chunks are there, in any order, some of them twice", () => {
    expect(take(chunk(1, 2, 3, "c"))).toBeUndefined();
    expect(take(chunk(1, 0, 3, "a"))).toBeUndefined();
    expect(take(chunk(1, 0, 3, "a"))).toBeUndefined();
    expect(take(chunk(1, 1, 3, "b"))).toBe("abc");
    expect(take(chunk(1, 1, 3, "b"))).toBeUndefined();
    expect([chunks.waitingCount, faults]).toEqual([0, []]);
  });

  test("with one chunk at once", () => expect(take(chunk(1, 0, 1, "x"))).toBe("x"));

  test("whatever other senders send under the same id", () => {
    take(chunk(1, 0, 2, "a"), "one");
    take(chunk(1, 0, 2, "c"), "two");
    expect(take(chunk(1, 1, 2, "d"), "two")).toBe("cd");
    expect(take(chunk(1, 1, 2, "b"), "one")).toBe("ab");
  });

  test("with 128 chunks in any order", () => {
    const random = seededRandom(3);
    const order = Array.from({ length: 128 }, (_, i) => i).sort(() => random() - 0.5);
    const results = order.map((i) => take(chunk(9, i, 128, String(i % 10)))).filter((whole) => whole !== undefined);
    expect(results).toEqual([Array.from({ length: 128 }, (_, i) => i % 10).join("")]);
  });
});

describe("a message is given up", () => {
  test("five seconds after its first chunk", async () => {
    take(chunk(1, 0, 3, "a"));
    await clock.advance(4_000);
    take(chunk(1, 1, 3, "b"));
    expect([chunks.waitingCount, faults]).toEqual([1, []]);
    await clock.advance(1_001);
    chunks.expire();
    expect([chunks.waitingCount, faults]).toEqual([0, ["incomplete"]]);
  });

  test("when it is too long, once", () => {
    for (let i = 0; i < 4; i++) take(chunk(1, i, 5, "x".repeat(400)));
    expect([chunks.waitingCount, faults]).toEqual([0, ["message_too_long"]]);
  });

  test("when others need the room: the oldest first", () => {
    for (let id = 0; id < 3_000; id++) take(chunk(id, 0, 2, "x"));
    expect(chunks.waitingCount).toBe(2_048);
    expect(faults).toEqual(new Array(3_000 - 2_048).fill("incomplete"));
    expect(take(chunk(2_999, 1, 2, "y"))).toBe("xy");
  });

  test("when their bytes are too many", () => {
    chunks = new ChunkAssembler(clock, 2 ** 20, (fault) => faults.push(fault));
    for (let id = 0; id < 100; id++) for (let i = 0; i < 10; i++) take(chunk(id, i, 128, "x".repeat(60_000)));
    expect(chunks.waitingCount).toBeLessThan(30);
    expect(faults).toHaveLength(100 - chunks.waitingCount);
  });

  test("with everything else at the end", () => {
    take(chunk(1, 0, 2, "x"));
    chunks.clear();
    expect(faults).toEqual(["incomplete"]);
  });
});

test.each([
  ["no part", chunk(1, 0, 2, "")],
  ["half a head", chunk(1, 0, 2, "x").subarray(0, 8)],
  ["no chunks", chunk(1, 0, 0, "x")],
  ["too many chunks", chunk(1, 0, 129, "x")],
  ["a number past the count", chunk(1, 2, 2, "x")],
])("a chunk with %s is malformed", (_, bytes) => {
  expect(take(bytes)).toBeUndefined();
  expect(faults).toEqual(["malformed_chunk"]);
});

test("a chunk that tells another count is malformed", () => {
  take(chunk(1, 0, 2, "a"));
  take(chunk(1, 1, 3, "b"));
  expect(faults).toEqual(["malformed_chunk"]);
  expect(take(chunk(1, 1, 2, "b"))).toBe("ab");
});
