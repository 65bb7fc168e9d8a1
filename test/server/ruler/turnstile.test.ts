import { expect, test } from "vitest";
import { Turnstile } from "../../../server/ruler/turnstile.ts";

test("so many pass at a time, in their order; who gives up leaves the queue", async () => {
  const turnstile = new Turnstile(2);
  const seen: string[] = [];
  const finish = new Map<string, () => void>();
  const gone = new AbortController();
  const enter = (name: string, signal = new AbortController().signal): Promise<void> =>
    turnstile.pass(() => {
      seen.push(name);
      return new Promise((resolve) => finish.set(name, resolve));
    }, signal);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  const passes = [enter("a"), enter("b"), enter("c"), enter("d", gone.signal), enter("e")];
  await turn();
  expect(seen).toEqual(["a", "b"]);
  gone.abort();
  await passes[3];
  finish.get("b")!();
  await turn();
  expect(seen).toEqual(["a", "b", "c"]);
  finish.get("a")!();
  await turn();
  expect(seen).toEqual(["a", "b", "c", "e"]);
  await enter("f", AbortSignal.abort());
  expect(seen).toHaveLength(4);
  finish.get("c")!();
  finish.get("e")!();
  await Promise.all(passes);
});

test("work that fails frees its place", async () => {
  const turnstile = new Turnstile(1);
  const { signal } = new AbortController();
  await expect(turnstile.pass(() => Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  let passed = false;
  await turnstile.pass(async () => void (passed = true), signal);
  expect(passed).toBe(true);
});
