import { getEventListeners } from "node:events";
import { writeFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { numbered, Rig } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

test("waiting for room again and again leaves nothing behind", async () => {
  const signals: AbortSignal[] = [];
  const add = vi.spyOn(EventTarget.prototype, "addEventListener").mockImplementation(function (this: EventTarget, ...args) {
    if (this instanceof AbortSignal) signals.push(this);
    return addListener.apply(this, args);
  });
  rig = new Rig({ roomLines: 1, remote: "slow" });
  for (let i = 0; i < 30; i++) writeFileSync(rig.path(`${i}.log`), numbered(`${i}.`, 3).text);
  await rig.start();
  await rig.untilLines(90);
  add.mockRestore();
  expect(signals.length).toBeGreaterThan(20);
  for (const signal of new Set(signals)) expect(getEventListeners(signal, "abort").length).toBeLessThan(5);
});

const addListener = EventTarget.prototype.addEventListener;
