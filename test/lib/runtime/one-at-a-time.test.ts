import { expect, test } from "vitest";
import { OneAtATime } from "../../../lib/runtime/one-at-a-time.ts";

const rounds = (count: number): Promise<void> =>
  count === 0 ? Promise.resolve() : new Promise((resolve) => setImmediate(() => resolve(rounds(count - 1))));

test("work begins when what was asked for before has ended, and its result goes to who asked", async () => {
  const turns = new OneAtATime();
  const told: string[] = [];
  const work = (name: string, length: number) => async (): Promise<string> => {
    told.push(`${name} begins`);
    await rounds(length);
    told.push(`${name} ends`);
    return name;
  };
  expect(await Promise.all([turns.run(work("a", 3)), turns.run(work("b", 1)), turns.run(() => "c")])).toEqual(["a", "b", "c"]);
  expect(told).toEqual(["a begins", "a ends", "b begins", "b ends"]);
});

test("a failure is told to who asked for the work and to nobody else", async () => {
  const turns = new OneAtATime();
  const failing = turns.run(() => Promise.reject(new Error("no room")));
  const throwing = turns.run(() => {
    throw new Error("broken");
  });
  const next = turns.run(() => 1);
  await expect(failing).rejects.toThrow("no room");
  await expect(throwing).rejects.toThrow("broken");
  expect(await next).toBe(1);
  await turns.idle();
});

test("is idle when also what was asked for meanwhile has ended", async () => {
  const turns = new OneAtATime();
  const ended: string[] = [];
  void turns.run(async () => {
    await rounds(2);
    void turns.run(async () => {
      await rounds(2);
      ended.push("second");
    });
    ended.push("first");
  });
  await turns.idle();
  expect(ended).toEqual(["first", "second"]);
});
