import { describe, expect, test } from "vitest";
import { halve, streamMessage, takeApart } from "../../../agent/client/push-body.ts";
import { kernels } from "../../../lib/kernels/index.ts";

/** An entry of a time and a line, as it stands in a request. */
function entry(line: string): Buffer {
  const text = Buffer.from(line);
  const inner = Buffer.concat([
    Buffer.from([0x0a, 2, 0x08, 1]),
    ...(text.length === 0 ? [] : [Buffer.from([0x12]), varint(text.length), text]),
  ]);
  return Buffer.concat([Buffer.from([0x12]), varint(inner.length), inner]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return Buffer.from(bytes);
  }
}

const labelsOf = (bytes: number): Buffer => Buffer.from(`{a="${"x".repeat(bytes - 6)}"}`);

// Lengths on both sides of where their varints grow.
describe("a stream's head ends where its entries begin", () => {
  for (const labelBytes of [7, 127, 128, 16_383, 16_384])
    for (const lineBytes of [0, 1, 110, 125, 126, 16_380, 16_384, 2_097_152])
      test(`labels of ${labelBytes} bytes, a line of ${lineBytes}`, () => {
        const stream = { labels: labelsOf(labelBytes), entries: [entry("y".repeat(lineBytes)), entry("last")] };
        const message = streamMessage(stream);
        const decoded = kernels.decodePush(message);
        expect(Buffer.from(decoded.bytes.subarray(0, lineBytes)).toString()).toBe("y".repeat(lineBytes));
        expect([decoded.streamCount, decoded.entryCount]).toEqual([1, 2]);
        const [taken] = takeApart(message);
        expect(stream.labels.equals(taken!.labels)).toBe(true);
        expect(taken!.entries.map((bytes, i) => stream.entries[i]!.equals(bytes))).toEqual([true, true]);
      });
});

test("halves of a request have its entries in their order, and a stream that is cut is in both", () => {
  const streams = [
    { labels: labelsOf(10), entries: ["1", "2", "3"].map(entry) },
    { labels: labelsOf(11), entries: ["4"].map(entry) },
  ];
  const halves = halve(streams).map((half) => takeApart(Buffer.concat(half.map(streamMessage))));
  expect(halves.map((half) => half.map(({ labels, entries }) => [labels.length, entries.length]))).toEqual([
    [[10, 2]],
    [
      [10, 1],
      [11, 1],
    ],
  ]);
  expect(halves.flat().flatMap(({ entries }) => entries.map((bytes) => Buffer.from(bytes)))).toEqual(["1", "2", "3", "4"].map(entry));
});
