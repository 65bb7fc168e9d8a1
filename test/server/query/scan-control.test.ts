import { afterEach, expect, test, vi } from "vitest";
import { createScanControl } from "../../../server/query/scan-control.ts";

afterEach(() => void vi.restoreAllMocks());
let nowMs = 0;
const clock = (): void => void vi.spyOn(performance, "now").mockImplementation(() => nowMs);

test("between lines nothing happens until a turn's time is over; then others have theirs", async () => {
  clock();
  const control = createScanControl(() => {}, true);
  expect(control.betweenLines()).toBeUndefined();
  nowMs += 9;
  let others = false;
  setImmediate(() => (others = true));
  await control.betweenLines();
  expect(others).toBe(true);
  expect(control.betweenLines()).toBeUndefined();
});

test("a worker's scan looks whether it is to stop, and gives no turns", () => {
  clock();
  let stopped = false;
  const control = createScanControl(() => {
    if (stopped) throw new Error("stopped");
  }, false);
  nowMs += 9;
  expect(control.betweenLines()).toBeUndefined();
  stopped = true;
  expect(control.betweenLines()).toBeUndefined();
  nowMs += 9;
  expect(() => control.betweenLines()).toThrow("stopped");
});

test("what is stopped while others have their turn does not go on", async () => {
  clock();
  let stopped = false;
  const control = createScanControl(() => {
    if (stopped) throw new Error("stopped");
  }, true);
  nowMs += 9;
  const turn = control.betweenLines();
  stopped = true;
  await expect(turn).rejects.toThrow("stopped");
});
