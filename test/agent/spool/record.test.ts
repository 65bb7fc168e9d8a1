import { describe, expect, test } from "vitest";
import { isIntact, nextIntact, RECORD_HEADER_BYTES, recordEnd } from "../../../agent/spool/frame.ts";
import { decodeRecord, encodeRecords } from "../../../agent/spool/record.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

const A = LabelSet.fromObject({ app: "a", quoted: 'x "y" ü' });
const B = LabelSet.fromObject({ app: "b" });

function full(): EntryBatch {
  const batch = new EntryBatch();
  batch.addText("one", 1_700_000_000, 5, A);
  batch.addText("", 0, 0, A);
  batch.addText(Buffer.from([0xff, 0x00, 0x0a]), -1, 999_999_999, B);
  batch.addText("four\nlines", 2, 3, A);
  batch.setTime(3, 5_000_000_000, 7);
  batch.source = "udp 127.0.0.1";
  batch.addMetadata(1, "trace", "t\0");
  batch.addMetadata(1, "span", "");
  batch.setExtracted("level", 0, "info");
  batch.setExtracted("n", 3, { deep: [1, null, true] });
  return batch;
}

const encode = (batch: EntryBatch): Buffer[] => encodeRecords(batch, Buffer.alloc).map(({ bytes }) => bytes);
const shown = (batch: EntryBatch): unknown[] =>
  Array.from(batch.live.subarray(0, batch.liveCount), (i) => ({
    line: Buffer.from(batch.lineBytes(i)).toString("latin1"),
    time: [batch.secondsOf(i), batch.nanos[i]],
    labels: String(batch.labels.get(i)),
    metadata: batch.metadata?.[i],
    extracted: [...batch.extracted].map(([name, column]) => [name, column.get(i)]).filter(([, value]) => value !== undefined),
  }));

describe("a record", () => {
  test("brings everything of a batch back", () => {
    const [record] = encode(full());
    const back = decodeRecord(record!);
    expect(shown(back)).toEqual(shown(full()));
    expect(back.source).toBe("udp 127.0.0.1");
    expect(back.labels.get(0)).toBe(A);
  });

  test("has the live entries only", () => {
    const batch = full();
    batch.filterLive((i) => i % 2 === 1);
    expect(shown(decodeRecord(encode(batch)[0]!))).toEqual([shown(full())[1], shown(full())[3]]);
  });

  test("keeps labels with an empty value, which stages may set", () => {
    const batch = new EntryBatch();
    batch.addText("x", 1, 0, B.put("empty", ""));
    expect(decodeRecord(encode(batch)[0]!).labels.get(0)).toBe(batch.labels.get(0));
  });

  test("is not longer than its reader likes, unless one line is", () => {
    const batch = new EntryBatch();
    for (const bytes of [600_000, 600_000, 3_000_000, 10, 20]) batch.addText("x".repeat(bytes), 1, 0, B);
    expect(encode(batch).map((record) => decodeRecord(record).liveCount)).toEqual([1, 1, 1, 2]);
  });

  test("of no entries is none", () => expect(encode(new EntryBatch())).toEqual([]));
});

describe("damage", () => {
  const [record] = encode(full());

  test("of any byte is seen", () => {
    for (let at = 0; at < record!.length; at++) {
      const damaged = Buffer.from(record!);
      damaged[at]! ^= 1;
      expect(isIntact(damaged, 0), `byte ${at}`).toBe(false);
    }
  });

  test("by a cut anywhere is seen", () => {
    for (let length = 0; length < record!.length; length++) expect(isIntact(record!.subarray(0, length), 0)).toBe(false);
  });

  test("does not hide the next record", () => {
    const bytes = Buffer.concat([record!, record!]);
    bytes[RECORD_HEADER_BYTES]! ^= 1;
    expect(nextIntact(bytes, 1)).toBe(record!.length);
    expect(recordEnd(bytes, record!.length)).toBe(bytes.length);
  });

  test("a length that nothing can have is no length", () => {
    const damaged = Buffer.from(record!);
    damaged.writeUInt32LE(0xffffffff, 8);
    expect(recordEnd(damaged, 0)).toBeUndefined();
  });
});
