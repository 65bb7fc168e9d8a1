// Blocks that files are read into.

import { expect, test } from "vitest";
import { MARK_BYTES_MAX } from "../../../agent/tail/file-identity.ts";
import { BLOCK_BYTES, ReadBlocks } from "../../../agent/tail/read-blocks.ts";

for (const [name, bytes] of [
  ["a whole read with its mark", BLOCK_BYTES + MARK_BYTES_MAX],
  ["a whole read at the start of a file", BLOCK_BYTES],
  ["a short read", 10],
] as const)
  test(`${name} takes a block that was given back`, () => {
    const blocks = new ReadBlocks();
    const first = blocks.take(bytes);
    expect(first.length).toBeGreaterThanOrEqual(bytes);
    blocks.give(first);
    expect(blocks.take(bytes) === first).toBe(true);
  });

test("a long line takes a block of its own, which is not kept", () => {
  const blocks = new ReadBlocks();
  const first = blocks.take(2 * BLOCK_BYTES);
  blocks.give(first);
  expect(blocks.take(2 * BLOCK_BYTES) === first).toBe(false);
});
