import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { orAborted } from "../../../lib/runtime/or-aborted.ts";

const forever = new Promise<void>(() => {});

test("settles with the work", async () => {
  const { signal } = new AbortController();
  await orAborted(Promise.resolve(), signal);
  await expect(orAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
});

test("resolves when the signal aborts first, or has aborted", async () => {
  const abort = new AbortController();
  const waiting = orAborted(forever, abort.signal);
  abort.abort();
  await waiting;
  await orAborted(forever, abort.signal);
});

test("leaves no listener on the signal", async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 20; i++) await orAborted(Promise.resolve(), signal);
  await orAborted(Promise.reject(new Error("no")), signal).catch(() => {});
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
