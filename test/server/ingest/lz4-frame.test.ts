import { describe, expect, test } from "vitest";
import { kernels } from "../../../lib/kernels/index.ts";
import { decodeLz4Frames, Lz4FrameError } from "../../../server/ingest/lz4-frame.ts";

const text = Buffer.from("abcabcabcabcabc the same, the same, the same again ".repeat(40));

function frame(block: Buffer, stored = false): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(stored ? (block.length | 0x80000000) >>> 0 : block.length);
  return Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]), size, block, Buffer.alloc(4)]);
}
const packed = (): Buffer => Buffer.from(kernels.lz4Compress(text).slice());

describe("lz4 frames", () => {
  test("a compressed block", () => expect(decodeLz4Frames(frame(packed()), 1e6)).toEqual(text));
  test("a stored block", () => expect(decodeLz4Frames(frame(text, true), 1e6)).toEqual(text));
  test("two frames", () =>
    expect(decodeLz4Frames(Buffer.concat([frame(packed()), frame(text, true)]), 1e6)).toEqual(Buffer.concat([text, text])));
  test("longer than allowed", () => expect(() => decodeLz4Frames(frame(packed()), 100)).toThrow("limit: 100 bytes"));
  test("cut anywhere, it is refused", () => {
    const whole = frame(packed());
    for (let at = 1; at < whole.length; at++) expect(() => decodeLz4Frames(whole.subarray(0, at), 1e6)).toThrow(Lz4FrameError);
  });
});
