// Files that grow by random pieces at random moments, in several encodings, against the lines they were made of.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import iconv from "iconv-lite";
import { afterEach, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { pause, Rig } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const WORDS = ["a", "größe", "日本語", "\u0a0a\u010a", "😀", "", "x".repeat(300), "\ufffd", "tab\tend", "\r", "y".repeat(70_000)];

function randomLines(random: () => number, count: number, long: boolean): string[] {
  const words = long ? WORDS : WORDS.slice(0, -1);
  const word = (): string => words[Math.floor(random() * words.length)]!;
  return Array.from({ length: count }, (_, i) => `${i} ${word()} ${word()}`);
}

for (const [encoding, encode] of [
  ["", (text: string) => Buffer.from(text)],
  ["UTF-16LE", (text: string) => iconv.encode(text, "utf-16le")],
  ["UTF-16BE", (text: string) => iconv.encode(text, "utf-16be")],
  ["UTF-32LE", (text: string) => iconv.encode(text, "utf-32le")],
  ["gb18030", (text: string) => iconv.encode(text, "gb18030")],
] as const) {
  for (const seed of [1, 2, 3]) {
    test(`fuzz: ${encoding || "UTF-8"} in random pieces, seed ${seed}`, async () => {
      const random = seededRandom(seed);
      rig = new Rig({ reading: { encoding, pollMinMs: 1, pollMaxMs: 5 } });
      const lines = randomLines(random, 120, seed === 3);
      const bytes = encode(lines.map((line) => `${line}\n`).join(""));
      writeFileSync(rig.path("a.log"), "");
      await rig.start();
      for (let at = 0; at < bytes.length; ) {
        const piece = Math.ceil(random() ** 4 * (bytes.length / 4)) + 1;
        appendFileSync(rig.path("a.log"), bytes.subarray(at, at + piece));
        at += piece;
        if (random() < 0.6) await pause(random() * 6);
      }
      await rig.until(() => rig.lines().length >= lines.length, "all lines");
      expect(rig.lines()).toEqual(lines);
    });
  }
}

for (const seed of [11, 12, 13, 14]) {
  test(`fuzz: killed again and again while the file grows, seed ${seed}`, async () => {
    const random = seededRandom(seed);
    rig = new Rig({ roomLines: 40, reading: { pollMinMs: 1, pollMaxMs: 5 } });
    const lines = randomLines(random, 3_000, false);
    let written = 0;
    writeFileSync(rig.path("a.log"), "");
    while (written < lines.length) {
      await rig.start(random() < 0.5 ? "slow" : "up");
      for (let k = 0; k < 6; k++) {
        const count = Math.floor(random() * 200);
        appendFileSync(
          rig.path("a.log"),
          lines
            .slice(written, written + count)
            .map((line) => `${line}\n`)
            .join(""),
        );
        written = Math.min(lines.length, written + count);
        await pause(random() * 15);
      }
      await rig.kill();
    }
    await rig.start("up");
    await rig.untilLines(lines.length);
    expect(rig.linesOnce()).toEqual(lines);
    expect(readFileSync(rig.path("a.log"), "utf8")).toBe(lines.map((line) => `${line}\n`).join(""));
  });
}

test("encoding: a byte order mark decides, and is no part of the first line", async () => {
  rig = new Rig({ reading: { encoding: "UTF-16" } });
  writeFileSync(rig.path("le.log"), Buffer.concat([Buffer.from([0xff, 0xfe]), iconv.encode("hello\n", "utf-16le")]));
  writeFileSync(rig.path("be.log"), Buffer.concat([Buffer.from([0xfe, 0xff]), iconv.encode("world\n", "utf-16be")]));
  await rig.start();
  await rig.untilLines(2);
  expect(rig.lines().sort()).toEqual(["hello", "world"]);
});

test("encoding: the order a mark gave holds after a restart in the middle of the file", async () => {
  rig = new Rig({ reading: { encoding: "UTF-16" } });
  writeFileSync(rig.path("a.log"), Buffer.concat([Buffer.from([0xff, 0xfe]), iconv.encode("one\n", "utf-16le")]));
  await rig.start();
  await rig.untilLines(1);
  await rig.stop();
  appendFileSync(rig.path("a.log"), iconv.encode("two\n", "utf-16le"));
  await rig.start();
  await rig.untilLines(2);
  expect(rig.lines()).toEqual(["one", "two"]);
});

test("encoding: malformed text is counted by line", async () => {
  rig = new Rig({ reading: { encoding: "shift_jis" } });
  writeFileSync(rig.path("a.log"), Buffer.concat([iconv.encode("日本\n", "shift_jis"), Buffer.from([0x81, 0x0a, 0x61, 0x0a])]));
  await rig.start();
  await rig.until(() => rig.lines().length >= 2, "lines");
  expect(await rig.metric("promtail_encoding_failures_total")).toBe(1);
  expect(rig.lines()[0]).toBe("日本");
});

test("encoding: a name nobody knows is refused", async () => {
  rig = new Rig({ reading: { encoding: "klingon" } });
  await expect(rig.start()).rejects.toThrow(/encoding "klingon" is not known/);
  await rig.positions.close();
  rig = new Rig();
  await rig.start();
});
