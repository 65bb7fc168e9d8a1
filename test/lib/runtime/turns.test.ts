import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTurns, forEachInTurns, mapInTurns, NO_TURNS, nextTurn, sortInTurns } from "../../../lib/runtime/turns.ts";
import { seeded } from "../kernels/random.ts";

let nowMs = 0;
beforeEach(() => void vi.spyOn(performance, "now").mockImplementation(() => nowMs));
afterEach(() => void vi.restoreAllMocks());

describe("a turn", () => {
  test("lasts some milliseconds; then others have theirs", async () => {
    const takeTurn = createTurns();
    expect(takeTurn()).toBeUndefined();
    nowMs += 9;
    let others = false;
    setImmediate(() => (others = true));
    await takeTurn();
    expect(others).toBe(true);
    expect(takeTurn()).toBeUndefined();
  });

  test("does not begin again once the work is to stop", async () => {
    let stopped = false;
    const takeTurn = createTurns(() => {
      if (stopped) throw new Error("stopped");
    });
    nowMs += 9;
    const pause = takeTurn();
    stopped = true;
    await expect(pause).rejects.toThrow("stopped");
    nowMs += 9;
    expect(() => takeTurn()).toThrow("stopped");
  });

  test("of all who wait, one goes on per round of the event loop, in the order they came", async () => {
    const rounds: string[] = [];
    const waiting = ["a", "b", "c"].map((name) => nextTurn().then(() => rounds.push(name)));
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      rounds.push("|");
    }
    await Promise.all(waiting);
    expect(rounds.join("")).toBe("a|b|c|");
  });
});

test("each item is visited, with a look at the clock behind each", async () => {
  const looks: number[] = [];
  const seen: number[] = [];
  await forEachInTurns(
    [1, 2, 3],
    () => void looks.push(seen.length),
    (item) => void seen.push(item),
  );
  expect([seen, looks]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test("what is thrown by the turn ends the work", async () => {
  const seen: number[] = [];
  const stop = (): void => {
    if (seen.length === 2) throw new Error("stopped");
  };
  await expect(mapInTurns([1, 2, 3], stop, (item) => seen.push(item))).rejects.toThrow("stopped");
  expect(seen).toEqual([1, 2]);
});

describe("sorting", () => {
  const random = seeded(20_261_126);
  const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
  test.each([0, 1, 2, 1023, 1024, 1025, 2048, 5000, 10_000])("%d items as Array.sort does, stable", async (count) => {
    const items = Array.from({ length: count }, (_, at) => ({ key: random.below(count / 3 + 1), at }));
    const given = [...items];
    expect(await sortInTurns(items, NO_TURNS, compare)).toEqual([...items].sort(compare));
    expect(items).toEqual(given);
  });

  test("looks at the clock at least every 1024 comparisons behind the first runs", async () => {
    const items = Array.from({ length: 8192 }, () => ({ key: random.below(1e9) }));
    let comparisons = 0;
    let most = 0;
    let looks = 0;
    const look = (): void => {
      // The first runs are sorted at once.
      if (looks++ >= 8) most = Math.max(most, comparisons);
      comparisons = 0;
    };
    await sortInTurns(items, look, (a, b) => {
      comparisons++;
      return a.key - b.key;
    });
    expect(looks).toBeGreaterThan(30);
    expect(most).toBeLessThanOrEqual(1024);
  });
});
