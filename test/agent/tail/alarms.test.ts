import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Alarms } from "../../../agent/tail/alarms.ts";

let alarms: Alarms;
let woken: string[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
  alarms = new Alarms();
  woken = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const sleeper = (name: string, again?: number) => ({
  wake() {
    woken.push(name);
    if (again !== undefined) alarms.wakeIn(this, again);
  },
});

test("each is woken at its time, with one timer", () => {
  alarms.wakeIn(sleeper("late"), 300);
  alarms.wakeIn(sleeper("soon"), 100);
  alarms.wakeIn(sleeper("between"), 200);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(150);
  expect(woken).toEqual(["soon"]);
  vi.advanceTimersByTime(100);
  expect(woken).toEqual(["soon", "between"]);
  vi.advanceTimersByTime(100);
  expect(woken).toEqual(["soon", "between", "late"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("one that asks again when it is woken is woken again", () => {
  alarms.wakeIn(sleeper("a", 100), 100);
  vi.advanceTimersByTime(350);
  expect(woken).toEqual(["a", "a", "a"]);
});

for (const [name, delays, atMs] of [
  ["a nearer time counts instead of the former", [300, 100], 100],
  ["a later time counts instead of the former", [100, 300], 300],
] as const) {
  test(name, () => {
    const one = sleeper("a");
    for (const delayMs of delays) alarms.wakeIn(one, delayMs);
    vi.advanceTimersByTime(atMs - 10);
    expect(woken).toEqual([]);
    vi.advanceTimersByTime(500);
    expect(woken).toEqual(["a"]);
  });
}

test("one that has cancelled is not woken, and the last one leaves no timer", () => {
  const [a, b] = [sleeper("a"), sleeper("b")];
  alarms.wakeIn(a, 100);
  alarms.wakeIn(b, 200);
  alarms.cancel(a);
  vi.advanceTimersByTime(150);
  expect(woken).toEqual([]);
  alarms.cancel(b);
  expect(vi.getTimerCount()).toBe(0);
});
