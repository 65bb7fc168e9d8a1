import { describe, expect, test } from "vitest";
import { type ExportHandler, ExportParser } from "../../../../agent/targets/journal/export-parser.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

type Entry = [name: string, value: string][];

/** Collects the entries whose fields are wanted: all but those whose name begins with SKIP. */
class Collector implements ExportHandler<string> {
  readonly entries: Entry[] = [];
  cutBytes = 0;
  asked = 0;
  #fields: Entry = [];
  use(name: string): string | undefined {
    this.asked++;
    return name.startsWith("SKIP") ? undefined : name;
  }
  field(name: string, bytes: Uint8Array, start: number, end: number, cutBytes: number): void {
    this.#fields.push([name, Buffer.from(bytes.subarray(start, end)).toString("latin1")]);
    this.cutBytes += cutBytes;
  }
  entry(): void {
    this.entries.push(this.#fields);
    this.#fields = [];
  }
}

function sized(name: string, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from("\n")]);
}

function parse(input: Uint8Array, pieceBytes = input.length, valueBytesMax = 1_000): Collector {
  const collector = new Collector();
  const parser = new ExportParser(collector, valueBytesMax);
  for (let at = 0; at < input.length; at += pieceBytes) parser.push(Buffer.from(input.subarray(at, at + pieceBytes)));
  return collector;
}

const SAMPLE = Buffer.concat([
  Buffer.from("__CURSOR=s=1;i=2\nMESSAGE=one = 1\nEMPTY=\n\n"),
  Buffer.from("__CURSOR=s=1;i=3\n"),
  sized("MESSAGE", "two\nlines\n\nA=B"),
  sized("SKIPPED", "x\n\ny"),
  sized("NONE", ""),
  Buffer.from("SKIP=1\nLAST=z\n\n"),
]);
const SAMPLE_ENTRIES: Entry[] = [
  [["__CURSOR", "s=1;i=2"], ["MESSAGE", "one = 1"], ["EMPTY", ""]], // biome-ignore format: one line
  [["__CURSOR", "s=1;i=3"], ["MESSAGE", "two\nlines\n\nA=B"], ["NONE", ""], ["LAST", "z"]], // biome-ignore format: one line
];

describe("reads", () => {
  test("fields with text and with any bytes", () => expect(parse(SAMPLE).entries).toEqual(SAMPLE_ENTRIES));

  test("the same, cut into pieces of every size", () => {
    for (let size = 1; size <= SAMPLE.length; size++) expect(parse(SAMPLE, size).entries, `pieces of ${size}`).toEqual(SAMPLE_ENTRIES);
  });

  test("an entry only when its end has come", () => expect(parse(SAMPLE.subarray(0, SAMPLE.length - 1)).entries).toHaveLength(1));

  test("asks once what a name is for", () => {
    const once = parse(SAMPLE).asked;
    expect(parse(Buffer.concat([SAMPLE, SAMPLE, SAMPLE])).asked).toBe(once);
  });

  test("remarks between entries are no fields", () =>
    expect(parse(Buffer.from("-- Journal begins --\nA=1\n\n-- No entries --\n")).entries).toEqual([[["A", "1"]]]));

  test("empty lines alone are no entries", () => expect(parse(Buffer.from("\n\nA=1\n\n\n\n")).entries).toEqual([[["A", "1"]]]));
});

describe("bounds", () => {
  test.each([1, 7, 64, 5_000])("a value past its bound is cut and the rest stepped over, in pieces of %i", (pieceBytes) => {
    const input = Buffer.concat([Buffer.from(`A=${"a".repeat(2_500)}\n`), sized("B", `${"b".repeat(2_000)}\n\n`), Buffer.from("C=c\n\n")]);
    const { entries, cutBytes } = parse(input, pieceBytes);
    expect(entries).toEqual([[["A", "a".repeat(1_000)], ["B", "b".repeat(1_000)], ["C", "c"]]]); // biome-ignore format: one line
    expect(cutBytes).toBe(1_500 + 1_002);
  });

  test("a value nobody wants is not kept, whatever its size", () => {
    const collector = new Collector();
    const parser = new ExportParser(collector, 1_000);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(300n * 2n ** 20n);
    parser.push(Buffer.concat([Buffer.from("SKIP_COREDUMP\n"), size]));
    const piece = Buffer.alloc(2 ** 20);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 300; i++) parser.push(piece);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 2 ** 20);
    parser.push(Buffer.from("\nA=1\n\n"));
    expect(collector.entries).toEqual([[["A", "1"]]]);
  });

  test("a name without end is stepped over", () =>
    expect(parse(Buffer.from(`${"x".repeat(100_000)}\nA=1\n\n`), 1_000).entries).toEqual([[["A", "1"]]]));

  test("a size nothing can have is taken for noise", () =>
    expect(parse(Buffer.concat([Buffer.from("A\n"), Buffer.alloc(7, 255), Buffer.from("\n\nB=1\n\n")])).entries.at(-1)).toEqual([
      ["B", "1"],
    ]));
});

test("any entries, cut anywhere, come out as they went in", () => {
  const random = seededRandom(5);
  const pick = (max: number): number => Math.floor(random() * max);
  for (let round = 0; round < 200; round++) {
    const entries: Entry[] = [];
    const parts: Buffer[] = [];
    for (let e = 0; e < 1 + pick(4); e++) {
      const entry: Entry = [];
      for (let f = 0; f < 1 + pick(5); f++) {
        const value = Array.from({ length: pick(40) }, () => "\n=\0Az\xff"[pick(6)]).join("");
        const name = `F_${pick(30)}`;
        entry.push([name, value]);
        const bytes = Buffer.from(value, "latin1");
        parts.push(value.includes("\n") || pick(2) === 0 ? sized(name, bytes) : Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.from("\n")])); // biome-ignore format: one line
      }
      entries.push(entry);
      parts.push(Buffer.from("\n"));
    }
    expect(parse(Buffer.concat(parts), 1 + pick(50)).entries).toEqual(entries);
  }
});

test("any bytes are survived", () => {
  const random = seededRandom(6);
  const alphabet = [...Buffer.from("AB_=\n\n\0\xff1", "latin1")];
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: 300 }, () => alphabet[Math.floor(random() * alphabet.length)]!);
    for (const [, value] of parse(bytes, 1 + Math.floor(random() * 60)).entries.flat()) expect(value.length).toBeLessThanOrEqual(1_000);
  }
});
