import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Ticker } from "../../../agent/tail/ticker.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("all that were added are called, by one timer, until they are removed; the last one leaves none", () => {
  const ticker = new Ticker(250);
  const called: string[] = [];
  const [a, b] = ["a", "b"].map((name) => ({ tick: () => void called.push(name) }));
  ticker.add(a!);
  ticker.add(b!);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(500);
  expect(called).toEqual(["a", "b", "a", "b"]);
  ticker.remove(a!);
  vi.advanceTimersByTime(250);
  expect(called.slice(4)).toEqual(["b"]);
  ticker.remove(b!);
  expect(vi.getTimerCount()).toBe(0);
  ticker.add(a!);
  vi.advanceTimersByTime(250);
  expect(called.slice(5)).toEqual(["a"]);
  ticker.remove(a!);
});
