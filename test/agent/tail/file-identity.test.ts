import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { digest } from "../../../agent/file-records.ts";
import { HEAD_BYTES_MAX, MARK_BYTES_MAX, matchesFingerprint, ReadTrace, traceAt } from "../../../agent/tail/file-identity.ts";
import { seededRandom } from "../../../lib/runtime/clock.ts";

const folder = mkdtempSync(join(tmpdir(), "skald-identity-"));
afterAll(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const random = seededRandom(20261126);
const content = Buffer.from(Array.from({ length: 5_000 }, () => Math.floor(random() * 256)));
const path = join(folder, "a.log");
writeFileSync(path, content);
const fd = openSync(path, "r");

/** Reads up to `offset` in pieces of at most `pieceBytes`, each with what stood before it in front, as a tail does. */
function readInPieces(offset: number, pieceBytes: number): ReadTrace {
  const trace = new ReadTrace();
  for (let at = 0; at < offset; ) {
    const end = Math.min(offset, at + 1 + Math.floor(random() * pieceBytes));
    const start = trace.markBytes;
    const block = content.subarray(at - start, end);
    expect(trace.isMark(block)).toBe(true);
    trace.advance(at, block, start, block.length);
    at = end;
  }
  return trace;
}

for (const offset of [0, 1, MARK_BYTES_MAX, HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX, HEAD_BYTES_MAX + 1, 5_000]) {
  for (const pieceBytes of [1, 100, 600, 5_000]) {
    test(`${offset} bytes read in pieces of up to ${pieceBytes} are known as if read at once`, () => {
      const trace = readInPieces(offset, pieceBytes);
      const headBytes = Math.min(offset, HEAD_BYTES_MAX);
      expect([trace.headBytes, trace.headDigest]).toEqual([headBytes, digest(content.subarray(0, headBytes))]);
      expect(trace.markBytes).toBe(Math.min(offset, MARK_BYTES_MAX));
      expect(trace.markDigest()).toBe(traceAt(fd, offset).markDigest());
      expect(matchesFingerprint(fd, content.length, trace.fingerprint(offset, trace.markDigest()))).toBe(true);
    });
  }
}

test("the digest of a head that still grows is of what is known of it", () => {
  const trace = new ReadTrace();
  trace.advance(0, content, 0, 10);
  expect(trace.headDigest).toBe(digest(content.subarray(0, 10)));
  trace.advance(10, content, 10, 20);
  expect(trace.headDigest).toBe(digest(content.subarray(0, 20)));
});
