import { describe, expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { decodePage, PageScratch } from "../../../server/block/page-decoder.ts";
import { Head, type HeadStream } from "../../../server/head/head.ts";
import { PAGE_BYTES_TARGET, PAGE_ENTRIES_MAX } from "../../../server/limits.ts";
import { entriesOf, type ModelEntry, pushOf } from "../storage-entries.ts";

const entry = (line: string, sec: number): ModelEntry => ({ labels: { app: "a" }, sec, nanos: 0, line });
const many = (count: number, line: (i: number) => string): ModelEntry[] => Array.from({ length: count }, (_, i) => entry(line(i), i));

/** A head with one stream, and how many pages of it are cut. */
function headOf(...pushes: ModelEntry[][]): { head: Head; stream: HeadStream } {
  const head = new Head();
  // Without turns to take, all is done when the call returns.
  for (const push of pushes) void head.append("t", pushOf(push));
  return { head, stream: [...head.streams("t")][0]! };
}

function linesOf({ stream }: { stream: HeadStream }): string[] {
  const scratch = new PageScratch(false);
  return stream.pages().flatMap(({ location }) => {
    if (location.kind !== "memory") throw new Error("pages of the head are in memory");
    return entriesOf(decodePage(location.encoded, scratch), LabelSet.EMPTY).map(({ line }) => line);
  });
}

describe("pages of the head", () => {
  for (const [name, pushes, cut, open] of [
    ["a page below the target stays open", [many(100, (i) => `${i}`)], 0, 100],
    ["a page at the target is cut", [[entry("x".repeat(PAGE_BYTES_TARGET - 1), 1)]], 1, 0],
    ["a page one byte below the target is not", [[entry("x".repeat(PAGE_BYTES_TARGET - 2), 1)]], 0, 1],
    ["a line beyond the target has a page of its own size", [[entry("x".repeat(PAGE_BYTES_TARGET * 3), 1), entry("y", 2)]], 1, 1],
    // 131 lines of about 2003 bytes reach the target.
    ["a large push makes several pages", [many(1000, (i) => `${i} ${"x".repeat(2000)}`)], 7, 83],
    ["entries without bytes are cut by number", [many(PAGE_ENTRIES_MAX + 5, () => "")], 1, 5],
  ] as const)
    test(name, () => {
      const made = headOf(...pushes.map((push) => [...push]));
      expect([made.stream.cut.length, made.stream.open.entryCount]).toEqual([cut, open]);
      expect(linesOf(made)).toEqual(pushes.flatMap((push) => push.map(({ line }) => line)));
    });

  test("the same entries in one push or in many make the same pages", () => {
    const entries = many(3000, (i) => `${i} ${"x".repeat((i * 37) % 400)}`);
    const whole = headOf(entries);
    const single = headOf(...entries.map((one) => [one]));
    expect(single.stream.cut.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual(
      whole.stream.cut.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
    );
    expect(linesOf(single)).toEqual(linesOf(whole));
  });

  test("late entries are in the page that is being filled, in their place", () => {
    const made = headOf([entry("late 2", 50), entry("first", 10), entry("late 1", 20)]);
    expect(linesOf(made)).toEqual(["first", "late 1", "late 2"]);
  });

  test("what a reader was given does not change when more is appended", () => {
    const { head, stream } = headOf([entry("a", 1)]);
    const [before] = stream.pages();
    void head.append("t", pushOf([entry("b", 2)]));
    expect(before!.stats.entryCount).toBe(1);
    expect(stream.pages()[0]!.stats.entryCount).toBe(2);
  });

  test("the memory that is counted is the memory of its pages", () => {
    const { head, stream } = headOf(
      many(5000, (i) => `${i} ${"x".repeat(200)}`),
      many(300, (i) => `more ${i}`),
    );
    const cutBytes = stream.cut.reduce((sum, { bytes, filter, tally }) => sum + bytes.length + filter.length + tally.length, 0);
    expect(head.memoryBytes).toBe(cutBytes + stream.open.memoryBytes);
  });

  test("others have their turn after each page that a push fills, and see what is there by then", async () => {
    const head = new Head();
    const seen: number[] = [];
    const takeTurn = async (): Promise<void> => {
      await Promise.resolve();
      seen.push([...head.streams("t")].reduce((sum, stream) => sum + linesOf({ stream }).length, 0));
    };
    const push = ["a", "b"].flatMap((app) => [1, 2].map((sec) => ({ ...entry("x".repeat(PAGE_BYTES_TARGET), sec), labels: { app } })));
    await head.append("t", pushOf(push), takeTurn);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("cutting everything leaves nothing open and sorts streams and pages", async () => {
    const head = new Head();
    await head.append(
      "t",
      pushOf([
        { ...entry("z", 5), labels: { app: "z" } },
        { ...entry("b", 3), labels: { app: "b" } },
      ]),
    );
    await head.append(
      "t",
      pushOf([
        { ...entry("x".repeat(PAGE_BYTES_TARGET), 9), labels: { app: "b" } },
        { ...entry("early", 1), labels: { app: "b" } },
      ]),
    );
    const streams = await head.cutAll("t");
    expect(streams.map(({ labels }) => String(labels))).toEqual(['{app="b"}', '{app="z"}']);
    expect(streams[0]!.pages.map(({ stats }) => stats.minSec)).toEqual([1, 3]);
    expect([...head.streams("t")].every(({ open }) => open.entryCount === 0)).toBe(true);
  });
});
