import { describe, expect, test } from "vitest";
import { FrameReader, readDatagram } from "../../../../agent/targets/syslog/frames.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

const MAX = 40;

/** Messages in brackets and faults by name, of a stream that comes in pieces and ends. */
function read(input: string, pieceBytes = input.length, ending: "end" | "abort" = "end"): string[] {
  const seen: string[] = [];
  const reader = new FrameReader(collect(seen), MAX);
  const bytes = Buffer.from(input, "latin1");
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(Uint8Array.from(bytes.subarray(at, at + pieceBytes)));
  reader[ending]();
  return seen;
}
const collect = (seen: string[]) => ({
  message: (bytes: Uint8Array, start: number, end: number) =>
    void seen.push(`[${Buffer.from(bytes.subarray(start, end)).toString("latin1")}]`),
  fault: (fault: string) => void seen.push(fault),
});

const CASES: readonly [name: string, input: string, seen: string[]][] = [
  ["lines", "<1>a\n<2>b\n", ["[<1>a]", "[<2>b]"]],
  ["a last line without line feed", "<1>a\n<2>b", ["[<1>a]", "[<2>b]"]],
  ["lengths", "4 <1>a5 <2>bb", ["[<1>a]", "[<2>bb]"]],
  ["lengths that count a line feed, and do not", "5 <1>a\n4 <2>b\n4 <3>c", ["[<1>a\n]", "[<2>b]", "[<3>c]"]],
  ["a message with line feeds, counted", "7 <1>a\nb\n", ["[<1>a\nb\n]"]],
  ["both in one connection", "<1>a\n4 <2>b<3>c\n", ["[<1>a]", "[<2>b]", "[<3>c]"]],
  ["line ends between messages", "\r\n\n<1>a\n\0 <2>b\n", ["[<1>a]", "[<2>b]"]],
  ["garbage up to the next line", "GET / HTTP/1.1\n<1>a\n", ["no_frame", "[<1>a]"]],
  ["a number that is no length", "12345678901 x\n<1>a\n", ["no_frame", "[<1>a]"]],
  ["a length without space", "12x\n<1>a\n", ["no_frame", "[<1>a]"]],
  ["a length of nothing", "0 \n<1>a\n", ["no_frame", "[<1>a]"]],
  ["a line that is too long, once", `<1>${"x".repeat(MAX)}\n<1>a\n`, ["too_long", "[<1>a]"]],
  ["a line as long as may be", `<1>${"x".repeat(MAX - 3)}\n`, [`[<1>${"x".repeat(MAX - 3)}]`]],
  ["a counted message that is too long", `99 ${"x".repeat(99)}4 <1>a`, ["too_long", "[<1>a]"]],
  ["half a counted message", "<1>a\n9 <2>", ["[<1>a]", "half_frame"]],
  ["half a length", "<1>a\n9", ["[<1>a]", "half_frame"]],
  ["nothing", "", []],
];

describe("a stream", () => {
  test.each(CASES)("%s", (_, input, seen) => expect(read(input)).toEqual(seen));

  test.each(CASES)("%s, cut into pieces of every size", (_, input, seen) => {
    for (let size = 1; size < input.length; size++) expect(read(input, size), `pieces of ${size}`).toEqual(seen);
  });

  test("cut off inside a line", () => expect(read("<1>a\n<2>b", 3, "abort")).toEqual(["[<1>a]", "half_frame"]));
  test("cut off between messages", () => expect(read("<1>a\n", 3, "abort")).toEqual(["[<1>a]"]));

  test("any messages in either framing come out as they went in", () => {
    const random = seededRandom(9);
    const pick = (max: number): number => Math.floor(random() * max);
    for (let round = 0; round < 300; round++) {
      let input = "";
      const expected: string[] = [];
      for (let m = 0; m < 1 + pick(8); m++) {
        const counted = pick(2) === 0;
        const text = `<${pick(192)}>${Array.from({ length: pick(30) }, () => (counted ? "ab<\n 1" : "ab< 1")[pick(5)]).join("")}`;
        input += counted ? `${text.length} ${text}` : `${text}\n`;
        expected.push(`[${text}]`);
      }
      expect(read(input, 1 + pick(20))).toEqual(expected);
    }
  });

  test("any bytes keep to the bound", () => {
    const random = seededRandom(10);
    const alphabet = "<>1 20\nab\0";
    for (let round = 0; round < 500; round++) {
      const input = Array.from({ length: 400 }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
      const size = 1 + Math.floor(random() * 50);
      const seen = read(input, size);
      expect(seen).toEqual(read(input));
      for (const message of seen) expect(message.length).toBeLessThanOrEqual(MAX + 2);
    }
  });
});

describe("a datagram", () => {
  const datagram = (input: string): string[] => {
    const seen: string[] = [];
    readDatagram(Buffer.from(input, "latin1"), MAX, collect(seen));
    return seen;
  };
  test.each([
    ["is one message", "<1>a", ["[<1>a]"]],
    ["may have a line end", "<1>a\n", ["[<1>a]"]],
    ["may have several lines", "<1>a\nb\n c", ["[<1>a\nb\n c]"]],
    ["may have several messages", "<1>a\n<2>b\n", ["[<1>a]", "[<2>b]"]],
    ["may count", "4 <1>a4 <2>b", ["[<1>a]", "[<2>b]"]],
    ["may be cut", "9 <1>a", ["half_frame"]],
    ["may be too long", `<1>${"x".repeat(MAX)}`, ["too_long"]],
    ["may be garbage", "hello\nworld", ["no_frame"]],
    ["may be empty", "", []],
  ])("%s", (_, input, seen) => expect(datagram(input)).toEqual(seen));
});
