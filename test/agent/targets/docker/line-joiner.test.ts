import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../../agent/targets/docker/frames.ts";
import { LineJoiner } from "../../../../agent/targets/docker/line-joiner.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

const T1 = "2024-05-01T10:00:00.000000001Z ";
const T2 = "2024-05-01T10:00:00.000000002Z ";
const PART = "x".repeat(16 * 1024);

/** Lines as `nanos text` (`- text` without a time, `…` where it was cut), fed in pieces of a size. */
function join(parts: readonly (string | null)[], options: { terminal?: boolean; max?: number; piece?: number } = {}): string[] {
  const lines: string[] = [];
  const joiner = new LineJoiner({
    terminal: options.terminal ?? false,
    textBytesMax: options.max ?? 1 << 20,
    onLine: ({ nanos, timed, text, cutBytes }) => lines.push(`${timed ? nanos : "-"} ${text}${cutBytes > 0 ? `…${cutBytes}` : ""}`),
  });
  for (const part of parts) {
    if (part === null) {
      joiner.end();
      continue;
    }
    if (options.terminal !== true) joiner.beginFrame();
    const bytes = Buffer.from(part);
    const size = options.piece ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) joiner.push(bytes.subarray(at, at + size));
  }
  return lines;
}

describe.each([1, 7, 1 << 20])("in pieces of %i", (piece) => {
  test.each<[string, string[], string[]]>([
    ["a line", [`${T1}a b\n`], ["1 a b"]],
    ["an empty line", [`${T1}\n`], ["1 "]],
    ["carriage returns at the end go", [`${T1}a\r\r\n`], ["1 a"]],
    ["parts of one time are one line", [`${T1}${PART}`, `${T1}b\n`], [`1 ${PART}b`]],
    ["an open part ends where another time begins", [`${T1}a`, `${T2}b\n`], ["1 a", "2 b"]],
    ["a line without a time", ["no time here\n", `${T1}a\n`], ["- no time here", "1 a"]],
    ["a line without a space", ["nospace\n"], ["- nospace"]],
    ["lines of one frame", [`${T1}a\n${T2}b\n`], ["1 a", "2 b"]],
    ["a time with an offset", ["2024-05-01T12:00:00.5+02:00 a\n"], ["500000000 a"]],
    ["an impossible time is text", ["2024-13-01T12:00:00Z a\n"], ["- 2024-13-01T12:00:00Z a"]],
  ])("%s", (_name, parts, lines) => expect(join(parts, { piece })).toEqual(lines));

  test.each<[string, string, string[]]>([
    ["lines", `${T1}a\r\n${T2}b\r\n`, ["1 a", "2 b"]],
    ["a line of two parts", `${T1}${PART}${T1}b\n`, [`1 ${PART}b`]],
    ["a line of three parts", `${T1}${PART}${T1}${PART}${T1}c\n`, [`1 ${PART}${PART}c`]],
    ["a line as long as a part", `${T1}${PART}${T1}\n${T2}b\n`, [`1 ${PART}`, "2 b"]],
    ["a part whose rest never came", `${T1}${PART}${T2}b\n`, [`1 ${PART}`, "2 b"]],
    ["a longer line that was not cut", `${T1}${PART}word more\n`, [`1 ${PART}word more`]],
  ])("of a terminal: %s", (_name, text, lines) => expect(join([text], { piece, terminal: true })).toEqual(lines));
});

test("a line is cut to the longest, and what was cut is counted", () =>
  expect(join([`${T1}${PART}`, `${T1}${PART}`, `${T1}end\n`, `${T2}b\n`], { max: 10 })).toEqual([
    `1 xxxxxxxxxx…${2 * PART.length + 3 - 10}`,
    "2 b",
  ]));
test("what is open at the end is a line", () => expect(join([`${T1}a`, null])).toEqual(["1 a"]));
test("the beginning of a time at the end is a line", () => expect(join(["2024-05", null])).toEqual(["- 2024-05"]));

describe("frames", () => {
  const frame = (type: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = type;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  function read(bytes: Buffer, nextSize: () => number): string[] {
    const frames: string[] = [];
    const reader = new FrameReader({
      begin: (stream) => frames.push(`${stream} `),
      data: (_stream, data) => {
        frames[frames.length - 1] += data.toString();
      },
    });
    for (let at = 0; at < bytes.length; ) {
      const size = nextSize();
      reader.push(bytes.subarray(at, at + size));
      at += size;
    }
    return frames;
  }

  test("come out whole however they are cut", () => {
    const bytes = Buffer.concat([frame(1, "a"), frame(2, "bb\n"), frame(1, ""), frame(0, "in"), frame(2, "c".repeat(300))]);
    const whole = ["stdout a", "stderr bb\n", "stdout in", `stderr ${"c".repeat(300)}`];
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed);
      expect(read(bytes, () => 1 + Math.floor(random() * 20))).toEqual(whole);
    }
  });
  test("an error of the daemon ends the stream with its text", () =>
    expect(() => read(Buffer.concat([frame(1, "a"), frame(3, "log file is broken")]), () => 5)).toThrow("log file is broken"));
  test("another text is no stream of frames", () =>
    expect(() => read(Buffer.from("2024-05-01T10:00:00Z hello\n"), () => 64)).toThrow(
      "not a stream of frames: a header begins with 32303234",
    ));
});
