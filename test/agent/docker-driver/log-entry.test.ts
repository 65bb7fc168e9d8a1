import { describe, expect, test } from "vitest";
import { decodeEntry, LogEntryReader } from "../../../agent/docker-driver/log-entry.ts";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { encode } from "./docker-daemon.ts";

const body = (entry: Buffer): Buffer => entry.subarray(4);

describe("an entry", () => {
  test("has source, time and line", () =>
    expect(decodeEntry(body(encode({ line: "a\0b", source: "stderr" })))).toEqual({
      source: "stderr",
      sec: 1_700_000_000,
      nanos: 123_456_789,
      line: Buffer.from("a\0b"),
      partial: false,
      partialId: "",
    }));
  test("may be of before 1970", () =>
    expect(decodeEntry(body(encode({ line: "", timeNano: -1n })))).toMatchObject({ sec: -1, nanos: 999_999_999 }));
  test.each([
    [false, true],
    [true, false],
  ])("of several parts: last %s", (last, partial) =>
    expect(decodeEntry(body(encode({ line: "a", part: { id: "x", last, ordinal: 1 } })))).toMatchObject({ partial, partialId: "x" }),
  );
  test("with fields of later versions is read", () => {
    const later = Buffer.concat([body(encode({ line: "a" })), Buffer.from([0x31, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 1, 2, 3, 4, 0x42, 1, 9])]);
    expect(decodeEntry(later).line.toString()).toBe("a");
  });
  test.each<[string, number[]]>([
    ["in the middle of a field", [0x1a, 5, 1]],
    ["in the middle of a number", [0x10, 0x80]],
    ["of an unknown kind", [0x0b]],
    ["with a number without end", [0x10, ...Array<number>(11).fill(0x80)]],
  ])("that ends wrongly is refused: %s", (_name, bytes) => expect(() => decodeEntry(Buffer.from(bytes))).toThrow("a log entry"));
});

describe("a pipe", () => {
  test("is read however it is cut", () => {
    const lines = Array.from({ length: 40 }, (_, i) => "x".repeat(i * 7));
    const bytes = Buffer.concat(lines.map((line) => encode({ line })));
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const reader = new LogEntryReader();
      const read: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + Math.floor(random() * 90);
        for (const { line } of reader.push(bytes.subarray(at, at + size))) read.push(line.toString());
        at += size;
      }
      expect(read).toEqual(lines);
    }
  });
  test("random bytes never do harm", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const bytes = Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256)));
      bytes.writeUInt32BE(190, 0);
      try {
        Array.from(new LogEntryReader().push(bytes));
      } catch (error) {
        expect((error as Error).message).toMatch(/a log entry|an entry of/);
      }
    }
  });
});
