// Buffers that streams are encoded into.

import { expect, test } from "vitest";
import { streamBuffers } from "../../../agent/client/stream-buffers.ts";
import { kernels } from "../../../lib/kernels/index.ts";

const MIB = 1024 * 1024;
const home = kernels.allocate(1).buffer;

test.each([
  ["a small one", 1_000, false],
  ["a large one", MIB, true],
  ["one of no power of two", MIB - 1_000, true],
  ["a huge one", 9 * MIB, false],
])("%s is as large as asked, and where it belongs", (_name, bytes, isResident) => {
  const buffer = streamBuffers.take(bytes);
  expect(buffer.length).toBeGreaterThanOrEqual(bytes);
  expect(buffer.buffer === home).toBe(isResident);
  streamBuffers.give(buffer);
});

test("the kernels' memory is used again, and no more of it is taken than is set aside", () => {
  const taken = Array.from({ length: 20 }, () => streamBuffers.take(2 * MIB));
  const residents = taken.filter(({ buffer }) => buffer === home);
  expect(residents.length).toBeGreaterThan(8);
  expect(residents.length).toBeLessThanOrEqual(12);
  for (const buffer of taken) streamBuffers.give(buffer);
  const again = Array.from({ length: 20 }, () => streamBuffers.take(2 * MIB));
  expect(again.filter(({ buffer }) => buffer === home)).toHaveLength(residents.length);
  expect(new Set(again).size).toBe(20);
  for (const buffer of again) streamBuffers.give(buffer);
});
